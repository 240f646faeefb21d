"""Where bytes come from, seen from below: a seekable stream, and the one for a file on disk."""

from __future__ import annotations

import os
import stat
from typing import Protocol

from .errors import SourceError

__all__ = ["ByteStream", "FileStream", "release"]


class ByteStream(Protocol):
    """What elfaudit asks of a stream: to seek and to read. Any binary file object will do."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes from the current position."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to ``offset``; returns the new position."""


class FileStream:
    """A file, or a window of it, read without keeping it open longer than the caller wants.

    Thousands of files are looked at in one run, more than a process may hold open: after
    :meth:`release` the descriptor is closed, and opened again when more is read. A file that was
    exchanged in the meantime is refused, so facts of two files never mix.

    Args:
        path: the file on disk.
        start, size: the window, in bytes; by default the whole file.
        name: how the user names it; the path by default.
        like: a stream over the same file, which must not have been exchanged since.

    Raises:
        SourceError: it cannot be opened, or is not a regular file.
    """

    __slots__ = ("_descriptor", "_position", "_stamp", "_start", "name", "path", "size")

    def __init__(
        self,
        path: str,
        *,
        start: int = 0,
        size: int | None = None,
        name: str | None = None,
        like: FileStream | None = None,
    ) -> None:
        self.path = path
        self.name = name or path
        self._descriptor = -1
        self._position = 0
        self._start = start
        self._stamp: tuple[int, int, int, int] | None = None if like is None else like._stamp
        length = self._open()
        self.size = max(length - start, 0) if size is None else size

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to ``offset``, as :meth:`io.IOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; all that is left of the window if negative."""
        left = max(self.size - self._position, 0)
        data = self.read_at(self._position, left if size < 0 else size)
        self._position += len(data)
        return data

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` of the window, wherever the stream stands."""
        wanted = min(size, self.size - offset)
        if wanted <= 0 or offset < 0:
            return b""
        if self._descriptor < 0:
            self._open()
        try:
            return os.pread(self._descriptor, wanted, self._start + offset)
        except OSError as error:
            raise SourceError(self.name, f"cannot be read: {error.strerror}") from error

    def require_same(self) -> None:
        """Refuse a file that was written to since it was opened.

        Raises:
            SourceError: it was.
        """
        if self._descriptor >= 0 and _stamp_of(os.fstat(self._descriptor)) != self._stamp:
            raise SourceError(self.name, "changed on disk while it was being read")

    def narrow(self, start: int, size: int) -> None:
        """Be a window of what it was: ``size`` bytes from ``start``, read from the first on."""
        self._start += start
        self.size = size
        self._position = 0

    def release(self) -> None:
        """Close the descriptor; the next read opens the file again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)

    def _open(self) -> int:
        """Open the file; returns its length in bytes."""
        try:
            # Never wait for a writer: a FIFO in a tree is not a file to read.
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceError(self.name, f"cannot be opened: {reason}") from error
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.release()
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise SourceError(self.name, f"is {what}")
        stamp = _stamp_of(status)
        if self._stamp not in (None, stamp):
            self.release()
            raise SourceError(self.name, "changed on disk while it was being read")
        self._stamp = stamp
        return status.st_size


def _stamp_of(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def release(stream: ByteStream) -> None:
    """Let a stream give back its descriptor and its memory, if it is one that holds any."""
    give_back = getattr(stream, "release", None)
    if give_back is not None:
        give_back()
