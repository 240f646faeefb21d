"""The name a file is found by is not the one it gives itself.

## What it is

One of three:

- an object asks for a library by one name (DT_NEEDED), and the file that is found has another
  SONAME;
- two files of one process have the same SONAME: a library is loaded twice;
- a library in an archive is called otherwise than its SONAME, and no file of that name lies
  beside it.

## Why it matters

The linker copies the SONAME of a library into whatever is linked with it. So a file that is not
called so is not found by those; and a library that is asked for under two names is loaded twice
if these are two files, each copy with its own state. Version requirements (`.gnu.version_r`) name
the SONAME too: if no object was asked for under it, glibc 2.36 and others abort (`needed !=
NULL`).

## How it is decided

A warning for a library that is loaded twice, a note for the rest. A link of the other name to the
same file does no harm: the loader knows files by device and inode, and names by what was asked
and by SONAME. Wheels cannot hold links, which is why the third is looked for in archives only.

## Example

```text
note  libask.so: asks for libalias.so and gets libreal.so.1, a file whose SONAME is libreal.so.1
```

## Fix

Rename the file, or set its name (`patchelf --set-soname NAME FILE`) and that in its users
(`patchelf --replace-needed OLD NEW FILE`), so that both agree.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ..loader import LinkMapEntry
from ..sources import HOST
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    yield from _loaded_twice(case)
    yield from _asked_otherwise(case)
    yield from _called_otherwise(case)


def _loaded_twice(case: Case) -> Iterator[Finding]:
    """Two files of one SONAME, at least one of them because of the subject."""
    first: dict[str, LinkMapEntry] = {}
    for entry in case.link_map.entries:
        soname = entry.elf.soname if entry.elf is not None else None
        if soname is None or soname not in first:
            first.setdefault(soname or "", entry)
            continue
        other = first[soname]
        if entry in case.link_map.own:
            yield Finding(
                RULE.name,
                Severity.WARNING,
                entry.display,
                f"{soname} is in the process twice: {other.label} and {entry.label}",
                (f"one was asked for as {other.name}, the other as {entry.name}",),
            )


def _asked_otherwise(case: Case) -> Iterator[Finding]:
    """What the subject lists by a name that is not the SONAME of the file it gets."""
    subject, dynamic = case.link_map.subject, case.model.dynamic
    if dynamic is None:
        return
    listed = case.link_map.edges.get(subject, ())
    for name in dict.fromkeys(dynamic.needed):
        entry = case.link_map.names.get(name)
        soname = entry.elf.soname if entry is not None and entry.elf is not None else None
        known = (None, posixpath.basename(name), *dynamic.needed)  # by both names: no harm
        if entry not in listed or soname in known:
            continue
        yield Finding(
            RULE.name,
            Severity.NOTE,
            subject.display,
            f"asks for {name} and gets {posixpath.basename(entry.label)}, "
            f"a file whose SONAME is {soname}",
            (f"what is linked with that file asks for {soname}",),
        )


def _called_otherwise(case: Case) -> Iterator[Finding]:
    """A library of an archive that nobody finds by the name that is in it."""
    subject, soname = case.link_map.subject, case.model.soname
    path = subject.path or ""
    directory, name = posixpath.split(path)
    library = name.startswith("lib") and ".so" in name
    if not library or soname in (None, name) or "::" not in path or path.startswith(HOST):
        return
    if case.files is None or case.files.find(f"{directory}/{soname}") is not None:
        return
    yield Finding(
        RULE.name,
        Severity.NOTE,
        subject.display,
        f"calls itself {soname}, and there is no file of that name beside it",
        (f"what is linked with it asks for {soname} and does not find it here",),
    )


RULE = Rule("soname-mismatch", Severity.WARNING, __doc__, _check)
