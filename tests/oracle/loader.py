"""The machine's own dynamic loader, asked in a subprocess: it is the judge of ours.

``dlopen`` loads a file in a small program, or in Python; ``trace`` starts a file as ``ldd -r``
does, which runs none of its code. Both report what was loaded in which order, what each reference
was bound to (``LD_DEBUG=bindings``) and which paths were tried (``LD_DEBUG=libs``).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .running import run_loaded
from .workshop import LOADER, Workshop

__all__ = [
    "HOST",
    "TRACING",
    "Answer",
    "Key",
    "build_host",
    "died",
    "dlopen",
    "is_loader",
    "python_dlopen",
    "read_answer",
    "read_trace",
    "run",
    "start",
    "trace",
]

HOST = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int show(struct dl_phdr_info *info, size_t size, void *data) {
    printf("object %s\n", info->dlpi_name);
    return 0;
}
int main(int count, char **values) {
    char *again[] = {values[0], values[1], NULL};
    if (count > 2) { /* NAME=VALUE ...: begin again with these in the environment */
        for (int i = 2; i < count; i++)
            putenv(values[i]);
        return execv(again[0], again);
    }
    if (dlopen(values[1], RTLD_NOW) == NULL)
        printf("error %s\n", dlerror());
    else
        dl_iterate_phdr(show, NULL);
    return 0;
}
"""

_PYTHON = """
import ctypes, os, sys
try:
    ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW)
except OSError as error:
    print("error", error)
else:
    seen = dict.fromkeys(line.split()[-1] for line in open("/proc/self/maps") if "/" in line)
    print(*(f"object {path}" for path in seen), sep="\\n")
"""

TRACING = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "yes", "LD_BIND_NOW": "yes"}
"""What makes a loader list and relocate everything, and run nothing."""

Key = tuple[str, str, str | None]
"""(path of the object that refers, symbol, version)."""

_BINDING = re.compile(
    r"binding file (?P<user>.*) \[0\] to (?P<provider>.*) \[0\]: "
    r"(?P<kind>\w+) symbol `(?P<name>.*)'(?: \[(?P<version>.*)\])?$"
)
_MISSING_SYMBOL = re.compile(
    r"^undefined symbol: (?P<name>\S+?)(?:, version (\S+))?\t\((?P<user>.*)\)$"
)
_IGNORED = re.compile(  # it warns, and goes on
    r"^(?:ERROR: )?ld\.so: object .*: ignored\.\n"
    r"|^.*: no version information available \(required by .*\)\n",
    re.MULTILINE,
)
_NOT_THIS_CPU = ": CPU ISA level is lower than required"
_LISTED = re.compile(r"^\t(?P<name>\S+) (?:=> )?(?P<path>[^()]*?) ?\(0x[0-9a-f]+\)$")


@dataclass(frozen=True)
class Answer:
    """What the loader did.

    Attributes:
        objects: paths in load order, without the program itself, the loader and the vDSO.
        error: the loader's message, or None.
        bindings: provider by reference.
        tried: the paths tried, in order.
        undefined: (path of the object, symbol) that nobody supplies; ``trace`` only.
        missing: NEEDED names that were not found; ``trace`` only.
        optional: the filtees that need not be there (DT_AUXILIARY); ours only.
        providers: every provider by reference: one object may bind one name to several, as a call
            and a COPY of it do.
    """

    objects: tuple[str, ...]
    error: str | None
    bindings: Mapping[Key, str]
    tried: tuple[str, ...]
    undefined: frozenset[tuple[str, str]] = frozenset()
    missing: tuple[str, ...] = ()
    providers: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The objects without the C library of the program that asked."""
        return tuple(path for path in self.objects if "/libc.so.6" not in path)


def build_host(
    workshop: Workshop,
    path: str = "host",
    *,
    needed: Iterable[str | Path] = (),
    rpath: str | None = None,
    runpath: str | None = None,
) -> Path:
    """The small program that opens the file named by its argument."""
    return workshop.program(path, HOST, needed=needed, rpath=rpath, runpath=runpath)


def dlopen(
    host: Path,
    path: str | Path,
    *,
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
    now: bool = True,
) -> Answer:
    """``dlopen(path, RTLD_NOW)`` in a small program built by :func:`build_host`.

    With ``now`` the program and its preloads are bound at once too, so that every binding is told.
    """
    return _opened([str(host), str(path)], preload, library_path, cwd, now=now)


def python_dlopen(path: str | Path, *, preload: Iterable[str | Path] = ()) -> Answer:
    """The same in the Python that runs the tests, where the order of objects is not told."""
    return _opened([sys.executable, "-c", _PYTHON, str(path)], preload, None, None)


def start(
    program: str | Path,
    *arguments: str,
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
    now: bool = True,
) -> Answer:
    """Run a program, as the kernel starts it; with ``now`` everything is bound at once."""
    settings = {"LD_BIND_NOW": "1"} if now else {}
    done, debug = run([str(program), *arguments], preload, library_path, cwd, settings)
    return _answer(debug, (), died(done.returncode, done.stderr) if done.returncode else None)


def trace(
    path: str | Path,
    *,
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
    program: bool = False,
) -> Answer:
    """What ``ldd -r`` would say of a file that is taken for the program.

    With ``program`` it is one, and is started by the kernel: only for what is our own, since not
    every file that can be started has a loader that stops before it runs.
    """
    command = [str(path)] if program else [LOADER, str(path)]
    done, debug = run(command, preload, library_path, cwd, TRACING)
    return read_trace(done, debug)


def read_trace(done: subprocess.CompletedProcess[str], debug: str) -> Answer:
    """What a loader in trace mode printed."""
    objects, missing = [], []
    undefined: set[tuple[str, str]] = set()
    for line in (*done.stdout.splitlines(), *done.stderr.splitlines()):
        if found := _MISSING_SYMBOL.match(line):
            undefined.add((found["user"], found["name"]))
        elif line.endswith("=> not found"):
            missing.append(line.split()[0])
        elif found := _LISTED.match(line):
            objects.append(found["path"] or found["name"])
    left = _IGNORED.sub("", done.stderr).splitlines()
    error = "\n".join(line for line in left if not _MISSING_SYMBOL.match(line)).strip() or None
    if done.returncode < 0:
        error = f"signal {-done.returncode}"
    return _answer(debug, objects, error, frozenset(undefined), tuple(missing))


def _opened(
    command: list[str],
    preload: Iterable[str | Path],
    library_path: str | None,
    cwd: Path | None,
    *,
    now: bool = True,
) -> Answer:
    done, debug = run(command, preload, library_path, cwd, {"LD_BIND_NOW": "1"} if now else {})
    if not done.stdout:  # the process did not even start
        return _answer(debug, (), died(done.returncode, done.stderr))
    return read_answer(done.stdout, debug)


def died(status: int, text: str) -> str:
    """Why a process ended: the loader's message without what it puts in front, or the signal."""
    text = _IGNORED.sub("", text).strip()
    if not text and status < 0:
        return f"signal {-status}"
    if text.startswith("Inconsistency detected by ld.so: ") or text.endswith(_NOT_THIS_CPU):
        return text
    text = text.partition(": ")[2]
    for kind in ("error while loading shared libraries: ", "symbol lookup error: "):
        text = text.removeprefix(kind)
    return text


def read_answer(output: str, debug: str) -> Answer:
    """What the small program printed, and the loader's own account of it (``LD_DEBUG``)."""
    objects, error = [], None
    for line in output.splitlines():
        kind, _, text = line.partition(" ")
        if kind == "object" and text:
            objects.append(text)
        elif kind == "error":
            error = text
    return _answer(debug, objects, error)


def run(
    command: Sequence[str],
    preload: Iterable[str | Path],
    library_path: str | None,
    cwd: Path | None,
    settings: Mapping[str, str],
    *,
    root: Path | None = None,
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Start a command; what it did, and the loader's account of it taken out of what it wrote.

    With ``root`` that directory is ``/`` for it. A loader that comes to no end (rings of filters in
    a trace do that to glibc 2.36) is killed: the status is that of the signal, and nothing is told.
    """
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    environment = {**kept, "LC_ALL": "C", "LD_DEBUG": "bindings,libs", **settings}
    try:
        done = run_loaded(command, environment, preload, library_path, cwd, timeout=120, root=root)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -signal.SIGKILL, "", ""), ""
    lines = done.stderr.splitlines(keepends=True)
    debug = [line for line in lines if re.match(r" +\d+:(\t|$)", line)]
    done.stderr = "".join(line for line in lines if not re.match(r" +\d+:(\t|$)", line))
    return done, "".join(debug)


def _ours(paths: Iterable[str]) -> tuple[str, ...]:
    """Without what is in every process: the vDSO, the loader."""
    return tuple(path for path in paths if "vdso" not in path and not is_loader(path))


def is_loader(path: str) -> bool:
    """Whether a path is that of the dynamic loader itself, on any machine."""
    return re.search(r"/ld(?:-linux[^/]*|64)\.so\.\d$", path) is not None


def _answer(
    debug: str,
    objects: Iterable[str] = (),
    error: str | None = None,
    undefined: frozenset[tuple[str, str]] = frozenset(),
    missing: tuple[str, ...] = (),
) -> Answer:
    """An answer, with what the loader's own account (``LD_DEBUG``) has on bindings and tries."""
    providers: dict[Key, frozenset[str]] = {}
    last: dict[Key, str] = {}
    for line in debug.splitlines():
        match = _BINDING.search(line)
        if match and "vdso" not in match["user"]:
            key = (match["user"], match["name"], match["version"])
            last[key] = match["provider"]
            providers[key] = providers.get(key, frozenset()) | {match["provider"]}
    tried = _tried(debug)
    return Answer(_ours(objects), error, last, tried, undefined, missing, providers)


def _tried(debug: str) -> tuple[str, ...]:
    return tuple(re.findall(r"trying file=(.*)$", debug, re.MULTILINE))
