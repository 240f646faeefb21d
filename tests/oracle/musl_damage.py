"""Files with one field of their headers replaced, and what musl's loader makes of each of them."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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

# Of ELF64: name, offset, format.
_HEADER = (
    ("EI_MAG0", 0, "B"), ("EI_MAG3", 3, "B"), ("EI_CLASS", 4, "B"), ("EI_DATA", 5, "B"),
    ("EI_VERSION", 6, "B"), ("EI_OSABI", 7, "B"), ("EI_ABIVERSION", 8, "B"), ("EI_PAD", 9, "B"),
    ("e_type", 16, "H"), ("e_machine", 18, "H"), ("e_version", 20, "I"), ("e_entry", 24, "Q"),
    ("e_phoff", 32, "Q"), ("e_shoff", 40, "Q"), ("e_flags", 48, "I"), ("e_ehsize", 52, "H"),
    ("e_phentsize", 54, "H"), ("e_phnum", 56, "H"), ("e_shentsize", 58, "H"), ("e_shnum", 60, "H"),
)  # fmt: skip
_SEGMENT = (
    ("p_type", 0, "I"), ("p_flags", 4, "I"), ("p_offset", 8, "Q"), ("p_vaddr", 16, "Q"),
    ("p_paddr", 24, "Q"), ("p_filesz", 32, "Q"), ("p_memsz", 40, "Q"), ("p_align", 48, "Q"),
)  # fmt: skip
_VALUES = (
    0, 1, 2, 3, 4, 7, 40, 56, 64, 255, 4095, 4096, 65535, 1 << 20, (1 << 31) - 1, 1 << 31,
    (1 << 32) - 1, 1 << 40, 1 << 47, 1 << 48, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 4096,
    (1 << 64) - 1,
)  # fmt: skip
_PROGRAM_HEADER, _DYNAMIC, _ENTRY = 56, 2, 16


@dataclass(frozen=True)
class Damage:
    """One field with another value."""

    field: str
    value: int
    raw: bytes


def damages(raw: bytes) -> Iterator[Damage]:
    """Every field of the ELF header, the program headers and the dynamic section, in turn."""
    for name, offset, kind in _fields(raw):
        largest = (1 << 8 * struct.calcsize(kind)) - 1
        (usual,) = struct.unpack_from(f"<{kind}", raw, offset)
        for value in sorted({*(v for v in _VALUES if v <= largest), largest, usual ^ 1} - {usual}):
            yield _with(raw, (name, offset, kind), value)


def patched(raw: bytes, field: str, value: int) -> Damage:
    """One field, named as :func:`damages` does, with a value."""
    return next(_with(raw, each, value) for each in _fields(raw) if each[0] == field)


def _with(raw: bytes, field: tuple[str, int, str], value: int) -> Damage:
    name, offset, kind = field
    damage = bytearray(raw)
    struct.pack_into(f"<{kind}", damage, offset, value)
    return Damage(name, value, bytes(damage))


def _fields(raw: bytes) -> Iterator[tuple[str, int, str]]:
    yield from _HEADER
    (table,), (count,) = struct.unpack_from("<Q", raw, 32), struct.unpack_from("<H", raw, 56)
    for row in range(count):
        at = table + row * _PROGRAM_HEADER
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", raw, at)
        yield from ((f"[{row}:{kind:#x}].{name}", at + place, f) for name, place, f in _SEGMENT)
        if kind == _DYNAMIC:
            dynamic = range(offset, offset + size, _ENTRY)
    for at in dynamic:
        (tag,) = struct.unpack_from("<Q", raw, at)
        yield f"dynamic {tag:#x}.d_tag", at, "Q"
        yield f"dynamic {tag:#x}.d_val", at + 8, "Q"
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
