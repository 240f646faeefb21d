"""Small ELF files to order: C sources compiled and linked on the spot, without a C library.

What a file lists in ``DT_NEEDED`` is said by name: a name needs no library behind it, so that tests
can ask for libraries that are missing, or are put where the loader finds another one.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

__all__ = ["Workshop", "require_loader"]

LOADER = "/lib64/ld-linux-x86-64.so.2"
_COMPILING = (
    "-O1",
    "-w",
    "-fPIC",
    "-fno-ident",
    "-fno-builtin",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fcf-protection=none",
)
_LINKING = (
    "-shared",
    "-nostdlib",
    "-nostartfiles",
    "-Wl,--no-as-needed,--hash-style=gnu,--build-id=none,-z,lazy,-z,noseparate-code",
    "-Wl,--unresolved-symbols=ignore-all,--allow-shlib-undefined",
)


def require_loader() -> None:
    """Skip the test, with the reason, where the real loader cannot be asked."""
    if platform.machine() != "x86_64":
        pytest.skip("the compiled graphs are for x86_64")
    if not Path(LOADER).exists() or platform.libc_ver()[0] != "glibc":
        pytest.skip("the dynamic loader here is not glibc's")
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")


class Workshop:
    """Builds files below one directory.

    Args:
        directory: where relative paths are.
        stubs: where the empty libraries are kept that only lend their names to ``DT_NEEDED``.
    """

    def __init__(self, directory: Path, stubs: Path) -> None:
        self.directory = directory
        self._stubs = stubs

    def library(
        self,
        path: str,
        code: str = "",
        *,
        soname: str | None = None,
        needed: Iterable[str | Path] = (),
        rpath: str | None = None,
        runpath: str | None = None,
        script: str | None = None,
        flags: Iterable[str] = (),
    ) -> Path:
        """A shared library.

        Args:
            path: where, relative to the workshop.
            code: C.
            soname: DT_SONAME; the file name by default, none if empty.
            needed: DT_NEEDED: names, or built libraries (whose versions are then required).
            rpath, runpath: DT_RPATH or DT_RUNPATH.
            script: a linker version script.
            flags: more compiler flags.
        """
        out = self.directory / path
        out.parent.mkdir(parents=True, exist_ok=True)
        soname = out.name if soname is None else soname
        options = [f"-Wl,-soname,{soname}"] if soname else []
        options += _paths(rpath, runpath)
        if script is not None:
            options.append(f"-Wl,--version-script={self._text(f'{out.name}.map', script)}")
        inputs = [n if isinstance(n, Path) else self.stub(n) for n in needed]
        source = self._text(f"{out.name}.c", code)
        _run("gcc", *_COMPILING, *_LINKING, *options, *flags, "-o", out, source, *inputs)
        return out

    def program(
        self,
        path: str,
        code: str,
        *,
        needed: Iterable[str | Path] = (),
        rpath: str | None = None,
        runpath: str | None = None,
        flags: Iterable[str] = (),
    ) -> Path:
        """A program with a C library, position independent unless ``flags`` say otherwise."""
        out = self.directory / path
        out.parent.mkdir(parents=True, exist_ok=True)
        inputs = [n if isinstance(n, Path) else self.stub(n) for n in needed]
        linking = [
            "-Wl,--no-as-needed,-z,lazy,--allow-shlib-undefined,--unresolved-symbols=ignore-all"
        ]
        source = self._text(f"{out.name}.c", code)
        options = [*_paths(rpath, runpath), *flags]
        _run("gcc", "-O1", "-w", *linking, *options, "-o", out, source, *inputs)
        return out

    def stub(self, name: str) -> Path:
        """An empty library of that SONAME."""
        stub = self._stubs / name.replace("/", "%").replace("$", "%")
        if not stub.exists():
            empty = self._stubs / "empty.o"
            if not empty.exists():
                source = self._stubs / "empty.c"
                source.write_text("")
                _run("gcc", "-c", "-fPIC", "-o", empty, source)
            _run("ld", "-shared", "-soname", name, "-o", stub, empty)
        return stub

    def _text(self, name: str, text: str) -> Path:
        folder = self.directory / ".source"
        folder.mkdir(exist_ok=True)
        file = folder / name
        file.write_text(text)
        return file


def _paths(rpath: str | None, runpath: str | None) -> list[str]:
    if rpath is not None:
        return ["-Wl,--disable-new-dtags", f"-Wl,-rpath,{rpath}"]
    if runpath is not None:
        return ["-Wl,--enable-new-dtags", f"-Wl,-rpath,{runpath}"]
    return []


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
