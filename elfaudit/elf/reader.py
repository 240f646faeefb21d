"""Bounded random access to the bytes of one file.

Everything in :mod:`elfaudit.elf` reads through :class:`Reader`: a request that reaches past the end
of the file, or is larger than any real table, is an :class:`~elfaudit.errors.ElfFormatError` that
names the field, before a byte is allocated for it.
"""

from __future__ import annotations

import os

from ..errors import ElfFormatError, SourceError
from ..stream import ByteStream, release

__all__ = ["MAX_TABLE", "Reader"]

MAX_TABLE = 128 << 20
"""Largest table read, in bytes. The largest seen in the wild (``.dynstr`` of libtorch) is 5 MB; a
sparse file that claims gigabytes is refused instead of filling the memory."""

_BLOCK = 4096  # read at once where little is asked for
_SMALL = 1024
_STRING_STEP = 256
_MAX_STRING = 1 << 20


class Reader:
    """Bytes of a seekable stream, by offset.

    Small reads come out of two pages that are kept, the first of the file, where the headers are,
    and the one read last: a list of records or strings costs one read of the stream, not one each.

    Args:
        stream: any seekable binary stream.
        name: how the user names the file; begins every error message.

    Attributes:
        size: length of the stream in bytes.
    """

    __slots__ = ("_head", "_page", "_page_start", "_stream", "name", "size")

    def __init__(self, stream: ByteStream, name: str) -> None:
        self._stream = stream
        self.name = name
        self._head = self._page = b""
        self._page_start = 0
        try:
            self.size = stream.seek(0, os.SEEK_END)
        except OSError as error:
            raise SourceError(name, f"cannot be read: {error.strerror or error}") from error

    def read(self, offset: int, size: int, field: str) -> bytes:
        """Exactly ``size`` bytes from ``offset``.

        Raises:
            ElfFormatError: the range is not inside the file, or larger than :data:`MAX_TABLE`.
            SourceError: the operating system could not read it.
        """
        self.check(offset, size, field)
        data = self._kept(offset, size) if size <= _SMALL else self._read_up_to(offset, size)
        if len(data) != size:
            raise ElfFormatError(
                self.name,
                offset + len(data),
                field,
                f"the file ends here, {size - len(data)} bytes short",
            )
        return data

    def check(self, offset: int, size: int, field: str) -> None:
        """Refuse a range that :meth:`read` would refuse, without reading it.

        Raises:
            ElfFormatError: the range is not inside the file, or larger than :data:`MAX_TABLE`.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise ElfFormatError(
                self.name,
                max(offset, 0),
                field,
                f"{size} bytes wanted, but the file ends at {self.size:#x}",
            )
        if size > MAX_TABLE:
            raise ElfFormatError(
                self.name, offset, field, f"{size} bytes is more than any real table has"
            )

    def read_available(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer at the end of the file, none beyond it."""
        if offset < 0 or offset >= self.size:
            return b""
        return self._read_up_to(offset, min(size, self.size - offset, MAX_TABLE))

    def string(self, offset: int, end: int, field: str) -> bytes:
        """The NUL-terminated string at ``offset``, which must end before ``end``.

        Raises:
            ElfFormatError: no NUL before ``end`` (or the end of the file), or a string over 1 MiB.
        """
        end = min(end, self.size, offset + _MAX_STRING)
        parts = bytearray()
        step = _STRING_STEP
        position = offset
        while position < end:
            piece = self.read(position, min(step, end - position), field)
            stop = piece.find(0)
            if stop >= 0:
                parts += piece[:stop]
                return bytes(parts)
            parts += piece
            position += len(piece)
            step *= 4
        raise ElfFormatError(self.name, offset, field, "the string has no end")

    def release(self) -> None:
        """Forget the pages, let the stream close its file, if it is one that can open it again."""
        self._head = self._page = b""
        release(self._stream)

    def _kept(self, offset: int, size: int) -> bytes:
        """A small read, out of the two pages where possible."""
        end = offset + size
        if end <= len(self._head):
            return self._head[offset:end]
        start = self._page_start
        if not start <= offset <= end <= start + len(self._page):
            # A little in front of it is kept too: strings are asked for in no order.
            start = offset // _SMALL * _SMALL
            self._page = self._read_up_to(start, min(_BLOCK, self.size - start))
            self._page_start = start
            if start == 0:
                self._head = self._page
        return self._page[offset - start : end - start]

    def _read_up_to(self, offset: int, size: int) -> bytes:
        try:
            self._stream.seek(offset)
            data = self._stream.read(size)
            while data and len(data) < size:  # a raw stream may give less than it was asked for
                more = self._stream.read(size - len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise SourceError(self.name, f"cannot be read: {error.strerror or error}") from error
        return data
