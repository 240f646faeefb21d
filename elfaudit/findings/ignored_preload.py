"""A library of LD_PRELOAD that the loader does not find.

## What it is

`LD_PRELOAD` names a file that is not there, or that cannot be loaded into this process.

## Why it matters

The loader prints a warning and goes on without it. If the preload was to supply symbols or to
replace functions, the program runs without them.

## How it is decided

A name with a slash is a path; any other is searched for as if the program had it in DT_NEEDED
(`do_preload`, glibc `elf/rtld.c`). What a preload itself needs must be there: that is a
missing-library.

## Example

```console
$ elfaudit resolve fixtures/prebuilt/shapes/libdep.so.1 --root none --preload /opt/libno.so
LOADS  fixtures/prebuilt/shapes/libdep.so.1
warning  object '/opt/libno.so' from LD_PRELOAD cannot be preloaded (cannot open shared object
       file): ignored.
```

## Fix

Correct the path, or take it out of LD_PRELOAD.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Libc, LinkMapEntry, Outcome
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    for entry in case.link_map.ignored_preloads:
        message = f"object '{entry.name}' from {entry.origin.value} cannot be preloaded "
        message += f"({_reason(entry)}): ignored."
        if case.link_map.libc is Libc.MUSL:  # which passes it over without a word
            message = f"{entry.name} from {entry.origin.value} is not loaded: musl passes it over"
        yield Finding(RULE.name, Severity.WARNING, entry.name, message)


def _reason(entry: LinkMapEntry) -> str:
    """Why a file was not taken; of one that is not there only that."""
    refused = (step.detail for step in entry.steps if step.outcome is Outcome.NOT_ELF)
    return next(refused, None) or "cannot open shared object file"


RULE = Rule("ignored-preload", Severity.WARNING, __doc__, _check)
