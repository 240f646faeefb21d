"""One field of a built file after the other, overwritten with numbers it should not have.

The machine's own loader is asked about each file in a process of its own, made by ``fork``: what
kills that process (a signal of the loader) is no answer.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .edit import dynamic_value
from .fields import Field
from .workshop import Workshop

__all__ = [
    "ask",
    "build_forker",
    "damaged",
    "dynamic_fields",
    "row_fields",
]

_CODE = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
int main(void) {
    static char line[8192], text[65536];
    while (fgets(line, sizeof line, stdin)) {
        int ends[2], status, size = 0, more;
        line[strcspn(line, "\n")] = 0;
        if (pipe(ends))
            return 1;
        pid_t child = fork();
        if (child == 0) {
            alarm(10);
            dup2(ends[1], 2);
            if (dlopen(line, RTLD_NOW) != NULL)
                _exit(0);
            const char *error = dlerror();
            write(2, error, strlen(error));
            _exit(0);
        }
        close(ends[1]);
        while ((more = read(ends[0], text + size, sizeof text - size)) > 0)
            size += more;
        close(ends[0]);
        waitpid(child, &status, 0);
        printf("%d ", WIFSIGNALED(status));
        for (int at = 0; at < size; at++)
            printf("%02x", (unsigned char) text[at]);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
"""


def dynamic_fields(path: Path, tags: Iterable[int]) -> Iterator[Field]:
    """The values of dynamic entries."""
    raw = path.read_bytes()
    for row in range(0, len(raw) - 16, 8):
        for tag in tags:
            if struct.unpack_from("<QQ", raw, row) == (tag, dynamic_value(path, tag)):
                yield Field(f"dynamic entry {tag:#x}", row + 8, 8)


def row_fields(path: Path, tag: int, places: Iterable[tuple[int, int]]) -> Iterator[Field]:
    """Numbers in a table that stands at its address in the file, as (offset, size)."""
    start = dynamic_value(path, tag)
    yield from (Field(f"table {tag:#x} + {at}", start + at, size) for at, size in places)


def damaged(
    path: Path, fields: Iterable[Field], values: Sequence[int], folder: Path
) -> Iterator[tuple[str, Path]]:
    """(what was done, a copy of the file in a directory of its own) for each field and value."""
    raw = path.read_bytes()
    for field in fields:
        for value in dict.fromkeys(value & field.largest for value in values):
            if value == field.of(raw):
                continue
            out = folder / f"{field.offset:x}-{value:x}"
            out.mkdir()
            copy = out / path.name
            copy.write_bytes(field.replaced(raw, value))
            yield f"{field.name} = {value:#x}", copy


def build_forker(workshop: Workshop) -> Path:
    """The program that opens each file in a process of its own."""
    return workshop.program("forker", _CODE)


def ask(forker: Path, paths: Iterable[Path]) -> list[str | None]:
    """What the loader says of each file: "" if it takes it, None if it does not survive it."""
    done = subprocess.run(
        [forker], input="".join(f"{path}\n" for path in paths), capture_output=True, text=True,
        check=True, timeout=300,
    )  # fmt: skip
    answers: list[str | None] = []
    for line in done.stdout.splitlines():
        killed, _, text = line.partition(" ")
        words = bytes.fromhex(text).decode("utf-8", "surrogateescape").rstrip("\n")
        answers.append(words if words or killed == "0" else None)
    return answers
