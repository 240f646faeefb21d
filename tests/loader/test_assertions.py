"""What the loader asserts of a dynamic section, machine by machine, with the lines it stands in.

The machine at hand is asked in ``test_damage``. Here are those that cannot be: the lines are those
of the releases of glibc, counted in ``elf/get-dynamic-info.h`` of each.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag, ElfObject, read_elf
from elfaudit.loader.assertions import dynamic_assertion
from elfaudit.loader.rtld import Version

DT_REL, DT_RELA = 17, 7
EITHER = (
    "Inconsistency detected by ld.so: get-dynamic-info.h: {line}: elf_get_dynamic_info: Assertion "
    "`info[DT_PLTREL]->d_un.d_val == DT_REL || info[DT_PLTREL]->d_un.d_val == DT_RELA' failed!"
)
RELA = (
    "Inconsistency detected by ld.so: get-dynamic-info.h: {line}: elf_get_dynamic_info: Assertion "
    "`info[DT_PLTREL]->d_un.d_val == DT_RELA' failed!"
)
# Release: line of the assertion about DT_RELA alone, of that about either.
LINES = {
    (2, 27): (124, 126), (2, 28): (123, 125), (2, 31): (123, 125), (2, 32): (123, 125),
    (2, 33): (118, 120), (2, 34): (102, 104), (2, 35): (102, 104), (2, 36): (115, 117),
    (2, 39): (115, 117), (2, 41): (115, 117),
}  # fmt: skip


def with_pltrel(prebuilt: Path, machine: str, value: int) -> ElfObject:
    """The fixture of a machine, which says of its PLT's relocations what they are."""
    raw = bytearray((prebuilt / "machines" / machine / "libdemo.so").read_bytes())
    elf = read_elf(io.BytesIO(bytes(raw)))
    assert elf.dynamic is not None
    row = [tag for tag, _ in elf.dynamic.entries].index(DynamicTag.PLTREL)
    word = elf.layout.word_size
    order = "<" if elf.layout.little else ">"
    at = elf.dynamic.offset + row * elf.dynamic.entry_size + word
    struct.pack_into(f"{order}{'Q' if word == 8 else 'I'}", raw, at, value)
    changed = read_elf(io.BytesIO(bytes(raw)))
    assert changed.dynamic is not None
    assert changed.dynamic.value(DynamicTag.PLTREL) == value
    return changed


@pytest.mark.parametrize("release", LINES)
@pytest.mark.parametrize("machine", ["i386", "armhf"])
def test_machines_that_take_either(prebuilt: Path, machine: str, release: Version) -> None:
    """Only ``rtld.c`` itself, which is not asked about others, is built for DT_REL alone."""
    for value in (DT_REL, DT_RELA):
        assert dynamic_assertion(with_pltrel(prebuilt, machine, value), release) is None
    for value in (0, 99):
        words = dynamic_assertion(with_pltrel(prebuilt, machine, value), release)
        assert words == EITHER.format(line=LINES[release][1])


@pytest.mark.parametrize("release", LINES)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64", "s390x", "ppc64le"])
def test_machines_that_take_one(prebuilt: Path, machine: str, release: Version) -> None:
    assert dynamic_assertion(with_pltrel(prebuilt, machine, DT_RELA), release) is None
    for value in (0, DT_REL, 99):
        words = dynamic_assertion(with_pltrel(prebuilt, machine, value), release)
        assert words == RELA.format(line=LINES[release][0])


def test_a_loader_of_which_nothing_is_known(prebuilt: Path) -> None:
    words = dynamic_assertion(with_pltrel(prebuilt, "i386", 99), None)
    assert words == EITHER.format(line=117)
