"""The newest GLIBC, GLIBCXX and CXXABI that the files need.

## What it asks

`max`: the newest version of each prefix that is allowed. `tag = true`: what the platform tag of the
wheel promises (`manylinux_2_28` is glibc 2.28) must be enough; a wheel without such a tag is
skipped.

```toml
[[check]]
kind = "glibc"
file = "**/*.so*"
max = { GLIBC = "2.35", GLIBCXX = "3.4.30" }
```

## Why

`version 'GLIBCXX_3.4.32' not found` is what a user of an older distribution is told, and before any
undefined symbol.

## How it is decided

By the versions each file requires of its libraries (Verneed), those that are weak left out, and
only where a symbol really has the version. The evidence names such symbols. A version that a
library beside the file defines under the same name is required all the same. The limits of a tag
for GLIBCXX and CXXABI are those of the manylinux policies (PEP 600, auditwheel).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from ...elf import ElfObject
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..kind import GLOB, Kind, failed, passed, skipped
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]

_VERSION = re.compile(r"(?P<prefix>GLIBC|GLIBCXX|CXXABI)_(?P<number>\d+(?:\.\d+)*)$")
_TAG = re.compile(r"manylinux_(\d+)_(\d+)_")
_OLD_TAGS = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
# GLIBCXX and CXXABI of the newest compiler that every distribution of the policy has.
_POLICIES: tuple[tuple[tuple[int, int], str, str], ...] = (
    ((2, 5), "3.4.9", "1.3.1"),
    ((2, 12), "3.4.13", "1.3.3"),
    ((2, 17), "3.4.19", "1.3.7"),
    ((2, 24), "3.4.22", "1.3.10"),
    ((2, 27), "3.4.24", "1.3.11"),
    ((2, 28), "3.4.24", "1.3.11"),
    ((2, 31), "3.4.28", "1.3.12"),
    ((2, 34), "3.4.29", "1.3.13"),
    ((2, 35), "3.4.30", "1.3.13"),
    ((2, 39), "3.4.33", "1.3.15"),
)
_MOST_SHOWN = 4


def _judge(check: Check, build: Build) -> Judgement:
    limits = _given(check)
    if check.parameters.get("tag"):
        tagged = _promised(build)
        if tagged is None:
            return skipped(check, f"{build.label} has no manylinux tag that promises a glibc")
        limits = {**tagged, **limits}
    files = build.elf_files(str(check.parameters["file"]))
    if not files:
        return no_file(check, build)
    highest: dict[str, tuple[tuple[int, ...], BuildFile, ElfObject]] = {}
    for file, elf in files:
        for prefix, number in _needed(elf):
            if prefix not in highest or number > highest[prefix][0]:
                highest[prefix] = (number, file, elf)
    told, wrong = [], []
    for prefix, (number, file, elf) in sorted(highest.items()):
        name = f"{prefix}_{_dotted(number)}"
        told.append(f"{name} is needed by {file.path} for {_symbols(elf, name)}")
        if prefix in limits and number > limits[prefix]:
            wrong.append(f"{file.path} needs {name}, and {_dotted(limits[prefix])} is the limit")
    if wrong:
        return failed(check, "; ".join(wrong), told, "build on an older distribution, or allow it")
    newest = ", ".join(f"{prefix}_{_dotted(row[0])}" for prefix, row in sorted(highest.items()))
    return passed(check, f"needs {newest or 'no versions'}", told)


def _given(check: Check) -> dict[str, tuple[int, ...]]:
    given = check.parameters.get("max", {})
    rows = given.items() if isinstance(given, dict) else ()
    return {prefix: _number(str(text)) for prefix, text in rows}


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _dotted(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))


def _needed(elf: ElfObject) -> Iterator[tuple[str, tuple[int, ...]]]:
    for need in elf.versions.needs:
        match = _VERSION.fullmatch(need.name)
        if match and not need.weak and len(match["number"]) < 40:
            yield match["prefix"], _number(match["number"])


def _symbols(elf: ElfObject, version: str) -> str:
    """The first few symbols that have a version."""
    table = elf.symbols
    found = [s.name for row in table.undefined_indices if (s := table[row]).version == version]
    if not found:
        return "no symbol"
    return ", ".join(found[:_MOST_SHOWN]) + (" …" if len(found) > _MOST_SHOWN else "")


def _promised(build: Build) -> Mapping[str, tuple[int, ...]] | None:
    """What the tags of the wheels promise: of several tags of a wheel the oldest is kept."""
    least: tuple[int, int] | None = None
    for root in build.roots:
        if root.is_wheel:
            for glibc in _tagged(root.source.label.rpartition("/")[2]):
                least = glibc if least is None else min(least, glibc)
    if least is None:
        return None
    limits: dict[str, tuple[int, ...]] = {"GLIBC": least}
    for glibc, glibcxx, cxxabi in _POLICIES:
        if glibc <= least:
            limits |= {"GLIBCXX": _number(glibcxx), "CXXABI": _number(cxxabi)}
    return limits


def _tagged(filename: str) -> Iterator[tuple[int, int]]:
    try:
        tags = parse_wheel_filename(filename)[3]
    except (InvalidWheelFilename, ValueError):
        return
    for tag in tags:
        match = _TAG.match(tag.platform)
        if match:
            yield int(match[1]), int(match[2])
        elif (old := tag.platform.partition("_")[0]) in _OLD_TAGS:
            yield _OLD_TAGS[old]


KIND = Kind(
    "glibc",
    __doc__,
    _judge,
    {
        "file": GLOB,
        "tag": {"type": "boolean"},
        "max": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                prefix: {"type": "string", "pattern": r"^\d{1,6}(\.\d{1,6}){0,4}$"}
                for prefix in ("GLIBC", "GLIBCXX", "CXXABI")
            },
        },
    },
    ("file",),
    facts_wanted,
)
