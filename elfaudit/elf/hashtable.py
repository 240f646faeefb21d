"""The symbol hash tables: how many dynamic symbols there are, and where a name may stand.

Source: System V gABI, "Hash Table" (``DT_HASH``); for ``DT_GNU_HASH`` the reader in glibc
(``elf/dl-lookup.c``, ``do_lookup_x``; ``elf/dl-setup_hash.c``), there is no written specification.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ElfFormatError
from .header import AddressMap
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
    """``DT_HASH``."""

    def __init__(
        self, reader: Reader, layout: Layout, machine: int, address: int, addresses: AddressMap
    ) -> None:
        offset, _ = addresses.locate(address, "DT_HASH")
        wide = layout.bits == 64 and machine in _WIDE_ENTRIES
        self._reader = reader
        self._entry = layout.struct("Q" if wide else "I")
        size = self._entry.size
        self._bucket_count = self._read(offset, "DT_HASH nbucket")
        self._symbol_count = self._read(offset + size, "DT_HASH nchain")
        self._buckets = offset + 2 * size
        self._chains = self._buckets + self._bucket_count * size
        end = self._chains + self._symbol_count * size
        if end > reader.size:
            raise ElfFormatError(
                reader.name, offset, "DT_HASH", f"the table would end at {end:#x}, past the file"
            )

    def symbol_count(self) -> int:
        """Number of entries of the dynamic symbol table (``nchain``)."""
        return self._symbol_count

    def candidates(self, name: bytes) -> Iterator[int]:
        """Indices of the symbols in the bucket of ``name``, in the loader's order."""
        if not self._bucket_count:
            return
        size = self._entry.size
        bucket = sysv_hash(name) % self._bucket_count
        index = self._read(self._buckets + bucket * size, "DT_HASH bucket")
        for _ in range(self._symbol_count):  # a chain that is a circle ends here
            if index == 0 or index >= self._symbol_count:
                return
            yield index
            index = self._read(self._chains + index * size, "DT_HASH chain")

    def _read(self, offset: int, field: str) -> int:
        (value,) = self._entry.unpack(self._reader.read(offset, self._entry.size, field))
        return int(value)


class GnuHash:
    """``DT_GNU_HASH``: a Bloom filter, buckets, and chains over the defined symbols only."""

    def __init__(
        self, reader: Reader, layout: Layout, address: int, addresses: AddressMap
    ) -> None:
        offset, _ = addresses.locate(address, "DT_GNU_HASH")
        self._reader = reader
        self._layout = layout
        head = layout.struct("4I").unpack(reader.read(offset, 16, "DT_GNU_HASH header"))
        self._bucket_count, self._first, self._bloom_size, self._shift = head
        self._bloom = offset + 16
        self._buckets = self._bloom + self._bloom_size * layout.word_size
        self._chains = self._buckets + self._bucket_count * 4
        if self._chains > reader.size:
            raise ElfFormatError(
                reader.name,
                offset,
                "DT_GNU_HASH",
                f"the buckets would end at {self._chains:#x}, past the file",
            )

    def symbol_count(self) -> int | None:
        """Number of dynamic symbols, or None: a table without a symbol in it cannot tell."""
        raw = self._reader.read(self._buckets, self._bucket_count * 4, "DT_GNU_HASH buckets")
        last = max(self._layout.words(raw, 4), default=0)
        if last < self._first or not last:
            return None
        for position, word in self._chain(last):
            if word & 1:
                return position + 1
        raise ElfFormatError(
            self._reader.name, self._chains, "DT_GNU_HASH", "the last chain has no end"
        )

    def candidates(self, name: bytes) -> Iterator[int]:
        """Indices of the symbols with the hash of ``name``, in the loader's order."""
        value = gnu_hash(name)
        if not self._bucket_count or not self._bloom_says_yes(value):
            return
        where = self._buckets + value % self._bucket_count * 4
        (start,) = self._layout.struct("I").unpack(
            self._reader.read(where, 4, "DT_GNU_HASH bucket")
        )
        if start < self._first or not start:
            return
        for position, word in self._chain(start):
            if (word ^ value) >> 1 == 0:
                yield position
            if word & 1:
                return

    def _bloom_says_yes(self, value: int) -> bool:
        if not self._bloom_size:
            return False
        bits = self._layout.bits
        # The loader masks with bloom_size - 1: a size that is no power of two is its own problem.
        where = self._bloom + (value // bits & (self._bloom_size - 1)) * self._layout.word_size
        raw = self._reader.read(where, self._layout.word_size, "DT_GNU_HASH bloom")
        (word,) = self._layout.words(raw, self._layout.word_size)
        return bool(word >> value % bits & 1 and word >> (value >> (self._shift & 31)) % bits & 1)

    def _chain(self, start: int) -> Iterator[tuple[int, int]]:
        """(symbol index, chain word) from ``start`` on; ends with the file."""
        position = start
        step = 16
        while (offset := self._chains + (position - self._first) * 4) < self._reader.size:
            if (position - start) * 4 > MAX_TABLE:
                return
            words = self._layout.words(self._reader.read_available(offset, step * 4), 4)
            if not words:
                return
            for word in words:
                yield position, word
                position += 1
            step = _CHAIN_STEP


HashTable = SysvHash | GnuHash
