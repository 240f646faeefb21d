"""A single file as a source of one member."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..errors import SourceError
from ..stream import FileStream
from .model import Member
from .other import NoFile, Obstacle

__all__ = ["FileSource"]


class FileSource:
    """One file on this machine, at its absolute path.

    Args:
        path: the file.

    Raises:
        SourceError: it cannot be opened, or is not a regular file.
    """

    def __init__(self, path: str) -> None:
        self.label = path
        self.problems: tuple[SourceError, ...] = ()
        stream = FileStream(path)
        stream.release()
        status = os.stat(path)
        self.member = Member(
            os.path.abspath(path),
            path,
            (status.st_dev, status.st_ino),
            stream.size,
            sequential=False,
            open=lambda: FileStream(path),
        )

    def names(self) -> Iterator[str]:
        """The one path."""
        yield self.member.path

    def find(self, path: str) -> Member | None:
        """The member, if ``path`` is its path."""
        return self.member if path == self.member.path else None

    def look(self, path: str) -> Member | NoFile:
        """The member, or which of the directories above it ``path`` is."""
        if path == self.member.path:
            return self.member
        folder = path.rstrip("/") + "/"
        above = self.member.path.startswith(folder)
        return NoFile(Obstacle.DIRECTORY, folder) if above else NoFile(Obstacle.ABSENT)

    def is_link(self, path: str) -> bool:
        """Whether the path as it was given is a symbolic link."""
        return path == self.member.path and os.path.islink(path)

    def listing(self, path: str) -> list[str]:
        """The file's name, for its own directory."""
        directory, _, name = self.member.path.rpartition("/")
        return [name] if path.rstrip("/") == directory else []
