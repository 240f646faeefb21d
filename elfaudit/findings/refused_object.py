"""The loader does not take an object, be it the file that was asked about or a library of it.

## What it is

A shared object whose header says something `dlopen` does not accept: another class, an unknown OS
ABI or ABI version, padding that is not zero, segments that cannot be mapped. Or one whose tables
the loader gives up at: a relocation of a type it does not know, a size that is not that of the
structure.

## Why it matters

The loader stops before it looks at anything else of it.

## How it is decided

As `open_verify`, `_dl_map_object_from_fd` (glibc `elf/dl-load.c`), `elf_get_dynamic_info`
(`elf/get-dynamic-info.h`) and `_dl_reloc_bad_type` (`elf/dl-reloc.c`) do, in their order and
words. Where the file also contradicts the specification, the message is followed by the field and
its offset.

## Example

```text
FAILS  libfoo.so: ELF file OS ABI invalid
```

## Fix

Build or copy the file again; for `ELF file OS ABI invalid`, build it for Linux.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Cause
from ..loader.assertions import said_of
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    refused, subject = case.link_map.refused, case.link_map.subject
    if refused is not None:
        yield Finding(RULE.name, Severity.ERROR, subject.display, said_of(subject.label, refused))
    failure = case.failure
    if failure is not None and failure.cause in (Cause.DAMAGE, Cause.RELOCATION):
        yield Finding(RULE.name, Severity.ERROR, failure.entry.display, failure.message)


RULE = Rule("refused-object", Severity.ERROR, __doc__, _check)
