"""Bytes that have no file of their own: members of an archive, in a file that nobody else sees.

It has no name, so nothing is left of it however the process ends (``O_TMPFILE``, or unlinked at
once); all members share one, so a thousand of them need one descriptor.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable
from io import FileIO

from ..errors import SourceError
from .compose import Write
from .copying import copy_range, write_all

__all__ = ["Unpacked", "Window"]


class Unpacked:
    """A temporary file that only grows.

    Args:
        directory: where; if nothing can be written there, where temporary files belong.
        name: what it is for, as the user names that.

    Raises:
        SourceError: nothing can be written there either.
    """

    def __init__(self, directory: str, name: str) -> None:
        self._name = name
        self._file = self._opened(directory)
        weakref.finalize(self, self._file.close)
        self._size = 0

    def _opened(self, directory: str) -> FileIO:
        """The file, open until nobody has a part of it any more."""
        for place in (directory or ".", None):
            try:
                return tempfile.TemporaryFile(dir=place, buffering=0)
            except OSError as error:
                problem = error
        raise self._error(problem)

    def append(self, chunks: Iterable[bytes]) -> Window:
        """Put some bytes behind all others.

        Raises:
            SourceError: they cannot be written, or whatever reading them raises.
        """
        start = self._size
        try:
            for chunk in chunks:
                write_all(self._file.fileno(), chunk, self._size)
                self._size += len(chunk)
        except OSError as error:
            raise self._error(error) from error
        return Window(self, start, self._size - start)

    def append_copy(self, window: Window, size: int, writes: Iterable[Write], kept: int) -> Window:
        """Put a copy of some bytes behind all others, with some places changed.

        Args:
            window: what is copied.
            size: of the copy, in bytes.
            writes: what is different in it.
            kept: how many of the old bytes it begins with.

        Raises:
            SourceError: it cannot be written.
        """
        start, own = self._size, self._file.fileno()
        try:
            copy_range(window.descriptor, window.start, own, start, min(kept, size))
            os.ftruncate(own, start + size)
            for write in writes:
                write_all(own, write.data, start + write.offset)
        except OSError as error:
            raise self._error(error) from error
        self._size = start + size
        return Window(self, start, size)

    def descriptor(self) -> int:
        """Of the file; it is open as long as somebody has a part of it."""
        return self._file.fileno()

    def _error(self, error: OSError) -> SourceError:
        return SourceError(self._name, f"cannot be unpacked: {error.strerror or error}")


class Window:
    """Some of the bytes, as a stream.

    Args:
        file: where they are.
        start, size: which, in bytes.
    """

    def __init__(self, file: Unpacked, start: int, size: int) -> None:
        self._file = file
        self._position = 0
        self.start = start
        self.size = size

    @property
    def descriptor(self) -> int:
        """Of the file that holds them."""
        return self._file.descriptor()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to ``offset``, as :meth:`io.IOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; all that is left if negative."""
        left = max(self.size - self._position, 0)
        wanted = left if size < 0 else min(size, left)
        data = os.pread(self.descriptor, wanted, self.start + self._position)
        self._position += len(data)
        return data
