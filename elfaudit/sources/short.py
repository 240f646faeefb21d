"""A short archive member as a stream: whole in memory, and only while somebody reads it."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import SourceError

__all__ = ["ShortStream"]


class ShortStream:
    """The bytes of a short member.

    Args:
        data: all of them.
        load: reads them anew, after :meth:`release`; None where they cannot be read any more.
        name: how the user names the member.
    """

    __slots__ = ("_data", "_load", "_position", "name", "size")

    def __init__(self, data: bytes, load: Callable[[], bytes | None], name: str) -> None:
        self._data: bytes | None = data
        self._load = load
        self._position = 0
        self.name = name
        self.size = len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to ``offset``, as :meth:`io.IOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; all that are left if negative."""
        if self._data is None:
            self._data = self._load()
        if self._data is None:
            raise SourceError(self.name, "cannot be read any more")
        end = self.size if size < 0 else self._position + size
        found = self._data[self._position : end]
        self._position += len(found)
        return found

    def release(self) -> None:
        """Give back the memory; the next read reads the archive again."""
        self._data = None
