"""How many distributions or files there are.

## What it asks

`what`: `distributions`, those of them that are `installed` (and no wheels), or `files` with a
pattern in `path`. Then `min`, `max` or `exact`; by default at least one.

```toml
[[check]]
kind = "count"
what = "distributions"
min = 150
severity = "warning"
```

## Why

A number shows at a glance that a step of the build did not happen; the check `requires` says what
is missing.

## How it is decided

Each `.dist-info` or `.egg-info` is a distribution.
"""

from __future__ import annotations

from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import GLOB, Kind, counted, failed, passed
from .amounts import AMOUNT, amount_told, amount_wrong

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    what = check.parameters["what"]
    if what in ("distributions", "installed"):
        roots = [row for row in build.by_root if what == "distributions" or not row[0].is_wheel]
        count = sum(len(distributions) for _, distributions in roots)
        installed = " installed" if what == "installed" else ""
        line = f"{build.label} has {counted(count, 'distribution')}{installed}"
    else:
        pattern = str(check.parameters.get("path", "**"))
        count = len(build.matching(pattern))
        line = f"{build.label} has {counted(count, 'file')} {pattern}"
    if problem := amount_wrong(check, count):
        return failed(check, f"{line}, {problem}")
    return passed(check, line + amount_told(check))


KIND = Kind(
    "count",
    __doc__,
    _judge,
    {"what": {"enum": ["distributions", "installed", "files"]}, "path": GLOB, **AMOUNT},
    ("what",),
)
