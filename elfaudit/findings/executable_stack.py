"""An object asks for a stack that code can be run from.

## What it is

`PT_GNU_STACK` has the executable bit, or is absent on a machine where that means the same (x86,
Arm, s390x; not AArch64, RISC-V, LoongArch, 64-bit POWER).

## Why it matters

glibc 2.41 and newer do not make the stack of a running process executable: `dlopen`, and so
`import`, fails with `cannot enable executable stack as shared object requires: Invalid argument`.
Older releases make all stacks of the process executable, which takes a protection from it, and
fail under SELinux and the like. Mostly nobody wants it: one assembler file without a
`.note.GNU-stack` section is enough.

## How it is decided

As `_dl_map_object_from_fd` does (glibc `elf/dl-load.c`): an error for an object that `dlopen`
brings in, where the C library of the root is 2.41 or newer and no object loaded with the program
has asked for such a stack already. Otherwise a warning, about the files that were asked about
only.

## Example

```console
$ elfaudit resolve fixtures/prebuilt/shapes/libdemo-execstack.so --select executable-stack --quiet
LOADS  fixtures/prebuilt/shapes/libdemo-execstack.so
warning  asks for an executable stack: glibc 2.41 and newer do not open it with dlopen
       PT_GNU_STACK has the executable bit
  fix: clear the executable bit of PT_GNU_STACK in libdemo-execstack.so, unless it runs code on its
       stack
         patchelf --clear-execstack fixtures/prebuilt/shapes/libdemo-execstack.so
```

## Fix

`patchelf --clear-execstack FILE`, or `-Wl,-z,noexecstack` when linking; in assembler sources
`.section .note.GNU-stack,"",@progbits`. Code that really needs it (nested functions of GNU C
whose address is taken) must be rewritten.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator

from ..elf import Stack
from ..loader import Cause, LinkMapEntry
from ..loader.execstack import wants_executable_stack
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    refused = None
    if case.failure is not None and case.failure.cause is Cause.STACK:
        refused = case.failure.entry
        yield Finding(
            RULE.name,
            Severity.ERROR,
            refused.display,
            case.failure.message,
            (_why(refused),),
            (_fix(refused),),
        )
    subject = case.link_map.subject
    if subject is not refused and wants_executable_stack(case.model):
        yield Finding(
            RULE.name,
            Severity.WARNING,
            subject.display,
            "asks for an executable stack: glibc 2.41 and newer do not open it with dlopen",
            (_why(subject),),
            (_fix(subject),),
        )


def _why(entry: LinkMapEntry) -> str:
    if entry.elf is not None and entry.elf.stack is Stack.UNSTATED:
        return "it has no PT_GNU_STACK, which on this machine means an executable stack"
    return "PT_GNU_STACK has the executable bit"


def _fix(entry: LinkMapEntry) -> Fix:
    name = posixpath.basename(entry.label)
    inside = "::" in entry.display
    command = None if inside else f"patchelf --clear-execstack {shlex.quote(entry.display)}"
    title = f"clear the executable bit of PT_GNU_STACK in {name}, unless it runs code on its stack"
    return Fix(title, command, (), Applicability.DISPLAY_ONLY)


RULE = Rule("executable-stack", Severity.ERROR, __doc__, _check)
