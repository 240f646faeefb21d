"""Rule ``version-not-found``: a version is required that the library found does not define.

What it is: a ``Vernaux`` of an object names a version (``GLIBCXX_3.4.32``), and the library loaded
under that name has version definitions, but not this one.

Why it matters: the loader stops before it looks at a single symbol.

How it is decided: as ``_dl_check_map_versions`` (glibc ``elf/dl-version.c``): a library without any
version definition is accepted; a requirement flagged weak only warns.

Fix: run on a system with a newer library, or build against an older one.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import LinkMapEntry
from .case import Case
from .model import Finding, Severity

__all__ = ["check"]


def check(case: Case) -> Iterator[Finding]:
    """One finding per version, library and object that asks for it."""
    for entry in case.link_map.entries:
        if entry.elf is None or entry in case.damaged:
            continue
        providers = _by_name(case, entry)
        for need in entry.elf.versions.needs:
            provider = providers.get(need.library)
            if provider is None or provider.elf is None or provider in case.damaged:
                continue
            definitions = provider.elf.versions.definitions
            if not definitions or any(d.name == need.name for d in definitions):
                continue
            symbols = tuple(
                binding.name
                for binding in case.bindings.requiring(entry, need.library, need.name)
            )
            yield Finding(
                "version-not-found",
                Severity.WARNING if need.weak else Severity.ERROR,
                entry.display,
                f"{provider.label}: version `{need.name}' not found (required by {entry.label})",
                (f"{len(symbols)} symbols are required with that version",) if symbols else (),
                symbols=symbols,
            )


def _by_name(case: Case, entry: LinkMapEntry) -> dict[str, LinkMapEntry]:
    """What each library name stands for in this process, the object's own NEEDED first."""
    names: dict[str, LinkMapEntry] = {}
    for other in (*case.link_map.edges.get(entry, ()), *case.link_map.entries):
        if other.elf is None:
            continue
        for name in (other.name, other.elf.soname):
            if name:
                names.setdefault(name, other)
    return names
