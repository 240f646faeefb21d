"""A library is passed over because it is for another machine, or a wheel has a file of another one.

## What it is

On its way to a library the loader met a file of the right name for another machine or class (64
or 32 bits) and looked on; or a member of a wheel is not for the machine in the wheel's name.

## Why it matters

The file that was put there does not count. If no other is found the load fails, and the message,
`cannot open shared object file: No such file or directory`, does not say why; if another is
found, it is not the one that was meant. A wheel with a file of another machine cannot be imported
where it installs.

## How it is decided

As `open_verify` does (glibc `elf/dl-load.c`): another `EI_CLASS` or `e_machine` is no error, the
search goes on. A warning if nothing was found in the end, else a note. The machine of a wheel is
the last part of its platform tag (`manylinux_2_28_x86_64`).

## Example

```console
$ elfaudit resolve fixtures/prebuilt/shapes/libfilter.so --library-path fixtures/prebuilt/machines/aarch64 --select wrong-machine --quiet
LOADS  fixtures/prebuilt/shapes/libfilter.so
note  fixtures/prebuilt/machines/aarch64/libdep.so.1: wrong machine for
       fixtures/prebuilt/shapes/libfilter.so, which is for x86_64: the loader passes it over
       libdep.so.1 is found as fixtures/prebuilt/shapes/libdep.so.1
```

## Fix

Take the file out of the directory, or install the one for this machine. For wheels, build each
machine's wheel in a clean tree.
"""  # noqa: E501

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ..loader import LinkMapEntry, Outcome, SearchStep
from ..loader.machines import machine_of
from .case import Case
from .model import Finding, Severity
from .rule import Rule

__all__ = ["RULE"]

_PASSED_OVER = (Outcome.WRONG_CLASS, Outcome.WRONG_MACHINE)
# The machines of wheel tags are called as machine_of has them.
_TAGS = frozenset(
    "x86_64 i686 aarch64 armv7l ppc64le ppc64 s390x riscv64 loongarch64".split()  # noqa: SIM905
)
_WHEEL = re.compile(r"linux(?:_[0-9]+_[0-9]+|[0-9]+)?_(?P<machine>[a-z0-9_]+)\.whl$")


def _check(case: Case) -> Iterator[Finding]:
    yield from _in_wheel(case)
    for entry in case.link_map.entries:
        user = entry.loader
        steps = [step for step in entry.steps if step.outcome in _PASSED_OVER]
        if steps and user is not None and case.audits(user):
            yield _passed_over(case, entry, user, steps)


def _passed_over(
    case: Case, entry: LinkMapEntry, user: LinkMapEntry, steps: list[SearchStep]
) -> Finding:
    others = [f"{step.path}: {step.outcome.value}" for step in steps[1:]]
    where = "is not found elsewhere" if entry.missing else f"is found as {entry.label}"
    return Finding(
        RULE.name,
        Severity.WARNING if entry.missing else Severity.NOTE,
        user.display,
        f"{steps[0].path}: {steps[0].outcome.value} for {user.label}, which is for "
        f"{machine_of(case.model).name}: the loader passes it over",
        (*others, f"{entry.name} {where}"),
    )


def _in_wheel(case: Case) -> Iterator[Finding]:
    subject = case.link_map.subject
    wheel = posixpath.basename(subject.display.partition("::")[0])
    match = _WHEEL.search(wheel)
    ours = machine_of(case.model)
    if match is None or match["machine"] not in _TAGS or not ours.triplet:
        return
    if match["machine"] != ours.name:
        yield Finding(
            RULE.name,
            Severity.WARNING,
            subject.display,
            f"{subject.label}: is for {ours.name}, the wheel for {match['machine']}",
            (f"the platform tag of {wheel} ends in {match['machine']}",),
        )


RULE = Rule("wrong-machine", Severity.WARNING, __doc__, _check)
