"""The loader does not take the file that was asked about.

## What it is

A shared object whose header says something `dlopen` does not accept: an unknown OS ABI or ABI
version, padding that is not zero, segments that cannot be mapped.

## Why it matters

The loader stops before it looks at anything else of it.

## How it is decided

As `open_verify` and `_dl_map_object_from_fd` do (glibc `elf/dl-load.c`), in their order and
words.

## Example

```text
FAILS  libfoo.so: ELF file OS ABI invalid
```

## Fix

Build or copy the file again; for `ELF file OS ABI invalid`, build it for Linux.
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    refused, subject = case.link_map.refused, case.link_map.subject
    if refused is not None:
        yield Finding(RULE.name, Severity.ERROR, subject.display, f"{subject.label}: {refused}")


RULE = Rule("refused-object", Severity.ERROR, __doc__, _check)
