"""The bytes of a member of a zip archive, straight from their place in it.

A stored member is a window of the file, a deflated one is read through
:class:`~elfaudit.sources.inflate.InflatedStream`, a short one whole.
"""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Hashable

from ..errors import WheelError
from ..stream import ByteStream, FileStream
from .inflate import InflatedStream, inflated
from .model import ReadsAt
from .short import ShortStream

__all__ = ["ZipMember"]

_LOCAL_HEADER = struct.Struct("<4s2xH18xHH")
_ENCRYPTED = 0x1
_UTF_8 = 0x800
_MOST_PER_SIGN = 4  # bytes of UTF-8
_EXTRA = 32  # of most headers: nothing, or the times of a file
_SHORT = 64 << 10  # bytes of a member that is read whole
_METHODS = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
}


class ZipMember:
    """One member.

    Args:
        archive: the archive as it was when its directory was read.
        entry: what the directory says of the member.

    Attributes:
        archive: the same; it is not read here, so it stays closed.
        name: how the user names it.
        executable: whether pip makes it executable.
    """

    __slots__ = ("_entry", "archive", "name")

    def __init__(self, archive: FileStream, entry: zipfile.ZipInfo) -> None:
        self.archive, self._entry = archive, entry
        self.name = f"{archive.path}::{entry.filename}"

    @property
    def offset(self) -> int:
        """Where in the archive it begins, with its local header."""
        return self._entry.header_offset

    @property
    def executable(self) -> bool:
        """Source: ``zip_item_is_executable`` (pip ``utils/unpacking.py``)."""
        mode = self._entry.external_attr >> 16
        return stat.S_ISREG(mode) and bool(mode & 0o111)

    def open(self) -> ByteStream:
        """A stream over its bytes.

        Raises:
            SourceError: the archive cannot be opened.
            WheelError: the member is encrypted, compressed in a way of which wheels make no use,
                or not where the directory says.
        """
        return self._opened(None)

    def open_in(self, archive: ReadsAt) -> ByteStream:
        """The same, where it is short from the archive that the caller has open."""
        return self._opened(archive)

    def packed(self) -> tuple[Hashable, ByteStream]:
        """How it is compressed, and its bytes as they are in the archive."""
        return self._entry.compress_type, self._window()

    def _opened(self, archive: ReadsAt | None) -> ByteStream:
        entry = self._entry
        _refuse(entry, self.name)
        if entry.file_size <= _SHORT and entry.compress_size <= _SHORT:
            data = self._load() if archive is None else self._short(archive)
            if data is not None:
                return ShortStream(data, self._load, self.name)
        window = self._window()
        if entry.compress_type == zipfile.ZIP_STORED:
            return window
        return InflatedStream(window, entry.file_size, self.name)

    def _file(self) -> FileStream:
        return FileStream(self.archive.path, name=self.name, like=self.archive)

    def _load(self) -> bytes | None:
        archive = self._file()
        try:
            return self._short(archive)
        finally:
            archive.release()

    def _short(self, archive: ReadsAt) -> bytes | None:
        """All of it, by one read; None where its bytes are not as they should be."""
        entry = self._entry
        raw = self._header(archive, entry.compress_size)
        start = self._payload(raw)
        if len(raw) < start + entry.compress_size:
            return None
        packed = raw[start : start + entry.compress_size]
        stored = entry.compress_type == zipfile.ZIP_STORED
        return packed if stored else inflated(packed, entry.file_size)

    def _window(self) -> FileStream:
        stream, packed = self._file(), self._entry.compress_size
        start = self._entry.header_offset + self._payload(self._header(stream))
        if start + packed > stream.size:
            raise WheelError(
                self.name,
                f"would reach from offset {start:#x} over {packed} bytes, "
                f"past the end of the archive",
            )
        stream.narrow(start, packed)
        return stream

    def _header(self, archive: ReadsAt, more: int = 0) -> bytes:
        """The bytes from its local header on: all that precede it, nearly always."""
        name = self._entry.orig_filename
        most = len(name) if name.isascii() else _MOST_PER_SIGN * len(name)
        size = _LOCAL_HEADER.size + most + _EXTRA + more
        return archive.read_at(self._entry.header_offset, size)

    def _payload(self, raw: bytes) -> int:
        """Where in the bytes from its local header on it begins (4.3.7)."""
        at = self._entry.header_offset
        if len(raw) < _LOCAL_HEADER.size or not raw.startswith(b"PK\x03\x04"):
            raise WheelError(self.name, f"has no local header at offset {at:#x}")
        _, flags, name_size, extra_size = _LOCAL_HEADER.unpack_from(raw)
        end = _LOCAL_HEADER.size + name_size
        name = raw[_LOCAL_HEADER.size : end]
        # cp437 is ASCII where it can be, and decoded ten times as slowly
        encoding = "utf-8" if flags & _UTF_8 or name.isascii() else "cp437"
        if name.decode(encoding, "replace") != self._entry.orig_filename:
            raise WheelError(self.name, f"has another name in its local header at {at:#x}")
        start: int = end + extra_size
        return start


def _refuse(entry: zipfile.ZipInfo, name: str) -> None:
    """Say why a member cannot be read, if it cannot."""
    if entry.flag_bits & _ENCRYPTED:
        raise WheelError(name, "is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(entry.compress_type, f"method {entry.compress_type}")
        raise WheelError(name, f"is compressed with {method}; wheels use deflate or no compression")
    if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
        raise WheelError(
            name,
            f"is stored, but the archive's directory gives it {entry.compress_size} bytes "
            f"in the archive and {entry.file_size} outside",
        )
