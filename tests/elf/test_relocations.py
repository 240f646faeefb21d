"""Relocations, judged by pyelftools; MIPS by its psABI, as no fixture is for it."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag, read_elf
from elfaudit.elf.dynamic import Dynamic, Flags, Flags1
from elfaudit.elf.header import AddressMap, Segment
from elfaudit.elf.layout import Layout
from elfaudit.elf.reader import Reader
from elfaudit.elf.relocations import Relocations, read_relocations
from elfaudit.errors import ElfFormatError

from . import judge

T = DynamicTag


@judge.every_fixture_with_sections
def test_references_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    elf = read_elf(prebuilt / name)
    with judge.opened(prebuilt / name) as other:
        # Without a dynamic section nobody applies them but the program itself.
        expected = judge.relocations(other) if elf.dynamic else (set(), set())
    assert (set(elf.relocations.eager), set(elf.relocations.lazy)) == expected
    assert elf.relocations.symbols() == {index for pairs in expected for index, _ in pairs}


@pytest.mark.parametrize("linker", ["bfd", "lld", "mold"])
def test_relr_is_seen_and_names_no_symbol(prebuilt: Path, linker: str) -> None:
    packed = read_elf(prebuilt / f"linkers/{linker}/libdemo-relr.so").relocations
    plain = read_elf(prebuilt / f"linkers/{linker}/libdemo.so").relocations
    assert (packed.relative, plain.relative) == (True, False)
    assert len(packed.symbols()) == len(plain.symbols())


def _read(
    rows: bytes,
    entries: dict[DynamicTag, int],
    *,
    bits: int = 64,
    little: bool = True,
    machine: int = 62,
) -> Relocations:
    """Relocations of a file that is only one table, at address 0x1000."""
    reader = Reader(io.BytesIO(rows), "x.so")
    addresses = AddressMap("x.so", (Segment(1, 4, 0, 0x1000, len(rows), len(rows), 1),))
    dynamic = Dynamic(
        None, (), None, None, Flags(0), Flags1(0), (), (), (), tuple(entries.items()), 0, bits // 4
    )
    return read_relocations(reader, Layout(bits, little=little), machine, dynamic, addresses)


def test_the_lazy_table_may_be_counted_into_the_eager_one() -> None:
    rows = b"".join(struct.pack("<QQq", 0, n << 32 | 6, 0) for n in (1, 2, 3))
    found = _read(
        rows,
        {T.RELA: 0x1000, T.RELASZ: 72, T.JMPREL: 0x1030, T.PLTRELSZ: 24, T.PLTREL: T.RELA},
    )
    assert found.eager == {(1, 6), (2, 6)}
    assert found.lazy == {(3, 6)}


def test_relative_rows_counted_by_the_linker_are_not_looked_at() -> None:
    rows = b"".join(struct.pack("<QQq", 0, n << 32 | 6, 0) for n in (1, 2, 3))
    found = _read(rows, {T.RELA: 0x1000, T.RELASZ: 72, T.RELACOUNT: 2})
    assert found.eager == {(3, 6)}
    assert not _read(rows, {T.RELA: 0x1000, T.RELASZ: 72, T.RELACOUNT: 2**32}).eager
    # glibc multiplies modulo the word.
    wrapped = _read(rows, {T.RELA: 0x1000, T.RELASZ: 72, T.RELACOUNT: 2**63})
    assert wrapped.eager == {(1, 6), (2, 6), (3, 6)}


def test_types_are_told_apart_by_all_their_bytes() -> None:
    rows = b"".join(struct.pack("<QQq", 0, n, 0) for n in (6, 7 | 1 << 40))
    found = _read(rows, {T.RELA: 0x1000, T.RELASZ: 48})
    assert found.only_of({6, 7})
    assert not found.only_of({6})
    assert found.leading_only_of(set())
    for odd in (0x106, 0x10006, 0x1000006):
        rows = struct.pack("<QQq", 0, odd, 0)
        assert not _read(rows, {T.RELA: 0x1000, T.RELASZ: 24}).only_of({6})
    counted = _read(rows, {T.RELA: 0x1000, T.RELASZ: 24, T.RELACOUNT: 1})
    assert counted.only_of(set())
    assert not counted.leading_only_of({8})


def test_rel_tables_of_32_bits() -> None:
    rows = b"".join(struct.pack(">II", 0, n << 8 | 6) for n in (0, 1, 2, 2))
    found = _read(rows, {T.REL: 0x1000, T.RELSZ: 32}, bits=32, little=False, machine=2)
    assert found.eager == {(1, 6), (2, 6)}


@pytest.mark.parametrize("little", [True, False])
def test_mips64_has_the_symbol_first_and_the_type_last(little: bool) -> None:
    """psABI: r_sym, r_ssym, r_type3, r_type2, r_type; here R_MIPS_REL32 then R_MIPS_64."""
    order = "<" if little else ">"
    rows = struct.pack(f"{order}QIBBBB", 0, 7, 0, 0, 18, 3)
    found = _read(rows, {T.REL: 0x1000, T.RELSZ: 16}, little=little, machine=8)
    assert found.eager == {(7, 18 << 8 | 3)}


def test_mips_binds_every_symbol_of_its_global_got() -> None:
    entries = {T.MIPS_GOTSYM: 3, T.MIPS_SYMTABNO: 5}
    assert _read(b"", entries, bits=32, machine=8).symbols() == {3, 4}
    assert not _read(b"", {T.MIPS_GOTSYM: 3}, bits=32, machine=8).symbols()
    with pytest.raises(ElfFormatError, match=r"DT_MIPS_SYMTABNO at offset 0x8: 4294967295 symbols"):
        _read(b"", {T.MIPS_GOTSYM: 3, T.MIPS_SYMTABNO: 2**32 - 1}, bits=32, machine=8)


def test_a_table_of_broken_rows_is_refused() -> None:
    with pytest.raises(ElfFormatError, match=r"DT_RELA at offset 0x0: 25 bytes are no whole rows"):
        _read(bytes(48), {T.RELA: 0x1000, T.RELASZ: 25})


def test_a_table_past_the_end_is_refused() -> None:
    with pytest.raises(ElfFormatError, match=r"DT_RELA at offset 0x0: 4800 bytes wanted"):
        _read(bytes(48), {T.RELA: 0x1000, T.RELASZ: 4800})


def test_a_table_longer_than_a_chunk_is_read_to_its_end() -> None:
    count = 100_000
    rows = b"".join(struct.pack("<QQq", 0, n << 32 | 6, 0) for n in range(1, count + 1))
    found = _read(rows, {T.RELA: 0x1000, T.RELASZ: len(rows)})
    assert found.symbols() == set(range(1, count + 1))
