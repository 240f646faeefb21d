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

By the path the loader uses: DT_RUNPATH where there is one, else DT_RPATH, split at colons; a path
without a character is none.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from ...elf import ElfObject
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..globs import matches_name
from ..kind import GLOB, GLOBS, Kind, counted, words
from .elf_files import ElfFiles, Fault, facts_wanted, judge_each

__all__ = ["KIND"]

_LONGEST = 300
_ANY: dict[str, object] = {"type": "array", "items": {"type": "string", "format": "glob"}}


def _judge(check: Check, build: Build) -> Judgement:
    def faults(file: BuildFile, elf: ElfObject) -> Iterator[Fault]:
        texts = _wrong(check, elf)
        command = _command(check, file, elf) if texts else ""
        return (Fault(f"{file.path} {each}", command) for each in texts)

    return judge_each(check, build, faults, _told, _listing)


def _told(files: ElfFiles) -> str:
    if len(files.found) == 1:
        return _listing(*files.found[0])
    lists = sum(bool(_path(elf)[1]) for _, elf in files.found)
    return f"{counted(len(files.found), 'file')} looked at, of which {lists:,} have a path"


def _listing(file: BuildFile, elf: ElfObject) -> str:
    path = ":".join(_path(elf)[1])
    if not path:
        return f"{file.path} has no path"
    return f"{file.path}: {path if len(path) <= _LONGEST else path[:_LONGEST] + '…'}"


def _path(elf: ElfObject) -> tuple[str, list[str]]:
    """Which tag counts, and its directories; an empty path is none (``fillin_rpath``)."""
    dynamic = elf.dynamic
    if dynamic is None:
        return "", []
    if dynamic.runpath is not None:
        return "runpath", dynamic.runpath.split(":") if dynamic.runpath else []
    return "rpath" if dynamic.rpath is not None else "", (
        dynamic.rpath.split(":") if dynamic.rpath else []
    )


def _bad(check: Check, listed: Sequence[str]) -> list[str]:
    """The directories that should not be listed."""
    lacks, only = words(check, "lacks"), check.parameters.get("only")
    return [
        each
        for each in listed
        if any(matches_name(each, one) for one in lacks)
        or (only is not None and not any(matches_name(each, one) for one in words(check, "only")))
    ]


def _missing(check: Check, listed: Sequence[str]) -> list[str]:
    return [
        each for each in words(check, "has") if not any(matches_name(one, each) for one in listed)
    ]


def _wrong(check: Check, elf: ElfObject) -> list[str]:
    tag, listed = _path(elf)
    wrong = [f"does not list {each}" for each in _missing(check, listed)]
    wrong += [
        f"lists {each or 'an empty element, the current directory'}" for each in _bad(check, listed)
    ]
    wanted = check.parameters.get("tag")
    if wanted is not None and tag and tag != wanted:
        wrong.append(f"has a {tag.upper()} instead of a {str(wanted).upper()}")
    return wrong


def _command(check: Check, file: BuildFile, elf: ElfObject) -> str:
    """How to get the path that is asked for, what is good of it kept."""
    tag, listed = _path(elf)
    bad, missing = _bad(check, listed), _missing(check, listed)
    if any(wild in each for each in missing for wild in "*?["):
        return ""
    command = f"elfaudit patch-needed {file.address}"
    kept = [each for each in listed if each not in bad] + missing
    if bad or missing:
        told = f"--set-runpath {shlex.quote(':'.join(kept))}" if kept else "--remove-runpath"
        return f"{command} {told}"
    return f"{command} --rpath-to-runpath" if tag == "rpath" else ""


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
    one_of=("has", "lacks", "only", "tag"),
)
