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

import shlex
from collections.abc import Iterator
from contextlib import suppress

from ...elf import ElfObject
from ...errors import ElfAuditError
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..globs import is_pattern, matches_name
from ..kind import GLOB, GLOBS, Kind, counted, listed, words
from .elf_files import ElfFiles, Fault, facts_wanted, judge_each

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    def faults(file: BuildFile, elf: ElfObject) -> Iterator[Fault]:
        for name in words(check, "has"):
            if not any(matches_name(each, name) for each in elf.needed):
                yield Fault(f"{file.path} does not list {name}", _command(build, file, name))
        for each in elf.needed:
            if any(matches_name(each, name) for name in words(check, "lacks")):
                command = f"elfaudit patch-needed {file.address} --remove {shlex.quote(each)}"
                yield Fault(f"{file.path} lists {each}", command)

    return judge_each(check, build, faults, _told, _listing)


def _told(files: ElfFiles) -> str:
    if len(files.found) == 1:
        return _listing(*files.found[0])
    return f"{counted(len(files.found), 'file')} looked at, as {_listing(*files.found[0])}"


def _listing(file: BuildFile, elf: ElfObject) -> str:
    return f"{file.path} lists {listed(elf.needed, 12, ', ') or 'nothing'}"


def _soname(build: Build, file: BuildFile) -> str:
    """What a library is listed by."""
    with suppress(ElfAuditError):
        return build.elf(file).soname or file.path.rpartition("/")[2]
    return file.path.rpartition("/")[2]


def _command(build: Build, file: BuildFile, name: str) -> str:
    """How to list a library: by the SONAME that is there, as the loader has to find it."""
    if is_pattern(name):
        there = {
            _soname(build, each)
            for each in build.files
            if matches_name(each.path.rpartition("/")[2], name)
        }
        if len(there) != 1:
            return f"elfaudit resolve {file.address}"  # says who has what is missing
        name = there.pop()
    return f"elfaudit patch-needed {file.address} --add {shlex.quote(name)}"


KIND = Kind(
    "needed",
    __doc__,
    _judge,
    {"file": GLOB, "has": GLOBS, "lacks": GLOBS},
    ("file",),
    facts_wanted,
    one_of=("has", "lacks"),
)
