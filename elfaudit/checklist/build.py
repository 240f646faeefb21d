"""What is verified: some files that belong together, and what is known of them."""

from __future__ import annotations

import shlex
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ..elf import ElfObject
from ..errors import SourceError
from ..findings import Resolution
from ..findings.checks import Runner
from ..loader import ObjectStore
from ..pydist import Distribution, Modules, find_distributions
from ..sources import FileSource, Member, NoFile, Obstacle, Source, TreeSource
from ..stream import release
from .globs import is_pattern, path_pattern, plain_folder
from .one_pass import Reading
from .passing import Readings

__all__ = ["Build", "BuildFile", "ImportRoot", "Machine", "Resolver"]

_MOST_RECENT = 4


@dataclass(frozen=True, slots=True)
class ImportRoot:
    """A directory of an import path: a wheel, a ``site-packages``.

    Attributes:
        source: what it is in.
        base: its path in there, without a slash at the end; empty for all of the source.
        is_wheel: whether it is an archive of one distribution.
    """

    source: Source
    base: str
    is_wheel: bool


@dataclass(frozen=True, slots=True)
class BuildFile:
    """One file.

    Attributes:
        source: what it is in.
        place: its absolute path in there.
        path: its path below its import root, or as ``place``; this is what patterns match.
    """

    source: Source
    place: str
    path: str

    @property
    def address(self) -> str:
        """The file as other commands take it as a target, ready for a shell."""
        found = self.source.find(self.place)
        return shlex.quote(self.place if found is None else found.display)

    @property
    def target(self) -> str:
        """The file as it is opened beside the others of its build."""
        label = self.source.label
        return label if isinstance(self.source, FileSource) else f"{label}::{self.place[1:]}"

    @property
    def member(self) -> Member:
        """The file.

        Raises:
            SourceError: it is gone, or cannot be looked at.
        """
        found = self.source.find(self.place)
        if found is None:
            raise SourceError(f"{self.source.label}{self.place}", "is not there any more")
        return found


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that is looked at, as far as it is known.

    Attributes:
        python: the version of Python that imports it, ``3.11``.
        python_is_known: whether the files say so, and all the same; otherwise it is the first they
            say, or the one that runs elfaudit.
        architecture: as ``uname -m``.
        architecture_is_known: whether the tag of a wheel says so.
        is_this: whether what is audited is this machine itself.
        interpreter: the Python of the environment that is audited, on this machine; None: unknown.
    """

    python: str
    python_is_known: bool
    architecture: str
    architecture_is_known: bool
    is_this: bool
    interpreter: str | None = None


class Resolver(Protocol):
    """Says what the loader would do with a file."""

    def __call__(
        self, file: BuildFile, preload: Sequence[str], dlopens: Sequence[str]
    ) -> Resolution:
        """What happens in the process of the build, with preloads and after other dlopens."""


class Build:
    """Files that are installed together.

    Args:
        label: how the user names it.
        roots: its import roots, in the order in which modules are searched for.
        sources: all that it consists of, which may be more than the import roots.
        system: the file system it is in, where absolute paths are looked for that none of the
            sources has; None: there is no other.
        store: ELF facts.
        machine: what it runs on.
        resolver: what the loader would do.
        runner: how commands are run; None: they are not.

    Attributes:
        readings: what one pass over the files gives; see ``passing``.
    """

    def __init__(
        self,
        label: str,
        roots: Sequence[ImportRoot],
        sources: Sequence[Source],
        *,
        system: Source | None,
        store: ObjectStore,
        machine: Machine,
        resolver: Resolver,
        runner: Runner | None = None,
    ) -> None:
        self.label = label
        self.roots, self.sources = tuple(roots), tuple(sources)
        self.machine = machine
        self.resolve, self.runner = resolver, runner
        self.system, self.store = system, store
        self.readings: Readings | None = None
        self._matching: dict[str, list[BuildFile]] = {}
        self._recent: list[ElfObject] = []

    @cached_property
    def files(self) -> tuple[BuildFile, ...]:
        """Every file, in the order of the sources."""
        return tuple(self._files())

    def _files(self) -> Iterator[BuildFile]:
        for source in self.sources:
            bases = {root.base for root in self.roots if root.source is source}
            owners: dict[str, str | None] = {"": "" if "" in bases else None}
            for name in source.names():
                base = _owner(name.rpartition("/")[0], bases, owners)
                yield BuildFile(source, name, name if base is None else name[len(base) + 1 :])

    def matching(self, pattern: str) -> list[BuildFile]:
        """The files that a pattern means.

        Args:
            pattern: a path below an import root; without a slash the last part of any path; with a
                leading one a path in the file system that the source is.
        """
        if pattern not in self._matching:
            self._matching[pattern] = self._matched(pattern)
        return self._matching[pattern]

    def _matched(self, pattern: str) -> list[BuildFile]:
        if pattern.startswith("/"):
            if not is_pattern(pattern):
                return self._at(pattern)  # perhaps a link, or through one
            found = [file for each in self.sources for file in self._absolute(each, pattern)]
            return found or list(self._in_system(pattern))
        wanted = path_pattern(pattern).fullmatch
        found = [file for file in self.files if wanted(file.path)]
        return found or list(self._linked(pattern))

    def _linked(self, pattern: str) -> Iterator[BuildFile]:
        """A file that only a link leads to, below an import root of a file system."""
        if "/" in pattern and not is_pattern(pattern):
            for root in self.roots:
                place = f"{root.base}/{pattern}"
                if isinstance(root.source, TreeSource) and root.source.find(place) is not None:
                    yield BuildFile(root.source, place, pattern)

    def _at(self, place: str) -> list[BuildFile]:
        found = [source for source in self.sources if source.find(place) is not None]
        if not found and self.system is not None and self.system.find(place) is not None:
            found = [self.system]
        return [BuildFile(source, place, place) for source in found]

    def _in_system(self, pattern: str) -> Iterator[BuildFile]:
        """Files of one directory of the system, which is not listed as a whole."""
        folder, _, name = pattern.rpartition("/")
        if self.system is None or is_pattern(folder):
            return
        for each in self.system.listing(folder or "/"):
            place = f"{folder}/{each}"
            if path_pattern(name).fullmatch(each) and self.system.find(place) is not None:
                yield BuildFile(self.system, place, place)

    def _absolute(self, source: Source, pattern: str) -> Iterator[BuildFile]:
        """Files below a directory that may itself be a link: ``/opt/rocm/lib/*.so``."""
        plain = plain_folder(pattern)
        real = source.real_path(plain) if isinstance(source, TreeSource) else None
        whole = path_pattern(pattern).fullmatch
        for file in self.files:
            if file.source is not source:
                continue
            place = file.place
            if real is not None and real != plain and place.startswith(f"{real}/"):
                place = plain + place[len(real) :]
            if whole(place):
                yield file

    def is_directory(self, place: str) -> bool:
        """Whether there is a directory at an absolute path."""
        return any(
            isinstance(found, NoFile) and found.kind is Obstacle.DIRECTORY
            for found in (source.look(place) for source in (*self.sources, self.system) if source)
        )

    def elf(self, file: BuildFile) -> ElfObject:
        """The facts of an ELF file.

        Raises:
            ElfFormatError: it is none, or damaged.
            SourceError: it cannot be read.
        """
        return self.store.read(file.member)

    def done_with(self, elf: ElfObject) -> None:
        """Let a file go, of which there may be more than a process may have open.

        The last few are kept with all that was decoded: the next checks ask for the same.
        """
        self._recent = [each for each in self._recent if each is not elf] + [elf]
        while len(self._recent) > _MOST_RECENT:
            self._recent.pop(0).release()

    def let_go(self) -> None:
        """Let the last few go, too, when all checks are judged."""
        while self._recent:
            self._recent.pop().release()

    @cached_property
    def modules(self) -> Modules:
        """The Python modules of all import roots."""
        places: dict[object, list[ImportRoot]] = {}
        for root in self.roots:  # purelib and platlib of a wheel are installed into one directory
            places.setdefault(id(root.source) if root.is_wheel else root, []).append(root)
        machine = self.machine
        return Modules(
            tuple(
                _PythonFiles([(root, self._below(root)) for root in some])
                for some in places.values()
            ),
            python=machine.python if machine.python_is_known else None,
            machine=machine.architecture if machine.architecture_is_known else None,
        )

    @cached_property
    def by_root(self) -> tuple[tuple[ImportRoot, tuple[Distribution, ...]], ...]:
        """The distributions of each import root."""
        return tuple(
            (root, find_distributions(self._below(root), _reader(root))) for root in self.roots
        )

    @property
    def distributions(self) -> tuple[Distribution, ...]:
        """The distributions of all import roots."""
        return tuple(each for _, some in self.by_root for each in some)

    def _below(self, root: ImportRoot) -> list[str]:
        start = f"{root.base}/"
        places = self._places[id(root.source)]
        # What begins with a directory and a slash ends where its name with the next sign begins.
        own = slice(bisect_left(places, start), bisect_left(places, f"{root.base}0"))
        return [place[len(start) :] for place in places[own]]

    @cached_property
    def _places(self) -> dict[int, list[str]]:
        """The files of each source, sorted."""
        found: dict[int, list[str]] = {id(source): [] for source in self.sources}
        for file in self.files:
            found[id(file.source)].append(file.place)
        for places in found.values():
            places.sort()
        return found

    def reading(self, member: Member) -> Reading | None:
        """What the pass over a file gave; None where nothing was wanted of it."""
        return None if self.readings is None else self.readings.of(member.identity)


def _owner(folder: str, bases: set[str], owners: dict[str, str | None]) -> str | None:
    """The innermost import root that a directory is in; None: it is in none.

    Args:
        folder: the directory, without a slash at its end.
        bases: the import roots.
        owners: what was found out before, of all directories above each.
    """
    if folder in owners:
        return owners[folder]
    below: list[str] = []
    while folder not in owners and folder not in bases:
        below.append(folder)
        folder = folder.rpartition("/")[0]
    owner = owners.setdefault(folder, folder)
    owners.update(dict.fromkeys(below, owner))
    return owner


class _PythonFiles:
    """The files of an import root as modules are searched for in them; of a wheel of all its roots.

    Args:
        roots: each with its files; of two of one name the later is installed over the earlier.
    """

    def __init__(self, roots: Iterable[tuple[ImportRoot, Iterable[str]]]) -> None:
        self._readers: dict[str, Callable[[str, int], bytes]] = {}
        for root, names in roots:
            self._readers.update(dict.fromkeys(names, _reader(root)))

    def names(self) -> Iterable[str]:
        return self._readers.keys()

    def read(self, name: str) -> bytes:
        return self._readers[name](name, -1)


def _reader(root: ImportRoot) -> Callable[[str, int], bytes]:
    """Reads a file of an import root; at most so many bytes, all if negative."""

    def read(name: str, size: int) -> bytes:
        member = root.source.find(f"{root.base}/{name}")
        if member is None:
            raise SourceError(f"{root.source.label}::{name}", "is not there any more")
        stream = member.open()
        try:
            return stream.read(size)
        finally:
            release(stream)

    return read
