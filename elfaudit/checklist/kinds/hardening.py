"""How a file is hardened: RELRO, immediate binding, PIE, a stack that is not executable.

## What it asks

`relro`: `partial` or `full`. `now`, `pie`, `stack` (not executable): `true` where it must be so.

```toml
[[check]]
kind = "hardening"
file = "**/*.so"
relro = "partial"
stack = true
severity = "warning"
```

## Why

A library whose PT_GNU_STACK asks for an executable stack is refused by glibc 2.41 and later when it
is opened with `dlopen`, and so by `import`.

## How it is decided

By PT_GNU_RELRO, PT_GNU_STACK, DF_BIND_NOW and DF_1_NOW, and the file type, as `checksec` does. PIE
is asked of programs only; static programs bind nothing lazily, and of object files nothing is
asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...elf import ElfObject, Stack
from ...elf import Kind as FileKind
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..kind import GLOB, Kind
from .elf_files import Fault, facts_wanted, judge_each

__all__ = ["KIND"]

_PROGRAMS = (FileKind.EXECUTABLE, FileKind.STATIC_EXECUTABLE)
_NOT_LOADED = (FileKind.RELOCATABLE, FileKind.CORE)


def _judge(check: Check, build: Build) -> Judgement:
    def faults(file: BuildFile, elf: ElfObject) -> Iterator[Fault]:
        for each in _wrong(check, elf):
            command = f"elfaudit patch-needed {file.address} --clear-execstack"
            yield Fault(f"{file.path} {each}", command if "executable stack" in each else "")

    return judge_each(check, build, faults, lambda files: f"{len(files.found):,} looked at")


def _wrong(check: Check, elf: ElfObject) -> Iterator[str]:
    given = check.parameters
    if elf.kind in _NOT_LOADED:
        return
    # A static program, position-independent or not, has nobody who could bind lazily.
    static = elf.dynamic is None or (elf.kind is FileKind.PIE and elf.interp is None)
    bound = static or (elf.dynamic is not None and elf.dynamic.bind_now)
    if "relro" in given and elf.relro is None:
        yield "has no RELRO"
    elif given.get("relro") == "full" and not bound:
        yield "has partial RELRO only: functions are bound lazily"
    if given.get("now") and not bound:
        yield "binds functions lazily"
    if given.get("pie") and elf.kind in _PROGRAMS:
        yield "is no position-independent executable"
    if given.get("stack") and elf.stack is Stack.EXECUTABLE:
        yield "asks for an executable stack"
    elif given.get("stack") and elf.stack is Stack.UNSTATED:
        yield "does not say whether its stack is executable, which counts as an executable stack"


_YES: dict[str, object] = {"const": True}
KIND = Kind(
    "hardening",
    __doc__,
    _judge,
    {
        "file": GLOB,
        "relro": {"enum": ["partial", "full"]},
        "now": _YES,
        "pie": _YES,
        "stack": _YES,
    },
    ("file",),
    facts_wanted,
    one_of=("relro", "now", "pie", "stack"),
)
