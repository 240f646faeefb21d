"""A file that should be an ELF file of some kind, and cannot be read.

## What it is

The file was named on the command line, or is named like a library, or begins like an ELF file,
and its bytes do not make one: it is cut off, its headers contradict the specification, or it is a
placeholder such as a Git LFS pointer.

## Why it matters

Where the loader meets such a file it stops (`invalid ELF header`, `file too short`); it does not
look for another one.

## How it is decided

By reading the ELF header, the program headers and the dynamic section. The message names the
field and the byte of the file that is wrong. Other files of a directory or an archive, texts and
the like, are counted and passed over.

## Example

```console
$ elfaudit resolve fixtures/prebuilt/shapes/relocatable.o fixtures/prebuilt/shapes/libempty.so --root none
UNREADABLE  fixtures/prebuilt/shapes/relocatable.o: is a relocatable object (ET_REL): link it first,
            no loader takes it
LOADS       fixtures/prebuilt/shapes/libempty.so

2 files: 1 loads, 0 fail, 0 undecided, 1 unreadable
```

## Fix

Build or copy the file again; for a Git LFS pointer run `git lfs pull`.
"""  # noqa: E501

from __future__ import annotations

from .model import Finding, Severity
from .rule import Rule, found_elsewhere

__all__ = ["RULE", "unreadable_file"]

RULE = Rule("unreadable-file", Severity.ERROR, __doc__, found_elsewhere)


def unreadable_file(subject: str, message: str) -> Finding:
    """The finding about a file that never became a case."""
    return Finding(RULE.name, RULE.severity, subject, message)
