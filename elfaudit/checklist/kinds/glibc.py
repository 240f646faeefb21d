"""The newest GLIBC, GLIBCXX and CXXABI that the files need.

## What it asks

`max`: the newest version of each prefix that is allowed. `tag = true`: what the platform tag of the
wheel promises (`manylinux_2_28` is glibc 2.28) must be enough, and some file must be for its
machine; a wheel for musl may need no glibc. A wheel without such a tag is skipped.

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

By the versions each file requires of its libraries (Verneed), those that are weak left out; the
evidence names symbols that have them. GLIBC_ABI_DT_RELR is glibc 2.36; another name without a
number (GLIBC_PRIVATE) is promised by no version. The limits of a tag for GLIBCXX and CXXABI are
those of the manylinux policies (PEP 600, auditwheel).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...elf import ElfObject
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..kind import GLOB, Kind, erred, failed, listed, passed, skipped
from ..platform_tags import Versions, is_for_musl, machines_of, promised, true_tag
from .elf_files import facts_wanted, look_at, no_file

__all__ = ["KIND"]

_VERSION = re.compile(r"(?P<prefix>GLIBC|GLIBCXX|CXXABI)_(?P<number>\d+(?:\.\d+)*)$")
_NAMED = {"GLIBC_ABI_DT_RELR": (2, 36)}
_MUSL = "musl"
_NAMELESS = re.compile(r"GLIBC_(?!\d)")
_MOST_SHOWN = 4


@dataclass(frozen=True, slots=True)
class _Need:
    """A version that a file needs; ``number`` None: one that is promised by nobody."""

    prefix: str
    name: str
    number: tuple[int, ...] | None
    file: BuildFile
    elf: ElfObject


def _judge(check: Check, build: Build) -> Judgement:
    given = _given(check)
    by_tag = bool(check.parameters.get("tag"))
    tags = _promised(build) if by_tag else {}
    files = look_at(check, build)
    if not files.found and not files.damaged:
        return no_file(check, build, files)
    wrong = list(_of_other_machine(files.found)) if by_tag else []
    if by_tag and not tags and not given and not wrong:
        return skipped(check, f"{build.label} has no tag that promises a glibc")
    needs = [need for file, elf in files.found for need in _needs(file, elf)]
    wrong += [text for need in needs if (text := _problem(need, given, tags))]
    highest = _highest(needs)
    told = [f"{n.name} is needed by {n.file.path} for {_symbols(n.elf, n.name)}" for n in highest]
    notes = (*told, *files.damaged, *files.passed_over)
    if wrong:
        advice = _advice(needs, given, tags)
        return failed(check, listed(wrong), [*wrong[_MOST_SHOWN:], *notes], advice)
    if files.damaged:
        return erred(check, listed(files.damaged))
    return passed(check, f"needs {', '.join(n.name for n in highest) or 'no versions'}", notes)


def _given(check: Check) -> Versions:
    given = check.parameters.get("max", {})
    rows = given.items() if isinstance(given, dict) else ()
    return {prefix: _number(str(text)) for prefix, text in rows}


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _dotted(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))


def _problem(need: _Need, given: Versions, tags: Mapping[str, tuple[str, Versions]]) -> str:
    """What is wrong with a need, a sentence; empty if nothing is."""
    tag, limits = tags.get(need.file.source.label, ("", {}))
    if tag == _MUSL and need.prefix == "GLIBC":
        return f"{need.file.path} needs {need.name}, and a wheel for musl promises no glibc"
    limit = given.get(need.prefix, limits.get(need.prefix))
    if limit is None or (need.number is not None and need.number <= limit):
        return ""
    if need.number is None and need.prefix in given:  # no number is above or below it
        return ""
    by = "the checklist allows" if need.prefix in given else f"{tag} promises"
    return f"{need.file.path} needs {need.name}, and {by} {_dotted(limit)}"


def _needs(file: BuildFile, elf: ElfObject) -> Iterator[_Need]:
    """The highest version of each prefix that a file needs."""
    found: list[_Need] = []
    for need in elf.versions.needs:
        if need.weak or len(need.name) > 60:
            continue
        if match := _VERSION.fullmatch(need.name):
            found.append(_Need(match["prefix"], need.name, _number(match["number"]), file, elf))
        elif _NAMELESS.match(need.name):
            found.append(_Need("GLIBC", need.name, _NAMED.get(need.name), file, elf))
    elf.release()
    yield from _highest(found)


def _highest(needs: list[_Need]) -> list[_Need]:
    """The highest of each prefix."""
    highest: dict[tuple[str, bool], _Need] = {}
    for need in needs:  # what has no number is above and below none
        key = need.prefix, need.number is None
        if key not in highest or (need.number or ()) > (highest[key].number or ()):
            highest[key] = need
    return [highest[key] for key in sorted(highest)]


def _symbols(elf: ElfObject, version: str) -> str:
    """The first few symbols that have a version."""
    table = elf.symbols
    found = [s.name for row in table.undefined_indices if (s := table[row]).version == version]
    if not found:
        return "no symbol"
    return ", ".join(found[:_MOST_SHOWN]) + (" …" if len(found) > _MOST_SHOWN else "")


def _promised(build: Build) -> dict[str, tuple[str, Versions]]:
    """What the tags of each wheel promise, by its path."""
    found: dict[str, tuple[str, Versions]] = {}
    for wheel in dict.fromkeys(root.source.label for root in build.roots if root.is_wheel):
        name = wheel.rpartition("/")[2]
        tag = (_MUSL, {}) if is_for_musl(name) else promised(name)
        if tag is not None:
            found[wheel] = tag
    return found


def _of_other_machine(files: Iterable[tuple[BuildFile, ElfObject]]) -> Iterator[str]:
    """Wheels of which no file is for the machine that the tag names.

    Some bring a file for another machine, too, to be injected into its processes, say.
    """
    by_wheel: dict[str, list[tuple[BuildFile, ElfObject]]] = {}
    for file, elf in files:
        by_wheel.setdefault(file.source.label, []).append((file, elf))
    for wheel, some in by_wheel.items():
        machines = machines_of(wheel.rpartition("/")[2]) if wheel.endswith(".whl") else {}
        known = {number for numbers in machines.values() for number in numbers}
        if known and not any(elf.machine in known for _, elf in some):
            named = " or ".join(machines)
            what = f"another machine (e_machine {some[0][1].machine}) than the tag names"
            yield f"{some[0][0].path} is built for {what}, {named}"


def _advice(needs: list[_Need], given: Versions, tags: Mapping[str, tuple[str, Versions]]) -> str:
    """To build it elsewhere; or the tags that are true."""
    lines = ["build on an older distribution, or allow it"]
    for wheel in tags:
        if not any(_problem(n, given, tags) for n in needs if n.file.source.label == wheel):
            continue
        own = _highest([need for need in needs if need.file.source.label == wheel])
        true = true_tag(wheel.rpartition("/")[2], {n.prefix: n.number for n in own if n.number})
        if true is not None and all(need.number is not None for need in own):
            lines[0] = (
                "build on an older distribution, or give the wheel the tag that is true "
                "(pip install wheel):"
            )
            lines.append(
                f"python3 -m wheel tags --remove --platform-tag {true} {shlex.quote(wheel)}"
            )
    return "\n".join(lines)


KIND = Kind(
    "glibc",
    __doc__,
    _judge,
    {
        "file": GLOB,
        "tag": {"const": True},
        "max": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                prefix: {"type": "string", "pattern": r"^\d{1,6}(\.\d{1,6}){0,4}$"}
                for prefix in ("GLIBC", "GLIBCXX", "CXXABI")
            },
        },
    },
    ("file",),
    facts_wanted,
    one_of=("max", "tag"),
)
