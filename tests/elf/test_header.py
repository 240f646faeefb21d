"""Header and program headers, judged by pyelftools; what is no ELF file is named for what it is."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.elf.header import AddressMap
from elfaudit.elf.layout import Layout
from elfaudit.errors import ElfFormatError, NotElfError

from . import judge


@judge.every_fixture
def test_the_header_is_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    header = read_elf(prebuilt / name).header
    ours = (
        header.layout.bits,
        header.layout.little,
        header.osabi,
        header.type,
        header.machine,
        header.flags,
        header.entry,
        header.segment_count,
    )
    with judge.opened(prebuilt / name) as elf:
        assert ours == judge.header(elf)
        assert (header.section_offset, header.section_count) == (elf["e_shoff"], elf["e_shnum"])
        assert header.abi_version == elf["e_ident"]["EI_ABIVERSION"]


@judge.every_fixture
def test_the_segments_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    ours = [
        (s.type, s.flags, s.offset, s.address, s.file_size, s.memory_size, s.align)
        for s in read_elf(prebuilt / name).segments
    ]
    with judge.opened(prebuilt / name) as elf:
        assert ours == judge.segments(elf)


@judge.every_fixture
def test_permissions_are_written_as_readelf_does(prebuilt: Path, readelf: str, name: str) -> None:
    printed = judge.text(readelf, "-lW", prebuilt / name)
    flags = re.findall(r"^  \S+(?: +0x[0-9a-f]+){5} (...) \S+$", printed, re.MULTILINE)
    segments = read_elf(prebuilt / name).segments
    assert [segment.permissions for segment in segments] == flags


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\x7fEL", "the file ends inside the ELF magic"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"/* GNU ld script */\nGROUP ( libc.so.6 )", "linker script"),
        (b"INPUT(-lncurses)\n", "linker script"),
        (b"!<arch>\n", "static library"),
        (b"PK\x03\x04", "zip archive"),
        (b"MZ\x90\x00", "Windows"),
        (b"\xcf\xfa\xed\xfe", "Mach-O"),
        (b"#!/bin/sh\n", "script"),
        (b"hello", "begins with 68 65 6c 6c, not with the ELF magic 7f 45 4c 46"),
    ],
)
def test_what_is_not_elf_is_named(content: bytes, words: str) -> None:
    with pytest.raises(NotElfError, match=r"^thing: e_ident at offset 0x0: ") as caught:
        read_elf(io.BytesIO(content), name="thing")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("at", "value", "field"), [(4, 3, "EI_CLASS"), (5, 0, "EI_DATA"), (6, 2, "EI_VERSION")]
)
def test_an_unknown_identification_names_byte_and_field(
    prebuilt: Path, at: int, value: int, field: str
) -> None:
    data = bytearray((prebuilt / "shapes/libempty.so").read_bytes())
    data[at] = value
    with pytest.raises(ElfFormatError) as caught:
        read_elf(io.BytesIO(data), name="x.so")
    assert (caught.value.field, caught.value.offset) == (field, at)


def test_a_wrong_program_header_size_is_refused(prebuilt: Path) -> None:
    data = bytearray((prebuilt / "shapes/libempty.so").read_bytes())
    struct.pack_into("<H", data, 54, 32)
    with pytest.raises(ElfFormatError, match=r"e_phentsize at offset 0x36: is 32"):
        read_elf(io.BytesIO(data))


def _with_extended_count(data: bytes, count: int) -> bytearray:
    """``e_phnum`` moved into ``sh_info`` of a section header 0 put at the end."""
    out = bytearray(data)
    struct.pack_into("<Q", out, 40, len(out))  # e_shoff
    struct.pack_into("<H", out, 56, 0xFFFF)  # e_phnum: PN_XNUM
    struct.pack_into("<HH", out, 58, 64, 1)  # e_shentsize, e_shnum
    section = bytearray(64)
    struct.pack_into("<I", section, 44, count)
    return out + section


def test_the_number_of_program_headers_may_stand_in_section_0(prebuilt: Path) -> None:
    data = (prebuilt / "shapes/libempty.so").read_bytes()
    plain = read_elf(io.BytesIO(data))
    extended = read_elf(io.BytesIO(_with_extended_count(data, plain.header.segment_count)))
    assert extended.segments == plain.segments


def test_an_absurd_number_of_program_headers_is_refused(prebuilt: Path) -> None:
    data = _with_extended_count((prebuilt / "shapes/libempty.so").read_bytes(), 0xFFFFFFFF)
    with pytest.raises(ElfFormatError, match=r"e_phnum at offset 0x38: 4294967295 program headers"):
        read_elf(io.BytesIO(data))


def test_section_0_must_be_large_enough_to_hold_the_count(prebuilt: Path) -> None:
    data = _with_extended_count((prebuilt / "shapes/libempty.so").read_bytes(), 1)
    struct.pack_into("<H", data, 58, 8)
    with pytest.raises(ElfFormatError, match=r"e_shentsize at offset 0x3a: is 8"):
        read_elf(io.BytesIO(data))


def test_section_0_must_be_inside_the_file(prebuilt: Path) -> None:
    data = _with_extended_count((prebuilt / "shapes/libempty.so").read_bytes(), 1)
    struct.pack_into("<Q", data, 40, 2**64 - 1)
    with pytest.raises(ElfFormatError, match=r"sh_info of section 0"):
        read_elf(io.BytesIO(data))


def test_a_file_of_headers_only_has_no_segments() -> None:
    ident = b"\x7fELF\x01\x02\x01" + bytes(9)
    rest = Layout(32, little=False).header.pack(3, 2, 1, 0, 0, 0, 0, 52, 0, 0, 0, 0, 0)
    elf = read_elf(io.BytesIO(ident + rest))
    assert (elf.segments, elf.dynamic, elf.machine) == ((), None, 2)


def test_an_address_outside_of_all_segments_says_where_it_was_read() -> None:
    with pytest.raises(ElfFormatError, match=r"^x.so: DT_HASH at offset 0x10: address 0x5 lies in"):
        AddressMap("x.so", ()).locate(5, "DT_HASH", 16)
