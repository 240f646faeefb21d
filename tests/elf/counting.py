"""A stream that tells what was asked of it."""

from __future__ import annotations

import io
import os


class CountingStream:
    """Bytes as a seekable stream; remembers the ranges read, refuses absurd requests."""

    def __init__(self, data: bytes, *, gap: int = 0, tail: bytes = b"") -> None:
        """``gap`` bytes of zeros, which are not in memory, and ``tail`` follow ``data``."""
        self._data = data
        self._gap = gap
        self._tail = tail
        self.size = len(data) + gap + len(tail)
        self._position = 0
        self.ranges: list[tuple[int, int]] = []

    @property
    def bytes_read(self) -> int:
        """How many bytes were read so far, repeated ones counted again."""
        return sum(end - start for start, end in self.ranges)

    def touched(self, start: int, end: int) -> bool:
        """Whether a byte of that range was read."""
        return any(first < end and start < last for first, last in self.ranges)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As :meth:`io.IOBase.seek`."""
        self._position = offset + (self.size if whence == os.SEEK_END else 0)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """As :meth:`io.RawIOBase.read`; reading without a bound, or past the end, is a mistake."""
        start, end = self._position, self._position + size
        if size < 0 or end > self.size:
            raise AssertionError(f"{size} bytes asked for at {start} of {self.size}")
        self.ranges.append((start, end))
        self._position = end
        return self._slice(start, end)

    def _slice(self, start: int, end: int) -> bytes:
        out = io.BytesIO()
        out.write(self._data[start:end])
        gap_end = len(self._data) + self._gap
        out.write(bytes(max(min(end, gap_end) - max(start, len(self._data)), 0)))
        out.write(self._tail[max(start - gap_end, 0) : max(end - gap_end, 0)])
        return out.getvalue()
