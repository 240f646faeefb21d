"""RPATH or RUNPATH of a file in a wheel names an absolute directory.

## What it is

An element that does not begin with `$ORIGIN`, such as `/opt/intel/lib` or
`/usr/local/cuda/lib64`, in a file that is installed wherever the user's `site-packages` is.

## Why it matters

It only works where that directory has the right library. Where it has another one, that one is
loaded: before the system's, and before what `$ORIGIN` leads to if it stands first.

## How it is decided

Only members of archives are looked at; directories of build machines are rpath-foreign.

## Example

```text
note  torch/bin/test_shim: RUNPATH has /lib/intel64: a wheel does not know where it will be
       installed
       nothing is found there
```

## Fix

Name directories relative to `$ORIGIN`. If a library of the system is meant (ROCm, CUDA), say so
in the wheel's documentation; it is a note, not a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..sources import HOST
from .case import Case
from .model import Finding, Severity
from .rpath_foreign import is_build_path
from .rule import Rule
from .search_paths import elements, found_in, listed, tag_of

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    subject = case.link_map.subject
    path = subject.path or ""
    if "::" not in path or path.startswith(HOST):
        return
    absolute = [e for e in dict.fromkeys(elements(case)) if e[:1] == "/" and not is_build_path(e)]
    if not absolute:
        return
    yield Finding(
        RULE.name,
        Severity.NOTE,
        subject.display,
        f"{tag_of(case)} has {listed(absolute)}: a wheel does not know where it will be installed",
        found_in(case, absolute),
    )


RULE = Rule("rpath-absolute", Severity.NOTE, __doc__, _check)
