"""The public names of a Python module.

## What it asks

`module`: the module. `has`: names it must have. `min`, `max` or `exact`: how many public names.

```toml
[[check]]
kind = "module-inventory"
module = "vllm.utils"
has = ["random_uuid"]
```

## Why

`python3 -c "from vllm import utils; print(len(dir(utils)))"` runs the package to count names.

## How it is decided

By the syntax of the module: what it binds at the top level without an underscore in front, what it
imports included. Where it computes names, there may be more of them, and a number that is too small
leaves the check undecided.
"""

from __future__ import annotations

from ...findings.checks import Check, Judgement
from ...pydist import Presence, ask, inventory
from ..build import Build
from ..kind import NAME, TEXTS, Kind, failed, passed, undecided, words
from .amounts import AMOUNT, amount_told, amount_wrong

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    module = str(check.parameters["module"])
    there = ask(build.modules, module, None)
    if there.status is Presence.ABSENT:
        return failed(check, f"there is no module {module} in {build.label}")
    if there.status is Presence.UNDECIDED:
        return undecided(check, there.reason)
    found = inventory(build.modules, module)
    line = f"{module} has {len(found.names):,} public names"
    evidence = [", ".join(sorted(found.names)[:200])] if found.names else []
    missing = [name for name in words(check, "has") if name not in found.names]
    absent = [n for n in missing if ask(build.modules, module, n).status is Presence.ABSENT]
    if absent:
        return failed(check, f"{module} has no {', '.join(absent)}", evidence)
    unsure = [name for name in missing
              if ask(build.modules, module, name).status is Presence.UNDECIDED]  # fmt: skip
    if unsure:
        return undecided(check, f"{module} computes its names: {', '.join(unsure)}?", evidence)
    asked = {"min", "max", "exact"} & check.parameters.keys()
    problem = amount_wrong(check, len(found.names)) if asked else ""
    if problem and not found.complete:
        return undecided(check, f"{line}, and computes others", evidence)
    if problem:
        return failed(check, f"{line}, {problem.replace('should', 'should have')}", evidence)
    return passed(check, line + amount_told(check), evidence)


KIND = Kind(
    "module-inventory",
    __doc__,
    _judge,
    {"module": NAME, "has": TEXTS, **AMOUNT},
    ("module",),
)
