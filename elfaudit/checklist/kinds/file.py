"""A file is there, and as large as it should be.

## What it asks

`path`: the file or a pattern. `exists = false`: nothing of that name may be there. `min_size` and
`max_size`: in bytes, of each file; `2_000_000_000` is a number of TOML. `wheel = true`: the sizes
are those of the wheel itself, and there is no path.

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

By the directory of the archive, or of the file system.
"""

from __future__ import annotations

import os

from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import GLOB, Kind, failed, passed, skipped

__all__ = ["KIND"]

_SIZE = {"type": "integer", "minimum": 0}


def _judge(check: Check, build: Build) -> Judgement:
    if check.parameters.get("wheel"):
        return _wheel(check, build)
    pattern = check.parameters.get("path")
    files = build.matching(str(pattern))
    if check.parameters.get("exists") is False:
        if not files:
            return passed(check, f"there is no {pattern}")
        return failed(check, f"there is {files[0].path}", [file.path for file in files[1:]])
    if not files:
        return failed(check, f"there is no {pattern} in {build.label}")
    sizes = [(file.path, file.member.size) for file in files]
    return _sized(check, sizes)


def _wheel(check: Check, build: Build) -> Judgement:
    wheels = [root.source.label for root in build.roots if root.is_wheel]
    if not wheels:
        return skipped(check, f"{build.label} is no wheel")
    return _sized(check, [(path, os.path.getsize(path)) for path in dict.fromkeys(wheels)])


def _sized(check: Check, sizes: list[tuple[str, int]]) -> Judgement:
    least, most = check.parameters.get("min_size", 0), check.parameters.get("max_size")
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
        return failed(check, "; ".join(wrong[:3]), wrong[3:])
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
    },
    one_of=("path", "wheel"),
)
