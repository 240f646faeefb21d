"""``/etc/ld.so.cache``: the names ldconfig found, and where.

Source: ``sysdeps/generic/dl-cache.h`` (``struct cache_file_new``, ``struct file_entry_new``) and
``_dl_load_cache_lookup`` in ``elf/dl-cache.c`` of glibc. The new format may stand behind one of the
old format. A cache that makes no sense is ignored, as the loader ignores it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import SourceError
from ..sources import Source

__all__ = ["CACHE_PATH", "CacheEntry", "LoaderCache", "read_cache"]

CACHE_PATH = "/etc/ld.so.cache"

_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_OLD_MAGIC = b"ld.so-1.7.0\0"
_OLD_ENTRY = 12
_HEADER_SIZE = 48
_FLAGS = 28
_ORDERS = {2: "<", 3: ">"}
_ENTRY = {"<": struct.Struct("<iIIIQ"), ">": struct.Struct(">iIIIQ")}
_MAX_SIZE = 64 << 20
_EXTENSION_MAGIC = 0xEAA42174
_EXTENSION_HWCAPS = 1
_HWCAP_EXTENSION = 1 << 62


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One library: its ABI flags, its path, and the ``glibc-hwcaps`` level it is for."""

    flags: int
    path: str
    hwcap: str | None


@dataclass(frozen=True, slots=True)
class LoaderCache:
    """The cache by library name, in the file's order.

    Attributes:
        entries: the libraries.
        little: byte order of the machine it was made for; None if the file does not say. A loader
            of the other order ignores it.
    """

    entries: Mapping[str, tuple[CacheEntry, ...]] = field(default_factory=dict)
    little: bool | None = None

    def lookup(self, name: str, flags: int | None, hwcaps: tuple[str, ...]) -> CacheEntry | None:
        """The one entry the loader would take: the best usable hwcaps level, else the plain one.

        Args:
            name: the library.
            flags: the ABI's flags; None accepts any.
            hwcaps: the levels the CPU can use, best first.
        """
        fitting = [e for e in self.entries.get(name, ()) if flags is None or e.flags == flags]
        for level in hwcaps:
            for entry in fitting:
                if entry.hwcap == level:
                    return entry
        return next((entry for entry in fitting if entry.hwcap is None), None)


def read_cache(root: Source) -> LoaderCache:
    """The cache of a root; an empty one where there is none, or none that can be used."""
    try:
        member = root.find(CACHE_PATH)
        raw = member.open().read(_MAX_SIZE) if member else b""
    except SourceError:
        return LoaderCache()
    start = _new_format_start(raw)
    if start is None:
        return LoaderCache()
    raw = raw[start:]
    order = _byte_order(raw) if len(raw) >= _HEADER_SIZE else None
    if order is None:
        return LoaderCache()
    stated = raw[_FLAGS] & 3 in _ORDERS
    return LoaderCache(_entries(raw, order), order == "<" if stated else None)


def _new_format_start(raw: bytes) -> int | None:
    if raw.startswith(_NEW_MAGIC):
        return 0
    if raw.startswith(_OLD_MAGIC) and len(raw) >= 16:
        for order in "<>":
            (count,) = struct.unpack_from(f"{order}I", raw, 12)
            start = (16 + int(count) * _OLD_ENTRY + 7) // 8 * 8  # ALIGN_CACHE
            if raw[start : start + len(_NEW_MAGIC)] == _NEW_MAGIC:
                return start
    return None


def _entries(raw: bytes, order: str) -> dict[str, tuple[CacheEntry, ...]]:
    (count,) = struct.unpack_from(f"{order}I", raw, 20)
    levels = _hwcap_names(raw, order)
    found: dict[str, list[CacheEntry]] = {}
    size = count * _ENTRY[order].size
    if size > len(raw) - _HEADER_SIZE:  # "Check for corruption, avoiding overflow."
        return {}
    table = raw[_HEADER_SIZE : _HEADER_SIZE + size]
    for flags, key, value, _, hwcap in _ENTRY[order].iter_unpack(table):
        name, path = _string(raw, key), _string(raw, value)
        if not name or not path:
            continue
        level = None
        if hwcap:
            index = hwcap & 0xFFFFFFFF
            if hwcap >> 32 != _HWCAP_EXTENSION >> 32 or index >= len(levels):
                continue  # legacy hwcaps are gone since glibc 2.37
            level = levels[index]
        found.setdefault(name, []).append(CacheEntry(flags, path, level))
    return {name: tuple(entries) for name, entries in found.items()}


def _byte_order(raw: bytes) -> str | None:
    """From the flags byte (2 little, 3 big); 0 in caches older than it: whichever makes sense."""
    stated = _ORDERS.get(raw[_FLAGS] & 3)
    if stated is not None:
        return stated
    for order in "<>":
        count, length = struct.unpack_from(f"{order}II", raw, 20)
        if _HEADER_SIZE + count * _ENTRY[order].size + length <= len(raw):
            return order
    return None


def _hwcap_names(raw: bytes, order: str) -> list[str]:
    """The names of the hwcap extension section (``cache_extension_tag_glibc_hwcaps``)."""
    (offset,) = struct.unpack_from(f"{order}I", raw, 32)
    if not offset or offset + 8 > len(raw):
        return []
    magic, count = struct.unpack_from(f"{order}II", raw, offset)
    if magic != _EXTENSION_MAGIC:
        return []
    for index in range(min(count, 64)):
        where = offset + 8 + index * 16
        if where + 16 > len(raw):
            break
        tag, _, start, size = struct.unpack_from(f"{order}IIII", raw, where)
        if tag == _EXTENSION_HWCAPS and start + size <= len(raw):
            names = struct.unpack_from(f"{order}{size // 4}I", raw, start)
            return [_string(raw, name) for name in names]
    return []


def _string(raw: bytes, offset: int) -> str:
    end = raw.find(b"\0", offset, offset + 4096)
    return raw[offset:end].decode("utf-8", "surrogateescape") if end >= 0 else ""
