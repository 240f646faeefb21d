"""The name by which others list a library (DT_SONAME).

## What it asks

`is`: what it must be, `*` for any part; an empty text: there must be none.

```toml
[[check]]
kind = "soname"
file = "/opt/rocm/lib/librocm_smi64.so*"
is = "librocm_smi64.so.1"
```

## Why

What is linked with the library lists this name, and finds the file only under it.

## How it is decided

By DT_SONAME of each file that the pattern means.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ...elf import ElfObject
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..globs import matches_name
from ..kind import GLOB, Kind
from .elf_files import Fault, facts_wanted, judge_each

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    wanted = str(check.parameters["is"])

    def faults(file: BuildFile, elf: ElfObject) -> Iterator[Fault]:
        named = elf.soname is not None
        if named is not bool(wanted) or not matches_name(elf.soname or "", wanted):
            fixed = wanted and not any(wild in wanted for wild in "*?[")
            command = f"elfaudit patch-needed {file.address} --set-soname {shlex.quote(wanted)}"
            instead = f", not {wanted}" if wanted else ""
            yield Fault(f"{_naming(file, elf)}{instead}", command if fixed else "")

    return judge_each(check, build, faults, lambda files: _naming(*files.found[0]))


def _naming(file: BuildFile, elf: ElfObject) -> str:
    return f"{file.path} has {'no SONAME' if elf.soname is None else f'the SONAME {elf.soname}'}"


_IS = {"type": "string", "format": "glob"}
KIND = Kind("soname", __doc__, _judge, {"file": GLOB, "is": _IS}, ("file", "is"), facts_wanted)
