"""A way through the bytes of a file that never goes back, whoever brings the bytes.

What is looked for is a generator that asks for bytes, never from in front of where it last asked
from. They may come in order, as a member of an archive is inflated for other reasons; or be fetched
where they are asked for, from a file that can be sought in. The generator is the same.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

__all__ = ["Asked", "ForwardWalk", "Walk"]

_T = TypeVar("_T")


class Asked(NamedTuple):
    """Bytes that are looked at next: from ``start`` on at least so many, and no more than so."""

    start: int
    least: int
    most: int


Walk = Generator[Asked, bytes, _T]
"""Asks for bytes, and is sent them; fewer than the least where the file ends."""


class ForwardWalk:
    """Sends a walk what it asks for.

    Args:
        walk: the generator; its result is what it leaves behind elsewhere.
    """

    def __init__(self, walk: Walk[None]) -> None:
        self._walk = walk
        self._held, self._from = b"", 0  # what may be asked for again, and where it begins
        self.asked: Asked | None = next(walk, None)

    def feed(self, at: int, piece: bytes) -> None:
        """Bytes of the file; those in front of what is asked for may be left out.

        Args:
            at: where they begin; what was fed before may come again, but nothing in front of it.
            piece: the bytes.
        """
        first = self.asked
        if first is None or first.start >= at + len(piece):
            return
        if self._held:
            self._held += piece[self._from + len(self._held) - at :]
        else:
            self._held, self._from = piece, at
        while (asked := self.asked) is not None:
            low = max(asked.start - self._from, 0)
            if len(self._held) - low < asked.least:
                self._held, self._from = self._held[low:], self._from + low
                return
            self._send(asked)
        self._held = b""

    def end(self) -> None:
        """There are no more bytes."""
        while (asked := self.asked) is not None:
            self._send(asked)

    def _send(self, asked: Asked) -> None:
        low = max(asked.start - self._from, 0)
        try:
            self.asked = self._walk.send(self._held[low : low + asked.most])
        except StopIteration:
            self.asked = None
