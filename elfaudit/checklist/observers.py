"""What is done with the bytes of a file while they come by, piece by piece."""

from __future__ import annotations

import hashlib
from array import array
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from typing import Protocol, Self

__all__ = ["CHECKSUM", "Hashing", "HashingBeside", "Search"]

try:
    from isal.isal_zlib import crc32
except ImportError:  # there is no wheel of isal for this machine
    from zlib import crc32

CHECKSUM = "crc32"
"""The name under which the checksum of archives goes among the hash functions."""


_AHEAD = 8  # pieces that may wait for the second thread
_MOST_PLACES = 1_000_000  # the names of symbols may have a text many times before it is a constant


class Search:
    """Where some texts are in bytes that come piece by piece."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._texts = {text: array("Q") for text in texts if text}
        self._keep = max(map(len, self._texts), default=1) - 1
        self._tail = b""
        self.end = 0

    def update(self, piece: bytes) -> None:
        """The next bytes."""
        window = self._tail + piece if self._keep else piece
        start = self.end - len(self._tail)
        for text, places in self._texts.items():
            self._find(text, window, start, places)
        self.end += len(piece)
        self._tail = window[-self._keep :] if self._keep else b""

    def _find(self, text: bytes, window: bytes, start: int, places: array[int]) -> None:
        at = window.find(text)
        while at >= 0 and len(places) < _MOST_PLACES:
            if not places or places[-1] < start + at:  # a short one may lie in the tail
                places.append(start + at)
            at = window.find(text, at + 1)

    def places(self) -> dict[bytes, tuple[int, ...]]:
        """Where each text was."""
        return {text: tuple(places) for text, places in self._texts.items()}


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Checksum:
    """CRC-32 as archives have it, in the form of a hash function; four bytes, big-endian."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _hash(name: str) -> _Hash:
    return _Checksum() if name == CHECKSUM else hashlib.new(name, usedforsecurity=False)


class Hashing:
    """Digests of bytes that come piece by piece, made where they come."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._hashes = {name: _hash(name) for name in algorithms}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, piece: bytes) -> None:
        """The next bytes."""
        for each in self._hashes.values():
            each.update(piece)

    def digests(self) -> dict[str, bytes]:
        """The digests, by the name of the hash function."""
        return {name: each.digest() for name, each in self._hashes.items()}


class HashingBeside(Hashing):
    """The same in another thread; left, all pieces are in.

    Args:
        algorithms: the hash functions.
        second: the one other thread, which takes one piece after the other.
    """

    def __init__(self, algorithms: Iterable[str], second: Executor) -> None:
        super().__init__(algorithms)
        self._second = second
        self._handed_over: deque[Future[None]] = deque()

    def __exit__(self, *_: object) -> None:
        while self._handed_over:
            self._handed_over.popleft().result()

    def update(self, piece: bytes) -> None:
        """The next bytes, handed over."""
        if len(self._handed_over) == _AHEAD:
            self._handed_over.popleft().result()
        self._handed_over.append(self._second.submit(super().update, piece))
