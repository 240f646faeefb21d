"""Relocations: which symbols are really referenced, and whether at load or at the first call.

An undefined symbol that no relocation names is never looked up by the loader; so the references of a
file come from here, not from its symbol table. Source: System V gABI, "Relocation" and "Dynamic
Section" (``DT_JMPREL``); ``elf/do-rel.h`` and ``elf/dynamic-link.h`` of glibc for the order of the
tables and the overlap of ``DT_JMPREL`` with the others; the MIPS psABI for its global GOT.
``DT_RELR`` holds relative relocations only: it names no symbol and is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ElfFormatError
from .dynamic import Dynamic, DynamicTag
from .header import AddressMap
from .layout import Layout
from .reader import Reader

__all__ = ["Relocations", "read_relocations"]

_MIPS = (8, 10)


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
    addend: bool
    field: str

    @property
    def end(self) -> int:
        return self.offset + self.size


def read_relocations(
    reader: Reader, layout: Layout, machine: int, dynamic: Dynamic, addresses: AddressMap
) -> Relocations:
    """Decode every dynamic relocation table of the file.

    Raises:
        ElfFormatError: a table is not inside the file.
    """
    lazy_table = _lazy_table(dynamic, addresses)
    lazy = frozenset(_pairs(reader, layout, machine, lazy_table))
    eager: set[tuple[int, int]] = set()
    for table in _eager_tables(layout, dynamic, addresses):
        if lazy_table and table.end == lazy_table.end and table.offset <= lazy_table.offset:
            # Some linkers count DT_JMPREL into DT_RELASZ; ELF_DYNAMIC_DO_RELOC takes it out again.
            table = _Table(table.offset, lazy_table.offset - table.offset, table.addend, table.field)
        eager.update(_pairs(reader, layout, machine, table))
    if machine in _MIPS:
        eager.update((index, 0) for index in _mips_got_symbols(dynamic))
    return Relocations(frozenset(eager), lazy, dynamic.value(DynamicTag.RELR) is not None)


def _eager_tables(layout: Layout, dynamic: Dynamic, addresses: AddressMap) -> Iterator[_Table]:
    for tag, size_tag, count_tag, addend in (
        (DynamicTag.RELA, DynamicTag.RELASZ, DynamicTag.RELACOUNT, True),
        (DynamicTag.REL, DynamicTag.RELSZ, DynamicTag.RELCOUNT, False),
    ):
        size = dynamic.value(size_tag)
        address = dynamic.value(tag)
        if address is None or not size:
            continue
        field = f"DT_{tag.name}"
        offset, _ = addresses.locate(address, field)
        # The loader takes the first DT_RELACOUNT rows for relative ones without a look; so do we.
        skip = min(dynamic.value(count_tag) or 0, size // _row(layout, addend)) * _row(layout, addend)
        yield _Table(offset + skip, size - skip, addend, field)


def _lazy_table(dynamic: Dynamic, addresses: AddressMap) -> _Table | None:
    address = dynamic.value(DynamicTag.JMPREL)
    size = dynamic.value(DynamicTag.PLTRELSZ)
    if address is None or not size:
        return None
    offset, _ = addresses.locate(address, "DT_JMPREL")
    return _Table(offset, size, dynamic.value(DynamicTag.PLTREL) == DynamicTag.RELA, "DT_JMPREL")


def _row(layout: Layout, addend: bool) -> int:
    return layout.word_size * (3 if addend else 2)


def _pairs(
    reader: Reader, layout: Layout, machine: int, table: _Table | None
) -> Iterator[tuple[int, int]]:
    """Distinct (symbol, type) of a table, symbol 0 left out."""
    if table is None or table.size <= 0:
        return
    row = _row(layout, table.addend)
    if table.size % row:
        raise ElfFormatError(
            reader.name, table.offset, table.field, f"{table.size} bytes are no whole rows of {row}"
        )
    words = layout.words(reader.read(table.offset, table.size, table.field), 4)
    stride = row // 4
    if layout.bits == 32:
        yield from {(info >> 8, info & 0xFF) for info in set(words[1::stride]) if info > 0xFF}
        return
    # r_info is sym << 32 | type; but on MIPS a structure that begins with the symbol in any order.
    symbol_first = not layout.little or machine in _MIPS
    high, low = (2, 3) if symbol_first else (3, 2)
    symbols, types = words[high::stride], words[low::stride]
    yield from (pair for pair in set(zip(symbols, types, strict=True)) if pair[0])


def _mips_got_symbols(dynamic: Dynamic) -> range:
    """MIPS: every symbol from ``DT_MIPS_GOTSYM`` on has a GOT entry the loader fills unasked."""
    first = dynamic.value(DynamicTag.MIPS_GOTSYM)
    count = dynamic.value(DynamicTag.MIPS_SYMTABNO)
    if first is None or count is None or count > 1 << 24:
        return range(0)
    return range(first, count)
