"""Objects from assembler, by ``as`` and ``ld`` alone: some ten milliseconds each.

The same object is never built twice: what was built is kept by everything that went into it, and
copied to where it is wanted (copied, because a second link to a file is the same file to a loader).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .assembly import X86_64, Define, Kind, Machine, Refer, assembly
from .edit import add_dynamic_entry

__all__ = ["CannotBuildError", "Foundry", "Part", "needed_stub"]

_FLAGS = (
    "--build-id=none",
    "-znoseparate-code",
    "-zlazy",
    "--no-as-needed",
    "--unresolved-symbols=ignore-all",
    "--allow-shlib-undefined",
    "--spare-dynamic-tags=8",
)
_DT_SYMBOLIC = 16
_PATIENCE = 5  # seconds


class CannotBuildError(Exception):
    """The tools do not build this; ``str()`` has the command and what they say."""


@dataclass(frozen=True)
class Part:
    """One object to build.

    Attributes:
        path: where, relative to the directory of the graph.
        soname: DT_SONAME, or None.
        defined, referred: symbols.
        nodes: version nodes, each the parent of the next.
        needed: what it is linked with: objects that lend their SONAME, versions and symbols.
        rpath, runpath: search paths; of both at once ``rpath`` is added as a second tag.
        filters: options ``-F`` and ``-f`` with their names.
        flags: more options of ``ld``.
        symbolic: whether DT_SYMBOLIC is added behind the linker's back, which else binds at once.
        kind: ``library``, ``pie`` or ``fixed`` (a program at a fixed address).
    """

    path: str
    soname: str | None = None
    defined: tuple[Define, ...] = ()
    referred: tuple[Refer, ...] = ()
    nodes: tuple[str, ...] = ()
    needed: tuple[Part, ...] = ()
    rpath: str | None = None
    runpath: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    flags: tuple[str, ...] = ()
    symbolic: bool = False
    kind: str = field(default="library")


def needed_stub(name: str, defined: Iterable[Define] = (), nodes: tuple[str, ...] = ()) -> Part:
    """An object that lends its name to DT_NEEDED, and its versions to those that refer to them."""
    shown = tuple(
        Define(d.name, d.kind, d.version, default=d.default)
        for d in defined
        if d.visibility != "hidden" and d.kind not in (Kind.ABSOLUTE, Kind.ZERO)
    )
    return Part("stub.so", name, shown, nodes=nodes)


class Foundry:
    """Builds parts for one machine.

    Args:
        cache: where everything that was ever built is kept.
        machine: whose tools.
    """

    def __init__(self, cache: Path, machine: Machine = X86_64) -> None:
        self._cache = cache
        self.machine = machine
        self.built = 0
        prefix = f"{machine.name}-" if machine.name else ""
        self._as, self._ld = f"{prefix}as", f"{prefix}ld"
        for tool in (self._as, self._ld):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed")

    def build(self, directory: Path, part: Part) -> Path:
        """Put a part where it belongs below a directory."""
        path = directory / part.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        shutil.copyfile(self._made(part), path)
        path.chmod(0o755)
        return path

    def _made(self, part: Part) -> Path:
        """The kept file of a part, built first if it never was."""
        program = part.kind != "library"
        source = assembly(self.machine, part.defined, part.referred, program=program)
        stubs = [self._made(stub) for stub in part.needed]
        command = [*_FLAGS, *part.flags, *self._options(part)]
        key = "\0".join((self.machine.name, source, *map(str, stubs), *command, str(part.symbolic)))
        key += f"\0{part.nodes}\0{part.rpath}"
        kept = self._cache / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.so"
        if not kept.exists():
            self._link(part, source, command, stubs, kept)
            self.built += 1
        return kept

    def _link(
        self, part: Part, source: str, command: list[str], stubs: list[Path], kept: Path
    ) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        text, made = kept.with_suffix(".s"), kept.with_suffix(".o")
        text.write_text(source)
        _run(self._as, "-o", str(made), str(text))
        if part.nodes:
            script = kept.with_suffix(".map")
            parents = ("", *part.nodes)
            script.write_text(
                "\n".join(f"{node} {{}} {parents[i]};" for i, node in enumerate(part.nodes))
            )
            command = [f"--version-script={script}", *command]
        partial = kept.with_suffix(".partial")
        _run(self._ld, *command, "-o", str(partial), str(made), *map(str, stubs))
        if part.symbolic:
            add_dynamic_entry(partial, _DT_SYMBOLIC)
        partial.rename(kept)

    def _options(self, part: Part) -> list[str]:
        if part.kind == "library":
            options = ["-shared", *(["-soname", part.soname] if part.soname else [])]
        else:
            mode = "-pie" if part.kind == "pie" else "-no-pie"
            options = [mode, "--dynamic-linker", self.machine.interpreter]
        if part.rpath is not None:
            options += ["--disable-new-dtags", "-rpath", part.rpath]
        elif part.runpath is not None:
            options += ["--enable-new-dtags", "-rpath", part.runpath]
        return [*options, *(text for pair in part.filters for text in pair)]


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired as error:  # GNU ld 2.40 never ends on some hidden versions
        raise CannotBuildError(" ".join(command)) from error
    if done.returncode:
        raise CannotBuildError(f"{' '.join(command)}\n{done.stderr}")
