"""A deflated archive member as a seekable stream that is never wholly in memory.

It inflates forward, keeps the head (where linkers put the symbol tables) and the last few
megabytes, and starts over when asked for something in between that it has passed. Reading the facts
of a 434 MB library costs one inflate up to its dynamic section, and about 40 MB of memory.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol, cast

from ..errors import WheelError
from ..stream import FileStream

__all__ = ["InflatedStream", "inflated"]

_HEAD = 24 << 20
_RECENT = 4 << 20
# Packed bytes taken at once. Where one of them is damaged nothing of the chunk comes out: small in
# the head, in which the symbol tables are.
_CHUNK = 256 << 10
_LATER_CHUNK = 1 << 20
_BLOCK = 2 << 20
_RAW_DEFLATE = -15
# How often a stream starts over until it is let go. The facts of a sound file need two or three; a
# small archive can hold a member that alternates between its ends thousands of times.
_MAX_RESTARTS = 32


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


try:
    from isal import igzip_lib, isal_zlib

    # About twice as fast as zlib on x86-64.
    _new_decompressor: Callable[[int], _Decompressor] = isal_zlib.decompressobj
    _ERRORS: tuple[type[Exception], ...] = (
        cast("type[Exception]", igzip_lib.IsalError),
        zlib.error,
    )
except ImportError:  # there is no wheel of isal for this machine
    _new_decompressor = zlib.decompressobj
    _ERRORS = (zlib.error,)


def inflated(data: bytes, size: int) -> bytes | None:
    """The bytes of a short member at once.

    Args:
        data: its raw deflate stream.
        size: the length of the inflated bytes that the archive's directory claims.

    Returns:
        So many bytes; None where the data is damaged, or gives more or fewer.
    """
    decompressor = _new_decompressor(_RAW_DEFLATE)
    try:
        found = decompressor.decompress(data, size + 1)
    except _ERRORS:
        return None
    return found if len(found) == size and decompressor.eof else None


class InflatedStream:
    """Seekable view of a raw deflate stream.

    Args:
        compressed: the compressed bytes, and nothing else.
        size: the length of the inflated bytes that the archive's directory claims.
        name: how the user names the member.
        head: how many inflated bytes from the start to keep, about.
        recent: how many of the last ones to keep, about.

    Reading raises :class:`~elfaudit.errors.WheelError` where the data is damaged, or seen to be
    shorter or longer than ``size``. The CRC covers the whole member and is not
    checked: the point is to read only a part of it.
    """

    def __init__(
        self,
        compressed: FileStream,
        size: int,
        name: str,
        *,
        head: int = _HEAD,
        recent: int = _RECENT,
    ) -> None:
        self.name = name
        self.size = size
        self._compressed = compressed
        self._head_limit = head
        self._recent_limit = recent
        self._block = max(min(_BLOCK, recent // 2), 1)
        # The head as the blocks it came in: copying it together would cost as much as reading it.
        self._head: list[bytes] = []
        self._head_starts: list[int] = []
        self._head_end = 0
        self._recent: deque[tuple[int, bytes]] = deque()
        self._position = 0
        self._restarts = 0
        self._observer: Callable[[bytes], None] | None = None
        self._observed = 0
        self._restart()

    def observe(self, observer: Callable[[bytes], None]) -> None:
        """Hand over all bytes, in order and once each, as reading comes to them.

        So a member that is looked at here and there is hashed on the way.

        Args:
            observer: called with pieces of any length; from the next restart on, so call this
                before anything is read.
        """
        self._observer, self._observed = observer, 0

    def exhaust(self) -> None:
        """Inflate what is left, for the observer.

        Raises:
            WheelError: as :meth:`read`.
        """
        if self._reach < self._observed:
            self._restart()
        while self._reach < self.size:
            self._advance()
        self._require_end()

    def pieces(self) -> Iterator[bytes]:
        """All bytes from the first on, for who never looks back: nothing of them is kept.

        Raises:
            WheelError: as :meth:`read`.
        """
        self.release()
        while self._reach < self.size:
            yield self._inflate()
        self._require_end()
        self.release()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to ``offset``; nothing is inflated before the next read."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; all that is left if negative.

        Raises:
            WheelError: the member is damaged, or ends before the size its archive claims.
        """
        left = max(self.size - self._position, 0)
        wanted = left if size < 0 else min(size, left)
        end = self._position + wanted
        pieces: list[bytes] = []
        while self._position < end:
            pieces.append(self._piece(self._position, end))
            self._position += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def release(self) -> None:
        """Give back the memory and the descriptor; the next read inflates from the start."""
        self._head.clear()
        self._head_starts.clear()
        self._head_end = 0
        self._restarts = 0
        self._restart()
        self._compressed.release()

    def _piece(self, position: int, end: int) -> bytes:
        """At least one byte from ``position``, at most up to ``end``, from whatever holds it."""
        if position < self._head_end:
            row = bisect_right(self._head_starts, position) - 1
            at = self._head_starts[row]
            return self._head[row][position - at : end - at]
        if position < self._oldest:
            self._restarts += 1
            if self._restarts > _MAX_RESTARTS:
                raise WheelError(
                    self.name,
                    f"is read back and forth over {self.size} bytes: its tables are scattered "
                    "more than in any real file",
                )
            self._restart()
        while self._reach <= position:
            self._advance()
        at, block = next(row for row in reversed(self._recent) if row[0] <= position)
        return block[position - at : end - at]

    def _restart(self) -> None:
        self._decompressor: _Decompressor = _new_decompressor(_RAW_DEFLATE)
        self._failure: WheelError | None = None
        self._compressed.seek(0)
        self._recent.clear()
        self._reach = 0  # how far the decompressor has come
        self._oldest = 0  # the first byte still in _recent
        self._kept = 0

    def _advance(self) -> None:
        """The next block: into the recent ones and, while it lasts, into the head."""
        at = self._reach
        block = self._inflate()
        if at == self._head_end < self._head_limit:
            self._head.append(block)
            self._head_starts.append(at)
            self._head_end += len(block)
        self._recent.append((at, block))
        self._kept += len(block)
        while self._kept > self._recent_limit and len(self._recent) > 1:
            first, old = self._recent.popleft()
            self._kept -= len(old)
            self._oldest = first + len(old)
        if self._observer is not None and self._observed < self._reach:
            self._observer(block[self._observed - at :])
            self._observed = self._reach

    def _inflate(self) -> bytes:
        """The next block, and how far the decompressor has come with it.

        What is wrong once stays wrong until the stream starts over: the decompressor is behind it.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        try:
            block = self._next_block()
        except WheelError as error:
            self._failure = error
            raise
        self._reach += len(block)
        return block

    def _next_block(self) -> bytes:
        decompressor = self._decompressor
        chunk = _CHUNK if self._reach < self._head_limit else _LATER_CHUNK
        data = decompressor.unconsumed_tail or self._compressed.read(chunk)
        try:
            # The last block asks for one byte more than there should be, to see that there is none.
            left = self.size - self._reach
            block = decompressor.decompress(data, left + 1 if left <= self._block else self._block)
        except _ERRORS as error:
            raise WheelError(
                self.name, f"cannot be inflated past {self._reach:#x}: {error}"
            ) from error
        if not block and (decompressor.eof or not data):
            raise WheelError(
                self.name,
                f"ends after {self._reach} bytes, the archive's directory claims {self.size}",
            )
        if self._reach + len(block) > self.size:
            raise self._longer()
        return block

    def _require_end(self) -> None:
        """Say so if bytes come behind the last, or what comes there is damaged.

        If nothing comes, not even the mark of the end, that is no matter to zipfile either.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        decompressor = self._decompressor
        while not decompressor.eof:
            data = decompressor.unconsumed_tail or self._compressed.read(_CHUNK)
            if not data:
                return
            try:
                block = decompressor.decompress(data, 1)
            except _ERRORS as error:
                self._failure = WheelError(
                    self.name, f"cannot be inflated past {self._reach:#x}: {error}"
                )
                raise self._failure from error
            if block:
                self._failure = self._longer()
                raise self._failure

    def _longer(self) -> WheelError:
        problem = f"is longer than the {self.size} bytes the archive's directory claims"
        return WheelError(self.name, problem)
