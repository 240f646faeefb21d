"""The symbol table, judged by pyelftools, readelf and nm."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag, ElfObject, SymbolType, read_elf
from elfaudit.errors import ElfFormatError

from . import judge
from .forge import dynamic_offset_of, strings_and_symbols, sysv_table


def _rows(elf: ElfObject) -> list[judge.Row]:
    sections = elf.symbols.sections
    return [
        (s.name, s.binding, s.type, s.visibility, sections[s.index], s.value, s.size)
        for s in elf.symbols
    ]


@judge.every_fixture_with_sections
def test_every_column_is_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    elf = read_elf(prebuilt / name)
    with judge.opened(prebuilt / name) as expected:
        assert _rows(elf) == judge.symbols(expected)
    assert [symbol.index for symbol in elf.symbols] == list(range(len(elf.symbols)))
    assert elf.symbols.names == [symbol.name for symbol in elf.symbols]


@judge.every_fixture_with_sections
def test_names_with_versions_are_what_readelf_prints(
    prebuilt: Path, readelf: str, name: str
) -> None:
    symbols = list(read_elf(prebuilt / name).symbols)
    printed = judge.readelf_symbols(readelf, prebuilt / name)
    assert len(symbols) == len(printed)
    for symbol, words in zip(symbols, printed, strict=True):
        if symbol.type != SymbolType.SECTION:  # readelf shows the section's name there
            assert str(symbol) == words


@judge.every_fixture_with_sections
def test_exports_are_what_nm_prints(prebuilt: Path, nm: str, name: str) -> None:
    printed = sorted(judge.nm_exports(nm, prebuilt / name))
    symbols = read_elf(prebuilt / name).symbols
    assert sorted(str(symbol) for symbol in symbols.exports()) == printed
    assert sorted(str(symbol) for symbol in symbols if symbols.is_export(symbol.index)) == printed


@judge.every_fixture_with_sections
def test_undefined_symbols_are_those_without_a_section(prebuilt: Path, name: str) -> None:
    with judge.opened(prebuilt / name) as elf:
        expected = [row[0] for row in judge.symbols(elf) if row[0] and row[4] == 0]
    assert [symbol.name for symbol in read_elf(prebuilt / name).symbols.undefined()] == expected


@pytest.mark.parametrize(
    ("stripped", "whole"),
    [
        ("shapes/libdemo-nosections.so", "shapes/libdemo-gnu.so"),
        ("shapes/libimports-nosections.so", "shapes/libimports.so"),
    ],
)
def test_a_file_without_section_headers_has_the_same_symbols(
    prebuilt: Path, stripped: str, whole: str
) -> None:
    with judge.opened(prebuilt / whole) as elf:
        assert _rows(read_elf(prebuilt / stripped)) == judge.symbols(elf)


@judge.every_fixture_with_sections
def test_section_headers_are_never_looked_at(prebuilt: Path, name: str) -> None:
    """With e_shoff, e_shnum and e_shstrndx cleared, all facts stay the same."""
    data = bytearray((prebuilt / name).read_bytes())
    whole = read_elf(io.BytesIO(bytes(data)))
    order = whole.layout.order
    if whole.layout.bits == 64:
        struct.pack_into(f"{order}Q", data, 40, 0)
        struct.pack_into(f"{order}HH", data, 60, 0, 0)
    else:
        struct.pack_into(f"{order}I", data, 32, 0)
        struct.pack_into(f"{order}HH", data, 48, 0, 0)
    bare = read_elf(io.BytesIO(bytes(data)))
    assert bare.dynamic == whole.dynamic
    assert list(bare.symbols) == list(whole.symbols)
    assert bare.versions == whole.versions
    assert bare.relocations.eager == whole.relocations.eager
    assert bare.relocations.lazy == whole.relocations.lazy
    assert bare.notes == whole.notes


def test_hidden_symbols_are_not_in_the_table_and_protected_ones_are_exported(
    prebuilt: Path,
) -> None:
    symbols = read_elf(prebuilt / "machines/x86_64/libdemo.so").symbols
    exported = {symbol.name: symbol for symbol in symbols.exports()}
    assert exported["demo_protected"].visibility == 3
    assert "demo_hidden" not in symbols.names


def test_a_symbol_knows_the_library_its_version_is_required_from(prebuilt: Path) -> None:
    symbols = read_elf(prebuilt / "shapes/libdemo-gnu.so").symbols
    required = {s.name: (s.version, s.library) for s in symbols.undefined()}
    assert required["dep_call"] == ("DEP_1.0", "libdep.so.1")
    assert required["demo_absent"] == (None, None)


def test_rows_are_bounded(prebuilt: Path) -> None:
    symbols = read_elf(prebuilt / "shapes/libdemo-gnu.so").symbols
    assert symbols[0].name == ""
    for index in (-1, len(symbols)):
        with pytest.raises(IndexError):
            symbols[index]


def _with_symbol(path: Path, index: int, fields: str, offset: int, *values: int) -> io.BytesIO:
    """The x86_64 file with bytes of one symbol changed."""
    data = bytearray(path.read_bytes())
    start = dynamic_offset_of(data, DynamicTag.SYMTAB)
    struct.pack_into(fields, data, start + 24 * index + offset, *values)
    return io.BytesIO(bytes(data))


@pytest.mark.parametrize(
    ("fields", "offset", "values"),
    [
        ("<B", 4, (0x02,)),  # STB_LOCAL
        ("<B", 4, (0x13,)),  # STT_SECTION
        ("<B", 5, (1,)),  # STV_INTERNAL
        ("<B", 5, (2,)),  # STV_HIDDEN
        ("<Q", 8, (0,)),  # a value of 0 is no definition
        ("<H", 6, (0,)),  # SHN_UNDEF
    ],
)
def test_what_the_lookup_skips_is_no_export(
    prebuilt: Path, fields: str, offset: int, values: tuple[int, ...]
) -> None:
    path = prebuilt / "shapes/libdemo-gnu.so"
    index = read_elf(path).symbols.find("demo_data")[0].index
    symbols = read_elf(_with_symbol(path, index, fields, offset, *values)).symbols
    assert "demo_data" not in [symbol.name for symbol in symbols.exports()]
    assert not symbols.is_export(index)


def test_an_empty_string_table_has_no_name() -> None:
    table = (DynamicTag.HASH, sysv_table([0], [0]))
    symbols = read_elf(io.BytesIO(strings_and_symbols(b"", [], table))).symbols
    assert len(symbols) == 1
    with pytest.raises(ElfFormatError, match=r"symbol 0 .* outside the string table of 0x0 bytes"):
        _ = symbols.names


@pytest.mark.parametrize("whole", [True, False])
def test_a_name_outside_of_the_string_table_is_an_error(prebuilt: Path, whole: bool) -> None:
    stream = _with_symbol(prebuilt / "shapes/libdemo-gnu.so", 3, "<I", 0, 0xFFFFFFFF)
    symbols = read_elf(stream, name="x.so").symbols
    with pytest.raises(ElfFormatError, match=r"x.so: st_name at offset .*: symbol 3 has its name"):
        _ = symbols.names if whole else symbols[3]


def test_names_that_are_not_ascii_survive(prebuilt: Path) -> None:
    data = (prebuilt / "shapes/libdemo-gnu.so").read_bytes()
    changed = data.replace(b"demo_absent\0", b"demo_\xe9\x00sent\0")
    symbols = read_elf(io.BytesIO(changed)).symbols
    assert "demo_\udce9" in symbols.names
    assert [s.name for s in symbols] == symbols.names


def test_a_version_index_without_a_version_is_none(prebuilt: Path) -> None:
    data = bytearray((prebuilt / "shapes/libdemo-gnu.so").read_bytes())
    start = dynamic_offset_of(data, DynamicTag.VERSYM)
    struct.pack_into("<H", data, start + 2 * 5, 0x8000 | 77)
    symbol = read_elf(io.BytesIO(bytes(data))).symbols[5]
    assert (symbol.version, symbol.version_hidden, symbol.library) == (None, True, None)
