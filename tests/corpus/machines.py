"""The machines that files are built for: compilers, linkers, and what runs their programs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LINKERS", "MACHINES", "Finished", "Machine", "Missing", "run"]

LINKERS = ("bfd", "gold", "lld", "mold")
_TIMEOUT = 20  # seconds for one step


class Missing(Exception):  # noqa: N818 - a state of the machine that skips a file, no error
    """A tool that is not here; ``str()`` says which."""


@dataclass(frozen=True)
class Finished:
    """How a command ended: its code (None: not in time), and what it printed."""

    code: int | None
    output: str
    errors: str

    @property
    def problem(self) -> str | None:
        """Why it did not do its work, None if it did."""
        if self.code == 0:
            return None
        if self.code is None:
            return "took too long"
        lines = [each for each in self.errors.splitlines() if each.strip()]
        how = f"signal {-self.code}" if self.code < 0 else f"exit {self.code}"
        return f"{how}: {lines[-1][:200]}" if lines else how


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, timeout: int = _TIMEOUT
) -> Finished:
    """Run a command with a time limit; never raises for what the command does."""
    variables = {**os.environ, "LC_ALL": "C", **(environment or {})}
    try:
        done = subprocess.run(
            command, capture_output=True, env=variables, timeout=timeout, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Finished(None, "", "")
    except OSError as error:
        return Finished(127, "", str(error))
    output, errors = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Finished(done.returncode, output, errors)


@dataclass(frozen=True)
class Machine:
    """One machine: the prefix of its tools, and the emulator that runs its programs."""

    name: str
    triplet: str
    emulator: str
    big_endian: bool = False
    ifunc: bool = True

    @property
    def is_native(self) -> bool:
        """Whether its programs run here without an emulator."""
        return platform.machine() == self.name

    def tool(self, name: str) -> str:
        """The path of one of its tools (``gcc``, ``strip``, ``ld.gold``).

        Raises:
            Missing: it is not installed.
        """
        path = shutil.which(f"{self.triplet}-{name}")
        if path is None and (self.is_native or name in ("ld.lld", "ld.mold")):
            path = shutil.which(name)
        if path is None:
            raise Missing(f"no {self.triplet}-{name}")
        return path

    def runner(self) -> list[str]:
        """What its programs are started with.

        Raises:
            Missing: the emulator is not installed, or there is no libc for it.
        """
        if self.is_native:
            return []
        emulator = shutil.which(f"qemu-{self.emulator}-static") or shutil.which(
            f"qemu-{self.emulator}"
        )
        if emulator is None:
            raise Missing(f"no qemu-{self.emulator}-static")
        root = Path("/usr", self.triplet)
        if not (root / "lib").is_dir():
            raise Missing(f"no libc in {root}")
        return [emulator, "-L", str(root)]


MACHINES = (
    Machine("x86_64", "x86_64-linux-gnu", "x86_64"),
    Machine("i686", "i686-linux-gnu", "i386"),
    Machine("aarch64", "aarch64-linux-gnu", "aarch64"),
    Machine("armhf", "arm-linux-gnueabihf", "arm"),
    Machine("riscv64", "riscv64-linux-gnu", "riscv64"),
    Machine("s390x", "s390x-linux-gnu", "s390x", big_endian=True),
    Machine("ppc64", "powerpc64-linux-gnu", "ppc64", big_endian=True),
    Machine("mips", "mips-linux-gnu", "mips", big_endian=True, ifunc=False),
)
