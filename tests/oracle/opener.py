"""A program that opens several files one after the other, each with the flags it is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .loader import Answer, died, read_answer, run
from .workshop import Workshop

__all__ = ["Opened", "build_opener", "open_each"]

_CODE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
static int show(struct dl_phdr_info *info, size_t size, void *data) {
    printf("object %s\n", info->dlpi_name);
    return 0;
}
int main(int count, char **values) {
    for (int i = 1; i < count; i++) {
        char *words = strrchr(values[i], ':');
        int flags = 0;
        if (words != NULL)
            *words++ = 0;
        flags |= words && strstr(words, "lazy") ? RTLD_LAZY : RTLD_NOW;
        flags |= words && strstr(words, "global") ? RTLD_GLOBAL : 0;
        flags |= words && strstr(words, "deepbind") ? RTLD_DEEPBIND : 0;
        if (dlopen(values[i], flags) == NULL)
            printf("%s %s\n", i + 1 < count ? "earlier" : "error", dlerror());
        fflush(NULL);
    }
    dl_iterate_phdr(show, NULL);
    return 0;
}
"""


@dataclass(frozen=True)
class Opened:
    """What became of a sequence of ``dlopen``.

    Attributes:
        earlier: the messages of those before the last that failed.
        answer: of the last one; the bindings are those of the whole process.
    """

    earlier: tuple[str, ...]
    answer: Answer


def build_opener(
    workshop: Workshop,
    path: str = "opener",
    *,
    needed: Iterable[str | Path] = (),
    rpath: str | None = None,
    runpath: str | None = None,
    flags: Iterable[str] = (),
) -> Path:
    """Build the program: its arguments are ``PATH`` or ``PATH:FLAGS``, as in ``a.so:lazy,global``.

    Without flags a file is opened with ``RTLD_NOW``.
    """
    return workshop.program(path, _CODE, needed=needed, rpath=rpath, runpath=runpath, flags=flags)


def open_each(
    opener: Path,
    opens: Sequence[str | Path],
    *,
    preload: Iterable[str | Path] = (),
    library_path: str | None = None,
    cwd: Path | None = None,
    now: bool = False,
) -> Opened:
    """Start the program; with ``now`` everything in it is bound at once (``LD_BIND_NOW``)."""
    command = [str(opener), *map(str, opens)]
    settings = {"LD_BIND_NOW": "1"} if now else {}
    done, debug = run(command, preload, library_path, cwd, settings)
    lines = done.stdout.splitlines()
    earlier = tuple(line.partition(" ")[2] for line in lines if line.startswith("earlier "))
    if not any(line.startswith("object") for line in lines):  # it did not start, or it was killed
        answer = read_answer("", debug)
        return Opened(earlier, replace(answer, error=died(done.returncode, done.stderr)))
    return Opened(earlier, read_answer(done.stdout, debug))
