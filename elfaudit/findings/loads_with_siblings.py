"""A library that does not load alone, but does with the files beside it that load it.

## What it is

A file of a wheel or of a directory fails by itself: a symbol or a library that it counts on comes
from something else. Yet other files of the same wheel list it, and in the process of each of them
that something is there before it.

## Why it matters

It is not a failure of the wheel: nobody loads the file any other way. But it works because of the
order in which others are loaded, not because of what the file says it needs; whoever opens it
alone, with `ctypes` or a test, meets the error.

## How it is decided

The file is resolved alone. If that fails, and it is neither a program nor named like an extension
module, every file that leads to it by DT_NEEDED and that nothing else lists is resolved in the
process it would have. Only if all of those load is the file said to load, and the finding names
them. A file that is named on the command line by itself is judged alone.

## Example

With `libplug.so`, which uses a symbol of `libbase.so` without listing it, and an extension that
lists both:

```text
NOTE  libplug.so: does not load alone, but with _ext.cpython-311-x86_64-linux-gnu.so, and nothing
      else lists it
```

## Fix

Link the file with what it uses, so that it says so itself: add the missing DT_NEEDED, and a
RUNPATH of `$ORIGIN` where the library is in the same directory.
"""

from __future__ import annotations

from collections.abc import Sequence

from .model import Finding, Resolution, Severity
from .rule import Rule, found_elsewhere

__all__ = ["RULE", "loads_with_siblings"]

RULE = Rule("loads-with-siblings", Severity.NOTE, __doc__, found_elsewhere)


def loads_with_siblings(alone: Resolution, names: Sequence[str]) -> Finding:
    """The finding about a file that fails alone and loads with all that list it: ``names``."""
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    why = alone.error or "that is undecided"
    return Finding(
        RULE.name,
        RULE.severity,
        alone.link_map.subject.display,
        f"{alone.link_map.subject.label}: does not load alone, but with {names[0]}{others}, and "
        "nothing else lists it",
        (f"alone: {why}", *(f"loads in the process of {name}" for name in names)),
    )
