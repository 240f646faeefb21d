"""Files with one field of their headers replaced, and what musl's loader makes of each of them."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .edit import dynamic_extent
from .fields import Field, header_fields
from .musl import musl_program
from .workshop import Workshop

__all__ = ["CRASHED", "Damage", "ask_each", "build_asker", "damaged", "damages", "patched"]

CRASHED = "crashed"
"""The answer of a loader that did not live to give one."""

_ASKER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int count, char **values) { /* NAME DIRECTORY ... */
    for (int i = 2; i < count; i++) {
        pid_t child = fork();
        if (!child) {
            alarm(5);
            if (chdir(values[i]))
                _exit(9);
            void *found = dlopen(values[1], RTLD_NOW);
            printf("%s\n", found ? "" : dlerror());
            fflush(stdout);
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
            printf("crashed\n");
            fflush(stdout);
        }
    }
    return 0;
}
"""

_VALUES = (
    0, 1, 2, 3, 4, 7, 40, 56, 64, 255, 4095, 4096, 65535, 1 << 20, (1 << 31) - 1, 1 << 31,
    (1 << 32) - 1, 1 << 40, 1 << 47, 1 << 48, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 4096,
    (1 << 64) - 1,
)  # fmt: skip
_ENTRY = 16


@dataclass(frozen=True)
class Damage:
    """One field with another value."""

    field: str
    value: int
    raw: bytes


def damages(raw: bytes) -> Iterator[Damage]:
    """Every field of the ELF header, the program headers and the dynamic section, in turn."""
    for field in _fields(raw):
        most, usual = field.largest, field.of(raw)
        for value in sorted({*(v for v in _VALUES if v <= most), most, usual ^ 1} - {usual}):
            yield Damage(field.name, value, field.replaced(raw, value))


def patched(raw: bytes, field: str, value: int) -> Damage:
    """One field, named as :func:`damages` does, with a value."""
    place = next(each for each in _fields(raw) if each.name == field)
    return Damage(field, value, place.replaced(raw, value))


def _fields(raw: bytes) -> Iterator[Field]:
    yield from header_fields(raw)
    for at in range(*dynamic_extent(raw), _ENTRY):
        (tag,) = struct.unpack_from("<Q", raw, at)
        yield Field(f"dynamic {tag:#x}.d_tag", at, 8)
        yield Field(f"dynamic {tag:#x}.d_val", at + 8, 8)
        if not tag:
            return


def damaged(folder: Path, name: str, each: Sequence[Damage]) -> Mapping[Path, Damage]:
    """A directory for each damage, with the file in it under a name."""
    places: dict[Path, Damage] = {}
    for number, damage in enumerate(each):
        place = folder / str(number)
        place.mkdir(parents=True)
        (place / name).write_bytes(damage.raw)
        places[place] = damage
    return places


def build_asker(workshop: Workshop) -> Path:
    """The program for :func:`ask_each`."""
    return musl_program(workshop, "asker", _ASKER)


def ask_each(asker: Path, name: str, places: Sequence[Path]) -> list[str | None]:
    """What ``dlopen`` says, in each of some directories: a message, None, or :data:`CRASHED`."""
    command = [str(asker), name, *map(str, places)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]
    assert len(lines) == len(places)
    return [line or None for line in lines]
