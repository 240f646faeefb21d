"""Scopes: in which order which objects are looked through, and for whom.

Source: ``l_scope`` as ``_dl_new_object`` (glibc ``elf/dl-object.c``) makes it: what is global, then
the searchlist of the root that brought the object in, or the other way round with RTLD_DEEPBIND; an
object with DT_SYMBOLIC looks in itself first (``_dl_map_object_from_fd``, ``elf/dl-load.c``). All
references of a scope are walked together: what an object answers is taken out of the set, the rest
goes on to the next object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType

from .linkmap import LinkMap, LinkMapEntry
from .lookup import SymbolIndex
from .references import is_hidden

__all__ = ["Lookup", "Walked", "lookups_of", "walk_all"]

_NOTHING: Mapping[Lookup, Walked] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Lookup:
    """A scope and the objects whose references are looked up in it.

    Attributes:
        scope: the objects looked through, in order.
        members: the objects whose references they are.
        complete: whether all of the scope is known: nothing of it is missing or unreadable, so that
            a symbol it does not have is not there.
    """

    scope: tuple[LinkMapEntry, ...]
    members: tuple[LinkMapEntry, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Walked:
    """The outcome of one walk over a scope: who answered each key, and the keys nobody did."""

    found: Mapping[str, LinkMapEntry]
    left: AbstractSet[str]


def lookups_of(link_map: LinkMap, indices: Mapping[LinkMapEntry, SymbolIndex]) -> Iterator[Lookup]:
    """Every scope of a process; objects that cannot be read are in none."""
    complete = True
    for opening in link_map.openings:
        scope = tuple(entry for entry in opening.scope if entry in indices)
        complete = complete and not any(entry.missing for entry in opening.loaded)
        known = complete and len(scope) == len(opening.scope)
        members = [entry for entry in opening.loaded if entry in indices]
        plain = tuple(entry for entry in members if not indices[entry].symbolic)
        yield Lookup(scope, plain, known)
        for entry in members:
            if indices[entry].symbolic:
                yield Lookup((entry, *scope), (entry,), known)


def walk_all(
    lookups: Iterable[Lookup],
    indices: Mapping[LinkMapEntry, SymbolIndex],
    keys: Mapping[LinkMapEntry, AbstractSet[str]],
    known: Mapping[Lookup, Walked] = _NOTHING,
) -> dict[Lookup, Walked]:
    """Who answers the keys of the members of each scope.

    Args:
        lookups: the scopes.
        indices: the lookup tables of every object.
        keys: what each object looks up.
        known: the outcome of some of these walks.
    """
    walked: dict[Lookup, Walked] = {}
    for lookup in lookups:
        result = known.get(lookup)
        if result is None:
            marked = any(indices[entry].marked for entry in lookup.members)
            wanted = [keys[entry] for entry in lookup.members]
            result = _walk(wanted, lookup.scope, indices, marked=marked)
        walked[lookup] = result
    return walked


def _walk(
    wanted: Iterable[AbstractSet[str]],
    scope: Sequence[LinkMapEntry],
    indices: Mapping[LinkMapEntry, SymbolIndex],
    *,
    marked: bool,
) -> Walked:
    """The first object of the scope that answers each key that somebody wants.

    ``marked`` if some of the keys may be marked hidden.
    """
    left: set[str] = set().union(*wanted)
    versioned = {key for key in left if "\0" in key}
    plain = left - versioned
    hidden: set[str] = set()
    if marked:
        hidden = {key for key in versioned if is_hidden(key)}
        versioned -= hidden
    names: set[str] | None = None  # of those with a version; what is in front takes most of them
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
        if versioned and exports.any_version:
            if names is None:
                names = {key[: key.index("\0")] for key in versioned}
            if loose := names & exports.any_version:
                hits = {key for key in versioned if key[: key.index("\0")] in loose}
                found.update(dict.fromkeys(hits, entry))
                versioned -= hits
        if hidden and (hits := {key for key in hidden if exports.answers(key)}):
            found.update(dict.fromkeys(hits, entry))
            hidden -= hits
    return Walked(found, plain | versioned | hidden)
