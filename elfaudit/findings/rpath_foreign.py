"""RPATH or RUNPATH names a directory of the machine that built the file.

## What it is

An element such as `/home/me/build/lib`, `/tmp/pip-build-x/…`, `/builds/group/project`, `/__w/…`.

## Why it matters

Elsewhere the directory does not exist: then the loader looks there in vain, and what it would
have found there is missing. Or it exists and is somebody else's: whoever may create it (anybody,
below `/tmp`) decides which library is loaded. On the machine that built it everything works, so
nobody notices.

## How it is decided

By the beginning of the path: the directories where builds are made (`/home`, `/root`, `/tmp`,
`/var/tmp`, `/build`, `/builds`, `/__w`, `/github`, `/opt/_internal` (manylinux), `/workspace`,
`/io`, `/project`, `/croot`, and the like), and the placeholder that conda pads paths with. Only
the file that was asked about is looked at.

## Example

```text
warning  libfoo.so: RUNPATH has /home/me/build/lib, a directory of the machine that built it
       nothing is found there
```

## Fix

`patchelf --set-rpath '$ORIGIN' FILE`; with CMake, install the file (`cmake --install` removes the
build directory from it), or set `CMAKE_BUILD_WITH_INSTALL_RPATH`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .case import Case
from .model import Finding, Severity
from .rule import Rule
from .search_paths import elements, found_in, listed, tag_of

__all__ = ["RULE", "is_build_path"]

_BUILD_PATH = re.compile(
    r"/(?:home|root|tmp|var/tmp|var/lib/jenkins|var/lib/buildkite-agent|build|builds|buildbot"
    r"|__w|github|workspace|workdir|io|project|croot|Users|mnt|opt/conda/conda-bld|opt/_internal)(?:/|$)"
    r"|/.*(?:_placehold|/pip-build-|/pip-req-build-|/\.cache/bazel/)"
)


def is_build_path(element: str) -> bool:
    """Whether a directory looks like one in which software is built."""
    return _BUILD_PATH.match(element) is not None


def _check(case: Case) -> Iterator[Finding]:
    subject = case.link_map.subject
    foreign = [element for element in dict.fromkeys(elements(case)) if is_build_path(element)]
    if not foreign:
        return
    directory = "a directory" if len(foreign) == 1 else "directories"
    yield Finding(
        RULE.name,
        Severity.WARNING,
        subject.display,
        f"{tag_of(case)} has {listed(foreign)}: {directory} of the machine that built it",
        found_in(case, foreign),
    )


RULE = Rule("rpath-foreign", Severity.WARNING, __doc__, _check)
