"""A zip archive: its members, and where their bytes are.

Source: PKWARE APPNOTE 6.3.10 (:mod:`~elfaudit.patch.zipformat`).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import WheelError
from ..sources.inflate import InflatedStream
from ..stream import ByteStream, FileStream
from .zipformat import (
    CENTRAL,
    DEFLATED,
    ENCRYPTED,
    END,
    END_64,
    FULL,
    FULL_16,
    LOCAL,
    LOCATOR,
    STORED,
    UTF_8,
    ZIP64,
    extra_fields,
)

__all__ = ["Archive", "Entry", "open_entry", "read_archive", "read_entry", "stamp_of"]

_LARGEST_DIRECTORY = 1 << 30
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A member, as the central directory has it.

    Attributes:
        record: its record there.
        raw_name, name: its name, and as :mod:`zipfile` decodes it.
        flags, method: general purpose bits, compression.
        checksum, packed, size: CRC-32, bytes in the archive and outside it.
        offset: of its local header in the file.
    """

    record: bytes
    raw_name: bytes
    name: str
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class Archive:
    """The members of an archive in the order of its central directory.

    Attributes:
        path: the file.
        entries: the members.
        shift: how much further the file's offsets are than the directory's: what was put in front.
        directory: where the central directory begins.
        comment: of the archive.
        wide: whether its end is that of zip64.
        stamp: what tells the file from others, and from itself once it was written to.
    """

    path: str
    entries: tuple[Entry, ...]
    shift: int
    directory: int
    comment: bytes
    wide: bool
    stamp: tuple[int, int, int, int]


def read_archive(path: str) -> Archive:
    """Read the central directory.

    Raises:
        WheelError: it is no zip archive, or its directory is damaged.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        stamp = stamp_of(file.fileno())
        size = file.seek(0, os.SEEK_END)
        tail_at = max(size - (FULL_16 + END.size), 0)
        file.seek(tail_at)
        tail = file.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < END.size:
            raise WheelError(path, "is no zip archive: the end of its directory is missing")
        _, disk, _, _, count, length, offset, comment = END.unpack_from(tail, at)
        end = tail_at + at
        text = tail[at + END.size :]
        if disk not in (0, FULL_16) or len(text) != comment:
            raise WheelError(path, "is one part of several, or something follows the archive")
        wide = _wide_end(file.fileno(), path, end)
        if wide is not None:
            count, length, offset, end = wide
        start = end - length
        if start < 0 or start < offset or length > _LARGEST_DIRECTORY:
            raise WheelError(path, "has a directory that does not fit into the file")
        raw = os.pread(file.fileno(), length, start)
    entries = tuple(_entries(path, raw, start - offset))
    outside = next((each for each in entries if not 0 <= each.offset < start), None)
    if outside is not None:
        raise WheelError(f"{path}::{outside.name}", f"is nowhere: {outside.offset:#x} is too far")
    if len(entries) != count:
        raise WheelError(path, f"lists {len(entries)} members, but says {count}")
    return Archive(path, entries, start - offset, start, text, wide is not None, stamp)


def stamp_of(descriptor: int) -> tuple[int, int, int, int]:
    """What tells a file from another one, and from itself after it was written to."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _wide_end(descriptor: int, path: str, end: int) -> tuple[int, int, int, int] | None:
    """(members, bytes of the directory, its offset, where its end is) of zip64."""
    if end < LOCATOR.size:
        return None
    raw = os.pread(descriptor, LOCATOR.size, end - LOCATOR.size)
    if not raw.startswith(b"PK\6\7"):
        return None
    at = end - LOCATOR.size - END_64.size
    record = os.pread(descriptor, END_64.size, max(at, 0))
    if at < 0 or not record.startswith(b"PK\6\6"):
        raise WheelError(path, "has a zip64 end that is not in front of its locator")
    *_, count, length, offset = END_64.unpack(record)
    return count, length, offset, at


def _entries(path: str, raw: bytes, shift: int) -> Iterator[Entry]:
    at = 0
    while at < len(raw):
        if len(raw) - at < CENTRAL.size or raw[at : at + 4] != b"PK\1\2":
            raise WheelError(path, f"has a damaged record in its directory, at {at:#x}")
        fields = CENTRAL.unpack_from(raw, at)
        _, _, _, flags, method, _, _, checksum, packed, size, *lengths = fields
        name, extra, comment, _, _, _, offset = lengths
        end = at + CENTRAL.size + name + extra + comment
        record = raw[at:end]
        names = at + CENTRAL.size
        extras = raw[names + name : names + name + extra]
        values = _widened(extras, [size, packed, offset])
        if end > len(raw) or values is None:
            raise WheelError(path, f"has a damaged record in its directory, at {at:#x}")
        size, packed, offset = values
        raw_name = raw[names : names + name]
        plain = flags & UTF_8 or raw_name.isascii()
        decoded = raw_name.decode("utf-8" if plain else "cp437", "replace")
        yield Entry(
            record, raw_name, decoded, flags, method, checksum, packed, size, offset + shift
        )
        at = end


def _widened(extras: bytes, values: list[int]) -> list[int] | None:
    """Values of which those that did not fit are in the zip64 extra field; None if not there."""
    if FULL not in values:
        return values
    body = next((body for kind, body in extra_fields(extras) if kind == ZIP64), b"")
    wide = list(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
    if len(wide) < values.count(FULL):
        return None
    return [wide.pop(0) if value == FULL else value for value in values]


def open_entry(archive: Archive, entry: Entry) -> ByteStream:
    """The bytes of a member, which may only be read forward at ease.

    Raises:
        WheelError: its local header is damaged, or it is encrypted or compressed in another way.
        SourceError: the archive cannot be opened.
    """
    display = f"{archive.path}::{entry.name}"
    if entry.flags & ENCRYPTED:
        raise WheelError(display, "is encrypted")
    if entry.method not in (STORED, DEFLATED):
        raise WheelError(display, f"is compressed with method {entry.method}")
    head = FileStream(archive.path, start=entry.offset, name=display)
    raw = head.read(LOCAL.size)
    if len(raw) < LOCAL.size or not raw.startswith(b"PK\3\4"):
        raise WheelError(display, f"has no local header at {entry.offset:#x}")
    *_, name_size, extra_size = LOCAL.unpack(raw)
    start = entry.offset + LOCAL.size + name_size + extra_size
    if start + entry.packed > archive.directory or head.read(name_size) != entry.raw_name:
        raise WheelError(display, f"does not have the local header at {entry.offset:#x}")
    if entry.method == STORED:
        return FileStream(archive.path, start=start, size=entry.size, name=display)
    window = FileStream(archive.path, start=start, size=entry.packed, name=display)
    return InflatedStream(window, entry.size, display)


def read_entry(archive: Archive, entry: Entry) -> Iterator[bytes]:
    """The bytes of a member, piece by piece; its checksum must be right.

    Raises:
        WheelError: as :func:`open_entry`, or the checksum is another one.
        SourceError: the archive cannot be read.
    """
    stream, checksum = open_entry(archive, entry), 0
    while chunk := stream.read(_CHUNK):
        checksum = zlib.crc32(chunk, checksum)
        yield chunk
    if checksum != entry.checksum:
        where = f"{archive.path}::{entry.name}"
        raise WheelError(where, "does not have the checksum it should have")
