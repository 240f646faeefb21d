"""The symbol hash tables: how many dynamic symbols there are, and where a name may stand.

Source: System V gABI, "Hash Table" (``DT_HASH``); for ``DT_GNU_HASH`` the reader in glibc
(``elf/dl-lookup.c``, ``do_lookup_x``; ``elf/dl-setup_hash.c``), there is no written specification.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import cached_property

from ..errors import ElfFormatError
from .layout import Layout
from .reader import MAX_TABLE, Reader

__all__ = ["GnuHash", "HashTable", "SysvHash", "gnu_hash", "sysv_hash"]

_CHAIN_STEP = 1024
_WIDE_ENTRIES = (22, 0x9026)  # s390x and alpha: DT_HASH entries of 64 bits (their psABIs)


def sysv_hash(name: bytes) -> int:
    """The hash of gABI figure 5-13, 32 bits."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ (value >> 24 & 0xF0)) & 0x0FFFFFFF
    return value


def gnu_hash(name: bytes) -> int:
    """The hash of ``DT_GNU_HASH`` (``_dl_new_hash``), 32 bits."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


class SysvHash:
    """``DT_HASH``.

    Args:
        reader, layout, machine: of the file.
        offset: where in the file the table is.

    Raises:
        ElfFormatError: the table is not inside the file.
    """

    def __init__(self, reader: Reader, layout: Layout, machine: int, offset: int) -> None:
        self._reader = reader
        self._layout = layout
        self._size = 8 if layout.bits == 64 and machine in _WIDE_ENTRIES else 4
        head = reader.read(offset, 2 * self._size, "DT_HASH nbucket, nchain")
        self._bucket_count, self._symbol_count = layout.words(head, self._size)
        self._buckets = offset + len(head)
        self._chains = self._buckets + self._bucket_count * self._size
        reader.check(self._buckets, self._bucket_count * self._size, "DT_HASH nbucket")
        reader.check(self._chains, self._symbol_count * self._size, "DT_HASH nchain")

    def symbol_count(self) -> int:
        """Number of entries of the dynamic symbol table (``nchain``)."""
        return self._symbol_count

    def reaches_any(self) -> bool:
        """Whether there is any way from the table to a symbol."""
        return self._bucket_count > 0 and any(self._tables[0])

    def candidates(self, name: bytes) -> Iterator[int]:
        """Indices of the symbols in the bucket of ``name``, in the loader's order."""
        if not self._bucket_count:
            return
        buckets, chains = self._tables
        index = buckets[sysv_hash(name) % self._bucket_count]
        seen = set()  # a chain may be a circle
        while 0 < index < self._symbol_count and index not in seen:
            yield index
            seen.add(index)
            index = chains[index]

    @cached_property
    def _tables(self) -> tuple[array[int], array[int]]:
        split = self._bucket_count * self._size
        size = split + self._symbol_count * self._size
        raw = self._reader.read(self._buckets, size, "DT_HASH")
        words = self._layout.words(raw, self._size)
        return words[: self._bucket_count], words[self._bucket_count :]


class GnuHash:
    """``DT_GNU_HASH``: a Bloom filter, buckets, and chains over the defined symbols only.

    Args:
        reader, layout: of the file.
        offset: where in the file the table is.

    Raises:
        ElfFormatError: the filter or the buckets are not inside the file.
    """

    def __init__(self, reader: Reader, layout: Layout, offset: int) -> None:
        self._reader = reader
        self._layout = layout
        head = layout.words(reader.read(offset, 16, "DT_GNU_HASH header"), 4)
        self._bucket_count, self._first, self._bloom_size, self._shift = head
        self._bloom_offset = offset + 16
        self._bucket_offset = self._bloom_offset + self._bloom_size * layout.word_size
        self._chain_offset = self._bucket_offset + self._bucket_count * 4
        filter_size = self._bloom_size * layout.word_size
        reader.check(self._bloom_offset, filter_size, "DT_GNU_HASH bloom_size")
        reader.check(self._bucket_offset, self._bucket_count * 4, "DT_GNU_HASH nbuckets")

    def symbol_count(self) -> int | None:
        """Number of dynamic symbols, or None: a table without a symbol in it cannot tell.

        Raises:
            ElfFormatError: the chain of the last symbol does not end inside the file.
        """
        last = max(self._buckets, default=0)
        if last < self._first or not last:
            return None
        return self._end_of_chain(last)

    def reaches_any(self) -> bool:
        """Whether there is any way from the table to a symbol."""
        return self._bucket_count > 0 and any(self._buckets) and any(self._bloom)

    def candidates(self, name: bytes) -> Iterator[int]:
        """Indices of the symbols with the hash of ``name``, in the loader's order."""
        value = gnu_hash(name)
        if not self._bucket_count or not self._bloom_says_yes(value):
            return
        start = self._buckets[value % self._bucket_count]
        if start < self._first or not start:
            return
        chains = self._chains
        # Never to its end: the last word, of the last chain, has the bit that ends a chain.
        for position in range(start - self._first, len(chains)):  # pragma: no branch
            word = chains[position]
            if (word ^ value) >> 1 == 0:
                yield position + self._first
            if word & 1:
                return

    def _bloom_says_yes(self, value: int) -> bool:
        if not self._bloom_size:
            return False
        bits = self._layout.bits
        # The loader masks with bloom_size - 1: a size that is no power of two is its own problem.
        word = self._bloom[value // bits & (self._bloom_size - 1)]
        return bool(word >> value % bits & 1 and word >> (value >> (self._shift & 31)) % bits & 1)

    @cached_property
    def _bloom(self) -> array[int]:
        size = self._layout.word_size
        raw = self._reader.read(self._bloom_offset, self._bloom_size * size, "DT_GNU_HASH bloom")
        return self._layout.words(raw, size)

    @cached_property
    def _buckets(self) -> array[int]:
        raw = self._reader.read(self._bucket_offset, self._bucket_count * 4, "DT_GNU_HASH buckets")
        return self._layout.words(raw, 4)

    @cached_property
    def _chains(self) -> array[int]:
        size = ((self.symbol_count() or self._first) - self._first) * 4
        return self._layout.words(
            self._reader.read(self._chain_offset, size, "DT_GNU_HASH chains"), 4
        )

    def _end_of_chain(self, start: int) -> int:
        """The index behind the last symbol of the chain that begins at ``start``."""
        low = 0 if self._layout.little else 3
        first = self._chain_offset + (start - self._first) * 4
        offset, step = first, 16
        while offset - first < MAX_TABLE:
            raw = self._reader.read_available(offset, step * 4)
            if not raw:
                break
            # The last word of a chain has its lowest bit set.
            row = raw[low::4].translate(_LOWEST_BIT).find(1)
            if row >= 0 and row * 4 + 4 <= len(raw):
                return start + (offset - first) // 4 + row + 1
            offset += len(raw)
            step = _CHAIN_STEP
        raise ElfFormatError(
            self._reader.name, first, "DT_GNU_HASH", "the last chain does not end inside the file"
        )


_LOWEST_BIT = bytes(value & 1 for value in range(256))

HashTable = SysvHash | GnuHash
