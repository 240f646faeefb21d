"""Root file systems of other machines and newer systems, and their own loaders, asked in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .assembly import AARCH64, S390X, X86_64, Machine
from .loader import TRACING, Answer, died, read_trace, run

__all__ = ["ARCHITECTURES", "Architecture", "ForeignRoot", "Unavailable", "make_root"]

SUITE = "trixie"  # glibc 2.41
_PACKAGES = (
    "libc6", "libc-bin", "libgcc-s1", "libstdc++6", "zlib1g", "libssl3t64", "libexpat1", "libffi8",
    "libpython3.13-minimal", "libpython3.13-stdlib", "python3.13-minimal", "perl-base", "bash",
    "libtinfo6", "libcurl4t64", "libsqlite3-0", "liblzma5", "libselinux1", "libpcre2-8-0",
)  # fmt: skip
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_TIMEOUT = 600  # seconds for one command


class Unavailable(Exception):  # noqa: N818 - a state of the world that skips a test, no error
    """A root that cannot be had here; ``str()`` says why in one sentence."""


@dataclass(frozen=True)
class Architecture:
    """One of Debian's: its name, how its programs run here, and what its ELF files look like."""

    name: str
    triplet: str
    emulator: str | None
    elf: tuple[int, str]
    machine: Machine


ARCHITECTURES = {
    each.name: each
    for each in (
        Architecture("amd64", "x86_64", None, (62, "little"), X86_64),
        Architecture("arm64", "aarch64", "qemu-aarch64-static", (183, "little"), AARCH64),
        Architecture("s390x", "s390x", "qemu-s390x-static", (22, "big"), S390X),
    )
}


@dataclass(frozen=True)
class ForeignRoot:
    """A root and how to run its programs in it."""

    path: Path
    architecture: Architecture

    def trace(
        self,
        program: str,
        *,
        started: bool = False,
        preload: Iterable[str] = (),
        library_path: str | None = None,
    ) -> Answer:
        """What the root's loader says of a file taken for the program; paths are those inside.

        With ``started`` the kernel (or the emulator) starts it: only for programs of our own.
        """
        if started:
            self._name_exe(program)
        command = [program] if started else [self.architecture.machine.interpreter, program]
        return read_trace(*self._run(command, preload, library_path, TRACING))

    def start(
        self, program: str, *, preload: Iterable[str] = (), library_path: str | None = None
    ) -> str | None:
        """Run a program of our own; the loader's message, or None."""
        self._name_exe(program)
        done, _ = self._run([program], preload, library_path, {})
        return died(done.returncode, done.stderr) if done.returncode else None

    def files(self) -> list[str]:
        """Paths, inside, of every 64-bit ELF file of the machine that a loader takes."""
        number, order = self.architecture.elf
        found = []
        for folder, _, names in os.walk(self.path / "usr"):
            for name in sorted(names):
                path = Path(folder) / name
                set_id = path.lstat().st_mode & 0o6000  # newer loaders run those when they trace
                if not path.is_symlink() and path.is_file() and not set_id:
                    head = path.read_bytes()[:20]
                    kind = int.from_bytes(head[16:18], "big" if order == "big" else "little")
                    machine = int.from_bytes(head[18:20], "big" if order == "big" else "little")
                    if head[:5] == b"\x7fELF\x02" and machine == number and kind in (2, 3):
                        found.append(f"/{path.relative_to(self.path)}")
        return found

    def _name_exe(self, program: str) -> None:
        """Stand in for ``/proc``, from which the loader learns a program's ``$ORIGIN``."""
        link = self.path / "proc/self/exe"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(program)

    def _run(
        self,
        command: list[str],
        preload: Iterable[str],
        library_path: str | None,
        settings: dict[str, str],
    ) -> tuple[subprocess.CompletedProcess[str], str]:
        if self.architecture.emulator is not None:
            command = [f"/{self.architecture.emulator}", *command]
        return run(command, preload, library_path, Path("/"), settings, root=self.path)


def make_root(directory: Path, name: str) -> ForeignRoot:
    """A root of a newer Debian with a few packages, downloaded and unpacked if it is not there yet.

    Raises:
        Unavailable: no right to ``chroot``, no apt, no emulator, or no mirror in reach.
    """
    architecture = ARCHITECTURES[name]
    _require(architecture)
    root = directory / f"{SUITE}-{name}"
    if not root.is_dir():
        partial = directory / f".partial-{os.getpid()}"
        try:
            _download(partial, name)
            _unpack(partial, architecture)
            (partial / "root").replace(root)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return ForeignRoot(root, architecture)


def _require(architecture: Architecture) -> None:
    if os.geteuid():
        raise Unavailable("chroot needs root")
    wanted = ["apt-get", "dpkg-deb", *([architecture.emulator] if architecture.emulator else [])]
    for tool in wanted:
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is not installed")
    if not Path(_KEYRING).exists():
        raise Unavailable("this is no Debian: its archive's keys are not here")


def _download(directory: Path, architecture: str) -> None:
    """The packages, by apt with a state of its own, from the mirror that this machine uses."""
    if architecture == "s390x":  # not every mirror has it, but each has what cross compilers need
        names = [f"{name}-s390x-cross" for name in ("libc6", "libgcc-s1", "libstdc++6")]
        (directory / "packages").mkdir(parents=True)
        _do(
            ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names],
            directory / "packages",
        )
        return
    for folder in ("lists/partial", "archives/partial", "packages"):
        (directory / folder).mkdir(parents=True)
    (directory / "status").touch()
    source = f"deb [signed-by={_KEYRING}] {_mirror()} {SUITE} main\n"
    (directory / "sources.list").write_text(source)
    settings = {
        "Dir::Etc::SourceList": directory / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": directory / "lists",
        "Dir::Cache": directory,
        "Dir::State::status": directory / "status",
        "APT::Architecture": architecture,
        "APT::Architectures::": architecture,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    _do(["apt-get", "-q", *options, "update"], directory)
    _do(["apt-get", "-q", *options, "download", *_PACKAGES], directory / "packages")


def _mirror() -> str:
    targets = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"]
    done = subprocess.run(targets, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    for line in done.stdout.splitlines():
        origin, _, address = line.partition(" ")
        if origin == "Debian" and "security" not in address:
            return address
    raise Unavailable("apt knows no mirror of Debian")


def _unpack(directory: Path, architecture: Architecture) -> None:
    root = directory / "root"
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in sorted((directory / "packages").glob("*.deb")):
        made = directory / "one"
        _do(["dpkg-deb", "-x", str(package), str(made)], directory)
        _do(["cp", "-a", f"{made}/.", str(root)], directory)
        shutil.rmtree(made)
    emulator = shutil.which(architecture.emulator) if architecture.emulator else None
    if emulator is not None and architecture.emulator is not None:
        shutil.copy(emulator, root / architecture.emulator)
    (root / "etc").mkdir(exist_ok=True)
    triplet = f"{architecture.triplet}-linux-gnu"
    if (root / "usr" / triplet).exists():  # of a cross compiler
        (root / "usr" / triplet / "lib").rename(root / "usr/lib" / triplet)
        loader = Path(architecture.machine.interpreter).name
        (root / "usr/lib" / loader).symlink_to(f"{triplet}/{loader}")
    directories = f"/usr/local/lib/{triplet}\n/lib/{triplet}\n/usr/lib/{triplet}\n"
    (root / "etc/ld.so.conf").write_text(directories)
    command = [f"/{architecture.emulator}"] if architecture.emulator else []
    if not (root / "usr/sbin/ldconfig").exists():
        return
    run([*command, "/sbin/ldconfig"], (), None, Path("/"), {}, root=root)
    if not (root / "etc/ld.so.cache").exists():
        raise Unavailable("the root's ldconfig does not run here")


def _do(command: list[str], directory: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"{command[0]}: {reason}")
