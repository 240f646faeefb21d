"""A damaged file of which it cannot be told whether musl's loader takes it.

## What it is

A library or program of a musl process whose headers or tables no linker writes so: musl looks at
few of them, and maps, or crashes on, what other loaders refuse.

## Why it matters

Neither LOADS nor FAILS would be honest: the file may load and work, load and work otherwise than
it says, or end the process. Every other loader, and every tool that reads the file, stops at it.

## How it is decided

As `map_library` does (musl `ldso/dynlink.c`), which looks at neither the magic, the class, the byte
order, the versions nor the machine. Where it refuses a file the verdict is FAILS, in its words
(`Exec format error`, `Invalid argument`, `Out of memory`). What it takes is LOADS if it then finds
the dynamic section, the segments and the tables that are read here. Anything else is this finding:
what hangs on the memory or the addresses that are free, what lies where nothing is mapped, tables
that do not end in the file. A program that is damaged is the kernel's to judge, and is told so too.

## Example

```text
UNDECIDED  libfoo.so: cannot be told whether the loader takes it: it has no hash table: the loader
           crashes where it looks for a symbol
```

## Fix

Build or copy the file again. If a tool has patched or stripped it, take the file as it was
before.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Libc
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    for entry in case.link_map.entries:
        if entry.doubt is not None:
            evidence = tuple(f"{step.path}: {step.outcome.value}" for step in entry.steps[-1:])
            asker = case.link_map.asker(entry) if entry.missing else None
            location = asker.display if asker is not None else entry.display
            yield Finding(
                RULE.name, RULE.severity, location, _said(entry.label, entry.doubt), evidence
            )
    if case.link_map.libc is Libc.MUSL:
        for entry, error in case.damaged.items():
            if entry.doubt is None:
                yield Finding(
                    RULE.name, RULE.severity, entry.display, _said(entry.label, str(error))
                )


def _said(name: str, why: str) -> str:
    return f"{name}: cannot be told whether the loader takes it: {why}"


RULE = Rule("undecided-object", Severity.WARNING, __doc__, _check)
