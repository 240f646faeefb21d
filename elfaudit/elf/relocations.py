"""Relocations: which symbols are really referenced, and whether at load or at the first call.

An undefined symbol that no relocation names is never looked up by the loader; so the references of
a file come from here, not from its symbol table. Source: System V gABI, "Relocation" and "Dynamic
Section" (``DT_JMPREL``); ``elf/do-rel.h`` and ``elf/dynamic-link.h`` of glibc for the order of the
tables and the overlap of ``DT_JMPREL`` with the others; the MIPS psABI for its global GOT.
``DT_RELR`` holds relative relocations only: it names no symbol and is not read.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property

from ..errors import ElfFormatError
from .dynamic import Dynamic, DynamicTag
from .header import AddressMap
from .layout import Layout
from .reader import Reader

__all__ = ["Relocations", "read_relocations"]

_MIPS = (8, 10)
_ROWS = 1 << 15  # decoded at a time: the memory stays flat however long the table
_MAX_PAIRS = 1 << 20
_WORD = (1 << 64) - 1


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


class Relocations:
    """The symbols a file's relocations name; made by :func:`read_relocations`.

    A pair of symbol and type stands once however many places it fills, and in no order, except in
    :meth:`rows`; rows without a symbol (index 0) are left out. A table is decoded when something of
    it is first asked for, which may raise :class:`~elfaudit.errors.ElfFormatError`: a large library
    has hundreds of thousands of rows, and the verdict on a sound one needs none of them.

    Attributes:
        relative: whether the file has ``DT_RELR``.
    """

    def __init__(  # noqa: PLR0917
        self, read: Callable[[_Table], Iterator[array[int]]],
        columns: Callable[[_Table], Iterator[list[bytes]]], info: Callable[[int], int] | None,
        eager: tuple[_Table, ...], lazy: _Table | None, unasked: range, *,
        relative: bool, name: str = "<relocations>", leading: tuple[_Table, ...] = (),
    ) -> None:  # fmt: skip
        self._read = read
        self._columns = columns
        self._types: dict[_Table, frozenset[int]] = {}
        self._info = info
        self._eager_tables = eager
        self._lazy_table = lazy
        self._unasked = unasked
        self._leading_tables = leading
        self.relative = relative
        self._name = name

    @cached_property
    def eager(self) -> frozenset[tuple[int, int]]:
        """(symbol index, relocation type) of what is bound at load: ``DT_RELA`` / ``DT_REL``."""
        return _pairs(self._eager_info)

    @cached_property
    def lazy(self) -> frozenset[tuple[int, int]]:
        """The same of ``DT_JMPREL``, bound at the first call unless bind-now is asked for."""
        return _pairs(self._lazy_info)

    @cached_property
    def eager_symbols(self) -> frozenset[int]:
        """Indices of the symbols that are looked up at load whatever happens."""
        return _symbols(self._eager_info)

    @cached_property
    def lazy_symbols(self) -> frozenset[int]:
        """Indices of the symbols that ``DT_JMPREL`` names."""
        return _symbols(self._lazy_info)

    def symbols(self) -> frozenset[int]:
        """Indices of all symbols referenced."""
        return self.eager_symbols | self.lazy_symbols

    def by_type(self) -> dict[int, set[int]]:
        """Indices of the symbols that the rows of each type reference."""
        found: dict[int, set[int]] = {}
        for info in self._eager_info | self._lazy_info:
            if symbol := info >> 32:
                found.setdefault(info & 0xFFFFFFFF, set()).add(symbol)
        return found

    def types(self) -> frozenset[int]:
        """The relocation types there are, those of rows without a symbol included."""
        return frozenset([info & 0xFFFFFFFF for info in self._eager_info | self._lazy_info])

    def only_of(self, types: AbstractSet[int]) -> bool:
        """Whether every row is of one of some types below 256.

        The rows that ``DT_RELACOUNT`` counts are not looked at.
        """
        lazy = (self._lazy_table,) if self._lazy_table else ()
        return all(self._types_of(table) <= types for table in (*self._eager_tables, *lazy))

    def slots_only_of(self, types: AbstractSet[int]) -> bool:
        """The same of the rows of ``DT_JMPREL``."""
        return self._lazy_table is None or self._types_of(self._lazy_table) <= types

    def leading_only_of(self, types: AbstractSet[int]) -> bool:
        """The same of the rows that ``DT_RELACOUNT`` counts."""
        return all(self._types_of(table) <= types for table in self._leading_tables)

    def _types_of(self, table: _Table) -> frozenset[int]:
        """The types of a table, read once; 256 stands for all above 255.

        Column by column at C speed: there may be hundreds of thousands of rows.
        """
        if table not in self._types:
            found: set[int] = set()
            for lowest, *others in self._columns(table):
                left = lowest
                while left:
                    found.add(left[0])
                    left = left.translate(None, left[:1])
                if any(column.count(0) < len(column) for column in others):
                    found.add(256)
            self._types[table] = frozenset(found)
        return self._types[table]

    def rows_of(self, types: AbstractSet[int], *, lazy: bool) -> Iterator[tuple[int, int]]:
        """(symbol index, type) of the rows of some types, in their order.

        Args:
            types: which.
            lazy: whether those of ``DT_JMPREL``, instead of all others.
        """
        low = frozenset(min(256, type_) for type_ in types)
        for table in (self._lazy_table,) if lazy else self._eager_tables:
            if table is None or self._types_of(table).isdisjoint(low):
                continue
            for raw in self._read(table):
                infos = raw if self._info is None else map(self._info, raw)
                yield from [(i >> 32, i & 0xFFFFFFFF) for i in infos if i & 0xFFFFFFFF in types]

    def rows(self, *, eager: bool = True, lazy: bool = True) -> Iterator[tuple[int, int]]:
        """(symbol index, type) of every row in the order in which glibc works through them.

        Args:
            eager: whether to begin with ``DT_RELA`` and ``DT_REL``.
            lazy: whether to go on with ``DT_JMPREL``, which comes last.
        """
        first = self._eager_tables if eager else ()
        tables = (*first, *((self._lazy_table,) if lazy and self._lazy_table else ()))
        for table in tables:
            for raw in self._read(table):
                infos = raw if self._info is None else map(self._info, raw)
                yield from ((info >> 32, info & 0xFFFFFFFF) for info in infos)
        yield from ((index, 0) for index in self._unasked if eager)

    @cached_property
    def _eager_info(self) -> set[int]:
        """``symbol << 32 | type``, whatever the class of the file; rows without a symbol, too."""
        infos = {index << 32 for index in self._unasked}
        return infos.union(*(self._distinct(table) for table in self._eager_tables))

    @cached_property
    def _lazy_info(self) -> set[int]:
        return self._distinct(self._lazy_table) if self._lazy_table else set()

    def _distinct(self, table: _Table) -> set[int]:
        """``symbol << 32 | type`` of a table, each once."""
        found: set[int] = set()
        for raw in self._read(table):
            found.update(raw)
            if len(found) > _MAX_PAIRS:
                raise ElfFormatError(
                    self._name, table.offset, table.field,
                    f"more than {_MAX_PAIRS} different references",
                )  # fmt: skip
        return found if self._info is None else set(map(self._info, found))


def _pairs(infos: set[int]) -> frozenset[tuple[int, int]]:
    return frozenset([(info >> 32, info & 0xFFFFFFFF) for info in infos if info >> 32])


def _symbols(infos: set[int]) -> frozenset[int]:
    return frozenset([info >> 32 for info in infos]) - {0}


def read_relocations(
    reader: Reader, layout: Layout, machine: int, dynamic: Dynamic, addresses: AddressMap
) -> Relocations:
    """Find every dynamic relocation table of the file.

    Raises:
        ElfFormatError: a table is not inside the file, or has no whole number of rows.
    """
    lazy = _lazy_table(dynamic, addresses)
    whole = [_without(table, lazy) for table in _eager_tables(layout, dynamic, addresses)]
    whole = [_checked(reader, table, addresses) for table in whole]
    lazy = _checked(reader, lazy, addresses) if lazy else None
    parts = [_parted(table, _leading_count(dynamic, table)) for table in whole]
    eager = tuple(rest for _, rest in parts)
    return Relocations(
        lambda table: _infos(reader, layout, table),
        lambda table: _type_columns(reader, layout, table),
        _info_of(layout, machine),
        eager,
        lazy,
        _mips_got_symbols(reader, dynamic) if machine in _MIPS else range(0),
        relative=dynamic.value(DynamicTag.RELR) is not None,
        name=reader.name,
        leading=tuple(leading for leading, _ in parts),
    )


def _leading_count(dynamic: Dynamic, table: _Table) -> int:
    """How many rows at its beginning the loader takes for relative ones."""
    tag = DynamicTag.RELCOUNT if table.field == "DT_REL" else DynamicTag.RELACOUNT
    return dynamic.value(tag) or 0


def _parted(table: _Table, count: int) -> tuple[_Table, _Table]:
    """The first rows of a table, and the others."""
    size = min(count * table.row & _WORD, table.size)
    rest = replace(table, offset=table.offset + size, size=table.size - size)
    return replace(table, size=size), rest


def _checked(reader: Reader, table: _Table, addresses: AddressMap) -> _Table:
    """A table that is inside the file; the loader takes the last row for a whole one."""
    if table.size % table.row:
        problem = f"{table.size} bytes are no whole rows of {table.row}"
        addresses.tolerate(ElfFormatError(reader.name, table.offset, table.field, problem))
        backwards = table.size >> 63
        table = replace(table, size=0 if backwards else -(-table.size // table.row) * table.row)
    reader.check(table.offset, table.size, table.field)
    return table


def _eager_tables(layout: Layout, dynamic: Dynamic, addresses: AddressMap) -> Iterator[_Table]:
    for tag, size_tag in (
        (DynamicTag.RELA, DynamicTag.RELASZ),
        (DynamicTag.REL, DynamicTag.RELSZ),
    ):
        size = dynamic.value(size_tag)
        if not dynamic.value(tag) or not size:  # with DT_RELR there may be one without address
            continue
        offset, _ = dynamic.locate(tag, addresses)
        row = layout.word_size * (3 if tag == DynamicTag.RELA else 2)
        yield _Table(offset, size, row, f"DT_{tag.name}")


def _lazy_table(dynamic: Dynamic, addresses: AddressMap) -> _Table | None:
    size = dynamic.value(DynamicTag.PLTRELSZ)
    if dynamic.value(DynamicTag.JMPREL) is None or not size:
        return None
    offset, _ = dynamic.locate(DynamicTag.JMPREL, addresses)
    if dynamic.value(DynamicTag.PLTREL) is None:  # glibc does not look at the others then
        return None
    words = 3 if dynamic.value(DynamicTag.PLTREL) == DynamicTag.RELA else 2
    return _Table(offset, size, words * dynamic.entry_size // 2, "DT_JMPREL")


def _without(table: _Table, lazy: _Table | None) -> _Table:
    """The table less ``DT_JMPREL`` at its end: some linkers count that into ``DT_RELASZ``.

    Source: ``ELF_DYNAMIC_DO_RELOC`` (glibc ``elf/dynamic-link.h``), which takes it out again.
    """
    if lazy is None or table.end != lazy.end or table.offset > lazy.offset:
        return table
    return replace(table, size=lazy.offset - table.offset)


def _infos(reader: Reader, layout: Layout, table: _Table) -> Iterator[array[int]]:
    """``r_info`` of every row of a table, some rows at a time."""
    step = _ROWS * table.row
    for offset in range(table.offset, table.end, step):
        raw = reader.read(offset, min(step, table.end - offset), table.field)
        yield layout.words(raw, layout.word_size)[1 :: table.row // layout.word_size]


def _type_columns(reader: Reader, layout: Layout, table: _Table) -> Iterator[list[bytes]]:
    """The bytes of the types of a table's rows, the lowest byte of each first.

    (Not of 64-bit little-endian MIPS, see :func:`_mips_info`.)
    """
    word, step = layout.word_size, 1 if layout.little else -1
    first = word if layout.little else 2 * word - 1
    for offset in range(table.offset, table.end, _ROWS * table.row):
        size = min(_ROWS * table.row, table.end - offset)
        raw = reader.read(offset, size, table.field)
        yield [raw[first + step * byte :: table.row] for byte in range(4 if word == 8 else 1)]


def _info_of(layout: Layout, machine: int) -> Callable[[int], int] | None:
    """What makes ``symbol << 32 | type`` of an ``r_info``; None where it is that already."""
    if layout.bits == 32:
        return _narrow_info
    return _mips_info if machine in _MIPS and layout.little else None


def _narrow_info(info: int) -> int:
    return (info >> 8 << 32) | (info & 0xFF)


def _mips_info(info: int) -> int:
    """``r_info`` of 64-bit little-endian MIPS as everybody else has it.

    There it is a structure, the symbol first and the types last, byte by byte, in either order.
    """
    symbol, types = info & 0xFFFFFFFF, (info >> 32).to_bytes(4, "little")
    return symbol << 32 | int.from_bytes(types, "big")


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
