"""A directory as a source: the machine's own ``/``, a sysroot, an unpacked image.

Symbolic links are followed as inside a chroot: an absolute link starts at the root of the source
again, and ``..`` stops there. Nothing outside is ever opened.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from ..errors import SourceError
from .disk import look_on_disk
from .model import Member
from .other import NoFile, Obstacle, no_file_of_error

__all__ = ["TreeSource"]

_MAX_LINKS = 40  # as the kernel: MAXSYMLINKS
_MAX_PATH = 4096  # PATH_MAX, with the NUL at its end


class TreeSource:
    """The files below a directory.

    Args:
        root: the directory that is ``/`` for everything in it.
        label: how the user names it; ``root`` by default.

    Raises:
        SourceError: ``root`` is not a directory.
    """

    def __init__(self, root: str, *, label: str | None = None) -> None:
        self.label = label or root
        self.root = os.path.realpath(root)
        self._problems: dict[str, SourceError] = {}
        self._directories: dict[str, str | NoFile] = {"/": self.root}
        if not os.path.isdir(self.root):
            raise SourceError(root, "is not a directory")

    @property
    def problems(self) -> tuple[SourceError, ...]:
        """Directories that :meth:`names` could not list."""
        return tuple(self._problems.values())

    def names(self) -> Iterator[str]:
        """Absolute path (inside the source) of every regular file, in sorted order."""
        pending = ["/"]
        while pending:
            path = pending.pop()
            if path.endswith("/"):
                pending += sorted(self._entries(path), reverse=True)
            else:
                yield path

    def _entries(self, folder: str) -> Iterator[str]:
        """Files of a directory, and its directories with a slash behind, to sort as their files."""
        try:
            with os.scandir(self.root + folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield f"{folder}{entry.name}/"
                    elif entry.is_file(follow_symlinks=False):
                        yield f"{folder}{entry.name}"
        except OSError as error:
            self._problems[folder] = SourceError(folder, f"cannot be listed: {error.strerror}")

    def find(self, path: str) -> Member | None:
        """The regular file at ``path``, or None when there is none."""
        found = self.look(path)
        return found if isinstance(found, Member) else None

    def look(self, path: str) -> Member | NoFile:
        """The same, or what is there instead."""
        # Where the root is the machine's own there is nothing to confine: the kernel may follow.
        host = path if self.root == "/" and path.startswith("/") else self._host(path)
        if isinstance(host, NoFile):
            return host
        found = look_on_disk(host, path, path, follow_link=self.root == "/")
        if isinstance(found, Member) and path.endswith("/"):
            return NoFile(Obstacle.NOT_DIRECTORY)
        return found

    def is_link(self, path: str) -> bool:
        """Whether the last part of ``path`` is a symbolic link."""
        directory, _, name = path.rpartition("/")
        folder = self._directory(directory or "/")
        return isinstance(folder, str) and os.path.islink(os.path.join(folder, name))

    def listing(self, path: str) -> list[str]:
        """Names in the directory at ``path``, sorted; empty when there is no such directory."""
        folder = self._directory(path)
        try:
            return sorted(os.listdir(folder)) if isinstance(folder, str) else []
        except OSError:
            return []

    def host_path(self, path: str) -> str | None:
        """Where ``path`` is on this machine, its links followed inside the root; or None."""
        host = self._host(path)
        return host if isinstance(host, str) else None

    def real_path(self, path: str) -> str | None:
        """``path`` inside the source with all links followed; None where nothing is there."""
        host = self._walk(path)
        if isinstance(host, NoFile):
            return None
        return host[len(self.root) :] if self.root != "/" else host

    def _host(self, path: str) -> str | NoFile:
        """The same, or why not."""
        if "\0" in path:
            return NoFile(Obstacle.ABSENT)
        if len(os.fsencode(path)) >= _MAX_PATH:
            return NoFile(Obstacle.TOO_LONG)
        directory, _, name = path.rpartition("/")
        folder = self._directory(directory or "/")
        if isinstance(folder, NoFile):
            return folder
        if name in ("", ".", ".."):
            return self._walk(path)
        host = os.path.join(folder, name)
        return self._walk(path) if os.path.islink(host) else host

    def _directory(self, path: str) -> str | NoFile:
        """Memo of :meth:`_walk` for directories: a search asks for the same few again and again."""
        if path not in self._directories:
            self._directories[path] = self._walk(path)
        return self._directories[path]

    def _walk(self, path: str) -> str | NoFile:
        """Follow ``path`` component by component (``path_resolution(7)``), confined to the root."""
        pending = [part for part in reversed(path.split("/")) if part]
        inside: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part == ".":
                continue
            if part == "..":
                if inside:
                    inside.pop()
                continue
            host = os.path.join(self.root, *inside, part)
            try:
                target = os.readlink(host)
            except OSError as error:
                if error.errno != errno.EINVAL:  # it is not there, or out of reach
                    return no_file_of_error(error)
                if pending and not os.path.isdir(host):
                    return NoFile(Obstacle.NOT_DIRECTORY)
                inside.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                return NoFile(Obstacle.LOOP)
            if target.startswith("/"):
                inside.clear()
            pending.extend(piece for piece in reversed(target.split("/")) if piece)
        return os.path.join(self.root, *inside)
