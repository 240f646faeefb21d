"""The archive of which many members are read one after the other."""

from __future__ import annotations

from ..stream import ByteStream, FileStream
from .model import Member

__all__ = ["Shelf"]

_AHEAD = 256 << 10


class Shelf:
    """Opens members; the archive of the last one stays open, and is read ahead.

    A wheel has thousands of members of a few hundred bytes. To open the archive for each costs as
    much as to inflate it. Not for more than one thread.
    """

    def __init__(self) -> None:
        self._archive: _Ahead | None = None

    def open(self, member: Member) -> ByteStream:
        """A new stream over the bytes of a member.

        Raises:
            SourceError: as ``member.open``.
        """
        inside = member.inside
        if inside is None:
            return member.open()
        if self._archive is None or self._archive.like is not inside.archive:
            self.release()
            self._archive = _Ahead(inside.archive, member.display)
        self._archive.file.name = member.display
        return inside.open_in(self._archive)

    def release(self) -> None:
        """Close the archive."""
        if self._archive is not None:
            self._archive.file.release()
            self._archive = None


class _Ahead:
    """An archive of which more is read than is asked for, as long as it is read in order."""

    def __init__(self, like: FileStream, name: str) -> None:
        self.like = like
        self.file = FileStream(like.path, name=name, like=like)
        self._start, self._block = 0, b""
        self._last = 0

    def read_at(self, offset: int, size: int) -> bytes:
        at = offset - self._start
        if at < 0 or at + size > len(self._block):
            more = _AHEAD if self._last <= offset < self._last + _AHEAD else 0
            self._start, self._block, at = offset, self.file.read_at(offset, size + more), 0
            self.file.require_same()
        self._last = offset
        return self._block[at : at + size]
