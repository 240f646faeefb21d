"""A NEEDED library that is not in what is audited, in a root that is no whole system.

## What it is

A name in DT_NEEDED that no file was found for, where the root has no dynamic loader of its own: a
wheel alone (`--root none`), an unpacked package, a partial tree.

## Why it matters

There absence proves nothing: the system the files are made for may well have it. What it would
supply is undecided, and so is the verdict.

## How it is decided

As for missing-library; a root is taken for a whole system if the loader (`PT_INTERP` of the
machine) is in it.

## Example

```text
UNDECIDED  libdemo.so: libdep.so.1 is not in what is audited (--root, --with)
```

## Fix

Name what the files will be used with: `--root` an unpacked image or a sysroot, `--with` the
directory or wheel that has the library.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Origin
from .absent import MOST_NEAR, absence, users_of
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    missing = [e for e in case.link_map.missing if e.origin is Origin.EXTERNAL]
    users = users_of(case) if missing else {}
    for number, entry in enumerate(missing):
        message = f"{entry.name}: is not in what is audited; taken to come from elsewhere"
        near = number < MOST_NEAR
        yield absence(case, entry, RULE, message, users.get(entry, []), near=near)


RULE = Rule("external-library", Severity.WARNING, __doc__, _check)
