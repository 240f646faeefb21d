"""The directories in which a file has its libraries looked for (DT_RUNPATH, DT_RPATH).

## What it asks

`has`: directories that must be listed. `lacks`: directories that must not be. `only`: whatever is
listed must be one of these. Each may have `*` in it. `tag`: `runpath` or `rpath`, where only one
will do.

```toml
[[check]]
kind = "runpath"
file = "torch/lib/*.so"
only = ["$ORIGIN*", "/opt/rocm*/lib"]
```

## Why

A directory of the machine that built the file is searched on every other machine, too; an empty
element is the current directory, whoever is in it.

## How it is decided

By the path the loader uses: DT_RUNPATH where there is one, else DT_RPATH, split at colons.
"""

from __future__ import annotations

from ...elf import ElfObject
from ...findings.checks import Check, Judgement
from ..build import Build
from ..globs import matches_name
from ..kind import GLOB, GLOBS, Kind, failed, passed, words
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]

_ANY: dict[str, object] = {"type": "array", "items": {"type": "string"}}


def _judge(check: Check, build: Build) -> Judgement:
    files = build.elf_files(str(check.parameters["file"]))
    if not files:
        return no_file(check, build)
    wrong = [f"{file.path} {each}" for file, elf in files for each in _wrong(check, elf)]
    if wrong:
        return failed(
            check,
            "; ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""),
            [f"{file.path}: {':'.join(_path(elf)[1]) or 'none'}" for file, elf in files],
            f"elfaudit patch-needed {files[0][0].address} --set-runpath '$ORIGIN'",
        )
    return passed(check, f"{len(files)} looked at, as {files[0][0].path}: "
                  f"{':'.join(_path(files[0][1])[1]) or 'none'}")  # fmt: skip


def _path(elf: ElfObject) -> tuple[str, list[str]]:
    dynamic = elf.dynamic
    if dynamic is None or (dynamic.runpath is None and dynamic.rpath is None):
        return "", []
    if dynamic.runpath is not None:
        return "runpath", dynamic.runpath.split(":")
    return "rpath", (dynamic.rpath or "").split(":")


def _wrong(check: Check, elf: ElfObject) -> list[str]:
    tag, listed = _path(elf)
    wrong = [
        f"does not list {each}"
        for each in words(check, "has")
        if not any(matches_name(one, each) for one in listed)
    ]
    wrong += [
        f"lists {each or 'an empty element, the current directory'}"
        for each in listed
        if any(matches_name(each, one) for one in words(check, "lacks"))
    ]
    if "only" in check.parameters:
        allowed = words(check, "only")
        wrong += [
            f"lists {each or 'an empty element, the current directory'}"
            for each in listed
            if not any(matches_name(each, one) for one in allowed)
        ]
    wanted = check.parameters.get("tag")
    if wanted is not None and tag and tag != wanted:
        wrong.append(f"has a {tag.upper()} instead of a {str(wanted).upper()}")
    return wrong


KIND = Kind(
    "runpath",
    __doc__,
    _judge,
    {
        "file": GLOB,
        "has": GLOBS,
        "lacks": _ANY,
        "only": _ANY,
        "tag": {"enum": ["runpath", "rpath"]},
    },
    ("file",),
    facts_wanted,
)
