"""A zip archive with some members exchanged, all others copied as they lie there.

The standard library writes archives anew: every member is compressed again, and time stamps, extra
fields and data descriptors are its own. Here the bytes between one local header and the next are
copied, and the central directory is the old one with sizes, checksums and offsets put right.
Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to
4.3.16 (its end), 4.5.3 (zip64).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import BinaryIO

from ..errors import WheelError
from ..sources.inflate import InflatedStream
from ..stream import ByteStream, FileStream
from .copying import copy_range

__all__ = ["Archive", "Entry", "Replacement", "open_entry", "read_archive", "write_archive"]

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_FULL, _FULL_16 = 0xFFFFFFFF, 0xFFFF
_ZIP64, _VERSION_64 = 1, 45
_DESCRIPTOR, _ENCRYPTED, _UTF_8 = 0x8, 0x1, 0x800
_OFFSET = slice(42, 46)  # of the local header, in a record of the directory
_DEFLATED, _STORED = 8, 0
_LEVEL = 6
_LARGEST_DIRECTORY = 1 << 30


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
        stamp = _stamp(file.fileno())
        size = file.seek(0, os.SEEK_END)
        tail_at = max(size - (_FULL_16 + _END.size), 0)
        file.seek(tail_at)
        tail = file.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < _END.size:
            raise WheelError(path, "is no zip archive: the end of its directory is missing")
        _, disk, _, _, count, length, offset, comment = _END.unpack_from(tail, at)
        end = tail_at + at
        text = tail[at + _END.size :]
        if disk not in (0, _FULL_16) or len(text) != comment:
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


def _stamp(descriptor: int) -> tuple[int, int, int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _wide_end(descriptor: int, path: str, end: int) -> tuple[int, int, int, int] | None:
    """(members, bytes of the directory, its offset, where its end is) of zip64."""
    if end < _LOCATOR.size:
        return None
    raw = os.pread(descriptor, _LOCATOR.size, end - _LOCATOR.size)
    if not raw.startswith(b"PK\6\7"):
        return None
    at = end - _LOCATOR.size - _END_64.size
    record = os.pread(descriptor, _END_64.size, max(at, 0))
    if at < 0 or not record.startswith(b"PK\6\6"):
        raise WheelError(path, "has a zip64 end that is not in front of its locator")
    *_, count, length, offset = _END_64.unpack(record)
    return count, length, offset, at


def _entries(path: str, raw: bytes, shift: int) -> Iterator[Entry]:
    at = 0
    while at < len(raw):
        if len(raw) - at < _CENTRAL.size or raw[at : at + 4] != b"PK\1\2":
            raise WheelError(path, f"has a damaged record in its directory, at {at:#x}")
        fields = _CENTRAL.unpack_from(raw, at)
        _, _, _, flags, method, _, _, checksum, packed, size, *lengths = fields
        name, extra, comment, _, _, _, offset = lengths
        end = at + _CENTRAL.size + name + extra + comment
        record = raw[at:end]
        names = at + _CENTRAL.size
        extras = raw[names + name : names + name + extra]
        values = _widened(extras, [size, packed, offset])
        if end > len(raw) or values is None:
            raise WheelError(path, f"has a damaged record in its directory, at {at:#x}")
        size, packed, offset = values
        raw_name = raw[names : names + name]
        plain = flags & _UTF_8 or raw_name.isascii()
        decoded = raw_name.decode("utf-8" if plain else "cp437", "replace")
        yield Entry(
            record, raw_name, decoded, flags, method, checksum, packed, size, offset + shift
        )
        at = end


def _widened(extras: bytes, values: list[int]) -> list[int] | None:
    """Values of which those that did not fit are in the zip64 extra field; None if not there."""
    if _FULL not in values:
        return values
    body = next((body for kind, body in _extras(extras) if kind == _ZIP64), b"")
    wide = list(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
    if len(wide) < values.count(_FULL):
        return None
    return [wide.pop(0) if value == _FULL else value for value in values]


def _extras(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(raw):
        kind, size = struct.unpack_from("<HH", raw, at)
        yield kind, raw[at + 4 : at + 4 + size]
        at += 4 + size


def open_entry(archive: Archive, entry: Entry) -> ByteStream:
    """The bytes of a member, which may only be read forward at ease.

    Raises:
        WheelError: its local header is damaged, or it is encrypted or compressed in another way.
        SourceError: the archive cannot be opened.
    """
    display = f"{archive.path}::{entry.name}"
    if entry.flags & _ENCRYPTED:
        raise WheelError(display, "is encrypted")
    if entry.method not in (_STORED, _DEFLATED):
        raise WheelError(display, f"is compressed with method {entry.method}")
    head = FileStream(archive.path, start=entry.offset, name=display)
    raw = head.read(_LOCAL.size)
    if len(raw) < _LOCAL.size or not raw.startswith(b"PK\3\4"):
        raise WheelError(display, f"has no local header at {entry.offset:#x}")
    *_, name_size, extra_size = _LOCAL.unpack(raw)
    start = entry.offset + _LOCAL.size + name_size + extra_size
    if start + entry.packed > archive.directory or head.read(name_size) != entry.raw_name:
        raise WheelError(display, f"does not have the local header at {entry.offset:#x}")
    if entry.method == _STORED:
        return FileStream(archive.path, start=start, size=entry.size, name=display)
    window = FileStream(archive.path, start=start, size=entry.packed, name=display)
    return InflatedStream(window, entry.size, display)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What becomes of a member.

    Attributes:
        chunks: its new bytes, piece by piece; None if it keeps those it has.
        size: how many those are.
        name: its new name; None if it keeps that.
    """

    chunks: Callable[[], Iterator[bytes]] | None = None
    size: int = 0
    name: bytes | None = None


def write_archive(
    archive: Archive,
    target: str,
    changed: Mapping[int, Replacement],
    dropped: AbstractSet[int] = frozenset(),
) -> None:
    """Write an archive with some members exchanged.

    Args:
        archive: the old one.
        target: the new file, which must not be there yet.
        changed: what becomes of members, by their place in the directory.
        dropped: members that are left out, likewise.

    Raises:
        WheelError: a local header is damaged, a member that is to change is encrypted, members lie
            over each other, or the old file was changed since it was read.
        OSError: as the system says.
    """
    with open(archive.path, "rb") as old, open(target, "xb") as new:
        _refuse_another(archive, old.fileno())
        records = _write_members(archive, old.fileno(), new, changed, dropped)
        count = len(archive.entries)
        _write_end(archive, new, [records[n] for n in range(count) if n in records])
        _refuse_another(archive, old.fileno())
        new.flush()
        os.fsync(new.fileno())


def _refuse_another(archive: Archive, descriptor: int) -> None:
    if _stamp(descriptor) != archive.stamp:
        raise WheelError(archive.path, "has changed since it was read")


def _write_members(
    archive: Archive,
    old: int,
    new: BinaryIO,
    changed: Mapping[int, Replacement],
    dropped: AbstractSet[int],
) -> dict[int, bytes]:
    """Write what stands before the directory; the records of the members by their old places."""
    order = sorted(range(len(archive.entries)), key=lambda n: archive.entries[n].offset)
    ends = [*(archive.entries[n].offset for n in order[1:]), archive.directory][: len(order)]
    records: dict[int, bytes] = {}
    begin, shift = 0, 0  # of the old file, what is not copied yet, and how far it moves
    for number, end in zip(order, ends, strict=True):
        entry = archive.entries[number]
        if entry.offset + _LOCAL.size + len(entry.raw_name) + entry.packed > end:
            raise WheelError(f"{archive.path}::{entry.name}", "lies over what stands behind it")
        if number not in dropped and number not in changed:
            records[number] = _record(entry, entry, entry.offset + shift - archive.shift)
            continue
        _copy(old, new, begin, entry.offset)
        if number not in dropped:
            offset = new.tell() - archive.shift
            written = _write_member(archive.path, old, new, entry, changed[number], end)
            records[number] = _record(entry, written, offset)
        begin, shift = end, new.tell() - end
    _copy(old, new, begin, archive.directory)
    return records


def _write_member(  # noqa: PLR0917
    path: str, old: int, new: BinaryIO, entry: Entry, replacement: Replacement, end: int
) -> Entry:
    """Write the local header and the bytes of a member that changes; what it then is."""
    raw = os.pread(old, _LOCAL.size, entry.offset)
    if len(raw) < _LOCAL.size or not raw.startswith(b"PK\3\4"):
        raise WheelError(f"{path}::{entry.name}", f"has no local header at {entry.offset:#x}")
    if entry.flags & _ENCRYPTED:
        raise WheelError(f"{path}::{entry.name}", "is encrypted")
    mark, version, flags, method, time, day, *sizes, name_size, extra_size = _LOCAL.unpack(raw)
    start = entry.offset + _LOCAL.size
    texts = os.pread(old, name_size + extra_size, start)
    name = replacement.name if replacement.name is not None else texts[:name_size]
    extra = texts[name_size:]
    if replacement.chunks is None:
        # As it is, a data descriptor behind it included; only the name is another one.
        new.write(
            _LOCAL.pack(mark, version, flags, method, time, day, *sizes, len(name), extra_size)
        )
        new.write(name + extra)
        _copy(old, new, start + name_size + extra_size, end)
        return replace(entry, raw_name=name)
    if method not in (_STORED, _DEFLATED):
        raise WheelError(f"{path}::{entry.name}", f"is compressed with method {method}")
    wide = replacement.size + replacement.size // 1000 + 1024 >= _FULL
    others = b"".join(_extra(kind, body) for kind, body in _extras(extra) if kind != _ZIP64)
    extra = _extra(_ZIP64, bytes(16)) * wide + others
    at = new.tell()
    new.write(bytes(_LOCAL.size) + name + extra)
    packed, size, checksum = _write_contents(new, replacement.chunks, method)
    behind = new.tell()
    flags &= ~_DESCRIPTOR
    told = (checksum, _FULL if wide else packed, _FULL if wide else size)
    new.seek(at)
    version = max(version, _VERSION_64) if wide else version
    new.write(_LOCAL.pack(mark, version, flags, method, time, day, *told, len(name), len(extra)))
    if wide:
        new.seek(len(name), os.SEEK_CUR)
        new.write(_extra(_ZIP64, struct.pack("<2Q", size, packed)))
    new.seek(behind)
    return replace(
        entry, raw_name=name, flags=entry.flags & ~_DESCRIPTOR,
        checksum=checksum, packed=packed, size=size,
    )  # fmt: skip


def _write_contents(
    new: BinaryIO, chunks: Callable[[], Iterator[bytes]], method: int
) -> tuple[int, int, int]:
    """Write the bytes of a member, compressed as it was: (bytes written, bytes, CRC-32)."""
    pack = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS) if method else None
    packed = size = checksum = 0
    for chunk in chunks():
        checksum = zlib.crc32(chunk, checksum)
        size += len(chunk)
        packed += new.write(pack.compress(chunk) if pack else chunk)
    packed += new.write(pack.flush()) if pack else 0
    return packed, size, checksum


def _record(old: Entry, now: Entry, offset: int) -> bytes:
    """The record of the central directory: the old one with what has changed put in.

    A value stands in the zip64 extra field where it stood there before, or does not fit.
    """
    if now is old and offset < _FULL and old.record[_OFFSET] != b"\xff" * 4:
        return old.record[: _OFFSET.start] + struct.pack("<I", offset) + old.record[_OFFSET.stop :]
    fields = list(_CENTRAL.unpack_from(old.record))
    name_size, extra_size = fields[10], fields[11]
    rest = old.record[_CENTRAL.size + name_size :]
    extras, comment = rest[:extra_size], rest[extra_size:]
    wide = b""
    for place, value in ((9, now.size), (8, now.packed), (16, offset)):
        if fields[place] == _FULL or value >= _FULL:
            fields[place] = _FULL
            wide += struct.pack("<Q", value)
        else:
            fields[place] = value
    kinds = [kind for kind, _ in _extras(extras)]
    if _ZIP64 in kinds or wide:
        found = [_extra(_ZIP64, wide) if k == _ZIP64 else _extra(k, b) for k, b in _extras(extras)]
        extras = b"".join(found if _ZIP64 in kinds else [_extra(_ZIP64, wide), *found])
        fields[2] = max(fields[2], _VERSION_64)
    fields[3], fields[7] = now.flags, now.checksum
    fields[10], fields[11] = len(now.raw_name), len(extras)
    return _CENTRAL.pack(*fields) + now.raw_name + extras + comment


def _write_end(archive: Archive, new: BinaryIO, records: list[bytes]) -> None:
    """Write the central directory and what ends the archive."""
    offset = new.tell() - archive.shift
    raw = b"".join(records)
    new.write(raw)
    count, length = len(records), len(raw)
    if archive.wide or count >= _FULL_16 or offset >= _FULL or length >= _FULL:
        at = new.tell() - archive.shift
        new.write(
            _END_64.pack(
                b"PK\6\6", _END_64.size - 12, _VERSION_64, _VERSION_64, 0, 0,
                count, count, length, offset,
            )
        )  # fmt: skip
        new.write(_LOCATOR.pack(b"PK\6\7", 0, at, 1))
    told = min(count, _FULL_16)
    end = (told, told, min(length, _FULL), min(offset, _FULL), len(archive.comment))
    new.write(_END.pack(b"PK\5\6", 0, 0, *end) + archive.comment)


def _extra(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _copy(old: int, new: BinaryIO, begin: int, end: int) -> None:
    """Copy a range of the old file to where the new one has come to."""
    new.flush()
    place = new.tell()
    copy_range(old, begin, new.fileno(), place, end - begin)
    new.seek(place + end - begin)
