"""Binding: which object supplies each reference of a process, and which references nobody supplies.

Source: ``_dl_lookup_symbol_x`` and ``do_lookup_x`` (glibc ``elf/dl-lookup.c``): the scope is walked
in order, the first object that answers wins. All references of a scope are walked together: what an
object answers is taken out of the set, the rest goes on to the next object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import cast

from ..elf import ElfObject
from .linkmap import LinkMap, LinkMapEntry
from .lookup import References, Relocated, SymbolIndex, relocated, split_key

__all__ = ["Binding", "Bindings", "Status", "bind"]


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
    """

    reference: LinkMapEntry
    name: str
    version: str | None
    library: str | None
    status: Status
    lazy: bool
    provider: LinkMapEntry | None


class Bindings:
    """All bindings of a link map; made by :func:`bind`.

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
        *,
        undecided: bool,
    ) -> None:
        self.link_map = link_map
        self.indices = indices
        self._assumed = frozenset(assumed)
        self._absent = Status.UNDECIDED if undecided else Status.UNRESOLVED
        self._decoded: dict[LinkMapEntry, Relocated] = {}
        self._groups = tuple(_groups(link_map, indices))
        undefined = {entry: index.references for entry, index in indices.items()}
        self._undefined = _bind_groups(self._groups, indices, undefined)

    def __iter__(self) -> Iterator[Binding]:
        """Every binding of every object, in link map order, names sorted."""
        for entry in self.indices:
            for key in sorted(self._relocated(entry).references.keys):
                yield self.of(entry, key)

    def open_references(self) -> Iterator[Binding]:
        """The bindings that are not BOUND and not merely weak, in link map order, names sorted."""
        for entry in self.indices:
            references = self.indices[entry].references
            left = (self._undefined[entry].left & references.keys) - references.weak
            for key in sorted(self.looked_up(entry, left)):
                yield self.of(entry, key)

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
        """The object that a reference of ``entry`` binds to, or None."""
        walked = self._undefined if key in self.indices[entry].references.keys else self._everything
        return walked[entry].found.get(key)

    def of(self, entry: LinkMapEntry, key: str) -> Binding:
        """The binding of one reference of one object."""
        references = self.indices[entry].references
        relocated = self._relocated(entry)
        if key not in references.keys:
            references = relocated.references
        name, version = split_key(key)
        provider = self.provider(entry, key)
        if provider is not None:
            status = Status.BOUND
        elif key in references.weak:
            status = Status.WEAK_ABSENT
        else:
            status = Status.ASSUMED if name in self._assumed else self._absent
        library = references.libraries.get(key)
        return Binding(entry, name, version, library, status, key in relocated.lazy, provider)

    @cached_property
    def _everything(self) -> Mapping[LinkMapEntry, _Walked]:
        references = {entry: self._relocated(entry).references for entry in self.indices}
        return _bind_groups(self._groups, self.indices, references)

    def _relocated(self, entry: LinkMapEntry) -> Relocated:
        """What an object's relocations look up; its file is read once more for it."""
        if entry not in self._decoded:
            elf = cast("ElfObject", entry.elf)  # what is indexed was found
            self._decoded[entry] = relocated(elf)
            elf.release()
        return self._decoded[entry]


def bind(
    link_map: LinkMap,
    indices: Mapping[LinkMapEntry, SymbolIndex],
    assumed: Iterable[str] = (),
    *,
    undecided: bool = False,
) -> Bindings:
    """Bind the references of every object of a link map.

    Args:
        link_map: the objects and their scopes.
        indices: the lookup tables of every object whose tables could be read.
        assumed: names that the process supplies although no object of it is at hand.
        undecided: whether something of the scope is missing, so that absence proves nothing.
    """
    return Bindings(link_map, indices, assumed, undecided=undecided)


@dataclass(frozen=True, slots=True)
class _Walked:
    """The outcome of one walk over a scope: who answered each key, and the keys nobody did."""

    found: Mapping[str, LinkMapEntry]
    left: set[str]


_Group = tuple[tuple[LinkMapEntry, ...], tuple[LinkMapEntry, ...]]


def _groups(link_map: LinkMap, indices: Mapping[LinkMapEntry, SymbolIndex]) -> Iterator[_Group]:
    """(scope, the objects that look in it), for every scope of the process."""
    global_scope = tuple(entry for entry in link_map.global_scope if entry in indices)
    local_scope = tuple(entry for entry in link_map.local_scope if entry in indices)
    whole_scope = tuple(dict.fromkeys((*global_scope, *local_scope)))
    started = set(global_scope)
    opened = [entry for entry in indices if entry not in started]
    for scope, members in ((global_scope, list(global_scope)), (whole_scope, opened)):
        yield scope, tuple(entry for entry in members if not _symbolic(entry))
        for entry in members:
            if _symbolic(entry):  # DT_SYMBOLIC: it looks in itself first
                yield (entry, *scope), (entry,)


def _symbolic(entry: LinkMapEntry) -> bool:
    return entry.elf is not None and entry.elf.dynamic is not None and entry.elf.dynamic.symbolic


def _bind_groups(
    groups: Iterable[_Group],
    indices: Mapping[LinkMapEntry, SymbolIndex],
    references: Mapping[LinkMapEntry, References],
) -> dict[LinkMapEntry, _Walked]:
    walked: dict[LinkMapEntry, _Walked] = {}
    for scope, members in groups:
        result = _walk([references[e].keys for e in members], scope, indices)
        walked.update((entry, result) for entry in members)
    return walked


def _walk(
    wanted: Iterable[frozenset[str]],
    scope: Sequence[LinkMapEntry],
    indices: Mapping[LinkMapEntry, SymbolIndex],
) -> _Walked:
    """The first object of the scope that answers each key that somebody wants."""
    left: set[str] = set().union(*wanted)
    versioned = {key for key in left if "\0" in key}
    plain = left - versioned
    names = {key[: key.index("\0")] for key in versioned}
    found: dict[str, LinkMapEntry] = {}
    for entry in scope:
        exports = indices[entry].exports
        if plain and (hits := plain & exports.plain):
            found.update(dict.fromkeys(hits, entry))
            plain -= hits
        if versioned and (hits := versioned & exports.exact):
            found.update(dict.fromkeys(hits, entry))
            versioned -= hits
        # A definition without a version answers whatever version is asked for.
        if versioned and (loose := names & exports.any_version):
            hits = {key for key in versioned if key[: key.index("\0")] in loose}
            found.update(dict.fromkeys(hits, entry))
            versioned -= hits
    return _Walked(found, plain | versioned)
