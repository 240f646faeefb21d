"""What is needed to get the old file back, carried at the end of the new one.

It travels in the file because files travel alone: a side file is lost with the first ``cp``, and a
member of a wheel has no side. Nobody maps it, so it costs a loader nothing; ``strip`` takes it
away, and with it the way back. It keeps the old bytes of every place written to, and a checksum of
what was written there: where somebody else has written since, there is no way back either.

Layout, integers big-endian, at the end of the file::

    old size (8), number of places (4), then for each: offset (8), length (4), old bytes,
    CRC-32 (4) and length (4) of what was written; at last CRC-32 of all that (4), its length (8),
    the mark (16)
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..elf.reader import Reader
from .compose import Rewrite, Write

__all__ = ["Journal", "read_journal", "with_journal"]

_MARK = b"elfaudit-undo\0\0\1"
_FOOTER = struct.Struct(">IQ16s")
_HEAD = struct.Struct(">QI")
_PLACE = struct.Struct(">QI")
_NEW = struct.Struct(">II")  # checksum and length of what was written
_LARGEST = 64 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Journal:
    """The way back to a file's first state.

    Attributes:
        size: of the file then.
        writes: the bytes that were there then.
    """

    size: int
    writes: tuple[Write, ...]


def with_journal(rewrite: Rewrite, reader: Reader) -> Rewrite:
    """A rewrite that leaves the way back behind it.

    Args:
        rewrite: what will be written.
        reader: the file it is written over.

    Raises:
        SourceError: the file cannot be read.
    """
    old = reader.size
    body = bytearray(_HEAD.pack(old, len(rewrite.writes)))
    for write in rewrite.writes:
        before = reader.read_available(write.offset, len(write.data))
        body += _PLACE.pack(write.offset, len(before)) + before
        body += _NEW.pack(zlib.crc32(write.data), len(write.data))
    footer = _FOOTER.pack(zlib.crc32(body), len(body), _MARK)
    trailer = Write(rewrite.size, bytes(body) + footer)
    size = rewrite.size + len(trailer.data)
    return Rewrite(size, (*rewrite.writes, trailer), rewrite.how)


def read_journal(reader: Reader) -> Journal | None:
    """The way back that a file carries; None if it has none, or has been changed since.

    Raises:
        SourceError: the file cannot be read.
    """
    body = _body(reader)
    if body is None:
        return None
    size, _ = _HEAD.unpack_from(body)
    end = reader.size - _FOOTER.size - len(body)
    writes: list[Write] = []
    behind = 0
    try:
        for offset, before, length, checksum in _places(body):
            # As they are written: ascending, none over another, in the file then and now.
            if offset < behind or offset + length > end or (before and offset + len(before) > size):
                return None
            if _checksum(reader, offset, length) != checksum:
                return None
            behind = offset + max(length, len(before))
            writes.append(Write(offset, before))
    except struct.error:
        return None
    return Journal(size, tuple(write for write in writes if write.data)) if size <= end else None


def _checksum(reader: Reader, offset: int, length: int) -> int:
    """CRC-32 of some bytes of the file, however many."""
    checksum, end = 0, offset + length
    while offset < end:
        data = reader.read_available(offset, min(_CHUNK, end - offset))
        checksum = zlib.crc32(data, checksum)
        offset += len(data) or length
    return checksum


def _body(reader: Reader) -> bytes | None:
    """What stands before the footer, if there is one and it is whole."""
    footer = reader.read_available(reader.size - _FOOTER.size, _FOOTER.size)
    if not footer.endswith(_MARK):
        return None
    checksum, length, _ = _FOOTER.unpack(footer)
    if not _HEAD.size <= length <= min(_LARGEST, reader.size - _FOOTER.size):
        return None
    body = reader.read_available(reader.size - _FOOTER.size - length, length)
    return body if zlib.crc32(body) == checksum else None


def _places(body: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """(offset, old bytes, number of new bytes, their checksum) of each place.

    Raises:
        struct.error: the body ends too early, or too late.
    """
    _, count = _HEAD.unpack_from(body)
    at = _HEAD.size
    for _ in range(count):
        offset, length = _PLACE.unpack_from(body, at)
        at += _PLACE.size
        before = body[at : at + length]
        checksum, new = _NEW.unpack_from(body, at + length)
        at += length + _NEW.size
        yield offset, before, new, checksum
    if at != len(body):
        raise struct.error("bytes behind the last place")
