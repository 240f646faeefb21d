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

from ...findings.checks import Check, Judgement
from ..build import Build
from ..globs import matches_name
from ..kind import GLOB, TEXT, Kind, failed, passed
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    files = build.elf_files(str(check.parameters["file"]))
    if not files:
        return no_file(check, build)
    wanted = str(check.parameters["is"])
    wrong = [
        f"{file.path} has {'no SONAME' if elf.soname is None else f'the SONAME {elf.soname}'}"
        for file, elf in files
        if not matches_name(elf.soname or "", wanted)
    ]
    if wrong:
        return failed(check, "; ".join(wrong), advice=f"link it with -Wl,-soname,{wanted}")
    return passed(check, f"{files[0][0].path}: {files[0][1].soname or 'no SONAME'}")


KIND = Kind("soname", __doc__, _judge, {"file": GLOB, "is": TEXT}, ("file", "is"), facts_wanted)
