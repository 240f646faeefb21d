"""Who has it: the libraries near at hand that export a symbol or carry a name."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..elf import ElfObject, Layout, Symbol
from ..errors import ElfAuditError
from ..loader import Libc, ObjectStore, libc_of
from ..loader.ldcache import read_cache
from ..loader.lookup import answers_plain, plain_names
from ..loader.verify import refusal_of_subject
from ..sources import FileSource, FolderSource, Member, Source

__all__ = ["Catalogue", "Place", "Provider", "exported_symbols", "library_places"]

# The first few names are asked of the hash tables; more, or a second time, of sets of names.
_FEW = 8
_LIBRARY_DIRECTORIES = (
    "/usr/local/lib",
    "/usr/local/lib64",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
)
_PREFIX_ROOTS = ("/opt", "/usr/local")


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to look for providers: the files directly in some directories of a source, or all.

    Attributes:
        source: the files.
        directories: the directories in it, or None: every file of the source.
        base: what to put in front of a path of the source to get the path a process would use.
        audited: whether all of its files are asked about, so that what is read of one is read for
            its own sake, too.
    """

    source: Source
    directories: tuple[str, ...] | None = None
    base: str = ""
    audited: bool = False

    def members(self) -> Iterator[Member]:
        """Every file of the place that is named like a shared object."""
        for path in self.paths():
            member = self.source.find(path)
            if member is not None:
                yield member

    def paths(self) -> Iterator[str]:
        """The paths in the place that are named like a shared object, whatever is there."""
        for path in self._paths():
            if ".so" not in path:  # nearly all of a wheel or an image
                continue
            name = posixpath.basename(path)
            if name.endswith(".so") or ".so." in name:
                yield path

    def needed_name(self, member: Member, elf: ElfObject) -> str:
        """The name by which the loader finds a file in its directory.

        That is its SONAME if there is a file (a link, mostly) of that name which is the same, else
        its own: a library without the link that ``ldconfig`` makes is not found by its SONAME.
        """
        directory, name = posixpath.split(member.path)
        if elf.soname in (None, name):
            return name
        source: Source = self.source
        if isinstance(source, FileSource):  # which knows of nothing beside it
            source, directory = FolderSource(directory), ""
        beside = source.find(f"{directory.rstrip('/')}/{elf.soname}")
        same = beside is not None and beside.identity == member.identity
        return elf.soname if same and elf.soname else name

    def _paths(self) -> Iterator[str]:
        if self.directories is None:
            yield from self.source.names()
            return
        for directory in self.directories:
            for name in self.source.listing(directory):
                yield f"{directory.rstrip('/')}/{name}"


@dataclass(frozen=True, slots=True)
class Provider:
    """A library that has what is missing.

    Attributes:
        symbol: the definition; None where only the file is asked for.
        member: the file.
        path: the path a process would open it by.
        elf: its facts.
        soname: the name to add to DT_NEEDED: its SONAME, unless its directory only has it under its
            file name.
    """

    symbol: Symbol | None
    member: Member
    path: str
    elf: ElfObject
    soname: str


def library_places(root: Source) -> Place:
    """The directories of a root where libraries are kept, the loader's own first.

    Beside those and what ``ld.so.cache`` lists, these are ``/opt/*/lib`` and ``/usr/local/*/lib``
    (ROCm, CUDA and the like).
    """
    directories = [
        f"{prefix}/{name}"
        for prefix in ("/lib", "/usr/lib")
        for name in root.listing(prefix)
        if "-linux-" in name
    ]
    directories += _LIBRARY_DIRECTORIES
    for prefix in _PREFIX_ROOTS:
        for name in root.listing(prefix):
            directories += [f"{prefix}/{name}/lib", f"{prefix}/{name}/lib64"]
    cached = read_cache(root).entries.values()
    directories += (posixpath.dirname(entry.path) for entries in cached for entry in entries)
    return Place(root, tuple(dict.fromkeys(directories)))


_Library = tuple[Member, str, ElfObject, Place]  # the path is the one a process would use
_Answer = tuple[frozenset[str], _Library]


class Catalogue:
    """The libraries of some places, looked at when first asked and remembered.

    Args:
        places: where to look, the nearest first.
        store: reads the files.
    """

    def __init__(self, places: Iterable[Place], store: ObjectStore) -> None:
        self._places = tuple(places)
        self._store = store
        self._members: dict[tuple[int, Layout], list[_Library]] | None = None
        self._fitting: dict[tuple[int, Layout, Libc], list[_Library]] = {}
        self._names: dict[Hashable, frozenset[str]] = {}
        self._ordered: dict[Hashable, list[str]] = {}
        self._exporting: dict[tuple[int, Layout, Libc], list[_Answer]] = {}
        self._searches = 0
        self._asked: dict[tuple[str, int, int, bool], list[Provider]] = {}

    def exporting(self, names: Collection[str], model: ElfObject) -> dict[str, list[Provider]]:
        """The libraries of the machine of ``model`` that answer each name, asked for unversioned.

        Names that none of them answers are left out.
        """
        kind = (model.machine, model.layout.bits, model.layout.little)
        new = [name for name in names if (name, *kind) not in self._asked]
        if new:
            found = self._search(new, model)
            for name in new:
                self._asked[(name, *kind)] = found.get(name, [])
        return {name: rows for name in names if (rows := self._asked[(name, *kind)])}

    def named(self, name: str, model: ElfObject) -> list[Provider]:
        """The libraries of that machine whose SONAME or file name is ``name``."""
        return [
            Provider(None, member, path, elf, name)
            for member, path, elf, _ in self._libraries(model)
            if (elf.soname == name or posixpath.basename(member.path) == name) and _is_taken(elf)
        ]

    def same_stem(
        self, name: str, model: ElfObject, beside: Place | None = None
    ) -> Iterator[Provider]:
        """The libraries of that machine that are called the same but for what is behind ``.so``.

        Only files of such names are opened.

        Args:
            name: as in DT_NEEDED; for a path its last component counts.
            model: of the machine.
            beside: a place to look in before the others.
        """
        seen: set[Hashable] = set()
        for provider in self.names_of_stem(name, model, beside):
            if provider.member.identity not in seen:
                seen.add(provider.member.identity)
                yield provider

    def names_of_stem(
        self, name: str, model: ElfObject, beside: Place | None = None
    ) -> Iterator[Provider]:
        """The same, each by all names that it has: a link in front of it is one, too."""
        stem = _stem(posixpath.basename(name))
        if stem is None:
            return
        near = [(beside, path) for path in beside.paths()] if beside is not None else []
        for place, path in (*near, *self._stems.get(stem, ())):
            if _stem(posixpath.basename(path)) != stem:
                continue
            try:
                member = place.source.find(path)
                elf = self._store.read(member) if member is not None else None
            except ElfAuditError:
                continue
            if member is None or elf is None or elf.dynamic is None:
                continue
            soname = elf.soname or posixpath.basename(path)
            if (elf.machine, elf.layout) == (model.machine, model.layout) and _is_taken(elf):
                yield Provider(None, member, place.base + path, elf, soname)

    def ordered(self, identity: Hashable, names: Collection[str]) -> Sequence[str]:
        """The names that the file of an identity exports, sorted once."""
        if identity not in self._ordered:
            self._ordered[identity] = sorted(names)
        return self._ordered[identity]

    @cached_property
    def _stems(self) -> dict[str, list[tuple[Place, str]]]:
        """The paths of all places by the stems of their names; no file is opened."""
        stems: dict[str, list[tuple[Place, str]]] = {}
        for place in self._places:
            for path in place.paths():
                stem = _stem(posixpath.basename(path))
                if stem is not None:
                    stems.setdefault(stem, []).append((place, path))
        return stems

    def _search(self, names: list[str], model: ElfObject) -> dict[str, list[Provider]]:
        found: dict[str, list[Provider]] = {}
        self._searches += 1
        wanted = frozenset(names)
        # For a few names their hash tables are asked; whoever asks again gets all names read once.
        by_name = self._searches == 1 and len(names) <= _FEW
        answers = self._asked_one_by_one if by_name else self._looked_through
        for there, (member, path, elf, place) in answers(wanted, model):
            try:
                if not _is_taken(elf):
                    continue
                provider = Provider(None, member, path, elf, place.needed_name(member, elf))
            except ElfAuditError:
                continue  # what cannot be looked at supplies nothing
            for name in there:
                found.setdefault(name, []).append(provider)
        return found

    def _asked_one_by_one(self, wanted: frozenset[str], model: ElfObject) -> Iterator[_Answer]:
        """Who exports some of a few names, by the hash tables."""
        for library in self._libraries(model):
            member, _, elf, _ = library
            try:
                if self._store.known_index(member.identity) is None:
                    there = _answered(wanted, elf)
                else:
                    there = wanted & self._exported_names(member, elf)
            except ElfAuditError:
                continue  # a damaged library supplies nothing; it is no subject of this question
            if there:
                yield there, library

    def _looked_through(self, wanted: frozenset[str], model: ElfObject) -> Iterator[_Answer]:
        """The same by all names of all libraries, which are read once."""
        kind = (model.machine, model.layout, libc_of(model))
        if kind not in self._exporting:
            self._exporting[kind] = list(self._all_names(model))
        for names, library in self._exporting[kind]:
            there = wanted & names
            if there:
                yield there, library

    def _all_names(self, model: ElfObject) -> Iterator[_Answer]:
        for library in self._libraries(model):
            try:
                member, _, elf, place = library
                if place.audited and libc_of(model) is Libc.GLIBC:
                    self._store.index(member.identity, elf, Libc.GLIBC)
                yield self._exported_names(member, elf), library
            except ElfAuditError:
                continue

    def _exported_names(self, member: Member, elf: ElfObject) -> frozenset[str]:
        names = self._names.get(member.identity)
        if names is None:
            index = self._store.known_index(member.identity)
            if index is not None:
                names = index.exports.plain
            else:
                names = plain_names(elf.symbols)
                elf.release()
            self._names[member.identity] = names
        return names

    def _libraries(self, model: ElfObject) -> list[_Library]:
        if self._members is None:
            self._members = {}
            for library in self._open():
                key = (library[2].machine, library[2].layout)
                self._members.setdefault(key, []).append(library)
        libc = libc_of(model)
        kind = (model.machine, model.layout, libc)
        if kind not in self._fitting:
            # What is made for another C library would only fail in another way.
            every = self._members.get((model.machine, model.layout), [])
            self._fitting[kind] = [row for row in every if _libc_of(row, model) is libc]
        return self._fitting[kind]

    def _open(self) -> Iterator[_Library]:
        seen: set[Hashable] = set()
        for place in self._places:
            for member in place.members():
                if member.identity in seen:
                    continue
                seen.add(member.identity)
                try:
                    elf = self._store.read(member)
                except ElfAuditError:
                    continue  # linker scripts, debug files and the like live among libraries
                if elf.dynamic is not None and not elf.is_program:
                    yield member, place.base + member.path, elf, place


def _libc_of(library: _Library, model: ElfObject) -> Libc:
    """Whose C library a file is made for; musl itself may have nothing but its name to say so."""
    member, _, elf, _ = library
    own = posixpath.basename(member.path)
    if elf.soname is None and (own == "libc.so" or own.startswith("ld-musl-")):
        return Libc.MUSL
    return libc_of(elf, model)


def _is_taken(elf: ElfObject) -> bool:
    """Whether a loader takes a library at all; one that it refuses supplies nothing."""
    return refusal_of_subject(elf) is None


def _answered(names: Iterable[str], elf: ElfObject) -> frozenset[str]:
    """Which of some names an object defines for whoever asks without a version."""
    answered = (
        name
        for name in names
        if elf.may_define(name)
        and (definitions := exported_symbols(elf, name))
        and answers_plain(elf.symbols, definitions)
    )
    found = frozenset(answered)
    elf.release()
    return found


def _stem(name: str) -> str | None:
    """``libz`` of ``libz.so.1``; None of what is no library's name."""
    stem, separator, rest = name.partition(".so")
    return stem if stem and separator and (not rest or rest.startswith(".")) else None


def exported_symbols(elf: ElfObject, name: str) -> list[Symbol]:
    """The definitions of ``name`` that other objects can bind to, the default version first."""
    table = elf.symbols
    return sorted(
        (symbol for symbol in table.find(name) if table.is_export(symbol.index)),
        key=lambda symbol: (symbol.version_hidden, symbol.index),
    )
