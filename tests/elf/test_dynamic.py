"""The dynamic section, judged by pyelftools and readelf."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag, Flags, Flags1, read_elf
from elfaudit.errors import ElfFormatError

from . import judge


@judge.every_fixture
def test_the_entries_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    dynamic = read_elf(prebuilt / name).dynamic
    with judge.opened(prebuilt / name) as elf:
        assert list(dynamic.entries if dynamic else ()) == judge.dynamic_entries(elf)


@judge.every_fixture
def test_the_strings_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    dynamic = read_elf(prebuilt / name).dynamic
    with judge.opened(prebuilt / name) as elf:
        expected = {
            tag: judge.dynamic_strings(elf, tag)
            for tag in ("DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH")
        }
    if dynamic is None:
        assert not any(expected.values())
        return
    assert list(dynamic.needed) == expected["DT_NEEDED"]
    assert [dynamic.soname] == [*expected["DT_SONAME"], None][:1]
    assert [dynamic.rpath] == [*expected["DT_RPATH"], None][:1]
    assert [dynamic.runpath] == [*expected["DT_RUNPATH"], None][:1]


@judge.every_fixture
def test_readelf_prints_the_same(prebuilt: Path, readelf: str, name: str) -> None:
    dynamic = read_elf(prebuilt / name).dynamic
    printed = judge.text(readelf, "-dW", prebuilt / name)
    rows = re.findall(r"^ 0x([0-9a-f]+) \((\w+)\) +(.*)$", printed, re.MULTILINE)
    if dynamic is None:
        assert not rows
        return
    ours = [tag % (1 << (8 * dynamic.entry_size // 2)) for tag, _ in dynamic.entries]
    assert [int(tag, 16) for tag, _, _ in rows] == [*ours, DynamicTag.NULL]

    def shown(kind: str) -> list[str]:
        return [re.sub(r"^.*\[(.*)\]$", r"\1", text) for _, tag, text in rows if tag == kind]

    assert shown("NEEDED") == list(dynamic.needed)
    assert shown("FILTER") == list(dynamic.filters)
    assert shown("AUXILIARY") == list(dynamic.auxiliaries)
    flags = {flag for text in shown("FLAGS") for flag in text.split()}
    assert {flag.name for flag in dynamic.flags} == flags
    flags_1 = {flag for text in shown("FLAGS_1") for flag in text.removeprefix("Flags: ").split()}
    assert {flag.name for flag in dynamic.flags_1} == flags_1


@pytest.mark.parametrize(
    ("name", "symbolic", "bind_now"),
    [
        ("shapes/libdemo-gnu.so", False, False),
        ("shapes/libdemo-now.so", False, True),
        ("shapes/libsymbolic.so", True, False),
    ],
)
def test_flags_say_how_the_loader_binds(
    prebuilt: Path, name: str, symbolic: bool, bind_now: bool
) -> None:
    dynamic = read_elf(prebuilt / name).dynamic
    assert dynamic is not None
    assert (dynamic.symbolic, dynamic.bind_now) == (symbolic, bind_now)
    assert not dynamic.text_relocations


def _rewritten(data: bytes, changes: dict[int, tuple[int, int]]) -> bytes:
    """The file with the first entry of each given tag replaced (x86_64)."""
    dynamic = read_elf(io.BytesIO(data)).dynamic
    assert dynamic is not None
    out = bytearray(data)
    tags = [tag for tag, _ in dynamic.entries]
    for tag, entry in changes.items():
        struct.pack_into("<qQ", out, dynamic.offset + 16 * tags.index(tag), *entry)
    return bytes(out)


@pytest.mark.parametrize(
    ("entry", "attribute"),
    [
        ((DynamicTag.SYMBOLIC, 0), "symbolic"),
        ((DynamicTag.BIND_NOW, 0), "bind_now"),
        ((DynamicTag.TEXTREL, 0), "text_relocations"),
        ((DynamicTag.FLAGS, Flags.SYMBOLIC), "symbolic"),
        ((DynamicTag.FLAGS, Flags.BIND_NOW), "bind_now"),
        ((DynamicTag.FLAGS, Flags.TEXTREL), "text_relocations"),
        ((DynamicTag.FLAGS_1, Flags1.NOW), "bind_now"),
    ],
)
def test_each_way_to_ask_counts(prebuilt: Path, entry: tuple[int, int], attribute: str) -> None:
    data = (prebuilt / "shapes/libempty.so").read_bytes()
    with judge.opened(prebuilt / "shapes/libempty.so") as elf:
        tag = judge.dynamic_entries(elf)[-1][0]
    dynamic = read_elf(io.BytesIO(_rewritten(data, {tag: entry}))).dynamic
    assert dynamic is not None
    assert getattr(dynamic, attribute)


def test_of_a_tag_that_stands_twice_the_last_one_counts(prebuilt: Path) -> None:
    """get-dynamic-info.h stores by tag while it walks forward: the last one stays."""
    data = (prebuilt / "shapes/libdemo-gnu.so").read_bytes()
    dynamic = read_elf(io.BytesIO(data)).dynamic
    assert dynamic is not None
    needed = dynamic.value(DynamicTag.NEEDED)
    assert needed is not None
    twice = _rewritten(data, {DynamicTag.FLAGS: (DynamicTag.SONAME, needed)})
    assert read_elf(io.BytesIO(twice)).soname == dynamic.needed[0] != dynamic.soname


def test_a_string_outside_of_the_table_names_the_entry(prebuilt: Path) -> None:
    data = (prebuilt / "shapes/libdemo-gnu.so").read_bytes()
    dynamic = read_elf(io.BytesIO(data)).dynamic
    assert dynamic is not None
    broken = _rewritten(data, {DynamicTag.SONAME: (DynamicTag.SONAME, 0x10000)})
    with pytest.raises(ElfFormatError, match=r"string index 0x10000 lies outside") as caught:
        read_elf(io.BytesIO(broken))
    assert caught.value.field == "DT_SONAME"
    assert caught.value.offset == dynamic.where(DynamicTag.SONAME)


def test_an_address_outside_of_the_segments_names_the_entry(prebuilt: Path) -> None:
    data = (prebuilt / "shapes/libdemo-gnu.so").read_bytes()
    dynamic = read_elf(io.BytesIO(data)).dynamic
    assert dynamic is not None
    broken = _rewritten(data, {DynamicTag.SYMTAB: (DynamicTag.SYMTAB, 1 << 40)})
    elf = read_elf(io.BytesIO(broken))
    with pytest.raises(
        ElfFormatError, match=r"DT_SYMTAB at offset .* address 0x10000000000"
    ) as got:
        _ = elf.symbols
    assert got.value.offset == dynamic.where(DynamicTag.SYMTAB)


def test_a_missing_string_table_is_said(prebuilt: Path) -> None:
    data = (prebuilt / "shapes/libdemo-gnu.so").read_bytes()
    broken = _rewritten(data, {DynamicTag.STRTAB: (0x6FFFFE00, 0)})
    with pytest.raises(ElfFormatError, match=r"lies outside the string table of 0x0 bytes"):
        read_elf(io.BytesIO(broken))


def test_without_dt_strsz_the_strings_reach_to_the_end_of_the_segment(prebuilt: Path) -> None:
    """The loader never looks at DT_STRSZ."""
    data = (prebuilt / "shapes/libdemo-gnu.so").read_bytes()
    whole = read_elf(io.BytesIO(data))
    bare = read_elf(io.BytesIO(_rewritten(data, {DynamicTag.STRSZ: (0x6FFFFE00, 0)})))
    assert bare.needed == whole.needed
    assert bare.symbols.names == whole.symbols.names


def test_missing_tables_are_said_where_asked_for(prebuilt: Path) -> None:
    dynamic = read_elf(prebuilt / "shapes/libempty.so").dynamic
    assert dynamic is not None
    elf = read_elf(prebuilt / "shapes/libempty.so")
    with pytest.raises(ElfFormatError, match=r"DT_JMPREL at offset .*: is missing from"):
        dynamic.locate(DynamicTag.JMPREL, elf._addresses)
    assert dynamic.where(DynamicTag.JMPREL) == dynamic.offset


def test_names_that_are_not_utf_8_survive(prebuilt: Path) -> None:
    data = (
        (prebuilt / "shapes/libdemo-gnu.so").read_bytes().replace(b"libdep.so.1", b"lib\xffep.so.1")
    )
    assert [
        name.encode("utf-8", "surrogateescape") for name in read_elf(io.BytesIO(data)).needed
    ] == [b"lib\xffep.so.1"]
