"""Relocations: which symbols are really referenced, and whether at load or at the first call.

An undefined symbol that no relocation names is never looked up by the loader; so the references of
a file come from here, not from its symbol table. Source: System V gABI, "Relocation" and "Dynamic
Section" (``DT_JMPREL``); ``elf/do-rel.h`` and ``elf/dynamic-link.h`` of glibc for the order of the
tables and the overlap of ``DT_JMPREL`` with the others; the MIPS psABI for its global GOT.
``DT_RELR`` holds relative relocations only: it names no symbol and is not read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ElfFormatError
from .dynamic import Dynamic, DynamicTag
from .header import AddressMap
from .layout import Layout
from .reader import Reader

__all__ = ["Relocations", "read_relocations"]

_MIPS = (8, 10)
_ROWS = 1 << 15  # decoded at a time: the memory stays flat however long the table
_MAX_PAIRS = 1 << 20


@dataclass(frozen=True, slots=True)
class Relocations:
    """The symbols a file's relocations name.

    Attributes:
        eager: (symbol index, relocation type) of ``DT_RELA`` / ``DT_REL``: bound at load.
        lazy: the same of ``DT_JMPREL``: bound at the first call, unless bind-now is asked for.
        relative: whether the file has ``DT_RELR``.

    A pair stands once however many places it fills. Symbol index 0 (no symbol) is left out.
    """

    eager: frozenset[tuple[int, int]]
    lazy: frozenset[tuple[int, int]]
    relative: bool

    def symbols(self) -> frozenset[int]:
        """Indices of all symbols referenced."""
        return frozenset(index for index, _ in self.eager) | frozenset(
            index for index, _ in self.lazy
        )


@dataclass(frozen=True, slots=True)
class _Table:
    """One relocation table in the file: where, how long, and with what rows."""

    offset: int
    size: int
    row: int
    field: str

    @property
    def end(self) -> int:
        return self.offset + self.size


def read_relocations(
    reader: Reader, layout: Layout, machine: int, dynamic: Dynamic, addresses: AddressMap
) -> Relocations:
    """Decode every dynamic relocation table of the file.

    Raises:
        ElfFormatError: a table is not inside the file, or has no whole number of rows.
    """
    lazy_table = _lazy_table(dynamic, addresses)
    lazy = _pairs(reader, layout, machine, lazy_table) if lazy_table else set()
    eager: set[tuple[int, int]] = set()
    for table in _eager_tables(layout, dynamic, addresses):
        eager |= _pairs(reader, layout, machine, _without(table, lazy_table))
    if machine in _MIPS:
        eager.update((index, 0) for index in _mips_got_symbols(reader, dynamic))
    return Relocations(
        frozenset(eager), frozenset(lazy), relative=dynamic.value(DynamicTag.RELR) is not None
    )


def _eager_tables(layout: Layout, dynamic: Dynamic, addresses: AddressMap) -> Iterator[_Table]:
    for tag, size_tag, count_tag in (
        (DynamicTag.RELA, DynamicTag.RELASZ, DynamicTag.RELACOUNT),
        (DynamicTag.REL, DynamicTag.RELSZ, DynamicTag.RELCOUNT),
    ):
        size = dynamic.value(size_tag)
        if dynamic.value(tag) is None or not size:
            continue
        offset, _ = dynamic.locate(tag, addresses)
        # The loader takes the first DT_RELACOUNT rows for relative ones unseen; so do we.
        row = layout.word_size * (3 if tag == DynamicTag.RELA else 2)
        skip = min(dynamic.value(count_tag) or 0, size // row) * row
        yield _Table(offset + skip, size - skip, row, f"DT_{tag.name}")


def _lazy_table(dynamic: Dynamic, addresses: AddressMap) -> _Table | None:
    size = dynamic.value(DynamicTag.PLTRELSZ)
    if dynamic.value(DynamicTag.JMPREL) is None or not size:
        return None
    offset, _ = dynamic.locate(DynamicTag.JMPREL, addresses)
    words = 3 if dynamic.value(DynamicTag.PLTREL) == DynamicTag.RELA else 2
    return _Table(offset, size, words * dynamic.entry_size // 2, "DT_JMPREL")


def _without(table: _Table, lazy: _Table | None) -> _Table:
    """The table less ``DT_JMPREL`` at its end: some linkers count that into ``DT_RELASZ``.

    Source: ``ELF_DYNAMIC_DO_RELOC`` (glibc ``elf/dynamic-link.h``), which takes it out again.
    """
    if lazy is None or table.end != lazy.end or table.offset > lazy.offset:
        return table
    return _Table(table.offset, lazy.offset - table.offset, table.row, table.field)


def _pairs(reader: Reader, layout: Layout, machine: int, table: _Table) -> set[tuple[int, int]]:
    """Distinct (symbol, type) of a table, symbol 0 left out."""
    if table.size % table.row:
        raise ElfFormatError(
            reader.name,
            table.offset,
            table.field,
            f"{table.size} bytes are no whole rows of {table.row}",
        )
    reader.check(table.offset, table.size, table.field)
    found: set[tuple[int, int]] = set()
    step = _ROWS * table.row
    for offset in range(table.offset, table.end, step):
        raw = reader.read(offset, min(step, table.end - offset), table.field)
        words = layout.words(raw, 4)
        stride = table.row // 4
        if layout.bits == 64:
            found |= _wide(words, stride, layout, machine)
        else:
            found |= _narrow(words, stride)
        if len(found) > _MAX_PAIRS:
            raise ElfFormatError(
                reader.name, offset, table.field, f"more than {_MAX_PAIRS} different references"
            )
    return found


def _narrow(words: array[int], stride: int) -> set[tuple[int, int]]:
    """Rows of ``Elf32_Rel`` or ``Elf32_Rela``: ``r_info`` is ``sym << 8 | type``."""
    return {(info >> 8, info & 0xFF) for info in set(words[1::stride]) if info > 0xFF}


def _wide(words: array[int], stride: int, layout: Layout, machine: int) -> set[tuple[int, int]]:
    """Rows of ``Elf64_Rel`` or ``Elf64_Rela``: ``r_info`` is ``sym << 32 | type``.

    On MIPS it is a structure, the symbol first and the type last in either byte order.
    """
    symbol_first = not layout.little or machine in _MIPS
    high, low = (2, 3) if symbol_first else (3, 2)
    symbols, types = words[high::stride], words[low::stride]
    if machine in _MIPS and layout.little:
        types.byteswap()
    return {pair for pair in set(zip(symbols, types, strict=True)) if pair[0]}


def _mips_got_symbols(reader: Reader, dynamic: Dynamic) -> range:
    """MIPS: every symbol from ``DT_MIPS_GOTSYM`` on has a GOT entry the loader fills unasked."""
    first = dynamic.value(DynamicTag.MIPS_GOTSYM)
    count = dynamic.value(DynamicTag.MIPS_SYMTABNO)
    if first is None or count is None:
        return range(0)
    if count > _MAX_PAIRS:
        raise ElfFormatError(
            reader.name,
            dynamic.where(DynamicTag.MIPS_SYMTABNO),
            "DT_MIPS_SYMTABNO",
            f"{count} symbols are more than any real file has",
        )
    return range(max(first, 1), count)
