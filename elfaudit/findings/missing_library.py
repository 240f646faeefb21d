"""A NEEDED library that the loader does not find.

## What it is

A name in DT_NEEDED, and no file for it on any path the loader searches.

## Why it matters

The loader stops at the first such name; nothing of the program or extension runs.

## How it is decided

The loader's search is replayed, and every path tried is kept. A file of another class or machine
is passed over; any other file that is no loadable ELF file ends the search there, and the message
is the one the loader has for that file.

Then every place at hand (what was named, `--with`, the library directories of the root, the
directories searched) is asked for a file of that name or SONAME, and for libraries whose names
differ in the version behind `.so` only. The number there is the version of the ABI:
`librocm_smi64.so.7` under the name `librocm_smi64.so.1` may load, and then fail at the first call
or corrupt memory. A bare `.so` is the name for the linker; it is asked for at run time only if
the library it was linked with had no SONAME.

## Example

```text
FAILS  librocm_smi64.so.1: cannot open shared object file: No such file or directory
       needed by /opt/app/libtorch_hip.so
       looked in /opt/app, /lib/x86_64-linux-gnu, /usr/lib/x86_64-linux-gnu, /lib, /usr/lib
       librocm_smi64.so.7 is there (/opt/rocm/lib/librocm_smi64.so.7.0), need librocm_smi64.so.1:
         another ABI version, a symlink will not do
```

## Fix

Put the library's directory on the RUNPATH or the LD_LIBRARY_PATH, or install what has it. Where
another ABI version is there, install the version that was linked with, or build again with the
one that is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Libc, LinkMapEntry, Origin
from ..loader.failure import absence_message
from ..loader.musl_failure import musl_absence_message
from .absent import MOST_NEAR, absence, users_of
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]

_ELSEWHERE = (Origin.EXTERNAL, Origin.UNTOLD)  # told by other rules


def _check(case: Case) -> Iterator[Finding]:
    missing = [e for e in case.link_map.missing if e.origin not in _ELSEWHERE]
    users = users_of(case) if missing else {}
    for number, entry in enumerate(missing):
        near = number < MOST_NEAR
        yield absence(case, entry, RULE, _message(case, entry), users.get(entry, []), near=near)


def _message(case: Case, entry: LinkMapEntry) -> str:
    """The loader's own words."""
    link_map = case.link_map
    if link_map.libc is Libc.MUSL:
        return musl_absence_message(link_map, entry)
    return absence_message(entry, started=entry in link_map.openings[0].loaded)


RULE = Rule("missing-library", Severity.ERROR, __doc__, _check)
