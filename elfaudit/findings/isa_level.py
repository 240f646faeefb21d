"""An object needs instructions that the CPU does not have.

## What it is

A file linked with `-Wl,-z,x86-64-v3` (or out of objects that were compiled so with
`-mneeded`) carries a note, `GNU_PROPERTY_X86_ISA_1_NEEDED`: the micro-architecture levels of
x86-64 that its CPU must have.

## Why it matters

The loader of glibc refuses it on any other CPU: `CPU ISA level is lower than required`. One such
library among all that a program needs is enough.

## How it is decided

As `dl_isa_level_check` does (glibc `sysdeps/x86/dl-prop.h`, since 2.33): after the versions, before
the relocations, in the order of these. The CPU is that of this machine; for another root it has all
levels there are. Without the note a file that needs them loads, and dies of an illegal instruction
later: that is not seen.

## Example

```text
FAILS  /opt/lib/libfast.so: CPU ISA level is lower than required
       it needs x86-64-v4, the CPU has x86-64-baseline, x86-64-v2, x86-64-v3
```

## Fix

Link it for the lowest level it will run on, and put what is faster into
`glibc-hwcaps/x86-64-v3/` beside it: the loader takes it from there where the CPU can use it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Cause
from ..loader.isalevel import level_names
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule

__all__ = ["RULE"]

_TITLE = "link it for the lowest level, and put this one into glibc-hwcaps/LEVEL beside it"


def _check(case: Case) -> Iterator[Finding]:
    failure = case.failure
    if failure is None or failure.cause is not Cause.ISA_LEVEL or failure.entry.elf is None:
        return
    elf = failure.entry.elf
    has = (case.searcher.capabilities.isa or 0) if case.searcher is not None else 0
    lacking = ", ".join(level_names(elf.isa_needed & ~has))
    yield Finding(
        RULE.name,
        Severity.ERROR,
        failure.entry.display,
        failure.message,
        (f"it needs {lacking}, the CPU has {', '.join(level_names(has))}",),
        (Fix(_TITLE, None, (), Applicability.DISPLAY_ONLY),),
    )


RULE = Rule("isa-level", Severity.ERROR, __doc__, _check)
