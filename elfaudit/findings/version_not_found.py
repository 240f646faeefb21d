"""Rule ``version-not-found``: a version is required that the library found does not define.

What it is: a ``Vernaux`` of an object names a version (``GLIBCXX_3.4.32``), and the library loaded
under that name has version definitions, but not this one.

Why it matters: the loader stops before it looks at a single symbol.

How it is decided: as ``_dl_check_map_versions`` (glibc ``elf/dl-version.c``): a library without any
version definition is accepted; a requirement flagged weak only warns.

Fix: run on a system with a newer library, or build against an older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..elf import VersionNeed
from ..loader import LinkMapEntry
from .case import Case
from .model import Finding, Severity

__all__ = ["check", "unmet"]


def check(case: Case) -> Iterator[Finding]:
    """One finding per version, library and object that asks for it."""
    for entry, provider, need in unmet(case):
        yield _finding(case, entry, provider, need)


def unmet(case: Case) -> Iterator[tuple[LinkMapEntry, LinkMapEntry, VersionNeed]]:
    """(who asks, the library loaded under the name, what it does not define) of each such need."""
    indices = case.bindings.indices
    names = _names(reversed(tuple(indices)))
    for entry, index in indices.items():
        own = _names(case.link_map.edges.get(entry, ()))
        for need in index.needs:
            provider = own.get(need.library) or names.get(need.library)
            known = indices.get(provider) if provider is not None else None
            if provider is None or known is None or not known.defined_versions:
                continue  # missing, which is a finding of its own; or without versions: accepted
            if need.name not in known.defined_versions:
                yield entry, provider, need


def _names(entries: Iterable[LinkMapEntry]) -> dict[str, LinkMapEntry]:
    """What each library name stands for among some objects."""
    return {name: e for e in entries if not e.missing for name in (e.name, e.soname)}


def _finding(case: Case, entry: LinkMapEntry, provider: LinkMapEntry, need: VersionNeed) -> Finding:
    symbols = tuple(
        binding.name for binding in case.bindings.requiring(entry, need.library, need.name)
    )
    return Finding(
        "version-not-found",
        Severity.WARNING if need.weak else Severity.ERROR,
        entry.display,
        f"{provider.label}: version `{need.name}' not found (required by {entry.label})",
        (f"symbols required with that version: {len(symbols)}",) if symbols else (),
        symbols=symbols,
    )
