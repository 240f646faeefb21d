"""The versions an object requires, held against those its libraries define, before any lookup.

Source: ``_dl_check_map_versions``, ``find_needed`` and ``match_symbol`` (glibc
``elf/dl-version.c``). A library without any version definition is accepted; one that nobody asked
for by the name in the requirement fails an assertion of the loader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..elf import DynamicTag, VersionNeed
from .linkmap import LinkMap, LinkMapEntry, Opening
from .lookup import SymbolIndex

__all__ = ["RELR_VERSION", "Unmet", "lacks_relr_version", "unmet_versions"]

_LIBC = "libc.so."
RELR_VERSION = "GLIBC_ABI_DT_RELR"


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
        if entry not in new or entry not in indices:
            continue
        own = {child.name: child for child in link_map.edges.get(entry, ()) if not child.missing}
        for need in indices[entry].needs:
            provider = link_map.names.get(need.library) or own.get(need.library)
            if provider is None:
                if need.library not in absent:
                    yield Unmet(entry, need, None)
                continue  # missing, which the loader says first
            known = indices.get(provider)
            defined = known.defined_versions if known is not None else frozenset()
            if defined and need.name not in defined:
                yield Unmet(entry, need, provider)


def lacks_relr_version(entry: LinkMapEntry, index: SymbolIndex) -> bool:
    """Whether an object that needs versions of the C library hides from it that it has DT_RELR."""
    dynamic = entry.elf.dynamic if entry.elf else None
    if dynamic is None or dynamic.value(DynamicTag.RELR) is None:
        return False
    required = [need.name for need in index.needs if need.library.startswith(_LIBC)]
    return bool(required) and RELR_VERSION not in required
