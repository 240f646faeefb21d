"""A zip archive with some members exchanged, all others copied as they lie there.

The standard library writes archives anew: every member is compressed again, and time stamps, extra
fields and data descriptors are its own. Here the bytes between one local header and the next are
copied, and the central directory is the old one with sizes, checksums and offsets put right.
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
from .archive import Archive, Entry, stamp_of
from .copying import copy_range
from .zipformat import (
    CENTRAL,
    DEFLATED,
    DESCRIPTOR,
    ENCRYPTED,
    END,
    END_64,
    FULL,
    FULL_16,
    LOCAL,
    LOCATOR,
    STORED,
    VERSION_64,
    ZIP64,
    extra_field,
    extra_fields,
)

__all__ = ["Replacement", "write_archive"]

_OFFSET = slice(42, 46)  # of the local header, in a record of the directory
_LEVEL = 6


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
    if stamp_of(descriptor) != archive.stamp:
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
        if entry.offset + LOCAL.size + len(entry.raw_name) + entry.packed > end:
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
    raw = os.pread(old, LOCAL.size, entry.offset)
    if len(raw) < LOCAL.size or not raw.startswith(b"PK\3\4"):
        raise WheelError(f"{path}::{entry.name}", f"has no local header at {entry.offset:#x}")
    if entry.flags & ENCRYPTED:
        raise WheelError(f"{path}::{entry.name}", "is encrypted")
    mark, version, flags, method, time, day, *sizes, name_size, extra_size = LOCAL.unpack(raw)
    start = entry.offset + LOCAL.size
    texts = os.pread(old, name_size + extra_size, start)
    name = replacement.name if replacement.name is not None else texts[:name_size]
    extra = texts[name_size:]
    if replacement.chunks is None:
        # As it is, a data descriptor behind it included; only the name is another one.
        new.write(
            LOCAL.pack(mark, version, flags, method, time, day, *sizes, len(name), extra_size)
        )
        new.write(name + extra)
        _copy(old, new, start + name_size + extra_size, end)
        return replace(entry, raw_name=name)
    if method not in (STORED, DEFLATED):
        raise WheelError(f"{path}::{entry.name}", f"is compressed with method {method}")
    wide = replacement.size + replacement.size // 1000 + 1024 >= FULL
    others = b"".join(
        extra_field(kind, body) for kind, body in extra_fields(extra) if kind != ZIP64
    )
    extra = extra_field(ZIP64, bytes(16)) * wide + others
    at = new.tell()
    new.write(bytes(LOCAL.size) + name + extra)
    packed, size, checksum = _write_contents(new, replacement.chunks, method)
    behind = new.tell()
    flags &= ~DESCRIPTOR
    told = (checksum, FULL if wide else packed, FULL if wide else size)
    new.seek(at)
    version = max(version, VERSION_64) if wide else version
    new.write(LOCAL.pack(mark, version, flags, method, time, day, *told, len(name), len(extra)))
    if wide:
        new.seek(len(name), os.SEEK_CUR)
        new.write(extra_field(ZIP64, struct.pack("<2Q", size, packed)))
    new.seek(behind)
    return replace(
        entry, raw_name=name, flags=entry.flags & ~DESCRIPTOR,
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
    if now is old and offset < FULL and old.record[_OFFSET] != b"\xff" * 4:
        return old.record[: _OFFSET.start] + struct.pack("<I", offset) + old.record[_OFFSET.stop :]
    fields = list(CENTRAL.unpack_from(old.record))
    name_size, extra_size = fields[10], fields[11]
    rest = old.record[CENTRAL.size + name_size :]
    extras, comment = rest[:extra_size], rest[extra_size:]
    wide = b""
    for place, value in ((9, now.size), (8, now.packed), (16, offset)):
        if fields[place] == FULL or value >= FULL:
            fields[place] = FULL
            wide += struct.pack("<Q", value)
        else:
            fields[place] = value
    kinds = [kind for kind, _ in extra_fields(extras)]
    if ZIP64 in kinds or wide:
        found = [
            extra_field(ZIP64, wide) if k == ZIP64 else extra_field(k, b)
            for k, b in extra_fields(extras)
        ]
        extras = b"".join(found if ZIP64 in kinds else [extra_field(ZIP64, wide), *found])
        fields[2] = max(fields[2], VERSION_64)
    fields[3], fields[7] = now.flags, now.checksum
    fields[10], fields[11] = len(now.raw_name), len(extras)
    return CENTRAL.pack(*fields) + now.raw_name + extras + comment


def _write_end(archive: Archive, new: BinaryIO, records: list[bytes]) -> None:
    """Write the central directory and what ends the archive."""
    offset = new.tell() - archive.shift
    raw = b"".join(records)
    new.write(raw)
    count, length = len(records), len(raw)
    if archive.wide or count >= FULL_16 or offset >= FULL or length >= FULL:
        at = new.tell() - archive.shift
        new.write(
            END_64.pack(
                b"PK\6\6", END_64.size - 12, VERSION_64, VERSION_64, 0, 0,
                count, count, length, offset,
            )
        )  # fmt: skip
        new.write(LOCATOR.pack(b"PK\6\7", 0, at, 1))
    told = min(count, FULL_16)
    end = (told, told, min(length, FULL), min(offset, FULL), len(archive.comment))
    new.write(END.pack(b"PK\5\6", 0, 0, *end) + archive.comment)


def _copy(old: int, new: BinaryIO, begin: int, end: int) -> None:
    """Copy a range of the old file to where the new one has come to."""
    new.flush()
    place = new.tell()
    copy_range(old, begin, new.fileno(), place, end - begin)
    new.seek(place + end - begin)
