"""What files of this machine are called in a process, whose root may be another one."""

from __future__ import annotations

import os

from ..errors import SourceError
from ..loader import Asked
from ..sources import HOST, FolderSource, Overlay, TreeSource

__all__ = ["Paths", "current_directory"]


class Paths:
    """The paths of one root.

    Args:
        root: what is ``/`` for the process; None: nothing.
        files: the same with what is laid over it; files outside of the root are laid there.
    """

    def __init__(self, root: TreeSource | None, files: Overlay) -> None:
        self.root = root
        self.files = files

    @property
    def is_this_machine(self) -> bool:
        """Whether the root is that of this machine."""
        return self.root is not None and self.root.root == "/"

    def _inside(self, path: str) -> str | None:
        """A real path of this machine as the root has it, without a trailing slash; or None."""
        root = self.root.root.rstrip("/") if self.root is not None else None
        if root is None or not (path == root or path.startswith(f"{root}/")):
            return None
        return path[len(root) :].rstrip("/")

    def of(self, path: str) -> str:
        """The path by which the process opens a file or directory of this machine.

        What is in the root has its path there; anything else is laid over it.
        """
        try:
            absolute = os.path.abspath(path)
        except OSError as error:
            raise SourceError(path, f"cannot be looked for: {error.strerror}") from error
        if self.is_this_machine:
            return absolute
        folder, name = os.path.split(absolute)
        real = os.path.realpath(absolute if os.path.isdir(absolute) else folder)
        inside = self._inside(real if os.path.isdir(absolute) else os.path.join(real, name))
        if inside is not None:
            return inside
        self.files.mounts.setdefault(HOST, FolderSource("/"))
        return HOST + absolute

    def as_given(self, path: str) -> str:
        """The same of a single file; on this machine ``.`` and ``..`` stay, as for the loader.

        What leads through a symbolic link and back is another directory than the text says.
        """
        if not self.is_this_machine or not path:
            return self.of(path)
        return path if path.startswith("/") else f"{current_directory().rstrip('/')}/{path}"

    def asked(self, path: str) -> Asked:
        """How a file of this machine is named where it is opened or started there.

        A name without a slash stands for the path: nobody but this program takes it for a file.
        """
        return Asked(path if self.is_this_machine and "/" in path else None)

    def real(self, path: str) -> str:
        """A path of the root with all its symbolic links followed; of anything else the path."""
        if self.root is None or "::" in path:
            return path
        real = self.root.host_path(path)
        inside = self._inside(real) if real is not None else None
        return inside or path

    def place_base(self, directory: str) -> str:
        """The path of a directory of this machine for a process that does not have it yet."""
        if self.root is None or self.is_this_machine:
            return directory
        inside = self._inside(directory) if directory else None
        return HOST + directory if inside is None else inside


def current_directory() -> str:
    """The current directory; the root if it is gone, where nothing relative can be found anyway."""
    try:
        return os.getcwd()
    except OSError:
        return "/"
