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

__all__ = ["Unmet", "unmet_versions"]


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that is not met.

    Attributes:
        entry: the object that asks.
        need: what it asks for.
        provider: the library loaded under the name, which lacks the version; None: nobody has
            asked for a library of that name, so the loader does not know of any.
    """

    entry: LinkMapEntry
    need: VersionNeed
    provider: LinkMapEntry | None


def unmet_versions(
    link_map: LinkMap, indices: Mapping[LinkMapEntry, SymbolIndex], opening: Opening
) -> Iterator[Unmet]:
    """The unmet requirements of what one step loaded, in the order of its searchlist."""
    absent = {entry.name for entry in link_map.missing}
    new = set(opening.loaded)
    for entry in opening.searchlist:
        index = indices.get(entry) if entry in new else None
        if index is None:
            continue
        own: dict[str, LinkMapEntry] | None = None
        for library, required in index.required.items():
            provider = link_map.names.get(library)
            if provider is None:
                own = _own_names(link_map, entry) if own is None else own
                provider = own.get(library)
            known = indices.get(provider) if provider is not None else None
            defined = known.defined_versions if known is not None else _NONE
            if provider is None:
                if library in absent:
                    continue  # missing, which the loader says first
                defined = _NOTHING_DEFINED
            if defined and not required <= defined:
                for need in index.needs:
                    if need.library == library and need.name not in defined:
                        yield Unmet(entry, need, provider)


_NONE: frozenset[str] = frozenset()
_NOTHING_DEFINED = frozenset(("",))


def _own_names(link_map: LinkMap, entry: LinkMapEntry) -> dict[str, LinkMapEntry]:
    children = link_map.edges.get(entry, ())
    return {child.name: child for child in children if not child.missing}
