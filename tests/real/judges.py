"""The machine's own loader, asked about many files at once: ``ld.so`` in trace mode, and Python.

Neither runs an audited program: ``trace`` maps and relocates in the loader alone, as ``ldd -r``
does; ``opened`` runs the constructors of the libraries it opens, in a child that ends after each.
"""

from __future__ import annotations

import json
import os
import platform
import re
import stat
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Traced", "loadable", "opened", "require_glibc", "trace"]

LOADER = "/lib64/ld-linux-x86-64.so.2"
_LISTED = re.compile(r"^\t(?P<name>\S+)(?: => (?P<path>.+))? \(0x[0-9a-f]+\)$")
_UNDEFINED = re.compile(r"^undefined symbol: (?P<name>[^\s,]+).*\t\((?P<user>.*)\)$")
_VERSION = re.compile(
    r"^(?P<prefix>\S+: )?(?P<text>\S+: version `.*' not found \(required by .*\))$"
)
_SET_ID = 0o6000

_OPEN_EACH = """
import ctypes, json, os, signal, sys
for path in json.load(sys.stdin):
    back, out = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(60)
        try:
            ctypes.CDLL(path, mode=os.RTLD_NOW)
        except OSError as error:
            os.write(out, str(error).encode("utf-8", "replace")[:60000])
        os._exit(0)
    os.close(out)
    with open(back, "rb") as pipe:
        error = pipe.read().decode("utf-8", "replace")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([path, error or None, status]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Traced:
    """What ``ldd -r`` would say of one file taken for the program.

    Attributes:
        objects: paths of what was loaded with it, in load order, without the vDSO.
        missing: NEEDED names that were not found.
        undefined: (path of the object, symbol) that nobody supplies.
        versions: the loader's sentences about versions that were not found.
        fatal: the message with which it gave up, or None.
    """

    objects: tuple[str, ...]
    missing: frozenset[str]
    undefined: frozenset[tuple[str, str]]
    versions: frozenset[str]
    fatal: str | None

    @property
    def fails(self) -> bool:
        """Whether a start, or a ``dlopen`` with ``RTLD_NOW``, would fail."""
        return bool(self.missing or self.undefined or self.versions or self.fatal)


def require_glibc() -> None:
    """Skip the test, with the reason, where the loader here is not the one that is replayed."""
    if platform.machine() != "x86_64":
        pytest.skip("the files compared are for x86_64")
    if not Path(LOADER).exists() or platform.libc_ver()[0] != "glibc":
        pytest.skip("the dynamic loader here is not glibc's")


def loadable(root: str) -> Iterator[str]:
    """Every regular x86-64 ELF file below ``root`` that a loader takes, no set-id program."""
    for directory, _, names in os.walk(root):
        for name in sorted(names):
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) and not mode & _SET_ID and _is_dynamic(path):
                yield path


def _is_dynamic(path: str) -> bool:
    """Whether a file is ET_EXEC or ET_DYN for x86-64, its PT_DYNAMIC with bytes in the file."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            return False
        kind, machine = struct.unpack_from("<HH", head, 16)
        (start,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(start)
        table = file.read(size * count)
    if kind not in (2, 3) or machine != 62 or len(table) < size * count or size < 56:
        return False
    rows = (struct.unpack_from("<I28xQ", table, size * row) for row in range(count))
    return any(segment == 2 and in_file for segment, in_file in rows)


def trace(paths: Iterable[str]) -> dict[str, Traced]:
    """What the loader says of each file, taken for the program."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        listed = list(paths)
        return dict(zip(listed, pool.map(_trace, listed), strict=True))


def _trace(path: str) -> Traced:
    settings = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "yes", "LD_BIND_NOW": "yes"}
    done = subprocess.run(
        [LOADER, path],
        env={"LC_ALL": "C", **settings},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=120,
        check=False,
    )
    objects, fatal = [], None
    missing, undefined, versions = set(), set(), set()
    for line in (*done.stdout.splitlines(), *done.stderr.splitlines()):
        if found := _UNDEFINED.match(line):
            undefined.add((found["user"], found["name"]))
        elif line.endswith("=> not found"):
            missing.add(line.removesuffix("=> not found").strip())
        elif (found := _LISTED.match(line)) and not found["name"].startswith("linux-vdso"):
            objects.append(found["path"] or found["name"])
        elif found := _VERSION.match(line):
            versions.add(found["text"])
        elif "error while loading" in line or "Inconsistency detected" in line:
            fatal = line
    if done.returncode < 0:
        fatal = f"signal {-done.returncode}"
    return Traced(
        tuple(objects), frozenset(missing), frozenset(undefined), frozenset(versions), fatal
    )


def opened(paths: Iterable[str], library_path: str = "") -> dict[str, str | None]:
    """``dlopen(path, RTLD_NOW)`` of each file in a fresh child of this Python: its error, or None.

    A child that a constructor brings down had been loaded and bound before: it counts as loaded.
    """
    settings = {"LD_LIBRARY_PATH": library_path} if library_path else {}
    done = subprocess.run(
        [sys.executable, "-I", "-c", _OPEN_EACH],
        input=json.dumps(list(paths)),
        env={"LC_ALL": "C.UTF-8", **settings},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {path: error for path, error, _ in answers}
