"""Where the dynamic symbol table is and how long it is, and the tables that stand beside it.

These are its strings (``DT_STRTAB``), its version indices (``DT_VERSYM``) and the hash tables
(``DT_GNU_HASH``, ``DT_HASH``). Source: System V gABI, "Dynamic Section"; ``_dl_setup_hash`` (glibc
``elf/dl-setup_hash.c``) for which hash table is used.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from ..errors import ElfFormatError
from .dynamic import Dynamic, DynamicTag
from .hashtable import GnuHash, HashTable, SysvHash
from .header import AddressMap, Header
from .layout import Layout
from .reader import Reader

__all__ = ["DynamicSymbols"]

_MAX_SYMBOLS = 1 << 21  # libtorch has 75,000; a sparse file may claim anything
_UNASSIGNED = (3, 9)  # STB_ values
_TABLES = frozenset(
    (
        DynamicTag.STRTAB,
        DynamicTag.SYMTAB,
        DynamicTag.HASH,
        DynamicTag.GNU_HASH,
        DynamicTag.VERSYM,
        DynamicTag.VERNEED,
        DynamicTag.VERDEF,
        DynamicTag.RELA,
        DynamicTag.REL,
        DynamicTag.RELR,
        DynamicTag.JMPREL,
    )
)


@dataclass(frozen=True, eq=False)
class DynamicSymbols:
    """The dynamic symbol table of one file, as bytes; each table is read when first asked for.

    What there is no table for is empty or None; whatever is asked for may raise
    :class:`~elfaudit.errors.ElfFormatError`.

    Args:
        reader, header: of the file.
        dynamic: its dynamic section.
        addresses: where in the file an address is.
    """

    reader: Reader
    header: Header
    dynamic: Dynamic
    addresses: AddressMap

    @cached_property
    def strings(self) -> bytes:
        """The string table: as much of it as ``DT_STRSZ`` tells."""
        dynamic = self.dynamic
        if dynamic.value(DynamicTag.STRTAB) is None:
            return b""
        size = dynamic.value(DynamicTag.STRSZ)
        if size == 0:
            return b""
        offset, available = dynamic.locate(DynamicTag.STRTAB, self.addresses)
        # The loader does without DT_STRSZ; a file without it has what is left of the segment.
        try:
            return self.reader.read(offset, available if size is None else size, "DT_STRSZ")
        except ElfFormatError as error:
            self.addresses.tolerate(error)
            return self.reader.read_available(offset, available)

    def names_of(self, rows: bytes) -> bytes:
        """The string table, or more than it says it has if symbols have their names there."""
        strings, word = self.strings, self._layout.symbol_size // 4
        offsets = self._layout.words(rows, 4)[::word]
        if max(offsets, default=0) < len(strings):
            return strings
        base = self.dynamic.value(DynamicTag.STRTAB) or 0
        return self.addresses.rest(self.reader, base) or strings

    @cached_property
    def hash_table(self) -> HashTable | None:
        """The table the loader would use: ``DT_GNU_HASH`` where there are both."""
        offset = self._place(DynamicTag.GNU_HASH)
        if offset is None:
            return self._sysv_hash
        return GnuHash(self.reader, self._layout, offset)

    @cached_property
    def _sysv_hash(self) -> SysvHash | None:
        try:
            offset = self._place(DynamicTag.HASH)
            if offset is None:
                return None
            return SysvHash(self.reader, self._layout, self.header.machine, offset)
        except ElfFormatError as error:
            if self.dynamic.value(DynamicTag.GNU_HASH) is None:
                raise
            self.addresses.tolerate(error)  # the other one is used
            return None

    @property
    def bloom_size(self) -> int:
        """Words of the Bloom filter of ``DT_GNU_HASH``, by its header; 0 without the table."""
        offset = self._place(DynamicTag.GNU_HASH)
        if offset is None:
            return 0
        return self._layout.words(self.reader.read(offset, 16, "DT_GNU_HASH header"), 4)[2]

    def count(self) -> int | None:
        """Entries of the table, by the hash tables; it has no size of its own without sections.

        ``DT_HASH`` says it, but the loader has no use for it where there is the other;
        ``DT_GNU_HASH`` says it unless the file exports nothing. None where none of them does.
        """
        if self.dynamic.value(DynamicTag.SYMTAB) is None:
            return 0
        table = self.hash_table
        counted = table.symbol_count() if isinstance(table, GnuHash) else None
        if self._sysv_hash is not None:
            return max(self._sysv_hash.symbol_count(), counted or 0)
        return counted

    def bound(self, referenced: Collection[int]) -> int:
        """As many entries as there can be where nothing counts them.

        The table ends where the next one begins, or at least behind the last symbol that a
        relocation names. Where an editor has moved the next one away, its old bytes stand there,
        or those of padding: what no linker would write as a symbol is none.

        Args:
            referenced: indices of the symbols that relocations name.
        """
        count = self._room(DynamicTag.SYMTAB, self._layout.symbol_size)
        if self.dynamic.value(DynamicTag.VERSYM) is not None:
            count = min(count, self._room(DynamicTag.VERSYM, 2))
        known = max(referenced, default=-1) + 1
        first = max(known, 1)
        return first + self._plausible(first, count) if first < count else max(known, count)

    def _plausible(self, first: int, count: int) -> int:
        """How many entries from one on may be symbols: their name is in the table, the bind one.

        Source: System V gABI, "Symbol Table": ``STB_`` 3 to 9 are not assigned; letters, of which
        string tables are made, would give 4 to 7.
        """
        layout, size = self._layout, self._layout.symbol_size
        if count > _MAX_SYMBOLS:
            return count - first
        offset, _ = self.dynamic.locate(DynamicTag.SYMTAB, self.addresses)
        raw = self.reader.read_available(offset + first * size, (count - first) * size)
        names = layout.words(raw[: len(raw) // size * size], 4)[:: size // 4]
        infos = raw[4 if layout.bits == 64 else 12 :: size]
        longest = self.dynamic.value(DynamicTag.STRSZ) or 0
        pairs = zip(names, infos, strict=False)
        sound = (name < longest and not _UNASSIGNED[0] <= info >> 4 <= _UNASSIGNED[1]
                 for name, info in pairs)  # fmt: skip
        return next((n for n, each in enumerate(sound) if not each), count - first)

    def rows(self, count: int) -> tuple[bytes, int]:
        """So many entries of the table, and where in the file they are.

        Raises:
            ElfFormatError: they are not inside the file, or more than any real file has.
        """
        offset, _ = self.dynamic.locate(DynamicTag.SYMTAB, self.addresses)
        if count > _MAX_SYMBOLS:
            raise ElfFormatError(
                self.reader.name,
                offset,
                "DT_SYMTAB",
                f"{count} symbols are more than any real file has",
            )
        return self.reader.read(offset, count * self._layout.symbol_size, "DT_SYMTAB"), offset

    def version_indices(self, count: int) -> array[int] | None:
        """``DT_VERSYM`` of so many entries, or None without it."""
        offset = self._place(DynamicTag.VERSYM)
        if offset is None:
            return None
        return self._layout.words(self.reader.read(offset, count * 2, "DT_VERSYM"), 2)

    @property
    def _layout(self) -> Layout:
        return self.header.layout

    def _place(self, tag: DynamicTag) -> int | None:
        """File offset of a table, or None where there is none of that kind."""
        if self.dynamic.value(tag) is None:
            return None
        return self.dynamic.locate(tag, self.addresses)[0]

    def _room(self, tag: DynamicTag, entry: int) -> int:
        """Entries of a table up to the next one."""
        start = self.dynamic.value(tag) or 0
        _, available = self.dynamic.locate(tag, self.addresses)
        later = (value - start for tag, value in self.dynamic.entries if tag in _TABLES)
        return min((gap for gap in later if 0 < gap < available), default=available) // entry
