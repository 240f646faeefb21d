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
is asked of programs only.
"""

from __future__ import annotations

from ...elf import ElfObject, Stack
from ...elf import Kind as FileKind
from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import GLOB, Kind, failed, passed
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]

_MOST_SHOWN = 3


def _judge(check: Check, build: Build) -> Judgement:
    files = build.elf_files(str(check.parameters["file"]))
    if not files:
        return no_file(check, build)
    wrong = [f"{file.path}: {each}" for file, elf in files for each in _wrong(check, elf)]
    if not wrong:
        return passed(check, f"{len(files):,} looked at")
    more = f" and {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
    advice = ""
    if any("executable stack" in each for each in wrong):
        advice = f"elfaudit patch-needed {files[0][0].address} --clear-execstack"
    return failed(check, "; ".join(wrong[:_MOST_SHOWN]) + more, wrong[_MOST_SHOWN:], advice)


def _wrong(check: Check, elf: ElfObject) -> list[str]:
    given, wrong = check.parameters, []
    now = elf.dynamic is not None and elf.dynamic.bind_now
    if "relro" in given and elf.relro is None:
        wrong.append("no RELRO")
    elif given.get("relro") == "full" and not now:
        wrong.append("RELRO is partial: functions are bound lazily")
    if given.get("now") and not now:
        wrong.append("functions are bound lazily")
    if given.get("pie") and elf.kind in (FileKind.EXECUTABLE, FileKind.STATIC_EXECUTABLE):
        wrong.append("is no position-independent executable")
    if given.get("stack") and elf.stack is Stack.EXECUTABLE:
        wrong.append("asks for an executable stack")
    elif given.get("stack") and elf.stack is Stack.UNSTATED:
        wrong.append(
            "does not say whether its stack is executable, which counts as an executable stack"
        )
    return wrong


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
)
