"""Rule ``stale-cache``: ld.so.cache is not what ldconfig would make of the root today.

What it is: a library of this process for which ``/etc/ld.so.cache`` leads to another file, or to
none, than it would after ``ldconfig``.

Why it matters: the loader believes the cache. It misses a library that is there, or takes an old
one; and whoever runs ``ldconfig`` next, a package manager say, changes what the process loads.

How it is decided: for names that were searched for as far as the cache, what the cache says is
compared with what ldconfig would write: the directories of ``/etc/ld.so.conf`` and its includes and
the loader's own, the files in them by SONAME, the best of each. Paths to one file count as equal.

Fix: run ``ldconfig`` in the root.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ..loader import LinkMap, LinkMapEntry, Origin
from ..loader.search import Searcher
from .model import Applicability, Finding, Fix, Severity

__all__ = ["check"]

_SEARCHED = (Origin.MISSING, Origin.LD_SO_CACHE, Origin.DEFAULT)


def check(link_map: LinkMap, searcher: Searcher) -> Iterator[Finding]:
    """One finding per library that an up-to-date cache would change something for.

    Args:
        link_map: the process.
        searcher: the one that found its libraries.
    """
    told: set[str] = set()
    for entry in link_map.entries:
        if entry.origin not in _SEARCHED or "/" in entry.name or entry.name in told:
            continue
        message = _difference(entry, searcher)
        if message is not None:
            told.add(entry.name)
            yield _finding(entry, message)


def _difference(entry: LinkMapEntry, searcher: Searcher) -> str | None:
    """What would be otherwise with a new cache; None if nothing would."""
    cached, fresh = searcher.cached(entry.name), searcher.fresh(entry.name)
    now = searcher.identity(cached.path) if cached is not None else None
    then = searcher.identity(fresh.file) if fresh is not None else None
    if now == then:
        return None
    if fresh is None:
        return _would_be_dropped(entry, searcher, cached.path if cached is not None else "")
    if now is None and then == entry.identity:
        return None  # found all the same, in a default directory
    leads = f"leads to {cached.path}" if cached is not None else "does not have it"
    gone = ", which is not there" if cached is not None and now is None else ""
    return f"{entry.name}: ld.so.cache {leads}{gone}; after ldconfig it is {fresh.entry.path}"


def _would_be_dropped(entry: LinkMapEntry, searcher: Searcher, path: str) -> str | None:
    if entry.origin is not Origin.LD_SO_CACHE or posixpath.dirname(path) in searcher.defaults:
        return None
    return (
        f"{entry.name}: ld.so.cache leads to {path}, where ldconfig no longer looks: "
        "it is not found there once ldconfig runs"
    )


def _finding(entry: LinkMapEntry, message: str) -> Finding:
    fix = Fix("make the cache anew", "ldconfig", (), Applicability.DISPLAY_ONLY)
    user = entry.loader.label if entry.loader is not None else entry.name
    return Finding(
        "stale-cache",
        Severity.WARNING,
        entry.loader.display if entry.loader is not None else entry.name,
        message,
        (f"needed by {user}",),
        (fix,),
    )
