"""Whether files of two builds are the same, and what is wrong with those that cannot be read."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from itertools import pairwise

from ..elf import ElfObject, map_elf
from ..errors import ElfAuditError, SourceError
from ..sources import Member
from ..stream import ByteStream, release
from .filenames import TEXT_SUFFIXES, is_library_name

__all__ = ["checksum_of", "damage", "head_of", "is_elf", "read_build_file", "same_bytes"]

_MAGIC = b"\x7fELF"
_STEP = 1 << 20


def is_elf(member: Member) -> bool:
    """Whether a file begins as an ELF file does, or should but cannot be read.

    Raises:
        SourceError: it cannot be read, and is not named like a library.
    """
    if member.path.endswith(TEXT_SUFFIXES):
        return False
    try:
        return head_of(member, len(_MAGIC)) == _MAGIC
    except SourceError:
        if is_library_name(member.path):
            return True
        raise


def head_of(member: Member, size: int) -> bytes:
    """The first bytes of a file.

    Raises:
        SourceError: it cannot be read.
    """
    stream = member.open()
    head = stream.read(size)
    release(stream)
    return head


def read_build_file(member: Member) -> ElfObject | str:
    """The facts of a file as the loader reads them, or why there are none."""
    try:
        return map_elf(member.open(), name=member.display)
    except ElfAuditError as error:
        return str(error)


def same_bytes(old: Member, new: Member) -> bool:
    """Whether two files are the same, byte by byte.

    Of two archives it is believed where their directories say that they differ, or where they keep
    the same packed bytes; otherwise both are unpacked: what a directory states of bytes that cannot
    be unpacked is no fact.

    Raises:
        SourceError: one of them cannot be read, or is not what its archive states.
    """
    if old.size != new.size:
        return False
    if old.identity == new.identity:
        return True
    claims = old.checksum, new.checksum
    if _same_packed(old, new):
        if claims[0] == claims[1]:
            return True
    elif None not in claims and claims[0] != claims[1]:
        return False
    elif _same_pieces(old, new):
        return True
    for member in (old, new):
        _require_intact(member)
    return False


def _same_pieces(old: Member, new: Member) -> bool:
    """Whether the bytes are the same, and those that an archive states."""
    checksum = 0
    for mine, theirs in zip(_pieces(old), _pieces(new), strict=False):
        if mine != theirs:
            return False
        checksum = zlib.crc32(mine, checksum)
    return all(each.checksum in (None, checksum) for each in (old, new))


def _same_packed(old: Member, new: Member) -> bool:
    if old.inside is None or new.inside is None:
        return False
    (method, mine), (other, theirs) = old.inside.packed(), new.inside.packed()
    try:
        if method != other or _length(mine) != _length(theirs):
            return False
        while (piece := mine.read(_STEP)) == theirs.read(_STEP):
            if not piece:
                return True
        return False
    finally:
        release(mine)
        release(theirs)


def _length(stream: ByteStream) -> int:
    return stream.seek(0, os.SEEK_END) - stream.seek(0)


def damage(member: Member) -> str | None:
    """Why a file cannot be read to its end, or is not what its archive states; or None."""
    try:
        _require_intact(member)
    except SourceError as error:
        return str(error)
    return None


def _require_intact(member: Member) -> None:
    if member.checksum is not None and checksum_of(member) != member.checksum:
        raise SourceError(
            member.display,
            f"is damaged: its bytes do not have the CRC-32 of the archive's directory, "
            f"{member.checksum:08x}",
        )


def checksum_of(member: Member) -> int:
    """The CRC-32 of a file's bytes.

    Raises:
        SourceError: it cannot be read.
    """
    checksum = 0
    for piece in _pieces(member):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _pieces(member: Member) -> Iterator[bytes]:
    """The bytes of a file by steps of the same size; the last one may be shorter."""
    stream = member.open()
    for start, end in pairwise((*range(0, member.size, _STEP), member.size)):
        yield stream.read(end - start)
    release(stream)
