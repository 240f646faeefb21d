"""A file as it lies in memory: by whole pages, and never asked for its own idea of sizes.

Source: ``_dl_map_object_from_fd`` (glibc ``elf/dl-load.c``), which maps from the page a segment
begins in to the page it ends in. What stands there beside it is as good to the loader as the rest;
so is a string behind the end that ``DT_STRSZ`` tells, which it never reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ElfFormatError
from .header import AddressMap
from .reader import Reader

__all__ = ["PAGE", "PageMap", "page_end", "page_start"]

PAGE = 4096
"""Bytes of a page: the smallest there is."""

_WORD = (1 << 64) - 1
_USUAL, _LONGEST = 256, 1 << 16
_MOST_LOADS = 256
_LARGEST = 64 << 20


def page_start(address: int) -> int:
    """The page an address lies in."""
    return address & -PAGE


def page_end(address: int) -> int:
    """The end of the last page below an address."""
    return (address + PAGE - 1) & -PAGE


@dataclass(frozen=True, slots=True)
class PageMap(AddressMap):
    """Where in the file the bytes of an address are for a loader, which knows no better."""

    def locate(self, address: int, field: str, where: int) -> tuple[int, int]:
        """As :meth:`AddressMap.locate`; what only shares a page with a segment is found too."""
        address &= _WORD
        for load in self.loads:
            if load.address <= address < load.address + load.file_size:
                delta = address - load.address
                return load.offset + delta, load.file_size - delta
        for load in reversed(self.loads):  # the later one lies over the earlier
            end = load.address + load.file_size
            if load.memory_size <= load.file_size:  # else the rest of the page is zeroed
                end = page_end(end)
            if page_start(load.address) <= address < end:
                offset = load.offset + address - load.address
                if offset >= 0:
                    return offset, end - address
        raise ElfFormatError(
            self.name, where, field, f"address {address:#x} lies in no PT_LOAD segment of the file"
        )

    def readable(self, reader: Reader) -> Reader:
        """The file, and the zeros behind it."""
        return _PaddedReader(reader)

    def string(self, reader: Reader, address: int) -> bytes | None:
        """The string at an address, wherever that is; None where nothing of the file is.

        Of a file with hundreds of segments nobody asks: there may be as many strings to look for.
        """
        if len(self.loads) > _MOST_LOADS:
            return None
        try:
            offset, available = self.locate(address, "a string", 0)
        except ElfFormatError:
            return None
        raw = reader.read_available(offset, min(available, _USUAL))
        text, end, _ = raw.partition(b"\0")
        if not end:
            raw = reader.read_available(offset, min(available, _LONGEST))
            text, end, _ = raw.partition(b"\0")
        # Behind the end of the file, or of the segment, the page is full of zeros.
        return text if end or len(raw) < _LONGEST else None

    def rest(self, reader: Reader, address: int) -> bytes | None:
        """What lies in memory from an address on, and the zeros behind it."""
        try:
            offset, available = self.locate(address, "a table", 0)
        except ElfFormatError:
            return None
        return reader.read_available(offset, min(available, _LARGEST)) + b"\0"

    def tolerate(self, error: ElfFormatError) -> None:
        """The loader does not look."""


class _PaddedReader(Reader):
    """A file as it lies in memory: with zeros up to the end of its last page."""

    __slots__ = ("_end",)

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader._stream, reader.name)
        self._end = self.size
        self.size = page_end(self.size)

    def _read_up_to(self, offset: int, size: int) -> bytes:
        data = super()._read_up_to(offset, size)
        if offset + size <= self._end:
            return data
        return data.ljust(min(size, self.size - offset), b"\0")
