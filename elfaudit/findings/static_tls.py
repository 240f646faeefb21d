"""A library that is opened at run time takes thread-local storage that cannot grow.

## What it is

`DF_STATIC_TLS`: the code reaches thread-local variables by the initial-exec model, at a fixed
distance from the thread pointer. They must lie in the block that every thread got when it was
made.

## Why it matters

`dlopen`, and so `import`, can only take such bytes from a small surplus (about 1.7 kB in glibc
2.36 on x86-64), which all libraries of the process share. When it is used up the next one fails
with `cannot allocate memory in static TLS block`: it hangs on the order of the imports. libgomp,
jemalloc and OpenBLAS are well known for it.

## How it is decided

An error where the loader stops for it: where the relocations of this type are more than the
surplus that the process still has. Otherwise a warning, by the flag in the dynamic section of the
file that was asked about, if `dlopen` would bring it in: not for programs and what is started
with them. The number of bytes is the size of its own block (`PT_TLS`); variables of other
libraries that it reaches in the same way come on top.

## Example

```text
warning  libgomp.so.1: takes 160 bytes of the static TLS block when it is opened with dlopen
```

## Fix

Compile with `-ftls-model=global-dynamic` (the default with `-fPIC`); or load it before the
program starts (LD_PRELOAD), or first; or raise the surplus:
`GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..elf import ElfObject, Flags
from ..loader import Cause
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]

_OWN = ("libc.so.", "ld-linux", "ld64.so.", "ld-musl", "libpthread.so.")


def _check(case: Case) -> Iterator[Finding]:
    subject, elf, failure = case.link_map.subject, case.model, case.failure
    if failure is not None and failure.cause is Cause.STATIC_TLS:
        entry, size = failure.entry, _size(failure.entry.elf)
        evidence = f"{size} bytes are more than what is left of the surplus"
        yield Finding(RULE.name, Severity.ERROR, entry.display, failure.message, (evidence,))
        if entry is subject:
            return
    if elf.dynamic is None or Flags.STATIC_TLS not in elf.dynamic.flags:
        return
    if subject not in case.opened or (elf.soname or "").startswith(_OWN):
        return  # the C library and the loader are in every process from the start
    size = _size(elf)
    if not size:
        return  # it reaches variables of others, which take the block for themselves
    yield Finding(
        RULE.name,
        Severity.WARNING,
        subject.display,
        f"takes {size} bytes of the static TLS block when it is opened with dlopen",
        (
            "DF_STATIC_TLS: its thread-local variables are reached by the initial-exec model",
            "the surplus is small and shared: whether it is enough hangs on what was opened before",
        ),
    )


def _size(elf: ElfObject | None) -> int:
    return elf.tls.memory_size if elf is not None and elf.tls is not None else 0


RULE = Rule("static-tls", Severity.ERROR, __doc__, _check)
