"""A wheel (or any zip archive) as a source, its members read in place.

The central directory is read by :mod:`zipfile`, the bytes of a member by
:class:`~elfaudit.sources.zip_member.ZipMember`. Nothing is unpacked.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from functools import cached_property

from ..errors import SourceError, WheelError
from ..stream import FileStream
from .model import Member
from .other import NoFile, Obstacle
from .zip_member import ZipMember

__all__ = ["WheelSource"]

_LFS_POINTER = b"version https://git-lfs"
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
        self._archive = FileStream(path)
        head = self._archive.read(len(_LFS_POINTER))
        if head == _LFS_POINTER:
            raise WheelError(path, "is a Git LFS pointer, not the file itself: run `git lfs pull`")
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
            FileStream(path, like=self._archive).release()  # not exchanged in between
        except _DAMAGE as error:
            raise WheelError(path, f"cannot be read as a zip archive: {error}") from error
        except OSError as error:
            raise SourceError(path, f"cannot be read: {error.strerror or error}") from error
        finally:
            self._archive.release()
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._members: dict[str, Member] = {}
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
        known = self._members.get(path)
        if known is not None:
            return known
        plain = path.removeprefix("/")
        name = plain if plain in self._entries else self.normal(path)
        if name not in self._entries:
            folder = name is not None and name in self._folders
            return (
                NoFile(Obstacle.DIRECTORY, (self.label, name))
                if folder
                else NoFile(Obstacle.ABSENT)
            )
        if path.endswith(("/", "/.")):
            return NoFile(Obstacle.NOT_DIRECTORY)
        found = self._member(path, name)
        if path == f"/{name}":  # one spelling of each: a RECORD may have any number
            self._members[path] = found
        return found

    def _member(self, path: str, name: str) -> Member:
        entry = self._entries[name]
        member = ZipMember(self._archive, entry)
        return Member(
            path,
            member.name,
            (self.label, name),
            entry.file_size,
            sequential=entry.compress_type != zipfile.ZIP_STORED,
            open=member.open,
            checksum=entry.CRC,
            executable=member.executable,
            inside=member,
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


def _name(filename: str) -> str | None:
    """The member's path in the archive, normalised; None if it leads out of it, or nowhere."""
    parts = [part for part in filename.split("/") if part not in ("", ".")]
    if filename.startswith("/") or ".." in parts or "\\" in filename:
        return None
    return "/".join(parts) or None
