"""A file is there, and as large as it should be.

## What it asks

`path`: the file or a pattern. `exists = false`: nothing of that name may be there. `min_size` and
`max_size`: in bytes, of each file; `2_000_000_000` is a number of TOML. `wheel = true`: the sizes
are those of the wheel itself (of `distribution`, where several are given), and there is no path.

```toml
[[check]]
kind = "file"
path = "torch/lib/libtorch_hip.so"
min_size = 100_000_000
```

## Why

A wheel of a build without its GPU part is a fraction of the size. The size alone proves nothing;
the other kinds say what is in the file.

## How it is decided

By the directory of the archive, or of the file system. An absolute path without a pattern may be
that of a directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from packaging.utils import canonicalize_name

from ...errors import ChecklistError
from ...findings.checks import Check, Judgement
from ...pydist import Distribution
from ..build import Build
from ..kind import GLOB, NAME, Kind, failed, listed, passed, skipped

__all__ = ["KIND"]

_SIZE = {"type": "integer", "minimum": 0}


def _judge(check: Check, build: Build) -> Judgement:
    if check.parameters.get("wheel"):
        if "path" in check.parameters:
            raise ChecklistError("", "path", "does not go with wheel = true: make two checks of it")
        return _wheel(check, build)
    if "distribution" in check.parameters:
        raise ChecklistError("", "distribution", "says of which wheel: it needs wheel = true")
    pattern = str(check.parameters["path"])
    files = build.matching(pattern)
    if not files and pattern.startswith("/") and build.is_directory(pattern):
        return _directory(check, pattern)
    if check.parameters.get("exists") is False:
        if not files:
            return passed(check, f"there is no {pattern}")
        return failed(check, f"there is {files[0].path}", [file.path for file in files[1:]])
    if not files:
        return failed(check, f"there is no {pattern} in {build.label}")
    return _sized(check, [(file.path, file.member.size) for file in files])


def _directory(check: Check, path: str) -> Judgement:
    if check.parameters.get("exists") is False:
        return failed(check, f"there is {path}, a directory")
    if {"min_size", "max_size"} & check.parameters.keys():
        return failed(check, f"{path} is a directory")
    return passed(check, f"{path} is there, a directory")


def _wheel(check: Check, build: Build) -> Judgement:
    name = check.parameters.get("distribution")
    wheels = [
        root.source.label
        for root, distributions in build.by_root
        if root.is_wheel and (name is None or canonicalize_name(str(name)) in _names(distributions))
    ]
    if not wheels:
        return skipped(check, f"{build.label} is no wheel{f' of {name}' if name else ''}")
    return _sized(check, [(path, os.path.getsize(path)) for path in dict.fromkeys(wheels)])


def _names(distributions: Iterable[Distribution]) -> set[str]:
    return {canonicalize_name(each.name) for each in distributions}


def _sized(check: Check, sizes: list[tuple[str, int]]) -> Judgement:
    least, most = check.parameters.get("min_size", 0), check.parameters.get("max_size")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        raise ChecklistError("", "min_size", f"{least:,} is more than max_size, {most:,}")
    wrong = [
        f"{path} has {size:,} bytes, less than {least:,}"
        for path, size in sizes
        if isinstance(least, int) and size < least
    ]
    wrong += [
        f"{path} has {size:,} bytes, more than {most:,}"
        for path, size in sizes
        if isinstance(most, int) and size > most
    ]
    if wrong:
        return failed(check, listed(wrong), wrong[1:])
    path, size = sizes[0]
    more = f" and {len(sizes) - 1:,} more" if len(sizes) > 1 else ""
    return passed(check, f"{path} ({size:,} bytes){more}")


KIND = Kind(
    "file",
    __doc__,
    _judge,
    {
        "path": GLOB,
        "exists": {"type": "boolean"},
        "min_size": _SIZE,
        "max_size": _SIZE,
        "wheel": {"const": True},
        "distribution": NAME,
    },
    one_of=("path", "wheel"),
)
