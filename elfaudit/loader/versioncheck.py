"""The versions an object requires, held against those its libraries define, before any lookup.

Source: ``_dl_check_map_versions``, ``find_needed`` and ``match_symbol`` (glibc
``elf/dl-version.c``). A library without any version definition is accepted; one that nobody asked
for by the name in the requirement fails an assertion of the loader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..elf import VersionNeed
from .linkmap import LinkMap, LinkMapEntry, Opening
from .lookup import SymbolIndex
from .rtld import Version

__all__ = ["Unmet", "checks_relr", "unmet_of", "unmet_versions"]

_CHECKING_RELR = (2, 36)


def checks_relr(glibc_version: Version | None) -> bool:
    """Whether a loader asks for ``GLIBC_ABI_DT_RELR``; one of which nothing is known is new."""
    return glibc_version is None or glibc_version >= _CHECKING_RELR


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that is not met.

    Attributes:
        entry: the object that asks.
        need: what it asks for.
        provider: the library loaded under the name, which lacks the version; None: nobody has
            asked for a library of that name, so the loader does not know of any.
        revision: of a definition that the loader cannot read and meets first; or None.
    """

    entry: LinkMapEntry
    need: VersionNeed
    provider: LinkMapEntry | None
    revision: int | None = None


def unmet_versions(
    link_map: LinkMap, indices: Mapping[LinkMapEntry, SymbolIndex], opening: Opening
) -> Iterator[Unmet]:
    """The unmet requirements of what one step loaded, in the order of its searchlist."""
    new = set(opening.loaded)
    for entry in opening.searchlist:
        if entry in indices and entry in new:
            yield from unmet_of(link_map, indices, opening, entry)


def unmet_of(
    link_map: LinkMap,
    indices: Mapping[LinkMapEntry, SymbolIndex],
    opening: Opening,
    entry: LinkMapEntry,
) -> Iterator[Unmet]:
    """The unmet requirements of one object, in the order of its records."""
    index = indices[entry]
    lacking: dict[str, tuple[LinkMapEntry | None, frozenset[str]]] = {}
    for library, required in index.required.items():
        provider = opening.names.get(library) or _own(link_map, entry).get(library)
        if provider is None:
            if not any(library == other.name for other in link_map.edges.get(entry, ())):
                lacking[library] = None, frozenset()
            continue  # or the object lists it and it is missing, which the loader says first
        known = indices.get(provider)
        defined = known.defined_versions if known is not None else frozenset()
        if defined and not required <= defined:
            lacking[library] = provider, defined
        if known is not None and known.unreadable and not required <= known.unreadable[0]:
            lacking[library] = provider, known.unreadable[0]
    for need in index.needs if lacking else ():
        provider, defined = lacking.get(need.library, (None, index.required[need.library]))
        if need.library in lacking and (not need.sound or need.name not in defined):
            known = indices.get(provider) if provider is not None else None
            unreadable = known.unreadable if known is not None else None
            yield Unmet(entry, need, provider, unreadable[1] if unreadable else None)


def _own(link_map: LinkMap, entry: LinkMapEntry) -> dict[str, LinkMapEntry]:
    children = link_map.edges.get(entry, ())
    return {child.name: child for child in children if not child.missing}
