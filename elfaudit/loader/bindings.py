"""Binding: which object supplies each reference of a process, and which references nobody supplies.

Source: ``_dl_lookup_symbol_x`` and ``do_lookup_x`` (glibc ``elf/dl-lookup.c``): the scope is walked
in order (:mod:`~elfaudit.loader.scope`), the first object that answers wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol, cast

from ..elf import ElfObject
from .linkmap import LinkMap, LinkMapEntry
from .lookup import Exports, SymbolIndex
from .references import Relocated, join_key, relocated, split_key
from .scope import Lookup, Walked, lookups_of, walk_all

__all__ = ["Binding", "Bindings", "GlibcBindings", "Status", "bind"]


class Status(Enum):
    """What became of one reference; the value is how elfaudit says it."""

    BOUND = "bound"
    WEAK_ABSENT = "weak, absent"
    UNRESOLVED = "unresolved"
    UNDECIDED = "undecided"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Binding:
    """One reference and what it binds to.

    Attributes:
        reference: the object that refers.
        name, version: the symbol; version None where none is asked for.
        library: the SONAME the version is required from, or None.
        status: BOUND; WEAK_ABSENT: nobody has it and nobody need; UNRESOLVED: nobody has it, the
            loader will say so; UNDECIDED: a library of the scope is itself missing and might have
            it; ASSUMED: a Python interpreter that was not at hand supplies it by convention.
        lazy: whether it is only looked up at the first call, without bind-now.
        provider: the object it binds to, for BOUND.
        copied: whether the definition is copied into the program (a COPY relocation).
    """

    reference: LinkMapEntry
    name: str
    version: str | None
    library: str | None
    status: Status
    lazy: bool
    provider: LinkMapEntry | None
    copied: bool = False


class Bindings(Protocol):
    """All bindings of a link map, by the rules of its C library.

    A *key* is a symbol as it is asked for: see :mod:`~elfaudit.loader.lookup`.

    Attributes:
        link_map: what was bound.
        indices: the lookup tables of every object bound.
    """

    link_map: LinkMap
    indices: Mapping[LinkMapEntry, SymbolIndex]

    def __iter__(self) -> Iterator[Binding]:
        """Every binding of every object, in link map order, names sorted."""

    def of_object(self, entry: LinkMapEntry) -> Iterator[Binding]:
        """Every binding of one object, names sorted; none of one that could not be read."""

    def open_references(self) -> Iterator[Binding]:
        """The bindings that are not BOUND and not merely weak, in link map order, names sorted."""

    def open_keys(self, entry: LinkMapEntry) -> AbstractSet[str]:
        """The keys that one object cannot do without and that nobody answers."""

    def looked_up(self, entry: LinkMapEntry, keys: AbstractSet[str]) -> AbstractSet[str]:
        """Those of some undefined symbols of an object that its relocations name.

        The loader never looks for the others.
        """

    def requiring(self, entry: LinkMapEntry, library: str, version: str) -> Iterator[Binding]:
        """The bindings of one object that ask for a version from a library, names sorted."""

    def provider(self, entry: LinkMapEntry, key: str) -> LinkMapEntry | None:
        """The object that a reference of ``entry`` binds to when it calls it, or None."""

    def of(self, entry: LinkMapEntry, key: str) -> Binding:
        """The binding of one reference of one object, of several (see :meth:`all_of`) the last."""

    def all_of(self, entry: LinkMapEntry, key: str) -> Iterator[Binding]:
        """The bindings of one key of one object: more than one only where a program is concerned.

        Its definition of a variable that it has copied is another for itself, and the address of a
        function may be that of its own PLT entry, which is not what is called.
        """

    def copies(self, program: LinkMapEntry) -> Iterator[tuple[str, LinkMapEntry | None]]:
        """(key, whose variable it is) of all that a program copies into itself, keys sorted."""

    def shadowed(self, binding: Binding) -> tuple[LinkMapEntry, ...]:
        """The objects that would supply a reference if its provider did not, in scope order."""


class GlibcBindings:
    """All bindings of a link map as glibc binds; made by :func:`bind`.

    What an object leaves undefined is bound at once, because the verdict hangs on it. References to
    symbols that an object defines itself can only be interposed, never unresolved: who wins those
    is found out when it is first asked for. A :class:`Binding` is made only when one is asked for.

    Attributes:
        link_map: what was bound.
        indices: the lookup tables of every object bound.
    """

    def __init__(
        self,
        link_map: LinkMap,
        indices: Mapping[LinkMapEntry, SymbolIndex],
        assumed: Iterable[str],
        known: dict[Lookup, Walked],
    ) -> None:
        self.link_map = link_map
        self.indices = indices
        self._assumed = frozenset(assumed)
        self._decoded: dict[LinkMapEntry, Relocated] = {}
        self._lookups = tuple(lookups_of(link_map, indices))
        self._lookup_of = {entry: each for each in self._lookups for entry in each.members}
        undefined = {entry: index.references.keys for entry, index in indices.items()}
        walked = walk_all(self._lookups, indices, undefined, known)
        before = {entry for opening in link_map.openings[:-1] for entry in opening.loaded}
        known.update(each for each in walked.items() if not before.isdisjoint(each[0].members))
        self._undefined = _by_object(walked)

    def __iter__(self) -> Iterator[Binding]:
        """Every binding of every object, in link map order, names sorted."""
        for entry in self.indices:
            yield from self.of_object(entry)

    def of_object(self, entry: LinkMapEntry) -> Iterator[Binding]:
        """Every binding of one object, names sorted; none of one that could not be read."""
        if entry in self.indices:
            references = self._relocated(entry).references
            for key in sorted(references.keys | self.indices[entry].references.copied):
                yield from self.all_of(entry, key)

    def copies(self, program: LinkMapEntry) -> Iterator[tuple[str, LinkMapEntry | None]]:
        """(key, whose variable it is) of all that a program copies into itself, keys sorted."""
        index = self.indices.get(program)
        for key in sorted(index.references.copied) if index is not None else ():
            yield key, self._copied(program, key)

    def shadowed(self, binding: Binding) -> tuple[LinkMapEntry, ...]:
        """The objects that would supply a reference if its provider did not, in scope order."""
        name = binding.name
        key = name if binding.version is None else join_key(name, binding.version)
        scope = dict.fromkeys(self._lookup_of[binding.reference].scope)
        others = (entry for entry in scope if entry is not binding.provider)
        return tuple(entry for entry in others if self.indices[entry].exports.answers(key))

    def open_references(self) -> Iterator[Binding]:
        """The bindings that are not BOUND and not merely weak, in link map order, names sorted."""
        return iter(self._open)

    @cached_property
    def _open(self) -> tuple[Binding, ...]:
        return tuple(
            next(binding for binding in self.all_of(entry, key) if binding.provider is None)
            for entry in self.indices
            for key in sorted(self.open_keys(entry))
        )

    def open_keys(self, entry: LinkMapEntry) -> AbstractSet[str]:
        """The keys that one object cannot do without and that nobody answers."""
        references = self.indices[entry].references
        left = (self._undefined[entry].left & references.keys) - references.weak
        if not left and not references.copied:
            return left
        left = self.looked_up(entry, left) - self._only_addressed(entry, left)
        return left | {key for key in references.copied if self._copied(entry, key) is None}

    def looked_up(self, entry: LinkMapEntry, keys: AbstractSet[str]) -> AbstractSet[str]:
        """Those of some undefined symbols of an object that its relocations name.

        The loader never looks for the others.
        """
        return keys & self._relocated(entry).references.keys if keys else keys

    def requiring(self, entry: LinkMapEntry, library: str, version: str) -> Iterator[Binding]:
        """The bindings of one object that ask for a version from a library, names sorted."""
        if entry not in self.indices:
            return
        references = self.indices[entry].references
        for key in sorted(references.libraries):
            if references.libraries[key] == library and split_key(key)[1] == version:
                yield self.of(entry, key)

    def provider(self, entry: LinkMapEntry, key: str) -> LinkMapEntry | None:
        """The object that answers a call of ``entry``, or None.

        That is what it binds to, but for unique symbols that several objects define: what has
        become of those says :meth:`of`. Its own protected definition is never interposed; it is
        looked up nevertheless (``_dl_lookup_symbol_x``).
        """
        if key in self.indices[entry].references.keys:
            return self._undefined[entry].found.get(key)
        scope = self._lookup_of[entry].scope
        found = next((each for each in scope if self.indices[each].exports.answers(key)), None)
        return entry if found is not None and self._is_protected(entry, key) else found

    def _found(self, entry: LinkMapEntry, key: str) -> LinkMapEntry | None:
        """The first object of the scope that answers a call."""
        defined = key not in self.indices[entry].references.keys
        walked = self._everything if defined else self._undefined
        return walked[entry].found.get(key)

    def _is_protected(self, entry: LinkMapEntry, key: str) -> bool:
        undefined = key in self.indices[entry].references.keys
        return not undefined and key in self._relocated(entry).protected

    def _bound(self, entry: LinkMapEntry, key: str) -> LinkMapEntry | None:
        """What a call of ``entry`` binds to."""
        found, name = self._found(entry, key), split_key(key)[0]
        if found is not None and self._is_protected(entry, key):
            return entry
        if found is None or not self._is_unique(found, name) or not self._is_ambiguous(name):
            return found
        return self._unique.get(name, found)

    def of(self, entry: LinkMapEntry, key: str) -> Binding:
        """The binding of one reference of one object, of several (see :meth:`all_of`) the last."""
        return tuple(self.all_of(entry, key))[-1]

    def all_of(self, entry: LinkMapEntry, key: str) -> Iterator[Binding]:
        """The bindings of one key of one object.

        It is more than one only where a program is concerned: its definition of a variable that it
        has copied is another for itself, and the address of a function may be that of its own PLT
        entry, which is not what is called.
        """
        copied = key in self.indices[entry].references.copied
        provider = self._bound(entry, key)
        if not copied and self._entry_points is None:
            yield self._binding(entry, key, provider)
            return
        if copied:
            yield self._binding(entry, key, self._copied(entry, key), copied=True)
        relocated = self._relocated(entry)
        providers: dict[LinkMapEntry | None, None] = {}
        if key in relocated.addressed:
            providers[self._addressed(entry, key) or provider] = None
        if key in relocated.called or not (providers or copied):
            providers[provider] = None
        for each in providers:
            yield self._binding(entry, key, each)

    def _binding(
        self,
        entry: LinkMapEntry,
        key: str,
        provider: LinkMapEntry | None,
        *,
        copied: bool = False,
    ) -> Binding:
        relocated = self._relocated(entry)
        references = self.indices[entry].references
        if key not in references.keys:
            references = relocated.references
        name, version = split_key(key)
        if provider is not None:
            status = Status.BOUND
        elif key in references.weak:
            status = Status.WEAK_ABSENT
        elif name in self._assumed:
            status = Status.ASSUMED
        else:
            known = self._lookup_of[entry].complete
            status = Status.UNRESOLVED if known else Status.UNDECIDED
        library, lazy = references.libraries.get(key), key in relocated.lazy
        return Binding(entry, name, version, library, status, lazy, provider, copied)

    def _copied(self, entry: LinkMapEntry, key: str) -> LinkMapEntry | None:
        """What a COPY relocation copies: the lookup passes the program itself by."""
        scope = self.link_map.openings[0].searchlist
        others = (other for other in scope if other is not entry and other in self.indices)
        return next((e for e in others if self.indices[e].exports.answers(key)), None)

    def _addressed(self, entry: LinkMapEntry, key: str) -> LinkMapEntry | None:
        """The program, if the address of a function is that of its PLT entry for ``entry``."""
        program, points = self.link_map.program, self._entry_points
        if points is None or not points.answers(key):
            return None
        provider = self._found(entry, key)
        if provider is not entry and self._is_protected(entry, key):
            return None
        scope = self._lookup_of[entry].scope
        first = next((e for e in scope if e in (program, provider)), None)
        return program if first is program else None

    @cached_property
    def _entry_points(self) -> Exports | None:
        """What the program answers with its own PLT entries; None of most programs."""
        index = self.indices.get(self.link_map.program)
        return None if index is None else index.exports.entry_points

    def _only_addressed(self, entry: LinkMapEntry, keys: AbstractSet[str]) -> AbstractSet[str]:
        """Those keys whose only reference the program's own PLT entry answers."""
        if not keys or self._entry_points is None:
            return frozenset()
        called = self._relocated(entry).called
        return {key for key in keys - called if self._addressed(entry, key) is not None}

    @cached_property
    def _everything(self) -> Mapping[LinkMapEntry, Walked]:
        references = {e: self._relocated(e).references.keys for e in self.indices}
        return _by_object(walk_all(self._lookups, self.indices, references))

    def _is_ambiguous(self, name: str) -> bool:
        """Whether two lookups may meet different definitions of a unique symbol first."""
        return self._scopes_differ or name in self._twice_unique

    @cached_property
    def _scopes_differ(self) -> bool:
        scopes = {lookup.scope for lookup in self._lookups if lookup.members}
        longest = max(scopes, key=len, default=())
        copies = any(index.references.copied for index in self.indices.values())
        return copies or any(scope != longest[: len(scope)] for scope in scopes)

    @cached_property
    def _twice_unique(self) -> frozenset[str]:
        """The unique symbols of several objects, which may have them with different versions."""
        once: set[str] = set()
        twice: set[str] = set()
        for index in self.indices.values():
            twice |= once & index.exports.unique
            once |= index.exports.unique
        return frozenset(twice)

    def _is_unique(self, entry: LinkMapEntry, name: str) -> bool:
        return name in self.indices[entry].exports.unique

    @cached_property
    def _unique(self) -> Mapping[str, LinkMapEntry]:
        """The one definition of each unique symbol: that of the first lookup that meets any.

        Source: ``do_lookup_unique`` (glibc ``elf/dl-lookup.c``): one table for the process; what a
        program copies is entered as its own.
        """
        table: dict[str, LinkMapEntry] = {}
        names = frozenset().union(*(index.exports.unique for index in self.indices.values()))
        for entry in self.link_map.relocated:
            if entry not in self.indices:
                continue
            for key in self.indices[entry].references.copied:
                source, name = self._copied(entry, key), split_key(key)[0]
                if source is not None and self._is_unique(source, name):
                    table.setdefault(name, entry)
            found = self._everything[entry].found
            for key in self._relocated(entry).references.keys:
                name = split_key(key)[0]
                provider = found.get(key) if name in names else None
                if provider is not None and self._is_unique(provider, name):
                    table.setdefault(name, provider)
        return table

    def _relocated(self, entry: LinkMapEntry) -> Relocated:
        """What an object's relocations look up; its file is read once more for it."""
        if entry not in self._decoded:
            elf = cast("ElfObject", entry.elf)  # what is indexed was found
            self._decoded[entry] = relocated(elf)
            elf.release()
        return self._decoded[entry]


def _by_object(walked: Mapping[Lookup, Walked]) -> dict[LinkMapEntry, Walked]:
    return {entry: result for lookup, result in walked.items() for entry in lookup.members}


def bind(
    link_map: LinkMap,
    indices: Mapping[LinkMapEntry, SymbolIndex],
    assumed: Iterable[str] = (),
    known: dict[Lookup, Walked] | None = None,
) -> GlibcBindings:
    """Bind the references of every object of a link map, as glibc does.

    Args:
        link_map: the objects and their scopes.
        indices: the lookup tables of every object whose tables could be read.
        assumed: names that the process supplies although no object of it is at hand.
        known: where to keep, and find, what is the same for all subjects of one process.
    """
    return GlibcBindings(link_map, indices, assumed, {} if known is None else known)
