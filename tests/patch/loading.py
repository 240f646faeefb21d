"""The machine's own loader, asked in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

needs_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="the fixtures that are loaded are for x86_64 and glibc",
)

_PROGRAM = """
import ctypes, os, sys
library = ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW)
for name in sys.argv[2:]:
    getattr(library, name)
print(*{line.split()[-1] for line in open("/proc/self/maps") if "/" in line}, sep="\\n")
"""


def loaded(path: Path, *symbols: str) -> set[str]:
    """The names of the files in a process that has opened a library and found symbols in it.

    Raises:
        AssertionError: it cannot be opened, or lacks a symbol; with what the loader said.
    """
    done = _run(path, *symbols)
    assert done.returncode == 0, done.stderr
    return {Path(line).name for line in done.stdout.splitlines()}


def loader_says(path: Path) -> str:
    """What the loader says against a library; empty if it takes it."""
    return _run(path).stderr


def _run(path: Path, *symbols: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(path), *symbols]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
