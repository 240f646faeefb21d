"""A file read as if some of its bytes were others: as before a patch, or as after one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..elf.reader import Reader
from .compose import Write

__all__ = ["OverwrittenStream"]


class OverwrittenStream:
    """The bytes of a file with some of them exchanged.

    Args:
        reader: the file.
        size: how many bytes there are to be.
        writes: what is to stand over and behind those of the file, later ones over earlier ones.
        kept: how many bytes of the file count; all by default.
    """

    def __init__(
        self, reader: Reader, size: int, writes: Sequence[Write], kept: int | None = None
    ) -> None:
        self._reader = reader
        self._kept = reader.size if kept is None else kept
        self._size = size
        self._writes = writes
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to ``offset``, as :meth:`io.IOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        self._position = max(base[whence] + offset, 0)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; all that is left if negative."""
        left = max(self._size - self._position, 0)
        begin, length = self._position, left if size < 0 else min(size, left)
        data = self._kept_bytes(begin, min(begin + length, self._kept))
        data += bytes(length - len(data))
        for write in self._writes:
            first = max(write.offset, begin)
            last = min(write.offset + len(write.data), begin + len(data))
            if first < last:
                data[first - begin : last - begin] = write.data[
                    first - write.offset : last - write.offset
                ]
        self._position += len(data)
        return bytes(data)

    def _kept_bytes(self, begin: int, end: int) -> bytearray:
        data = bytearray()
        while begin + len(data) < end:  # a reader gives one table's worth at most
            more = self._reader.read_available(begin + len(data), end - begin - len(data))
            if not more:
                break
            data += more
        return data
