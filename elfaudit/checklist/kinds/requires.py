"""Everything that the distributions require is there, in a version that will do.

## What it asks

Every Requires-Dist of every distribution, markers evaluated, and every Requires-Python. `ignore`:
names of projects that need not be there. `python`: the version to evaluate markers for, where the
files do not say. `extras = false`: not what extras bring that others ask for.

```toml
[[check]]
kind = "requires"
```

## Why

`pip check` says the same, in the container, by running it. A wheel says it before it is installed.

## How it is decided

As `pip check` decides, and beyond it for extras (`ray[cgraph]`), at which pip does not look. Of
wheels, which are installed beside others, only what contradicts another one that is given counts.
A Requires-Dist that is no requirement is a
failure; a wheel whose Version or Requires-Python is none, or without METADATA, is undecided.
Where only `3.11` is known of the Python, a patch level that is asked for is taken to be there.
"""

from __future__ import annotations

import shlex

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ...findings.checks import Check, Judgement
from ...pydist import Unmet, environment_of, unmet_requirements, unread_fields
from ..build import Build
from ..kind import TEXTS, Kind, counted, failed, passed, skipped, undecided, words

__all__ = ["KIND"]

_MOST_SHOWN = 3
_MOST_NAMED = 60  # projects in a command


def _judge(check: Check, build: Build) -> Judgement:
    distributions = build.distributions
    if not distributions:
        return skipped(check, f"{build.label} holds no distribution: no .dist-info")
    unnamed = [each.directory for each in distributions if each.metadata is None]
    nameless = [
        each.directory for each in distributions if each.metadata and not each.metadata.name
    ]
    python = str(check.parameters.get("python", build.machine.python))
    unmet = list(
        unmet_requirements(distributions, environment_of(python, build.machine.architecture))
    )
    if check.parameters.get("extras") is False:
        unmet = [each for each in unmet if not each.extra]
    ignored = {canonicalize_name(name) for name in words(check, "ignore")}
    unmet = [each for each in unmet if canonicalize_name(_project(each.requirement)) not in ignored]
    doubts = _doubts(build)
    only_wheels = all(root.is_wheel for root in build.roots)
    absent = [each for each in unmet if each.found is None]
    if only_wheels:
        absent = [each for each in absent if each.understood]
        unmet = [each for each in unmet if each.found is not None or not each.understood]
        if not unmet and not nameless and absent and len(distributions) == 1 and not doubts:
            others = counted(len(absent), "requirement")
            told = f"{others} to be met by what is installed beside the wheel: give the directory"
            return skipped(check, told)
    problems = [f"{each}: METADATA has no Name" for each in nameless]
    problems += [each.problem for each in unmet]
    if problems:
        shown = "; ".join(problems[:_MOST_SHOWN])
        more = f" and {len(problems) - _MOST_SHOWN:,} more" if len(problems) > _MOST_SHOWN else ""
        return failed(check, shown + more, problems[_MOST_SHOWN:], _advice(unmet, build))
    if doubts:
        return undecided(check, doubts[0], doubts[1:])
    whose = counted(len(distributions), "distribution")
    told = f"all that {whose} asked for is there, for Python {python}"
    if absent:
        told = f"no two of {counted(len(distributions), 'wheel')} contradict each other"
    evidence = [f"{each} has no METADATA" for each in unnamed]
    return passed(check, told, [*evidence, *unread_fields(distributions)])


def _doubts(build: Build) -> list[str]:
    """What wheels do not tell: of what is installed, pip makes the best of it."""
    wheels = [each for root, some in build.by_root if root.is_wheel for each in some]
    without = [each.directory for each in wheels if each.metadata is None]
    told = [f"{each} has no METADATA: what the wheel requires is not known" for each in without]
    return [*told, *unread_fields(wheels)]


def _advice(unmet: list[Unmet], build: Build) -> str:
    """What to install: what is missing, and what is there in another version."""
    asked = [each.requirement for each in unmet if not each.requirement.startswith("Python ")]
    wanted = [text for text in dict.fromkeys(asked) if _is_requirement(text)]
    if not wanted:
        return ""
    what = " ".join(shlex.quote(text) for text in wanted[:_MOST_NAMED])
    if all(root.is_wheel for root in build.roots):
        return f"give wheels of versions that fit: {what}"
    return f"pip install {what}"


def _is_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except (ValueError, RecursionError):  # InvalidRequirement, or digits without end
        return False
    return True


def _project(requirement: str) -> str:
    for index, character in enumerate(requirement):
        if not (character.isalnum() or character in "._-"):
            return requirement[:index]
    return requirement


KIND = Kind(
    "requires",
    __doc__,
    _judge,
    {
        "ignore": TEXTS,
        "python": {"type": "string", "pattern": r"^\d\.\d{1,3}(\.\d{1,3})?$"},
        "extras": {"type": "boolean"},
    },
)
