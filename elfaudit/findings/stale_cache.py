"""ld.so.cache is not what ldconfig would make of the root today.

## What it is

A library of this process for which `/etc/ld.so.cache` leads to another file, or to none, than it
would after `ldconfig`.

## Why it matters

The loader believes the cache. It misses a library that is there, or takes an old one; and whoever
runs `ldconfig` next, a package manager say, changes what the process loads.

## How it is decided

For names that were searched for as far as the cache, what the cache says is compared with what
`ldconfig` would write: the directories of `/etc/ld.so.conf` and its includes and the loader's own,
the files in them by SONAME, the best of each. Paths to one file count as equal.

## Example

An image where a library was copied to `/usr/local/lib` and `ldconfig` was not run:

```text
warning  libdemo.so.1: ld.so.cache does not have it; after ldconfig it is
         /usr/local/lib/libdemo.so.1
```

## Fix

Run `ldconfig` in the root (in an image: as the last step that changes libraries).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ..loader import LinkMapEntry, Origin
from ..loader.search import Searcher
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule

__all__ = ["RULE"]

_SEARCHED = (Origin.MISSING, Origin.LD_SO_CACHE, Origin.DEFAULT)


def _check(case: Case) -> Iterator[Finding]:
    """One finding per library that an up-to-date cache would change something for."""
    searcher = case.searcher
    if searcher is None or not searcher.whole:
        return
    told: set[str] = set()
    for entry in case.link_map.entries:
        if entry.origin not in _SEARCHED or "/" in entry.name or entry.name in told:
            continue
        message = _difference(entry, searcher)
        if message is not None:
            told.add(entry.name)
            yield _finding(case, entry, message)


def _difference(entry: LinkMapEntry, searcher: Searcher) -> str | None:
    """What would be otherwise with a new cache; None if nothing would."""
    state = searcher.refreshed(entry.name)
    if state.now == state.then:
        return None
    cached, fresh, now, then = state.cached, state.fresh, state.now, state.then
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


def _finding(case: Case, entry: LinkMapEntry, message: str) -> Finding:
    fix = Fix("make the cache anew", "ldconfig", (), Applicability.DISPLAY_ONLY)
    asker = case.link_map.asker(entry)
    user = asker.label if asker is not None else entry.name
    return Finding(
        RULE.name,
        RULE.severity,
        asker.display if asker is not None else entry.name,
        message,
        (f"needed by {user}",),
        (fix,),
    )


RULE = Rule("stale-cache", Severity.WARNING, __doc__, _check)
