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
from collections.abc import Iterator
from dataclasses import dataclass

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
    ((2, 5), "3.4.8", "1.3.1"),
    ((2, 12), "3.4.13", "1.3.3"),
    ((2, 17), "3.4.19", "1.3.7"),
    ((2, 24), "3.4.22", "1.3.10"),
    ((2, 26), "3.4.24", "1.3.11"),
    ((2, 31), "3.4.28", "1.3.12"),
    ((2, 34), "3.4.29", "1.3.13"),
    ((2, 35), "3.4.30", "1.3.13"),
    ((2, 39), "3.4.33", "1.3.15"),
)
_MOST_SHOWN = 4


@dataclass(frozen=True, slots=True)
class _Need:
    """A version that a file needs."""

    prefix: str
    number: tuple[int, ...]
    file: BuildFile
    elf: ElfObject

    @property
    def name(self) -> str:
        return f"{self.prefix}_{_dotted(self.number)}"


def _judge(check: Check, build: Build) -> Judgement:
    given = _given(check)
    tagged = _promised(build) if check.parameters.get("tag") else {}
    if check.parameters.get("tag") and not tagged:
        return skipped(check, f"{build.label} has no manylinux tag that promises a glibc")
    files = build.elf_files(str(check.parameters["file"]))
    if not files:
        return no_file(check, build)
    wrong: list[str] = []
    highest: dict[str, _Need] = {}
    for need in (need for file, elf in files for need in _needs(file, elf)):
        limit = {**tagged.get(need.file.source.label, {}), **given}.get(need.prefix)
        if limit is not None and need.number > limit:
            wrong.append(f"{need.file.path} needs {need.name}, and {_dotted(limit)} is the limit")
        if need.prefix not in highest or need.number > highest[need.prefix].number:
            highest[need.prefix] = need
    newest = [highest[prefix] for prefix in sorted(highest)]
    told = [f"{n.name} is needed by {n.file.path} for {_symbols(n.elf, n.name)}" for n in newest]
    if wrong:
        more = f" and {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
        shown = "; ".join(wrong[:_MOST_SHOWN]) + more
        return failed(check, shown, told, "build on an older distribution, or allow it")
    return passed(check, f"needs {', '.join(n.name for n in newest) or 'no versions'}", told)


def _given(check: Check) -> dict[str, tuple[int, ...]]:
    given = check.parameters.get("max", {})
    rows = given.items() if isinstance(given, dict) else ()
    return {prefix: _number(str(text)) for prefix, text in rows}


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _dotted(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))


def _needs(file: BuildFile, elf: ElfObject) -> Iterator[_Need]:
    """The highest version of each prefix that a file needs."""
    highest: dict[str, tuple[int, ...]] = {}
    for need in elf.versions.needs:
        match = _VERSION.fullmatch(need.name)
        if match and not need.weak and len(match["number"]) < 40:
            number = _number(match["number"])
            highest[match["prefix"]] = max(number, highest.get(match["prefix"], ()))
    return (_Need(prefix, number, file, elf) for prefix, number in highest.items())


def _symbols(elf: ElfObject, version: str) -> str:
    """The first few symbols that have a version."""
    table = elf.symbols
    found = [s.name for row in table.undefined_indices if (s := table[row]).version == version]
    if not found:
        return "no symbol"
    return ", ".join(found[:_MOST_SHOWN]) + (" …" if len(found) > _MOST_SHOWN else "")


def _promised(build: Build) -> dict[str, dict[str, tuple[int, ...]]]:
    """What the tags of each wheel promise, by its path: of several tags the oldest."""
    promised: dict[str, dict[str, tuple[int, ...]]] = {}
    for wheel in dict.fromkeys(root.source.label for root in build.roots if root.is_wheel):
        least = min(_tagged(wheel.rpartition("/")[2]), default=None)
        if least is None:
            continue
        promised[wheel] = {"GLIBC": least}
        for glibc, glibcxx, cxxabi in _POLICIES:
            if glibc <= least:
                promised[wheel] |= {"GLIBCXX": _number(glibcxx), "CXXABI": _number(cxxabi)}
    return promised


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
