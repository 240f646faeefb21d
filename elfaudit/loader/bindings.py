"""Binding: which object supplies each reference of a process, and which references nobody supplies.

Source: ``_dl_lookup_symbol_x`` and ``do_lookup_x`` (glibc ``elf/dl-lookup.c``): the scope is walked
in order, the first object that answers wins. All references of a scope are walked together: what an
object answers is taken out of the set, the rest goes on to the next object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from .linkmap import LinkMap, LinkMapEntry
from .lookup import Exports, SymbolIndex, split_key

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


@dataclass(frozen=True, slots=True, eq=False)
class Bindings:
    """All bindings of a link map. A :class:`Binding` is made only when one is asked for.

    Attributes:
        link_map: what was bound.
        unresolved: per object, the keys nobody supplies (strong ones; see ``lookup.key_of``).
        status: what an unresolved key is called: by key, UNRESOLVED if not listed.
    """

    link_map: LinkMap
    indices: Mapping[LinkMapEntry, SymbolIndex]
    providers: Mapping[LinkMapEntry, Mapping[str, LinkMapEntry]]
    unresolved: Mapping[LinkMapEntry, frozenset[str]]
    weak_absent: Mapping[LinkMapEntry, frozenset[str]]
    status: Mapping[str, Status]

    def __iter__(self) -> Iterator[Binding]:
        """Every binding of every object, in link map order, names sorted."""
        for entry, index in self.indices.items():
            for key in sorted(index.references.keys):
                yield self.of(entry, key)

    def open_references(self) -> Iterator[Binding]:
        """The bindings that are not BOUND and not merely weak, in link map order."""
        for entry in self.indices:
            for key in sorted(self.unresolved.get(entry, ())):
                yield self.of(entry, key)

    def requiring(self, entry: LinkMapEntry, library: str, version: str) -> Iterator[Binding]:
        """The bindings of one object that ask for a version from a library, names sorted."""
        if entry not in self.indices:
            return
        references = self.indices[entry].references
        for key in sorted(references.libraries):
            if references.libraries[key] == library and split_key(key)[1] == version:
                yield self.of(entry, key)

    def of(self, entry: LinkMapEntry, key: str) -> Binding:
        """The binding of one reference of one object."""
        references = self.indices[entry].references
        name, version = split_key(key)
        provider = self.providers[entry].get(key)
        if provider is not None:
            status = Status.BOUND
        elif key in self.weak_absent.get(entry, ()):
            status = Status.WEAK_ABSENT
        else:
            status = self.status.get(key, Status.UNRESOLVED)
        library = references.libraries.get(key)
        return Binding(entry, name, version, library, status, key in references.lazy, provider)


def bind(
    link_map: LinkMap,
    indices: Mapping[LinkMapEntry, SymbolIndex],
    assumed: Iterable[str] = (),
    *,
    undecided: bool = False,
) -> Bindings:
    """Bind every reference of every object of a link map.

    Args:
        link_map: the objects and their scopes.
        indices: the lookup tables of every object that has a file.
        assumed: keys that the process supplies although no object of it is at hand.
        undecided: whether something of the scope is missing, so that absence proves nothing.
    """
    global_scope = tuple(entry for entry in link_map.global_scope if entry in indices)
    local_scope = tuple(entry for entry in link_map.local_scope if entry in indices)
    whole_scope = tuple(dict.fromkeys((*global_scope, *local_scope)))
    local = set(local_scope) - set(global_scope)
    groups = ((global_scope, [e for e in indices if e not in local]), (whole_scope, local))
    providers: dict[LinkMapEntry, Mapping[str, LinkMapEntry]] = {}
    for scope, members in groups:
        ordinary = [e for e in members if not _symbolic(e)]
        shared = _walk(_union(ordinary, indices), scope, indices)
        providers.update((entry, shared) for entry in ordinary)
        for entry in set(members).difference(ordinary):
            own = _walk(_union([entry], indices), (entry, *scope), indices)
            providers[entry] = own
    unresolved, weak = _left_over(indices, providers)
    expected = frozenset(assumed)
    missing = Status.UNDECIDED if undecided else Status.UNRESOLVED
    status = {
        key: Status.ASSUMED if split_key(key)[0] in expected else missing
        for keys in unresolved.values()
        for key in keys
    }
    return Bindings(link_map, indices, providers, unresolved, weak, status)


def _symbolic(entry: LinkMapEntry) -> bool:
    return entry.elf is not None and entry.elf.dynamic is not None and entry.elf.dynamic.symbolic


def _union(
    entries: Iterable[LinkMapEntry], indices: Mapping[LinkMapEntry, SymbolIndex]
) -> tuple[set[str], dict[str, str]]:
    """All keys that the objects ask for: those without a version, and those with (to their names)."""
    plain: set[str] = set()
    versioned: dict[str, str] = {}
    for entry in entries:
        references = indices[entry].references
        plain |= references.keys
        versioned.update(references.versioned)
    plain.difference_update(versioned)
    return plain, versioned


def _walk(
    wanted: tuple[set[str], dict[str, str]],
    scope: Sequence[LinkMapEntry],
    indices: Mapping[LinkMapEntry, SymbolIndex],
) -> dict[str, LinkMapEntry]:
    """The first object of the scope that answers each key."""
    plain, versioned = wanted
    left = set(versioned)
    left_names = set(versioned.values())
    found: dict[str, LinkMapEntry] = {}
    for entry in scope:
        exports = indices[entry].exports
        if plain:
            hits = plain & exports.plain
            found.update(dict.fromkeys(hits, entry))
            plain -= hits
        if left:
            matched = _versioned_hits(left, left_names, versioned, exports)
            found.update(dict.fromkeys(matched, entry))
            left -= matched
    return found


def _versioned_hits(
    left: set[str], names: set[str], versioned: Mapping[str, str], exports: Exports
) -> set[str]:
    hits = left & exports.exact
    loose = names & exports.any_version
    if loose:
        hits |= {key for key in left if versioned[key] in loose}
    return hits


def _left_over(
    indices: Mapping[LinkMapEntry, SymbolIndex],
    providers: Mapping[LinkMapEntry, Mapping[str, LinkMapEntry]],
) -> tuple[dict[LinkMapEntry, frozenset[str]], dict[LinkMapEntry, frozenset[str]]]:
    """Per object: keys without a provider, the strong and the weak ones; empty ones left out."""
    strong: dict[LinkMapEntry, frozenset[str]] = {}
    weak: dict[LinkMapEntry, frozenset[str]] = {}
    for entry, index in indices.items():
        references = index.references
        open_keys = references.keys - providers[entry].keys()
        if not open_keys:
            continue
        strong_keys = frozenset(open_keys - references.weak)
        if strong_keys:
            strong[entry] = strong_keys
        if len(strong_keys) < len(open_keys):
            weak[entry] = frozenset(open_keys & references.weak)
    return strong, weak
