"""The libraries that a file lists in DT_NEEDED.

## What it asks

`has`: names that must be listed. `lacks`: names that must not be. Each may have `*` in it.

```toml
[[check]]
kind = "needed"
file = "torch/lib/libtorch_hip.so"
has = ["librocm_smi64.so*"]
```

## Why

`ldd FILE | grep NAME` shows every library that comes along, listed by whoever; what a file does not
list itself is not there in another process. `ldd` also runs the file's loader.

## How it is decided

By the entries of the dynamic section. A file that a pattern means and that is no ELF file is passed
over; where there is none at all, the check fails.
"""

from __future__ import annotations

from ...findings.checks import Check, Judgement
from ..build import Build
from ..globs import matches_name
from ..kind import GLOB, GLOBS, Kind, failed, passed, words
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    files = build.elf_files(str(check.parameters["file"]))
    if not files:
        return no_file(check, build)
    wrong: list[str] = []
    commands: list[str] = []
    for file, elf in files:
        for name in words(check, "has"):
            if not any(matches_name(each, name) for each in elf.needed):
                wrong.append(f"{file.path} does not list {name}")
                commands.append(f"elfaudit patch-needed {file.address} --add {name.rstrip('*')}")
        for name in words(check, "lacks"):
            listed = [each for each in elf.needed if matches_name(each, name)]
            wrong += [f"{file.path} lists {each}" for each in listed]
    if wrong:
        told = [f"{file.path} lists {', '.join(elf.needed) or 'nothing'}" for file, elf in files]
        return failed(check, "; ".join(wrong), told, "\n".join(commands))
    return passed(check, f"{files[0][0].path}: {', '.join(files[0][1].needed) or 'nothing'} listed")


KIND = Kind(
    "needed",
    __doc__,
    _judge,
    {"file": GLOB, "has": GLOBS, "lacks": GLOBS},
    ("file",),
    facts_wanted,
)
