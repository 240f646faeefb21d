"""The loader must write into the code of the file to load it.

## What it is

`DT_TEXTREL` or `DF_TEXTREL`: there are relocations in segments that are not writable, mostly
because objects were compiled without `-fPIC`.

## Why it matters

The loader makes the code writable for a while. Hardened systems forbid it (SELinux `execmod`,
Android, systemd's `MemoryDenyWriteExecute`): `cannot make segment writable for relocation:
Permission denied`. The pages are not shared between processes, and in a 64-bit library addresses
that do not fit break the link.

## How it is decided

By the flags in the dynamic section of the files that were asked about.

## Example

```text
warning  libfoo.so: has text relocations (DT_TEXTREL): its code must be writable while it is loaded
```

## Fix

Compile everything that goes into the file with `-fPIC`; `-Wl,-z,text` makes the linker refuse the
rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    dynamic, subject = case.model.dynamic, case.link_map.subject
    if dynamic is None or not dynamic.text_relocations:
        return
    title = "compile with -fPIC; -Wl,-z,text names the objects that were not"
    yield Finding(
        RULE.name,
        Severity.WARNING,
        subject.display,
        "has text relocations (DT_TEXTREL): its code must be writable while it is loaded",
        ("systems that forbid writable code refuse to load it",),
        (Fix(title, "-fPIC -Wl,-z,text", (), Applicability.DISPLAY_ONLY),),
    )


RULE = Rule("text-relocations", Severity.WARNING, __doc__, _check)
