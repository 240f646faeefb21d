"""What is refused before anything is planned: one sentence that names the file and says why."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag, SegmentType
from elfaudit.errors import ElfAuditError, ElfFormatError, NotElfError, PatchError
from elfaudit.patch.edits import AddNeeded
from elfaudit.patch.image import Image, SectionType, read_image
from elfaudit.patch.planning import plan
from elfaudit.patch.validate import validate
from tests.conftest import PREBUILT
from tests.elf.judge import fixture_names

T = DynamicTag
NAME = "lib/of the user.so"
CASES = ("linkers/bfd/libdemo.so", "machines/s390x/libdemo.so")
DYNAMIC = [name for name in fixture_names() if not name.endswith((".o", "static-exe"))]


@pytest.mark.parametrize("name", DYNAMIC)
def test_what_linkers_make_is_taken(name: str) -> None:
    validate(read_image(io.BytesIO((PREBUILT / name).read_bytes()), name))


class _File:
    """A fixture of 64 bits whose tables can be damaged."""

    def __init__(self, name: str) -> None:
        self.raw = bytearray((PREBUILT / name).read_bytes())
        self.image: Image = read_image(io.BytesIO(bytes(self.raw)), name)
        self.order = "<" if self.raw[5] == 1 else ">"

    def put(self, offset: int, letter: str, value: int) -> None:
        struct.pack_into(self.order + letter, self.raw, offset, value)

    def segment(self, kind: int, number: int = 0) -> int:
        """Where a program header is."""
        found = [n for n, each in enumerate(self.image.segments) if each.type == kind]
        return self.image.header.segment_offset + 56 * found[number]

    def row(self, tag: int) -> int:
        """Where an entry of the dynamic section is."""
        tags = [row.tag for row in self.image.rows]
        return self.image.dynamic.offset + 16 * tags.index(tag)

    def section(self, kind: int) -> int:
        """Where a section header is."""
        number = next(each.index for each in self.image.sections if each.type == kind)
        return self.image.header.section_offset + 64 * number


Damage = Callable[[_File], None]
_TYPE, _OFFSET, _ADDRESS, _FILE_SIZE, _MEMORY_SIZE, _ALIGN = 0, 8, 16, 32, 40, 48


def _swapped_loads(file: _File) -> None:
    one, other = file.segment(SegmentType.LOAD, 0), file.segment(SegmentType.LOAD, 1)
    raw = file.raw
    raw[one : one + 56], raw[other : other + 56] = raw[other : other + 56], raw[one : one + 56]


def _end_with_a_value(file: _File) -> None:
    """A DT_NULL that says something: nobody knows what stands behind it."""
    file.put(file.image.dynamic.offset + 16 * len(file.image.rows) + 8, "Q", 2**64 - 1)


def _longer_than_the_file(file: _File) -> None:
    last = file.segment(SegmentType.LOAD, -1)
    file.put(last + _FILE_SIZE, "Q", 1 << 30)
    file.put(last + _MEMORY_SIZE, "Q", 1 << 30)


def _two_sizes(file: _File) -> None:
    place = file.row(T.SYMENT)
    file.put(place, "Q", T.STRSZ)
    file.put(place + 8, "Q", len(file.image.strings))


DAMAGE: dict[str, tuple[Damage, str]] = {
    "type": (lambda f: f.put(16, "H", 4), "neither a shared object nor an executable"),
    "static": (lambda f: f.put(16, "H", 2), "it is a static program"),
    "overlap": (
        lambda f: f.put(f.segment(SegmentType.LOAD) + _MEMORY_SIZE, "Q", 1 << 40),
        "overlap or do not ascend",
    ),
    "order": (_swapped_loads, "overlap or do not ascend"),
    "more in the file": (
        lambda f: f.put(f.segment(SegmentType.LOAD, -1) + _MEMORY_SIZE, "Q", 0),
        "more bytes in the file than in memory",
    ),
    "behind the end": (_longer_than_the_file, "ends behind the end of the file"),
    "behind memory": (
        lambda f: f.put(f.segment(SegmentType.LOAD, -1) + _MEMORY_SIZE, "Q", 2**64 - 1),
        "ends behind the end of memory",
    ),
    "alignment": (
        lambda f: f.put(f.segment(SegmentType.LOAD) + _ALIGN, "Q", 3), "has the alignment 0x3"
    ),
    "congruence": (
        lambda f: f.put(f.segment(SegmentType.LOAD, -1) + _ALIGN, "Q", 1 << 62), "do not agree"
    ),
    "dynamic elsewhere": (
        lambda f: f.put(f.segment(SegmentType.DYNAMIC) + _ADDRESS, "Q", 0x10),
        "PT_DYNAMIC is not where the segments have its address",
    ),
    "dynamic in memory": (
        lambda f: f.put(f.segment(SegmentType.DYNAMIC) + _MEMORY_SIZE, "Q", 16),
        "PT_DYNAMIC is not where the segments have its address",
    ),
    "no end": (_end_with_a_value, "the dynamic section has no end (DT_NULL)"),
    "strings without end": (
        lambda f: f.put(f.row(T.STRSZ) + 8, "Q", len(f.image.strings) - 1),
        "DT_STRTAB does not end with a NUL",
    ),
    "no DT_SYMTAB": (lambda f: f.put(f.row(T.SYMTAB), "Q", 0x6000000F), "DT_SYMTAB stands 0 times"),
    "DT_STRSZ twice": (_two_sizes, "DT_STRSZ stands 2 times"),
    "section elsewhere": (
        lambda f: f.put(f.section(SectionType.DYNAMIC) + 24, "Q", 0x40),
        "the section headers and PT_DYNAMIC do not agree",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", DAMAGE)
def test_tables_that_contradict_each_other(name: str, kind: str) -> None:
    damage, problem = DAMAGE[kind]
    file = _File(name)
    damage(file)
    with pytest.raises(PatchError, match=re.escape(problem)) as error:
        plan(io.BytesIO(bytes(file.raw)), NAME, [AddNeeded("libadded.so")])
    assert str(error.value).startswith(f"{NAME}: is not changed: ")
    assert "\n" not in str(error.value)


def _no_dynamic(file: _File) -> None:
    file.put(file.segment(SegmentType.DYNAMIC) + _TYPE, "I", SegmentType.NULL)


def _two_dynamic(file: _File) -> None:
    file.put(file.segment(SegmentType.GNU_STACK) + _TYPE, "I", SegmentType.DYNAMIC)


UNREADABLE: dict[str, tuple[Damage, str]] = {
    "no PT_DYNAMIC": (_no_dynamic, "has no dynamic section to change"),
    "two PT_DYNAMIC": (_two_dynamic, "has several of them"),
    "empty PT_DYNAMIC": (
        lambda f: f.put(f.segment(SegmentType.DYNAMIC) + _FILE_SIZE, "Q", 0), "no dynamic section"
    ),
    "PT_DYNAMIC behind the end": (
        lambda f: f.put(f.segment(SegmentType.DYNAMIC) + _OFFSET, "Q", 1 << 40), "PT_DYNAMIC"
    ),
    "no DT_STRTAB": (lambda f: f.put(f.row(T.STRTAB), "Q", 0x6000000F), "DT_STRTAB at"),
    "strings elsewhere": (
        lambda f: f.put(f.row(T.STRTAB) + 8, "Q", 1 << 50), "lie in no segment of the file"
    ),
    "huge strings": (
        lambda f: f.put(f.row(T.STRSZ) + 8, "Q", 1 << 62), "lie in no segment of the file"
    ),
    "section headers": (lambda f: f.put(40, "Q", 1 << 60), "e_shoff"),
    "their size": (lambda f: f.put(58, "H", 63), "e_shentsize"),
    "program headers": (lambda f: f.put(32, "Q", 1 << 63), "e_phoff"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", UNREADABLE)
def test_tables_that_are_not_there(name: str, kind: str) -> None:
    damage, problem = UNREADABLE[kind]
    file = _File(name)
    damage(file)
    with pytest.raises(ElfFormatError, match=re.escape(problem)) as error:
        plan(io.BytesIO(bytes(file.raw)), NAME, [AddNeeded("libadded.so")])
    assert str(error.value).startswith(NAME)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["shapes/relocatable.o", "shapes/static-exe"])
def test_what_no_loader_reads(name: str) -> None:
    with pytest.raises(ElfFormatError, match="has no dynamic section to change") as error:
        plan(io.BytesIO((PREBUILT / name).read_bytes()), NAME, [AddNeeded("libadded.so")])
    assert str(error.value).startswith(NAME)


@pytest.mark.parametrize("data", [b"", b"\x7fEL", b"!<arch>\n", b"PK\x03\x04", b"# no library\n"])
def test_what_is_not_elf(data: bytes) -> None:
    with pytest.raises(NotElfError) as error:
        plan(io.BytesIO(data), NAME, [AddNeeded("libadded.so")])
    assert str(error.value).startswith(NAME)


def test_every_sentence_is_about_the_file_on_the_disk(tmp_path: Path) -> None:
    """Cut anywhere it is refused: the section headers come last."""
    raw = (PREBUILT / CASES[0]).read_bytes()
    for size in range(0, len(raw), 97):
        with pytest.raises(ElfAuditError) as error:
            plan(io.BytesIO(raw[:size]), NAME, [AddNeeded("libadded.so")])
        assert str(error.value).startswith(NAME), size
