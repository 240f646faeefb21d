"""musl's own dynamic loader, asked in a subprocess: it is the judge of ours.

musl has no ``LD_DEBUG``: the program that asks prints what ``dl_iterate_phdr`` shows, and a library
says itself what it is bound to. Each definition returns a number of its own; a *probe*, a function
with a name of its own in the library that refers, returns the number it got.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from elfaudit.loader.environment import Dlopen, Mode

from .running import run_loaded
from .workshop import Workshop

__all__ = [
    "MUSL_LOADER",
    "UNBOUND",
    "MuslAnswer",
    "build_musl_host",
    "list_musl",
    "musl_host",
    "musl_program",
    "require_musl",
    "run_musl",
]

MUSL_LOADER = "/lib/ld-musl-x86_64.so.1"
_HOST = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static int show(struct dl_phdr_info *info, size_t size, void *data) {
    printf("object %s\n", info->dlpi_name);
    return 0;
}
static void probe(void **handles, int count, const char *name) {
    int (*ask)(void) = dlsym(RTLD_DEFAULT, name);
    for (int i = 0; i < count && !ask; i++)
        if (handles[i])
            ask = dlsym(handles[i], name);
    if (!ask)
        return;
    fflush(stdout);
    pid_t child = fork();
    if (!child)
        _exit(ask());
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status))
        printf("probe %s %d\n", name, WEXITSTATUS(status));
    else
        printf("probe %s 255\n", name);
}
int main(int count, char **values) { /* MODE:PATH ... -- PROBE ... */
    void *handles[64];
    int opened = 0, i = 1;
    for (; i < count && strcmp(values[i], "--"); i++) {
        char *path = strchr(values[i], ':') + 1;
        int mode = memchr(values[i], 'l', path - values[i]) ? RTLD_LAZY : RTLD_NOW;
        if (memchr(values[i], 'g', path - values[i]))
            mode |= RTLD_GLOBAL;
        handles[opened] = dlopen(path, mode);
        printf("opened %s\n", handles[opened] ? "" : dlerror());
        opened++;
    }
    dl_iterate_phdr(show, NULL);
    for (i++; i < count; i++)
        probe(handles, opened, values[i]);
    return 0;
}
"""
UNBOUND = 255
"""What a probe tells of a reference that is bound to nothing."""


def require_musl() -> None:
    """Skip the test, with the reason, where musl's loader cannot be asked."""
    if platform.machine() != "x86_64":
        pytest.skip("the compiled graphs are for x86_64")
    if shutil.which("musl-gcc") is None:
        pytest.skip("musl-gcc is not installed (Debian: musl-tools)")
    if not Path(MUSL_LOADER).exists():
        pytest.skip("musl's loader is not installed (Debian: musl)")


@dataclass(frozen=True)
class MuslAnswer:
    """What the loader did.

    Attributes:
        objects: paths in load order, without the program and the vDSO; the loader is among them.
        errors: of each ``dlopen`` the message, or None.
        start: the lines the start of the process ended with, where it ended there.
        probes: what each probe returned that could be called.
    """

    objects: tuple[str, ...]
    errors: tuple[str | None, ...]
    start: tuple[str, ...]
    probes: Mapping[str, int]


def musl_program(
    workshop: Workshop,
    path: str,
    code: str = "int main(void) { return 0; }",
    *,
    needed: Iterable[str | Path] = (),
    flags: Iterable[str] = (),
) -> Path:
    """A program for musl; of names in ``needed`` only the name is used."""
    out = workshop.directory / path
    out.parent.mkdir(parents=True, exist_ok=True)
    inputs = [n if isinstance(n, Path) else workshop.stub(n) for n in needed]
    source = workshop.directory / f"{out.name}.c"
    source.write_text(code)
    linking = "-Wl,--no-as-needed,-z,lazy,--allow-shlib-undefined,--unresolved-symbols=ignore-all"
    done = subprocess.run(
        ["musl-gcc", "-O1", "-w", linking, *flags, "-o", out, source, *inputs],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    source.unlink()
    return out


def build_musl_host(
    workshop: Workshop,
    path: str = "host",
    *,
    needed: Iterable[str | Path] = (),
    flags: Iterable[str] = (),
    code: str = "",
) -> Path:
    """The program that opens what its arguments say; ``code`` is more of its source."""
    return musl_program(workshop, path, code + _HOST, needed=needed, flags=flags)


def run_musl(
    program: str | Path,
    *dlopens: Dlopen,
    probes: Iterable[str] = (),
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
) -> MuslAnswer:
    """Start a program made by :func:`build_musl_host`."""
    opens = [f"{'l' if Mode.LAZY in d.mode else 'n'}{'g' if Mode.GLOBAL in d.mode else ''}:{d.name}"
             for d in dlopens]  # fmt: skip
    arguments = [str(program), *opens, "--", *probes]
    done = _run(arguments, preload, library_path, cwd)
    if done.returncode == 127 and not done.stdout:
        return MuslAnswer((), (), tuple(done.stderr.splitlines()), {})
    objects: list[str] = []
    errors: list[str | None] = []
    answers: dict[str, int] = {}
    for line in done.stdout.splitlines():
        kind, _, text = line.partition(" ")
        if kind == "object":
            objects.append(text)
        elif kind == "opened":
            errors.append(text or None)
        elif kind == "probe":
            name, _, value = text.partition(" ")
            answers[name] = int(value)
    found = tuple(path for path in objects[1:] if path)
    return MuslAnswer(found, tuple(errors), tuple(done.stderr.splitlines()), answers)


def list_musl(
    path: str | Path,
    *,
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
) -> MuslAnswer:
    """``ld-musl-x86_64.so.1 --list``: the file is taken for the program."""
    done = _run([MUSL_LOADER, "--list", str(path)], preload, library_path, cwd)
    found = [line.split(" => ")[1] for line in done.stdout.splitlines() if " => " in line]
    objects = tuple(text.rpartition(" (")[0] for text in found)
    return MuslAnswer(objects, (), tuple(done.stderr.splitlines()), {})


def _run(
    arguments: list[str],
    preload: Iterable[str | Path],
    library_path: str | None,
    cwd: Path | None,
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin"}
    return run_loaded(arguments, environment, preload, library_path, cwd, timeout=60)


@pytest.fixture(scope="session")
def musl_host(tmp_path_factory: pytest.TempPathFactory, stubs: Path) -> Path:
    """A program for musl that opens what its arguments say."""
    require_musl()
    return build_musl_host(Workshop(tmp_path_factory.mktemp("musl-host").resolve(), stubs))
