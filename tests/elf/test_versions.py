"""Verneed, verdef and versym, judged by pyelftools."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag, read_elf
from elfaudit.errors import ElfFormatError

from . import judge
from .forge import dynamic_offset_of, forge

HIDDEN = 0x8000


@judge.every_fixture_with_sections
def test_needs_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    ours = [
        (n.library, n.name, n.weak * 2, n.index | n.hidden * HIDDEN)
        for n in read_elf(prebuilt / name).versions.needs
    ]
    with judge.opened(prebuilt / name) as elf:
        assert ours == judge.version_needs(elf)


@judge.every_fixture_with_sections
def test_definitions_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    ours = [
        (d.index | d.hidden * HIDDEN, d.base + d.weak * 2, [d.name, *d.parents])
        for d in read_elf(prebuilt / name).versions.definitions
    ]
    with judge.opened(prebuilt / name) as elf:
        assert ours == judge.version_definitions(elf)


@judge.every_fixture_with_sections
def test_indices_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    indices = read_elf(prebuilt / name).symbols.version_indices
    with judge.opened(prebuilt / name) as elf:
        assert (None if indices is None else list(indices)) == judge.version_indices(elf)


def test_the_base_definition_is_no_version_of_a_symbol(prebuilt: Path) -> None:
    versions = read_elf(prebuilt / "shapes/libdemo-gnu.so").versions
    base = next(d for d in versions.definitions if d.base)
    assert base.name == "libdemo.so.2"
    assert base.index not in versions.names
    names = {definition.name for definition in versions.definitions}
    assert {"libdemo.so.2", "DEMO_2.0"} <= names
    assert "DEP_1.0" not in names
    assert next(d for d in versions.definitions if d.name == "DEMO_2.0").parents == ("DEMO_1.0",)


class _Broken:
    """libdemo-gnu.so with bytes changed at an offset of its verneed or verdef."""

    def __init__(self, prebuilt: Path, tag: DynamicTag) -> None:
        self.data = bytearray((prebuilt / "shapes/libdemo-gnu.so").read_bytes())
        self.start = dynamic_offset_of(self.data, tag)

    def put(self, offset: int, fields: str, *values: int) -> None:
        struct.pack_into(f"<{fields}", self.data, self.start + offset, *values)

    def error(self) -> ElfFormatError:
        elf = read_elf(io.BytesIO(bytes(self.data)))
        with pytest.raises(ElfFormatError) as caught:
            _ = elf.versions
        return caught.value


def _without_counts(broken: _Broken) -> None:
    elf = read_elf(io.BytesIO(bytes(broken.data)))
    assert elf.dynamic is not None
    for tag in (DynamicTag.VERNEEDNUM, DynamicTag.VERDEFNUM):
        struct.pack_into("<qQ", broken.data, elf.dynamic.where(tag), 0x6FFFFE00, 0)


def test_without_counts_the_lists_end_where_next_is_0(prebuilt: Path) -> None:
    broken = _Broken(prebuilt, DynamicTag.VERNEED)
    whole = read_elf(io.BytesIO(bytes(broken.data))).versions
    _without_counts(broken)
    assert read_elf(io.BytesIO(bytes(broken.data))).versions == whole


def test_a_list_that_goes_past_the_file_names_the_record(prebuilt: Path) -> None:
    broken = _Broken(prebuilt, DynamicTag.VERNEED)
    broken.put(8, "I", 0x7FFFFFFF)  # vn_aux
    assert broken.error().field == "Vernaux"
    broken = _Broken(prebuilt, DynamicTag.VERDEF)
    broken.put(16, "I", 0x7FFFFFFF)  # vd_next
    assert broken.error().field == "DT_VERDEF"


def test_needs_that_share_their_auxiliaries_are_bounded() -> None:
    """vn_cnt times the number of needs: 100 of them, with the same 1,000 versions each."""
    needs = b"".join(
        struct.pack("<HHIII", 1, 0xFFFF, 1, 16 * (100 - row), 16) for row in range(100)
    )
    auxiliaries = struct.pack("<IHHII", 0, 0, 2, 1, 16) * 999 + struct.pack("<IHHII", 0, 0, 2, 1, 0)
    elf = read_elf(io.BytesIO(_file(DynamicTag.VERNEED, needs + auxiliaries, b"\0name\0")))
    with pytest.raises(ElfFormatError, match=r"the list of versions has no end"):
        _ = elf.versions


def test_versions_whose_names_are_the_same_megabyte_are_bounded() -> None:
    long = b"\0" + b"x" * 100_000 + b"\0"
    record = struct.pack("<HHHHIII", 1, 0, 2, 1000, 0, 20, 0)
    auxiliaries = b"".join(struct.pack("<II", 1 + row, 8) for row in range(1000))
    elf = read_elf(io.BytesIO(_file(DynamicTag.VERDEF, record + auxiliaries, long)))
    with pytest.raises(ElfFormatError, match=r"the version names are too long"):
        _ = elf.versions


def _file(tag: DynamicTag, table: bytes, strings: bytes) -> bytes:
    entries: list[tuple[int, int | str]] = [
        (DynamicTag.STRTAB, "strings"),
        (DynamicTag.STRSZ, len(strings)),
        (tag, "table"),
    ]
    return forge(entries, {"strings": strings, "table": table})


@pytest.mark.parametrize(
    ("tag", "offset", "field"),
    [
        (DynamicTag.VERNEED, 4, "vn_file"),
        (DynamicTag.VERNEED, 16 + 8, "vna_name"),
        (DynamicTag.VERDEF, 20, "vda_name"),
    ],
)
def test_a_name_outside_of_the_strings_names_the_field(
    prebuilt: Path, tag: DynamicTag, offset: int, field: str
) -> None:
    broken = _Broken(prebuilt, tag)
    broken.put(offset, "I", 0xFFFFFF)
    error = broken.error()
    assert error.field == field
    assert "string index 0xffffff is not in DT_STRTAB" in error.problem


def test_the_number_of_names_is_not_read(prebuilt: Path) -> None:
    broken = _Broken(prebuilt, DynamicTag.VERDEF)
    whole = read_elf(io.BytesIO(bytes(broken.data))).versions
    broken.put(6, "H", 0)
    assert read_elf(io.BytesIO(bytes(broken.data))).versions == whole


def test_a_structure_of_another_number_is_told(prebuilt: Path) -> None:
    broken = _Broken(prebuilt, DynamicTag.VERNEED)
    broken.put(0, "H", 3)
    found = read_elf(io.BytesIO(bytes(broken.data))).versions
    assert (found.revision, found.needs) == (3, ())
    broken = _Broken(prebuilt, DynamicTag.VERDEF)
    broken.put(0, "H", 2)
    broken.put(8, "I", 7)
    first = read_elf(io.BytesIO(bytes(broken.data))).versions.definitions[0]
    assert (first.revision, first.sound) == (2, False)


def test_a_weak_requirement_is_marked(prebuilt: Path) -> None:
    broken = _Broken(prebuilt, DynamicTag.VERNEED)
    broken.put(16 + 4, "H", 2)
    assert read_elf(io.BytesIO(bytes(broken.data))).versions.needs[0].weak
