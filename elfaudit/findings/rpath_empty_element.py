"""An empty element in RPATH or RUNPATH: the loader looks in the current directory.

## What it is

Two colons in a row, or one at the beginning or the end (`/opt/lib:`), or an RPATH that is the
empty text. Relative elements, such as `lib` or `.`, mean the same.

## Why it matters

Whoever can put a file into the directory that a program is started in decides which library it
loads.

## How it is decided

As `fillin_rpath` does (glibc `elf/dl-load.c`): an empty element is the current directory. Of an
object with both tags the RUNPATH counts. musl passes over an empty element.

## Example

```text
warning  libfoo.so: RUNPATH "$ORIGIN:" has an empty element: the loader looks in the current
       directory
```

## Fix

Write the path without it: `patchelf --set-rpath '$ORIGIN' FILE`. It mostly comes from
`-Wl,-rpath,$UNSET_VARIABLE:…` in a build script.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule
from .search_paths import elements, shortened, tag_of

__all__ = ["RULE"]

_MOST_IN_COMMAND = 50  # elements; what nobody can read nobody should paste


def _check(case: Case) -> Iterator[Finding]:
    every = list(elements(case))
    kept = [element for element in every if element.startswith(("/", "$"))]
    if len(kept) == len(every):
        return
    subject = case.link_map.subject
    paths, tag = shortened(":".join(every)), tag_of(case)
    relative = next((e for e in every if e and e not in kept), None)
    what = (
        "an empty element" if relative is None else f"the relative element {shortened(relative)!r}"
    )
    command = None
    if "::" not in subject.display and len(every) <= _MOST_IN_COMMAND:
        option = f"--set-rpath {shlex.quote(':'.join(kept))}" if kept else "--remove-rpath"
        command = f"patchelf {option} {shlex.quote(subject.display)}"
    yield Finding(
        RULE.name,
        Severity.WARNING,
        subject.display,
        f'{tag} "{paths}" has {what}: the loader looks in the current directory',
        (),
        (Fix(f"write the {tag} without it", command, (), Applicability.DISPLAY_ONLY),),
    )


RULE = Rule("rpath-empty-element", Severity.WARNING, __doc__, _check)
