"""musl's own dynamic loader, asked in a subprocess, and our prediction beside it.

musl has no ``LD_DEBUG``: the program that asks prints what ``dl_iterate_phdr`` shows, and a library
says itself what it is bound to. Each definition returns a number of its own; a *probe*, a function
with a name of its own in the library that refers, returns the number it got.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from elfaudit.errors import ElfAuditError
from elfaudit.loader import LinkMap, LinkMapEntry, LoaderEnvironment, ObjectStore, Origin
from elfaudit.loader.environment import Dlopen, Libc, Mode
from elfaudit.loader.lookup import SymbolIndex
from elfaudit.loader.musl import MuslProcess
from elfaudit.loader.musl_bindings import MuslBindings, bind_musl
from elfaudit.loader.musl_error import musl_first_error, opening_error
from elfaudit.loader.musl_lookup import index_symbols_musl
from elfaudit.loader.musl_search import MuslSearcher, musl_refusal
from elfaudit.sources import TreeSource

from .workshop import Workshop

__all__ = [
    "MUSL_LOADER",
    "MuslAnswer",
    "Prediction",
    "build_musl_host",
    "list_musl",
    "musl_program",
    "predict",
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
    command: Iterable[str] = (),
) -> MuslAnswer:
    """Start a program made by :func:`build_musl_host`."""
    opens = [f"{'l' if Mode.LAZY in d.mode else 'n'}{'g' if Mode.GLOBAL in d.mode else ''}:{d.name}"
             for d in dlopens]  # fmt: skip
    arguments = [*map(str, command), str(program), *opens, "--", *probes]
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
    if names := ":".join(map(str, preload)):
        environment["LD_PRELOAD"] = names
    if library_path is not None:
        environment["LD_LIBRARY_PATH"] = library_path
    return subprocess.run(
        arguments,
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        check=False,
    )


@dataclass(frozen=True)
class Prediction:
    """What we say.

    Attributes:
        link_map, bindings: of the whole process.
        error: the first message.
    """

    link_map: LinkMap
    bindings: MuslBindings
    error: str | None

    @property
    def objects(self) -> tuple[str, ...]:
        """Paths in load order, without the program."""
        entries = self.link_map.entries[1:]
        return tuple(entry.path for entry in entries if entry.path and not entry.missing)

    def entry(self, name: str) -> LinkMapEntry:
        """The entry that a name or path stands for, or the missing one."""
        known = self.link_map.names.get(name)
        return known or next(e for e in self.link_map.entries if e.name == name)

    def providers(self, path: str | Path, symbol: str) -> list[str | None]:
        """The paths of what a symbol of an object is bound to, one for each kind of use."""
        entry = self.link_map.names[str(path)]
        found = self.bindings.all_of(entry, symbol)
        return [binding.provider.path if binding.provider else None for binding in found]


def predict(
    program: str | Path,
    *dlopens: Dlopen,
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
    root: str = "/",
) -> Prediction:
    """What we say of the same; a ``dlopen`` that fails leaves nothing behind, as in the process."""
    environment = LoaderEnvironment(
        TreeSource(root),
        main_program=str(program),
        preload=tuple(map(str, preload)),
        library_path=tuple(library_path.split(":")) if library_path else (),
        directory=str(cwd or os.getcwd()),
        libc=Libc.MUSL,
    )
    store = ObjectStore()
    prediction = _predict(environment, store, [])
    wanted: list[Dlopen] = []
    for dlopen in dlopens:
        prediction = _predict(environment, store, [*wanted, dlopen])
        if prediction.error is None:
            wanted.append(dlopen)
    return prediction


def _predict(
    environment: LoaderEnvironment, store: ObjectStore, dlopens: list[Dlopen]
) -> Prediction:
    member = environment.root.find(environment.main_program or "")
    assert member is not None
    model = store.read(member)
    searcher = MuslSearcher(environment, store, model)
    process = MuslProcess(environment, searcher)
    program = process.find_program(environment.main_program or "")
    process.start(program)
    subject = program
    for dlopen in dlopens:
        subject = process.find(dlopen.name)
        refused = musl_refusal(subject.elf, model) if subject.elf else None
        process.open(subject, dlopen.mode, refused)
    link_map = process.link_map(subject)
    indices: dict[LinkMapEntry, SymbolIndex] = {}
    for entry in link_map.entries:
        if entry.elf is not None:
            try:
                indices[entry] = index_symbols_musl(entry.elf)
            except ElfAuditError:
                continue
    undecided = any(entry.origin is Origin.EXTERNAL for entry in link_map.entries)
    bindings = bind_musl(link_map, indices, undecided=undecided)
    for number in range(len(link_map.openings) - 1):
        assert number == 0 or opening_error(bindings, number) is None
    return Prediction(link_map, bindings, musl_first_error(bindings))
