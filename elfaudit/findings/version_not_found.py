"""Rule ``version-not-found``: a version is required that the library found does not define.

What it is: a ``Vernaux`` of an object names a version (``GLIBCXX_3.4.32``), and the library loaded
under that name has version definitions, but not this one.

Why it matters: the loader stops before it looks at a single symbol.

How it is decided: as ``_dl_check_map_versions`` (glibc ``elf/dl-version.c``): a library without any
version definition is accepted; a requirement flagged weak only warns. An object with ``DT_RELR``
that needs versions of ``libc.so`` must need ``GLIBC_ABI_DT_RELR`` too.

Fix: run on a system with a newer library, or build against an older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..elf import DynamicTag, VersionNeed
from ..loader import LinkMapEntry
from .case import Case
from .model import Finding, Severity

__all__ = ["check", "unmet"]

_LIBC = "libc.so."
_RELR_VERSION = "GLIBC_ABI_DT_RELR"
_Unmet = tuple[LinkMapEntry, LinkMapEntry, VersionNeed]


def check(case: Case) -> Iterator[Finding]:
    """One finding per version, library and object that asks for it."""
    names = _names(reversed(tuple(case.bindings.indices)))
    for entry in case.bindings.indices:
        for _, provider, need in _unmet(case, entry, names):
            yield _finding(case, entry, provider, need)
        if _relr_without_version(case, entry):
            yield Finding(
                "version-not-found",
                Severity.ERROR,
                entry.display,
                f"{entry.label}: DT_RELR without {_RELR_VERSION} dependency",
            )


def unmet(case: Case) -> Iterator[_Unmet]:
    """(who asks, the library loaded under the name, what it does not define) of each such need."""
    names = _names(reversed(tuple(case.bindings.indices)))
    for entry in case.bindings.indices:
        yield from _unmet(case, entry, names)


def _unmet(case: Case, entry: LinkMapEntry, names: dict[str, LinkMapEntry]) -> Iterator[_Unmet]:
    """The same of one object; ``names`` is what each name stands for in the whole process."""
    indices = case.bindings.indices
    own = _names(case.link_map.edges.get(entry, ()))
    for need in indices[entry].needs:
        provider = own.get(need.library) or names.get(need.library)
        known = indices.get(provider) if provider is not None else None
        if provider is None or known is None or not known.defined_versions:
            continue  # missing, which is a finding of its own; or without versions: accepted
        if need.name not in known.defined_versions:
            yield entry, provider, need


def _relr_without_version(case: Case, entry: LinkMapEntry) -> bool:
    """Whether an object that needs versions of the C library hides from it that it has DT_RELR."""
    dynamic = entry.elf.dynamic if entry.elf else None
    if dynamic is None or dynamic.value(DynamicTag.RELR) is None:
        return False
    required = [n.name for n in case.bindings.indices[entry].needs if n.library.startswith(_LIBC)]
    return bool(required) and _RELR_VERSION not in required


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
