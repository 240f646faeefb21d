"""A constant of a Python module has a value.

## What it asks

`module` and `name`: the constant. `is`: the value it must have. `none = true`: it must be None;
`none = false`: it must not be. `match`: a regular expression that must be found in its text.

```toml
[[check]]
kind = "value"
module = "torch.version"
name = "hip"
none = false
```

## Why

`python3 -c "import torch; print(torch.version.hip)"` needs the libraries of the GPU to print a
constant of a file of ten lines.

## How it is decided

By the last assignment at the top level of the module, of literals. What is computed leaves the
check undecided.
"""

from __future__ import annotations

from ...findings.checks import Check, Judgement
from ...pydist import Presence, literal
from ..build import Build
from ..kind import NAME, REGEX, Kind, failed, passed, undecided
from ..patterns import Pattern

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    given = check.parameters
    module, name = str(given["module"]), str(given["name"])
    found = literal(build.modules, module, name)
    if found.status is Presence.ABSENT:
        return failed(check, f"{found.reason}")
    if found.status is Presence.UNDECIDED:
        return undecided(check, f"{module}.{name}: {found.reason}")
    line = f"{module}.{name} is {found.value!r}"
    problem = _wrong(check, found.value)
    return failed(check, line + problem) if problem else passed(check, line)


def _wrong(check: Check, value: object) -> str:
    """What is wrong with a value, a clause; empty if nothing is."""
    given = check.parameters
    if "is" in given and (value != given["is"] or type(value) is not type(given["is"])):
        return f", not {given['is']!r}"
    if "none" in given and (value is None) is not given["none"]:
        return ", not None" if given["none"] else ", and should be something"
    text = str(given.get("match", ""))
    if text and (value is None or not Pattern(text, "match").finds(str(value))):
        return f", which does not match {text}"
    return ""


KIND = Kind(
    "value",
    __doc__,
    _judge,
    {
        "module": NAME,
        "name": NAME,
        "is": {"type": ["string", "integer", "number", "boolean"]},
        "none": {"type": "boolean"},
        "match": REGEX,
    },
    ("module", "name"),
    one_of=("is", "none", "match"),
)
