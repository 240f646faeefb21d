"""Lists of directories to search, as the loader makes them of a path.

Source: ``fillin_rpath``, ``decompose_rpath``, ``_dl_dst_substitute`` (glibc ``elf/dl-load.c``).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..errors import SourceError
from ..sources import NoFile, Obstacle, Source

__all__ = ["Directories", "Directory", "PathList", "Tokens"]

_TOKEN = re.compile(r"\$(?:(ORIGIN|PLATFORM|LIB)\b|\{(ORIGIN|PLATFORM|LIB)\})", re.ASCII)
_MOST_ELEMENTS = 4096  # told apart; nothing sound has as many
_MOST_TEXT = 1 << 16  # elements of one path that are looked at for it
_SHORT = 64  # directories that are rather tried than listed


@dataclass(frozen=True, slots=True)
class Tokens:
    """What ``$LIB`` and ``$PLATFORM`` stand for; None: the loader knows no value."""

    lib: str | None
    platform: str | None

    def expand(self, text: str, origin: str | None) -> str | None:
        """``text`` with its tokens replaced; None if one of them has no value."""
        if "$" not in text:
            return text
        values = {"ORIGIN": origin, "PLATFORM": self.platform, "LIB": self.lib}
        if any(values[m[1] or m[2]] is None for m in _TOKEN.finditer(text)):
            return None
        return _TOKEN.sub(lambda m: values[m[1] or m[2]] or "", text)


@dataclass(frozen=True, slots=True, eq=False)
class Directory:
    """One directory of a path.

    Attributes:
        path: from the root on, without the slash behind it; of ``/`` that is nothing.
        written: what the loader puts in front of a name: a relative one stays relative, and the
            current directory, of an empty element, is nothing.
        identity: equal for two spellings of one directory; None: there is none.
        error: why there is none.
        present: those of the special subdirectories that are there, each with a slash behind it,
            best first; the directory itself, an empty one, comes last.
    """

    path: str
    written: str
    identity: Hashable | None
    error: NoFile | None
    present: tuple[str, ...]


class Directories:
    """The directories of a root by how they are spelled (``GL(dl_all_dirs)``).

    Args:
        root: where they are.
        current: what a relative one is relative to.
        subdirectories: the special ones that each may have, best first, then an empty one.
    """

    def __init__(self, root: Source, current: str, subdirectories: tuple[str, ...]) -> None:
        self._root = root
        self._current = current.rstrip("/")
        self._subdirectories = subdirectories
        self._known: dict[str, Directory] = {}
        self._present: dict[Hashable, tuple[str, ...]] = {}

    def of(self, elements: Iterable[str]) -> PathList:
        """The directories of a path's elements, their tokens replaced; the first of each spelling.

        An empty element is the current directory.
        """
        spelled: dict[str, None] = {}
        for element in elements:
            spelled.setdefault(f"{element.rstrip('/')}/" if element else "")
            if len(spelled) >= _MOST_ELEMENTS:
                break
        return PathList(tuple(map(self._directory, spelled)))

    def split(self, text: str, tokens: Tokens, origin: str | None) -> PathList:
        """The same for an RPATH or RUNPATH. One that is empty as a whole has no elements."""
        elements = text.split(":", _MOST_TEXT)[:_MOST_TEXT] if text else []
        return self.of(expanded_elements(elements, tokens, origin))

    def absolute(self, path: str) -> str:
        """A path from the root on; those of other sources are always."""
        if path.startswith("/") or "::" in path:
            return path
        return f"{self._current}/{path}" if path else self._current or "/"

    def _directory(self, written: str) -> Directory:
        known = self._known.get(written)
        if known is None:
            known = self._known[written] = self._look(written)
        return known

    def _look(self, written: str) -> Directory:
        path = self.absolute(written.rstrip("/") or written).rstrip("/")
        found = _look(self._root, path or "/")
        if not isinstance(found, NoFile) or found.kind is not Obstacle.DIRECTORY:
            error = found if isinstance(found, NoFile) else NoFile(Obstacle.NOT_DIRECTORY)
            return Directory(path, written, None, error, ())
        present = self._present.get(found.identity)
        if present is None:
            present = self._present[found.identity] = tuple(self._subdirectories_of(path))
        return Directory(path, written, found.identity, None, present)

    def _subdirectories_of(self, path: str) -> Iterator[str]:
        """Those that exist. There are nearly never any, so the outermost are asked for first."""
        known = {"": True}
        for subdirectory in self._subdirectories:
            inside = ""
            for name in subdirectory.split("/")[:-1]:
                above, inside = inside, f"{inside}{name}/"
                if inside not in known:
                    known[inside] = known[above] and _is_directory(self._root, f"{path}/{inside}")
            if known[inside]:
                yield subdirectory


def expanded_elements(elements: Iterable[str], tokens: Tokens, origin: str | None) -> Iterator[str]:
    """The elements of a path, without those that come to nothing by their tokens."""
    for element in elements:
        expanded = tokens.expand(element, origin)
        if expanded is not None and (expanded or not element):
            yield expanded


@dataclass(slots=True, eq=False)
class PathList:
    """The directories of one path, in order.

    Attributes:
        directories: all of them.
        existing: those that are there, the first spelling of each.
    """

    directories: tuple[Directory, ...]
    existing: tuple[Directory, ...] = field(init=False)
    _names: dict[str, list[int]] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        first: dict[Hashable, Directory] = {}
        for directory in self.directories:
            if directory.identity is not None:
                first.setdefault(directory.identity, directory)
        self.existing = tuple(first.values())

    @property
    def key(self) -> Hashable:
        """Equal for two lists of the same directories."""
        return tuple(directory.identity for directory in self.existing)

    def holding(self, name: str, root: Source) -> Sequence[Directory]:
        """The existing directories that may have a file of that name.

        Of few directories all are; many are listed once, so that a thousand names in a thousand
        directories are not a million tries.
        """
        if len(self.existing) <= _SHORT:
            return self.existing
        if self._names is None:
            self._names = {}
            for position, directory in enumerate(self.existing):
                for entry in _names_in(root, directory):
                    self._names.setdefault(entry, []).append(position)
        return [self.existing[position] for position in self._names.get(name, ())]


def _names_in(root: Source, directory: Directory) -> set[str]:
    """The names in a directory and its special ones."""
    listings = (root.listing(f"{directory.path}/{each}") for each in directory.present)
    return {name for listing in listings for name in listing}


def _is_directory(root: Source, path: str) -> bool:
    found = _look(root, path)
    return isinstance(found, NoFile) and found.kind is Obstacle.DIRECTORY


def _look(root: Source, path: str) -> object:
    try:
        return root.look(path)
    except SourceError:
        return NoFile(Obstacle.DENIED)
