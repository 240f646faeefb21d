"""An object of the process whose symbol tables cannot be read.

## What it is

A library that is found and has sound headers, but whose symbol, version, hash or relocation
tables contradict the specification.

## Why it matters

What it defines and what it asks for is unknown. The loader trusts these tables: it may crash on
them.

## How it is decided

Every table that the dynamic section points at must lie inside the file and have whole rows; every
name must end inside the string table. The message has the table and the byte.

## Example

```text
error  libfoo.so: DT_SYMTAB at 0x2f0: the file ends inside it
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
    if case.link_map.libc is Libc.MUSL:
        return  # there that is undecided-object
    for entry, error in case.damaged.items():
        yield Finding(RULE.name, Severity.ERROR, entry.display, str(error))


RULE = Rule("damaged-object", Severity.ERROR, __doc__, _check)
