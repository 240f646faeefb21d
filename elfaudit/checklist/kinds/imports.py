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
knows it. Where a module computes its names the check is undecided, not failed. Imports that a
function makes when it is called, and those in `try`, are told as evidence and do not fail the
check; `strict = true` makes them count. A name that is missing is searched for in the other modules
of the package.
"""

from __future__ import annotations

import ast

from ...findings.checks import Check, Judgement
from ...pydist import Answer, Grade, ImportFinding, Presence, ask, audit
from ..build import Build
from ..kind import NAME, TEXTS, Kind, erred, failed, passed, undecided, words

__all__ = ["KIND"]

_MOST_SHOWN = 4
_ALWAYS = (Grade.PLAIN,)


def _judge(check: Check, build: Build) -> Judgement:
    if check.parameters.get("all"):
        return _all(check, build)
    if not {"names", "absent"} & check.parameters.keys():
        return erred(check, "says neither names nor absent nor all = true")
    wrong: list[str] = []
    unsure: list[str] = []
    told: list[str] = []
    for key, wanted in (("names", Presence.PRESENT), ("absent", Presence.ABSENT)):
        for statement in words(check, key):
            asked = _asked(statement)
            if asked is None:
                return erred(check, f"{key}: {statement!r} is no import statement")
            for module, name in asked:
                answer = ask(build.modules, module, name)
                line = _line(module, name, answer)
                if answer.status is Presence.UNDECIDED:
                    unsure.append(line)
                else:
                    (told if answer.status is wanted else wrong).append(line)
    if wrong:
        return failed(check, "; ".join(wrong), [*unsure, *told])
    if unsure:
        return undecided(check, "; ".join(unsure), told)
    return passed(check, "; ".join(told[:_MOST_SHOWN]), told[_MOST_SHOWN:])


def _asked(statement: str) -> list[tuple[str, str | None]] | None:
    """Module and name of each thing a statement imports; None if it is no import of that kind."""
    try:
        body = ast.parse(statement).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    asked: list[tuple[str, str | None]] = []
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            asked += [(node.module, each.name) for each in node.names]
        elif isinstance(node, ast.Import):
            asked += [(each.name, None) for each in node.names]
        else:
            return None
    return asked or None


def _line(module: str, name: str | None, answer: Answer) -> str:
    what = module if name is None else f"{module}.{name}"
    if answer.status is Presence.PRESENT:
        return f"{what} is there ({answer.reason})" if answer.reason else f"{what} is there"
    if answer.status is Presence.UNDECIDED:
        return f"whether {what} is there cannot be said: {answer.reason}"
    where = f"; it is in {' and '.join(answer.homes[:2])}" if answer.homes else ""
    if name is None:
        return f"there is no module {module}{where}"
    return f"{module} has no {name}{where}"


def _all(check: Check, build: Build) -> Judgement:
    package = check.parameters.get("package")
    if package is None:
        return erred(check, "all = true needs the parameter package")
    found = audit(build.modules, str(package))
    if not found.modules and found.unread:
        return undecided(
            check, f"no module of {package} can be looked into: {found.unread[0]}", found.unread[1:]
        )
    if not found.modules:
        return failed(check, f"there is no package {package} in {build.label}")
    strict = bool(check.parameters.get("strict"))
    wrong, others, unsure = [], [], []
    for each in found.findings:
        line = f"{each.file}:{each.line}: {_found(each)}"
        if each.status is Presence.UNDECIDED:
            unsure.append(line)
        elif each.grade in _ALWAYS or strict:
            wrong.append(line)
        else:
            others.append(f"{line} ({each.grade.value})")
    told = f"{found.imports:,} imports of {found.modules:,} modules of {package}"
    if wrong:
        more = f" and {len(wrong) - _MOST_SHOWN:,} more" if len(wrong) > _MOST_SHOWN else ""
        message = "; ".join(wrong[:_MOST_SHOWN]) + more
        return failed(check, message, [*wrong[_MOST_SHOWN:], *others, f"{told} were looked at"])
    if not found.imports:
        return passed(check, f"{package} imports nothing from itself")
    doubt = list(found.unread)
    doubt += [f"{len(unsure):,} of them cannot be decided, as {unsure[0]}"] if unsure else []
    return passed(check, f"{told}: all are there", [*doubt, *others])


def _found(each: ImportFinding) -> str:
    where = f"; it is in {' and '.join(each.homes[:2])}" if each.homes else ""
    reason = f": {each.reason}" if each.status is Presence.UNDECIDED else ""
    if each.name is None:
        return f"there is no module {each.module}{where}{reason}"
    return f"{each.module} has no {each.name}{where}{reason}"


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
)
