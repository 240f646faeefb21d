"""A patched file read as it was before: later patches start there, so growth does not add up."""

from __future__ import annotations

import os

from ..elf.reader import Reader
from .journal import Journal

__all__ = ["OriginalStream"]


class OriginalStream:
    """The bytes of a file before it was patched.

    Args:
        reader: the file as it is now.
        journal: the way back that it carries.
    """

    def __init__(self, reader: Reader, journal: Journal) -> None:
        self._reader = reader
        self._journal = journal
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to ``offset``, as :meth:`io.IOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._journal.size}
        self._position = max(base[whence] + offset, 0)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; all that is left if negative."""
        left = max(self._journal.size - self._position, 0)
        begin, length = self._position, left if size < 0 else min(size, left)
        data = bytearray(self._reader.read_available(begin, length))
        for write in self._journal.writes:
            first = max(write.offset, begin)
            last = min(write.offset + len(write.data), begin + len(data))
            if first < last:
                data[first - begin : last - begin] = write.data[
                    first - write.offset : last - write.offset
                ]
        self._position += len(data)
        return bytes(data)
