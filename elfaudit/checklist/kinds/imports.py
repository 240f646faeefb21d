"""What Python modules import from each other is there.

## What it asks

`names`: import statements that must work (`from vllm.utils import random_uuid`). `absent`: import
statements that must not. `all = true` with `package`: every import that a module of the package
makes from the package itself.

```toml
[[check]]
kind = "imports"
package = "vllm"
all = true
```

## Why

`python3 -c "from X import Y"` starts a container, runs the package, and stops at the first error.

## How it is decided

By the syntax of the modules; nothing is imported. A name is there if its module binds it at the top
level in any way, has a submodule or an extension module of that name, or has a `__getattr__` that
knows it. Where a module computes its names the check is undecided, not failed; with `all` such
imports are counted and told as evidence, and only `strict = true` leaves the check undecided.

A name of `names` must also be one that can be imported: its module, and all that is imported from
the same package whenever that is, must find what it imports.

Imports that a function makes when it is called, those under a condition, and those in a `try` that
catches their failure, are told as evidence and do not fail the check; `strict = true` makes them
count. A name that is missing is searched for in the other modules of the package. Of what C code
puts into a module written in Python (`torch.cuda.FloatTensor`) nothing is seen: it is told as
missing.
"""

from __future__ import annotations

import ast
import shlex
from dataclasses import dataclass, field

from ...errors import ChecklistError
from ...findings.checks import Check, Judgement
from ...pydist import (
    Answer,
    Grade,
    ImportAudit,
    ImportFinding,
    Presence,
    Refusal,
    ask,
    audit,
    missing,
    refusal_of,
)
from ..build import Build
from ..kind import NAME, TEXTS, Kind, counted, failed, passed, undecided, words

__all__ = ["KIND"]

_MOST_SHOWN = 4
_ALWAYS = (Grade.PLAIN,)
_REFUSED = ("does not parse", "does not compile")  # by this Python, perhaps not by a newer one


def _judge(check: Check, build: Build) -> Judgement:
    named = {"names", "absent"} & check.parameters.keys()
    if check.parameters.get("all"):
        if named:
            problem = "says all = true and names or absent: make two checks of it"
            raise ChecklistError("", "", problem)
        return _all(check, build)
    return _named(check, build)


@dataclass(slots=True)
class _Lines:
    """What is told of the statements of a check, and what to do about the first that is wrong."""

    wrong: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    refused: dict[Refusal, list[str]] = field(default_factory=dict)
    advice: str = ""


def _named(check: Check, build: Build) -> Judgement:
    lines = _Lines()
    for key in ("names", "absent"):
        for number, statement in enumerate(words(check, key)):
            asked = _asked(statement)
            if isinstance(asked, str):
                raise ChecklistError("", f"{key}[{number}]", f"{statement!r} {asked}")
            for module, name in asked:
                if key == "names":
                    _wanted(build, module, name, lines)
                else:
                    _unwanted(build, module, name, lines)
    for refusal, names in lines.refused.items():
        lines.wrong.append(f"{', '.join(names)} cannot be imported: {refusal.place}")
    if lines.wrong and (closed := _closed(build)):
        return undecided(check, f"{closed}: {'; '.join(lines.wrong)}", lines.told)
    if lines.wrong:
        evidence = [*lines.unsure, *lines.told]
        return failed(check, "; ".join(lines.wrong), evidence, lines.advice)
    if lines.unsure:
        return undecided(check, "; ".join(lines.unsure), lines.told)
    told = lines.told
    return passed(check, "; ".join(told[:_MOST_SHOWN]), told[_MOST_SHOWN:])


def _asked(statement: str) -> list[tuple[str, str | None]] | str:
    """Module and name of each thing a statement imports; or why it is none of that kind."""
    try:
        body = ast.parse(statement).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "is no import statement"
    asked: list[tuple[str, str | None]] = []
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.level:
            return "is relative: write the package in full"
        if isinstance(node, ast.ImportFrom) and node.module:
            asked += [(node.module, each.name) for each in node.names]
        elif isinstance(node, ast.Import):
            asked += [(each.name, None) for each in node.names]
        else:
            return "is no import statement"
    return asked or "is no import statement"


def _wanted(build: Build, module: str, name: str | None, lines: _Lines) -> None:
    """A statement that must work: what it names is there, and can be imported."""
    answer = ask(build.modules, module, name)
    if answer.status is Presence.ABSENT:
        lines.advice = lines.advice or _advice(build, module, name, answer)
        lines.wrong.append(_line(build, module, name, answer))
        return
    refusal = _refused(build, module, name)
    if refusal is not None and not refusal.is_sure:
        spelled = _spelled(module, name)
        lines.unsure.append(f"whether {spelled} can be imported cannot be said: {refusal.place}")
        return
    if refusal is not None:
        lines.advice = lines.advice or _whole(build)
        lines.refused.setdefault(refusal, []).append(_spelled(module, name))
        return
    sure = answer.status is Presence.PRESENT
    (lines.told if sure else lines.unsure).append(_line(build, module, name, answer))


def _unwanted(build: Build, module: str, name: str | None, lines: _Lines) -> None:
    """A statement that must not work, as what it names is not there."""
    answer = ask(build.modules, module, name)
    line = _line(build, module, name, answer)
    if answer.status is Presence.UNDECIDED:
        lines.unsure.append(line)
    else:
        (lines.told if answer.status is Presence.ABSENT else lines.wrong).append(line)


def _refused(build: Build, module: str, name: str | None) -> Refusal | None:
    """Why a statement fails although what it names is there."""
    modules = build.modules
    found = modules.find(module)
    submodule = f"{module}.{name}"
    if name is None or found is None or name in modules.surface(found).bound:
        return refusal_of(modules, module)
    return refusal_of(modules, module if modules.find(submodule) is None else submodule)


def _advice(build: Build, module: str, name: str | None, answer: Answer) -> str:
    """What to do about something that is not there."""
    if answer.homes and name is not None:
        return f"import it from there: from {answer.homes[0]} import {name}"
    package = module.partition(".")[0]
    if build.modules.find(package) is None:
        return f"install what has the package {package}"
    return _whole(build)


def _whole(build: Build) -> str:
    """How to find out whether all files are of one version."""
    labels = dict.fromkeys(shlex.quote(root.source.label) for root in build.roots)
    return (
        "see whether all files are of one version: "
        f"elfaudit verify {' '.join(labels)} --checklist python-wheel"
    )


def _closed(build: Build) -> str:
    """A directory that may not be listed, so that what is in it is not known; or nothing."""
    sources = (root.source for root in build.roots if not root.is_wheel)
    return next((str(problem) for source in sources for problem in source.problems), "")


def _spelled(module: str, name: str | None) -> str:
    return module if name is None else f"{module}.{name}"


def _line(build: Build, module: str, name: str | None, answer: Answer) -> str:
    what = _spelled(module, name)
    if answer.status is Presence.PRESENT:
        return f"{what} is there ({answer.reason})" if answer.reason else f"{what} is there"
    if answer.status is Presence.UNDECIDED:
        return f"whether {what} is there cannot be said: {answer.reason}"
    return missing(module, None if build.modules.find(module) is None else name, answer)


def _all(check: Check, build: Build) -> Judgement:
    package = check.parameters.get("package")
    if package is None:
        raise ChecklistError("", "package", "is missing: all = true asks about a package")
    found = audit(build.modules, str(package))
    if not found.modules and found.unread:
        return undecided(
            check, f"no module of {package} can be looked into: {found.unread[0]}", found.unread[1:]
        )
    if not found.modules:
        return failed(check, f"there is no package {package} in {build.label}")
    sorts = _sorted(found, strict=bool(check.parameters.get("strict")))
    told = f"{found.imports:,} imports of {found.modules:,} modules of {package}"
    rest = [*sorts.doubt, *sorts.others]
    if sorts.wrong:
        return _wrong(check, build, sorts.wrong, [*rest, f"{told} were looked at"])
    if sorts.unread:
        return undecided(check, "; ".join(sorts.unread[:_MOST_SHOWN]), rest)
    if not found.imports:
        nothing = f"{package} imports nothing from itself"
        return undecided(check, rest[0], rest[1:]) if rest else passed(check, nothing)
    share = "all are there"
    if sorts.unsure:
        share = f"none is missing, {len(sorts.unsure):,} cannot be decided"
    if found.unread:
        share += f"; {counted(len(found.unread), 'file')} cannot be looked into"
    judged = undecided if check.parameters.get("strict") and rest else passed
    return judged(check, f"{told}: {share}", rest)


def _wrong(check: Check, build: Build, wrong: list[str], rest: list[str]) -> Judgement:
    closed = _closed(build)
    if closed:
        return undecided(check, f"{closed}: {wrong[0]}", [*wrong[1:], *rest])
    more = f" and {len(wrong) - _MOST_SHOWN:,} more" if len(wrong) > _MOST_SHOWN else ""
    message = "; ".join(wrong[:_MOST_SHOWN]) + more
    return failed(check, message, [*wrong[_MOST_SHOWN:], *rest], _whole(build))


@dataclass(slots=True)
class _Findings:
    """What was found of the imports of a package, as lines.

    ``unread`` are those of ``unsure`` that import what does not parse.
    """

    wrong: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    doubt: list[str] = field(default_factory=list)


def _sorted(found: ImportAudit, *, strict: bool) -> _Findings:
    sorts = _Findings()
    for each in found.findings:
        line = f"{each.file}:{each.line}: {_found(each)}"
        if each.status is Presence.UNDECIDED:
            sorts.unsure.append(line)
            if each.grade is not Grade.GUARDED and any(word in each.reason for word in _REFUSED):
                sorts.unread.append(line)
        elif each.grade in _ALWAYS or strict:
            sorts.wrong.append(line)
        else:
            sorts.others.append(f"{line} ({each.grade.value})")
    # One statement may import many names of a module that is not there.
    sorts.wrong, sorts.others = ([*dict.fromkeys(each)] for each in (sorts.wrong, sorts.others))
    sorts.doubt += found.unread
    if sorts.unsure:
        sorts.doubt.append(f"{len(sorts.unsure):,} of them cannot be decided, as {sorts.unsure[0]}")
    return sorts


def _found(each: ImportFinding) -> str:
    if each.status is Presence.UNDECIDED:
        what = each.module if each.name is None else f"{each.module}.{each.name}"
        return f"whether {what} is there: {each.reason}"
    if each.reason and each.name != "*":
        return each.reason  # the dots lead above the package
    return missing(each.module, each.name, Answer(each.status, each.reason, each.homes))


KIND = Kind(
    "imports",
    __doc__,
    _judge,
    {
        "names": TEXTS,
        "absent": TEXTS,
        "all": {"const": True},
        "package": NAME,
        "strict": {"type": "boolean"},
    },
    one_of=("names", "absent", "all"),
)
