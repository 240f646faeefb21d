"""A wheel (or any zip archive) as a source, its members read in place.

The central directory is read by :mod:`zipfile`; the bytes of a member are then read straight from
their place in the archive: a stored member as a window of the file, a deflated one through
:class:`~elfaudit.sources.inflate.InflatedStream`. Nothing is unpacked.
"""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Iterator
from functools import cached_property

from ..errors import SourceError, WheelError
from ..stream import ByteStream, FileStream
from .inflate import InflatedStream
from .model import Member
from .other import NoFile, Obstacle

__all__ = ["WheelSource"]

_LOCAL_HEADER = struct.Struct("<4s2xH18xHH")
_ENCRYPTED = 0x1
_UTF_8 = 0x800
_LFS_POINTER = b"version https://git-lfs"
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
        problems: members that cannot be addressed.

    Raises:
        SourceError: the file cannot be opened.
        WheelError: it is no zip archive, or its directory is damaged.
    """

    def __init__(self, path: str) -> None:
        self.label = path
        stream = FileStream(path)
        head = stream.read(len(_LFS_POINTER))
        stream.release()
        if head == _LFS_POINTER:
            raise WheelError(path, "is a Git LFS pointer, not the file itself: run `git lfs pull`")
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except _DAMAGE as error:
            raise WheelError(path, f"cannot be read as a zip archive: {error}") from error
        except OSError as error:
            raise SourceError(path, f"cannot be read: {error.strerror or error}") from error
        self._entries: dict[str, zipfile.ZipInfo] = {}
        problems: list[SourceError] = []
        for entry in entries:
            if entry.filename.endswith("/"):
                continue
            name = _name(entry.filename)
            if name is None:
                problems.append(
                    SourceError(
                        f"{path}::{entry.filename}",
                        "the name leads out of the archive, or is none; the member is left out",
                    )
                )
                continue
            if name in self._entries:
                problems.append(
                    SourceError(
                        f"{path}::{entry.filename}",
                        "the archive has this member twice; the last one is used, as pip does",
                    )
                )
            self._entries[name] = entry
        self.problems = tuple(problems)

    def names(self) -> Iterator[str]:
        """Path of every member, with a leading slash, sorted."""
        return (f"/{name}" for name in sorted(self._entries))

    def find(self, path: str) -> Member | None:
        """The member at ``path``; ``..`` that leaves the archive finds nothing."""
        found = self.look(path)
        return found if isinstance(found, Member) else None

    def look(self, path: str) -> Member | NoFile:
        """The same, or whether there is a directory instead."""
        name = self.normal(path)
        entry = self._entries.get(name) if name else None
        if entry is None:
            folder = name is not None and name in self._folders
            return (
                NoFile(Obstacle.DIRECTORY, (self.label, name))
                if folder
                else NoFile(Obstacle.ABSENT)
            )
        if path.endswith(("/", "/.")):
            return NoFile(Obstacle.NOT_DIRECTORY)
        display = f"{self.label}::{entry.filename}"
        return Member(
            path,
            display,
            (self.label, name),
            entry.file_size,
            sequential=entry.compress_type != zipfile.ZIP_STORED,
            open=lambda: self._open(entry, display),
            checksum=entry.CRC,
            packed=lambda: (entry.compress_type, self._window(entry, display)),
            executable=_may_run(entry),
        )

    def is_link(self, path: str) -> bool:  # noqa: ARG002
        """Never: what is installed from a wheel are files."""
        return False

    def listing(self, path: str) -> list[str]:
        """Names in the directory at ``path``, sorted; empty when the archive has none there."""
        inside = self.normal(path)
        return sorted(self._folders.get(inside, ())) if inside is not None else []

    @cached_property
    def _folders(self) -> dict[str, set[str]]:
        """Directory to the names in it; the archive itself is ``""``."""
        folders: dict[str, set[str]] = {"": set()}
        for name in self._entries:
            folder, _, last = name.rpartition("/")
            while folder not in folders:
                folders[folder] = {last}
                folder, _, last = folder.rpartition("/")
            folders[folder].add(last)
        return folders

    def normal(self, path: str) -> str | None:
        """``path`` as a member name; None where a ``..`` climbs out, or out of what is not there.

        ``lib/../x`` needs a directory ``lib``, as it does on a disk (``path_resolution(7)``).
        """
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                if not parts or "/".join(parts) not in self._folders:
                    return None
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        return "/".join(parts)

    def _window(self, entry: zipfile.ZipInfo, display: str) -> FileStream:
        """The bytes of a member as they are in the archive: behind its local header (4.3.7)."""
        stream = FileStream(self.label, name=display)
        stream.seek(entry.header_offset)
        # Nearly always the name is as long as in the directory, or longer for being no ASCII.
        ahead = _LOCAL_HEADER.size + len(entry.orig_filename)
        raw = stream.read(ahead) if entry.header_offset >= 0 else b""
        if len(raw) < _LOCAL_HEADER.size or not raw.startswith(b"PK\x03\x04"):
            raise WheelError(display, f"has no local header at offset {entry.header_offset:#x}")
        _, flags, name_size, extra_size = _LOCAL_HEADER.unpack_from(raw)
        name = raw[_LOCAL_HEADER.size : _LOCAL_HEADER.size + name_size]
        name += stream.read(name_size - len(name)) if len(name) < name_size else b""
        if name.decode("utf-8" if flags & _UTF_8 else "cp437", "replace") != entry.orig_filename:
            raise WheelError(
                display, f"has another name in its local header at {entry.header_offset:#x}"
            )
        start = entry.header_offset + _LOCAL_HEADER.size + name_size + extra_size
        if start + entry.compress_size > stream.size:
            raise WheelError(
                display,
                f"would reach from offset {start:#x} over {entry.compress_size} bytes, "
                f"past the end of the archive",
            )
        stream.narrow(start, entry.compress_size)
        return stream

    def _open(self, entry: zipfile.ZipInfo, display: str) -> ByteStream:
        if entry.flag_bits & _ENCRYPTED:
            raise WheelError(display, "is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            method = _METHODS.get(entry.compress_type, f"method {entry.compress_type}")
            raise WheelError(
                display, f"is compressed with {method}; wheels use deflate or no compression"
            )
        window = self._window(entry, display)
        if entry.compress_type == zipfile.ZIP_STORED:
            if entry.compress_size != entry.file_size:
                raise WheelError(
                    display,
                    f"is stored, but the archive's directory gives it {entry.compress_size} bytes "
                    f"in the archive and {entry.file_size} outside",
                )
            return window
        return InflatedStream(window, entry.file_size, display)


def _may_run(entry: zipfile.ZipInfo) -> bool:
    """Whether pip makes the file executable (``zip_item_is_executable``, ``unpacking.py``)."""
    mode = entry.external_attr >> 16
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _name(filename: str) -> str | None:
    """The member's path in the archive, normalised; None if it leads out of it, or nowhere."""
    parts = [part for part in filename.split("/") if part not in ("", ".")]
    if filename.startswith("/") or ".." in parts or "\\" in filename:
        return None
    return "/".join(parts) or None
