"""A symbol that is used is defined by two libraries of the same scope.

## What it is

An object uses a symbol, and more than one library that is loaded with it has a strong definition.

## Why it matters

The first one in load order wins, for everybody, whichever was meant. The order follows from
DT_NEEDED lists, so that an unrelated change swaps the two. Two copies of a library that keep
state (an allocator, a registry, a thread pool) in one process are a classic cause of crashes.

## How it is decided

Only symbols that an audited object leaves undefined and that a relocation names count, and only
global definitions of functions and objects, of the same version. Weak and unique definitions, of
which C++ makes many on purpose, are no duplicates; nor are a program's, which has copies of its
libraries' data.

## Example

```console
$ elfaudit resolve fixtures/prebuilt/story/variants/twice/lib/libtorch_hip.so --root none --quiet
LOADS  fixtures/prebuilt/story/variants/twice/lib/libtorch_hip.so
warning  rsmi_init is defined by librocm_smi64.so.1 and by libamd_smi.so.26: librocm_smi64.so.1
       wins, it is loaded first
       fixtures/prebuilt/story/variants/twice/lib/librocm_smi64.so.1
       fixtures/prebuilt/story/variants/twice/lib/libamd_smi.so.26
```

## Fix

Load one of them only: take the other one out of DT_NEEDED, or build one of them without these
symbols (a version script, `-fvisibility=hidden`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..loader import LinkMapEntry
from ..loader.references import split_key
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    for entry in case.link_map.own:
        if entry in case.bindings.indices and case.audits(entry):
            yield from _doubled(case, entry)


def _doubled(case: Case, entry: LinkMapEntry) -> Iterator[Finding]:
    """Symbols ``entry`` uses that more than one library of the scope defines as a strong one."""
    wanted = case.bindings.indices[entry].references.keys
    owners: dict[str, tuple[LinkMapEntry, ...]] = {}
    twice: set[str] = set()
    for owner in case.link_map.own:
        index = case.bindings.indices.get(owner)
        if index is None or (owner.elf is not None and owner.elf.is_program):
            continue  # a program defines the library's data again on purpose: copy relocations
        for key in wanted & index.exports.strong:
            if key in owners:
                twice.add(key)
            owners[key] = (*owners.get(key, ()), owner)
    groups: dict[tuple[LinkMapEntry, ...], list[str]] = defaultdict(list)
    for key in case.bindings.looked_up(entry, twice):
        groups[owners[key]].append(split_key(key)[0])
    for group, names in groups.items():
        yield _finding(entry, group, sorted(names))


def _finding(entry: LinkMapEntry, owners: tuple[LinkMapEntry, ...], names: list[str]) -> Finding:
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    first, *others = [owner.soname for owner in owners]
    return Finding(
        RULE.name,
        Severity.WARNING,
        entry.display,
        f"{names[0]}{more} is defined by {first} and by {', '.join(others)}: "
        f"{first} wins, it is loaded first",
        tuple(owner.display for owner in owners),
        symbols=tuple(names),
    )


RULE = Rule("duplicate-definition", Severity.WARNING, __doc__, _check)
