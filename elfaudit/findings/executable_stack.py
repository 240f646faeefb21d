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
from ..loader import LinkMapEntry
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule

__all__ = ["RULE"]

_REFUSED_SINCE = (2, 41)
# DEFAULT_STACK_PERMS of glibc's stackinfo.h without PF_X, by e_machine: POWER (64 bit), IA-64,
# AArch64, ARC (two), RISC-V, C-SKY, LoongArch.
_SAFE_UNSTATED = frozenset((21, 50, 183, 195, 243, 252, 253, 258, 113))


def _check(case: Case) -> Iterator[Finding]:
    strict = case.rtld_version is not None and case.rtld_version >= _REFUSED_SINCE
    refused: tuple[LinkMapEntry, ...] = ()
    opened = case.opened
    started = set(case.link_map.entries) - set(opened)
    if strict and not any(_wants(entry) for entry in started):
        refused = tuple(entry for entry in opened if _wants(entry))
    for entry in refused:
        yield Finding(
            RULE.name,
            Severity.ERROR,
            entry.display,
            f"{entry.label}: cannot enable executable stack as shared object requires: "
            "Invalid argument",
            (_why(entry),),
            (_fix(entry),),
        )
    subject = case.link_map.subject
    if subject not in refused and _wants(subject):
        yield Finding(
            RULE.name,
            Severity.WARNING,
            subject.display,
            "asks for an executable stack: glibc 2.41 and newer do not open it with dlopen",
            (_why(subject),),
            (_fix(subject),),
        )


def _wants(entry: LinkMapEntry) -> bool:
    elf = entry.elf
    if elf is None:
        return False
    unstated = elf.stack is Stack.UNSTATED and elf.machine not in _SAFE_UNSTATED
    return elf.stack is Stack.EXECUTABLE or unstated


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
