"""A wheel (or any zip archive) as a source, its members read in place.

The central directory is read by :mod:`zipfile`; the bytes of a member are then read straight from
their place in the archive: a stored member as a window of the file, a deflated one through
:class:`~elfaudit.sources.inflate.InflatedStream`. Nothing is unpacked.
"""

from __future__ import annotations

import os
import posixpath
import struct
import zipfile
from collections.abc import Iterator

from ..errors import SourceError, WheelError
from ..stream import ByteStream, FileStream
from .inflate import InflatedStream
from .model import Member

__all__ = ["WheelSource"]

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1
_METHODS = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
}
# What zipfile lets through on a damaged directory, beside its own BadZipFile.
_DAMAGE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, struct.error, NotImplementedError,
    ValueError, OverflowError, EOFError, IndexError,
)  # fmt: skip


class WheelSource:
    """The members of a zip archive; the archive is the root directory of their paths.

    Args:
        path: the archive.

    Attributes:
        label: the path as given.
        problems: members that cannot be addressed, one sentence each.

    Raises:
        SourceError: the file cannot be opened.
        WheelError: it is no zip archive, or its directory is damaged.
    """

    def __init__(self, path: str) -> None:
        self.label = path
        stream = FileStream(path)
        stream.release()
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except _DAMAGE as error:
            raise WheelError(path, f"cannot be read as a zip archive: {error}") from error
        except OSError as error:
            raise SourceError(path, f"cannot be read: {error.strerror or error}") from error
        self._entries: dict[str, zipfile.ZipInfo] = {}
        problems: list[str] = []
        for entry in entries:
            if entry.filename.endswith("/"):
                continue
            problem = _name_problem(entry.filename, self._entries)
            if problem:
                problems.append(f"{path}::{entry.filename}: {problem}")
            else:
                self._entries[entry.filename] = entry
        self.problems = tuple(problems)

    def names(self) -> Iterator[str]:
        """Path of every member, with a leading slash, sorted."""
        return (f"/{name}" for name in sorted(self._entries))

    def find(self, path: str) -> Member | None:
        """The member at ``path``; ``..`` that leaves the archive finds nothing."""
        name = _inside(path)
        entry = self._entries.get(name) if name else None
        if entry is None:
            return None
        display = f"{self.label}::{entry.filename}"
        return Member(
            path,
            display,
            (self.label, entry.filename),
            entry.file_size,
            entry.compress_type != zipfile.ZIP_STORED,
            lambda: self._open(entry, display),
        )

    def listing(self, path: str) -> list[str]:
        """Names in the directory at ``path``, sorted; empty when the archive has none there."""
        inside = _inside(path)
        if inside is None:
            return []
        prefix = f"{inside}/" if inside not in ("", ".") else ""
        return sorted(
            {n[len(prefix) :].partition("/")[0] for n in self._entries if n.startswith(prefix)}
        )

    def _open(self, entry: zipfile.ZipInfo, display: str) -> ByteStream:
        if entry.flag_bits & _ENCRYPTED:
            raise WheelError(display, "is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            method = _METHODS.get(entry.compress_type, f"method {entry.compress_type}")
            raise WheelError(
                display, f"is compressed with {method}; wheels use deflate or no compression"
            )
        start = self._data_offset(entry, display)
        if entry.compress_type == zipfile.ZIP_STORED:
            if entry.compress_size != entry.file_size:
                raise WheelError(
                    display,
                    f"is stored, but the archive's directory gives it {entry.compress_size} bytes "
                    f"in the archive and {entry.file_size} outside",
                )
            return FileStream(self.label, start=start, size=entry.file_size, name=display)
        window = FileStream(self.label, start=start, size=entry.compress_size, name=display)
        return InflatedStream(window, entry.file_size, display)

    def _data_offset(self, entry: zipfile.ZipInfo, display: str) -> int:
        """Where the member's bytes begin: behind its local header (APPNOTE 4.3.7)."""
        archive = FileStream(self.label, name=display)
        archive.seek(entry.header_offset)
        raw = archive.read(_LOCAL_HEADER.size)
        if len(raw) < _LOCAL_HEADER.size or not raw.startswith(b"PK\x03\x04"):
            raise WheelError(display, f"has no local header at offset {entry.header_offset:#x}")
        _, name_size, extra_size = _LOCAL_HEADER.unpack(raw)
        start = entry.header_offset + _LOCAL_HEADER.size + name_size + extra_size
        if start + entry.compress_size > archive.size:
            raise WheelError(
                display,
                f"would reach from offset {start:#x} over {entry.compress_size} bytes, "
                f"past the end of the archive",
            )
        return int(start)


def _name_problem(name: str, known: dict[str, zipfile.ZipInfo]) -> str | None:
    """Why a member name cannot be used, or None."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or os.path.isabs(name):
        return "the member name leads out of the archive; the member is left out"
    if name in known:
        return "the archive has this member twice; the first one is used"
    return None


def _inside(path: str) -> str | None:
    """``path`` without its leading slash, normalised; None if it climbs above the root."""
    depth = 0
    for part in path.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return None
    return posixpath.normpath(path).lstrip("/")
