"""Short names: what all files of a report have in common need not be said in every line."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..sources import HOST
from .rows import FileRow

__all__ = ["Naming", "naming_of"]


@dataclass(frozen=True, slots=True)
class Naming:
    """How the files of one report are called.

    Attributes:
        prefix: what is left out in front of every path.
        place: the archive or directory that says it, for the tally; empty if the user knows.
    """

    prefix: str = ""
    place: str = ""

    def name(self, file: str) -> str:
        """The short name of one file."""
        return file.removeprefix(self.prefix).lstrip("/") if self._cuts(file) else file

    def text(self, text: str) -> str:
        """A sentence with all its paths short."""
        if not self.prefix:
            return text
        # Not in the middle of another path.
        return re.sub(rf"(?<![\w./:-]){re.escape(self.prefix)}", "", text)

    def _cuts(self, file: str) -> bool:
        return bool(self.prefix) and file.startswith(self.prefix)


def naming_of(rows: Sequence[FileRow]) -> Naming:
    """Short names for all files of a report, told by what they have in common."""
    containers = {row.subject.partition("::")[0] for row in rows if "::" in row.subject}
    if containers:
        if len(containers) > 1 or any("::" not in row.subject for row in rows):
            return Naming()
        container = containers.pop()
        return Naming(f"{container}::", container if len(rows) > 1 else "")
    given = {_before(row) for row in rows}
    if len(given) == 1 and (prefix := given.pop()):
        return Naming(prefix)  # paths relative to the current directory stay as they were given
    if len(rows) < 2 or not all(row.subject.startswith("/") for row in rows):
        return Naming()
    common = posixpath.commonpath([posixpath.dirname(row.subject) for row in rows])
    return Naming(f"{common}/", common) if common != "/" else Naming()


def _before(row: FileRow) -> str:
    """What a file's absolute path has in front of the relative one the user gave; or nothing."""
    relative = not row.subject.startswith(("/", "."))
    path = row.path.removeprefix(HOST)
    if relative and path.endswith(f"/{row.subject}"):
        prefix = path[: -len(row.subject)]
        return "" if prefix == "/" else prefix
    return ""
