"""``/etc/ld.so.cache``: the names ldconfig found, and where.

Source: ``sysdeps/generic/dl-cache.h`` (``struct cache_file_new``, ``struct file_entry_new``) and
``_dl_load_cache_lookup`` in ``elf/dl-cache.c`` of glibc. The new format may stand behind one of the
old format. A cache that makes no sense is ignored, as the loader ignores it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..errors import SourceError
from ..sources import Source

__all__ = ["CACHE_PATH", "CacheEntry", "LoaderCache", "choose", "compare_names", "read_cache"]

CACHE_PATH = "/etc/ld.so.cache"

_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_OLD_MAGIC = b"ld.so-1.7.0"
_OLD_HEADER = 16
_HEADER_SIZE = 48
_FLAGS = 28
_BYTE_ORDERS = {2: "<", 3: ">"}
_MAX_SIZE = 64 << 20
_MAX_STRING = 4096
_EXTENSION_MAGIC = 0xEAA42174
_EXTENSION_HWCAPS = 1
_MOST_EXTENSIONS = 64
_HWCAP_EXTENSION = 1 << 30  # DL_CACHE_HWCAP_EXTENSION, of the upper half
_DIGITS = frozenset(b"0123456789")
_NUMBER = re.compile("[0-9]+")
_LONGEST = 32  # 10**32 is 0 in 32 bits: digits further in front do not count
_ISA_LEVEL = 0x3FF  # DL_CACHE_HWCAP_ISA_LEVEL_MASK


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One library.

    Attributes:
        flags: the ABI.
        path: where it is.
        hwcap: the ``glibc-hwcaps`` level it is for.
        legacy: the hardware capabilities it is for, as ldconfig had them up to 2.36, in bits.
        isa: the number of the highest instruction set level it needs, if it is for a level.
    """

    flags: int
    path: str
    hwcap: str | None
    legacy: int = 0
    isa: int = 0


@dataclass(frozen=True, slots=True)
class _Table:
    """The sorted entries of a cache, not yet read.

    Attributes:
        raw: the whole file.
        start: of the first entry.
        count: how many there are.
        entry: the layout of one.
        strings: what the offsets of names and paths count from.
        limit: offsets from here on are bogus.
        hwcaps: names of the ``glibc-hwcaps`` levels, by index.
    """

    raw: bytes
    start: int
    count: int
    entry: struct.Struct
    strings: int
    limit: int
    hwcaps: tuple[bytes, ...] = ()

    def row(self, index: int) -> tuple[int, int, int, int]:
        """(flags, offset of the name, offset of the path, capabilities) of an entry."""
        row = self.entry.unpack_from(self.raw, self.start + index * self.entry.size)
        return row[0], row[1], row[2], row[4] if len(row) > 4 else 0

    def text(self, offset: int) -> bytes | None:
        """The string at an offset; None if it cannot be one."""
        if offset >= self.limit:
            return None
        at = self.strings + offset
        end = self.raw.find(b"\0", at, at + _MAX_STRING)
        return self.raw[at:end] if end >= 0 else None


class LoaderCache:
    """A cache, searched as the loader searches it.

    Args:
        table: the entries; None: there are none.
    """

    def __init__(self, table: _Table | None = None) -> None:
        self._table = table

    @cached_property
    def entries(self) -> Mapping[str, tuple[CacheEntry, ...]]:
        """Every library by name, in the file's order."""
        found: dict[str, list[CacheEntry]] = {}
        table = self._table
        for index in range(table.count if table is not None else 0):
            assert table is not None  # noqa: S101  for the type checker
            flags, key, value, capabilities = table.row(index)
            name, path = table.text(key), table.text(value)
            entry = _entry(table, flags, path, capabilities) if name and path else None
            if name and entry is not None:
                found.setdefault(_decoded(name), []).append(entry)
        return {name: tuple(entries) for name, entries in found.items()}

    def lookup(
        self,
        name: str,
        flags: Sequence[int] | None,
        hwcaps: tuple[str, ...],
        legacy: int = 0,
        platform: int = 0,
        *,
        isa: int | None = None,
    ) -> CacheEntry | None:
        """The one entry the loader would take (``search_cache``): the best level, else the plain.

        The names are compared as the loader does: a number as a number, so that ``libx.so.01`` is
        ``libx.so.1``; and in a table that is not sorted it finds what a binary search finds.

        Args:
            name: the library.
            flags: those the loader accepts, its very own first; None accepts any.
            hwcaps: the levels the CPU can use, best first.
            legacy: the capabilities, in bits, of the CPU and the loader, platforms among them.
            platform: of those the bits of all platforms there are, the CPU's own in ``legacy``.
            isa: the instruction set levels of the CPU, as bits; None: its machine has none.
        """
        named = self._named(name) if self._table is not None else ()
        return choose(named, flags, hwcaps, legacy, platform, isa=isa)

    def _named(self, name: str) -> Iterator[CacheEntry]:
        """The entries of that name, as the loader comes upon them."""
        table = self._table
        wanted = name.encode("utf-8", "surrogateescape")
        assert table is not None  # noqa: S101  for the type checker
        left, right = 0, table.count - 1
        while left <= right:
            middle = (left + right) // 2
            key = table.text(table.row(middle)[1])
            if key is None:
                return
            order = compare_names(wanted, key)
            if order == 0:
                yield from _run(table, middle, right, wanted)
                return
            left, right = (middle + 1, right) if order < 0 else (left, middle - 1)


def choose(
    entries: Iterable[CacheEntry],
    flags: Sequence[int] | None,
    hwcaps: tuple[str, ...],
    legacy: int = 0,
    platform: int = 0,
    *,
    isa: int | None = None,
) -> CacheEntry | None:
    """The entry that the loader takes of those of one name, in the cache's order.

    The arguments are those of :meth:`LoaderCache.lookup`.
    """
    best: CacheEntry | None = None
    best_rank = len(hwcaps)
    for entry in entries:
        if flags is not None and entry.flags not in flags:
            continue
        if entry.hwcap is not None:
            if isa is not None and not isa >> (entry.isa & 31) & 1:
                continue
            rank = hwcaps.index(entry.hwcap) if entry.hwcap in hwcaps else len(hwcaps)
            if rank < best_rank and (best is None or best.hwcap is not None):
                best, best_rank = entry, rank
            continue
        if best is not None:
            break  # the levels come first in the file
        other = entry.legacy & platform and entry.legacy & platform != legacy & platform
        if other or entry.legacy & ~(legacy | platform):
            continue
        best = entry
        if flags is None or entry.flags == flags[0]:
            break
    return best


def _run(table: _Table, middle: int, right: int, wanted: bytes) -> Iterator[CacheEntry]:
    """The entries of one name around one of them."""
    known = middle

    def same(index: int) -> bool:
        key = table.text(table.row(index)[1])
        return key is not None and compare_names(wanted, key) == 0

    while middle > 0 and same(middle - 1):
        middle -= 1
    while middle <= right and (middle <= known or same(middle)):
        flags, _, value, capabilities = table.row(middle)
        path = table.text(value)
        entry = _entry(table, flags, path, capabilities) if path is not None else None
        if entry is not None:
            yield entry
        middle += 1


def _entry(table: _Table, flags: int, path: bytes, value: int) -> CacheEntry | None:
    """One entry; None for one of a level that nobody can have."""
    if (value >> 32) & ~_ISA_LEVEL != _HWCAP_EXTENSION:
        return CacheEntry(flags, _decoded(path), None, value)
    index = value & 0xFFFFFFFF
    level = table.hwcaps[index] if index < len(table.hwcaps) else b""
    if not level:
        return None
    return CacheEntry(flags, _decoded(path), _decoded(level), 0, value >> 32 & _ISA_LEVEL)


def same_spelling(name: str) -> str:
    """A name with its numbers as :func:`compare_names` reads them: equal for equal ones."""
    return _NUMBER.sub(lambda number: str(int(number[0][-_LONGEST:]) & 0xFFFFFFFF), name)


def compare_names(one: bytes, other: bytes) -> int:
    """The order of two names in the cache, numbers as numbers (``_dl_cache_libcmp``)."""
    i = j = _common(one, other)
    while i < len(one):
        a, b = one[i], other[j] if j < len(other) else 0
        if a in _DIGITS:
            if b not in _DIGITS:
                return 1
            first, i = _number(one, i)
            second, j = _number(other, j)
            difference = (first - second) & 0xFFFFFFFF
            if difference:
                return difference - (1 << 32) if difference >> 31 else difference
        elif b in _DIGITS:
            return -1
        elif a != b:
            return _signed(a) - _signed(b)
        else:
            i, j = i + 1, j + 1
    return -_signed(other[j]) if j < len(other) else 0


def _common(one: bytes, other: bytes) -> int:
    """How far two names are alike, a number that goes on behind that left out."""
    size = min(len(one), len(other))
    unlike = int.from_bytes(one[:size], "big") ^ int.from_bytes(other[:size], "big")
    alike = size - (unlike.bit_length() + 7) // 8
    while alike and one[alike - 1] in _DIGITS:
        alike -= 1
    return alike


def _number(name: bytes, start: int) -> tuple[int, int]:
    """The number at a place, as an ``int`` holds it, and the place behind it."""
    end = start
    while end < len(name) and name[end] in _DIGITS:
        end += 1
    return int(name[max(start, end - _LONGEST) : end]), end


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def read_cache(root: Source, *, little: bool | None = None) -> LoaderCache:
    """The cache of a root; an empty one where there is none, or none that can be used.

    Args:
        root: the file system.
        little: byte order of the loader that reads it; it ignores a cache of the other;
            None: whichever the cache has.
    """
    try:
        member = root.find(CACHE_PATH)
        raw = member.open().read(_MAX_SIZE) if member else b""
    except SourceError:
        return LoaderCache()
    for order in "<>" if little is None else "<" if little else ">":
        table = _table(raw, order)
        if table is not None:
            return LoaderCache(table)
    return LoaderCache()


def _table(raw: bytes, order: str) -> _Table | None:
    if raw.startswith(_NEW_MAGIC) and len(raw) > _HEADER_SIZE:
        return _new_table(raw, 0, order)
    if raw.startswith(_OLD_MAGIC) and len(raw) > _OLD_HEADER:
        return _old_table(raw, order)
    return None


def _old_table(raw: bytes, order: str) -> _Table | None:
    """The old format, or the new one behind it."""
    entry = struct.Struct(f"{order}iII")
    (count,) = struct.unpack_from(f"{order}I", raw, 12)
    end = _OLD_HEADER + count * entry.size
    if end > len(raw):
        return None
    start = (end + 7) // 8 * 8  # ALIGN_CACHE
    if raw.startswith(_NEW_MAGIC, start) and start + _HEADER_SIZE <= len(raw):
        return _new_table(raw, start, order)
    return _Table(raw, _OLD_HEADER, count, entry, end, len(raw) - end)


def _new_table(raw: bytes, start: int, order: str) -> _Table | None:
    entry = struct.Struct(f"{order}iIIIQ")
    if raw[start + _FLAGS] and _BYTE_ORDERS.get(raw[start + _FLAGS] & 3) != order:
        return None
    (count,) = struct.unpack_from(f"{order}I", raw, start + 20)
    if count * entry.size > len(raw) - start - _HEADER_SIZE:
        return None  # "Check for corruption, avoiding overflow."
    hwcaps = tuple(_hwcap_names(raw, start, order))
    return _Table(raw, start + _HEADER_SIZE, count, entry, start, len(raw), hwcaps)


def _hwcap_names(raw: bytes, start: int, order: str) -> Iterator[bytes]:
    """The names of the hwcap extension section (``cache_extension_load``).

    All its offsets count from the beginning of the file, even if the new format is not there;
    ldconfig does not know, so behind an old format there are no names.
    """
    (offset,) = struct.unpack_from(f"{order}I", raw, start + 32)
    if not offset or offset % 4 or offset + 8 > len(raw):
        return
    magic, count = struct.unpack_from(f"{order}II", raw, offset)
    if magic != _EXTENSION_MAGIC or offset + 8 + count * 16 > len(raw):
        return
    for index in range(min(count, _MOST_EXTENSIONS)):
        tag, _, at, size = struct.unpack_from(f"{order}IIII", raw, offset + 8 + index * 16)
        if at + size > len(raw):
            return
        if tag == _EXTENSION_HWCAPS and at % 4 == size % 4 == 0:
            for (place,) in struct.iter_unpack(f"{order}I", raw[at : at + size]):
                end = raw.find(b"\0", place, place + _MAX_STRING)
                yield raw[place:end] if end >= 0 else b""
            return


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
