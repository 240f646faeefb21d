"""A directory of this machine that is no root: its files, and its links wherever they lead.

A build tree, a directory of libraries to choose from, a profile that is nothing but links. A link
or a ``..`` in it means what it means to any program here; only a root confines (see ``tree``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..errors import SourceError
from .disk import look_on_disk
from .model import Member
from .other import NoFile

__all__ = ["FolderSource"]

_PSEUDO = frozenset(("//proc", "//sys", "//dev"))  # below "/": files that are no files on a disk


class FolderSource:
    """The files below a directory.

    Args:
        path: the directory.

    Attributes:
        label: the path as given; members are shown by theirs below it.
        directory: the absolute path, links followed.
        links: path of every symbolic link, wherever it leads; complete once all :meth:`names`
            were asked for.

    Raises:
        SourceError: it is not a directory.
    """

    def __init__(self, path: str) -> None:
        self.label = path
        try:
            self.directory = os.path.realpath(path)
        except OSError as error:  # a relative path, and the current directory is gone
            raise SourceError(path, f"cannot be opened: {error.strerror}") from error
        self.links: tuple[str, ...] = ()
        self._problems: dict[str, SourceError] = {}
        if not os.path.isdir(self.directory):
            raise SourceError(path, "is not a directory")

    @property
    def problems(self) -> tuple[SourceError, ...]:
        """Directories that :meth:`names` could not list."""
        return tuple(self._problems.values())

    def names(self) -> Iterator[str]:
        """Path of every regular file, sorted; then of the links that lead to one.

        Links to directories are not followed, so a circle of them has no end to look for.
        """
        links: list[str] = []
        pending = ["/"]
        while pending:
            path = pending.pop()
            if path.endswith("/"):
                pending += sorted(self._entries(path, links), reverse=True)
            else:
                yield path
        self.links = tuple(sorted(links))
        yield from (path for path in self.links if self.find(path) is not None)

    def find(self, path: str) -> Member | None:
        """The regular file at ``path`` below the directory, links followed; or None."""
        found = self.look(path)
        return found if isinstance(found, Member) else None

    def look(self, path: str) -> Member | NoFile:
        """The same, or what is there instead."""
        display = self.label.rstrip("/") + path
        return look_on_disk(self._host(path), path, display, follow_link=True)

    def is_link(self, path: str) -> bool:
        """Whether the last part of ``path`` is a symbolic link."""
        return os.path.islink(self._host(path))

    def listing(self, path: str) -> list[str]:
        """Names in the directory at ``path``, sorted; empty when there is no such directory."""
        try:
            return sorted(os.listdir(self._host(path)))
        except (OSError, ValueError):
            return []

    def _host(self, path: str) -> str:
        return self.directory.rstrip("/") + path

    def _entries(self, folder: str, links: list[str]) -> Iterator[str]:
        """Files of a directory, and its directories with a slash behind, to sort as their files."""
        try:
            with os.scandir(self._host(folder)) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        links.append(f"{folder}{entry.name}")
                    elif entry.is_dir():
                        if f"{self.directory}{folder}{entry.name}" in _PSEUDO:
                            continue
                        yield f"{folder}{entry.name}/"
                    elif entry.is_file():
                        yield f"{folder}{entry.name}"
        except OSError as error:
            where = self.label.rstrip("/") + folder
            self._problems[folder] = SourceError(where, f"cannot be listed: {error.strerror}")
