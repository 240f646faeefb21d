r"""What a build log says, and does not say.

## What it asks

`path`: the log, a file of this machine. `must`: regular expressions of which each must be found in
some line. `must_not`: of which none may be.

```toml
[[check]]
kind = "log"
path = "${build_log}"
must = ["USE_ROCM\\s*:\\s*ON"]
must_not = ["undefined reference to"]
```

## Why

`grep "USE_ROCM: ON"` misses the line when CMake aligns its summary with blanks.

## How it is decided

Line by line, from the start to the end, whatever its size; of a line of more than a megabyte each
megabyte is taken for a line. Colour codes are left out. A search that takes more than ten seconds
in all is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...findings.checks import Check, Judgement
from ...stream import FileStream
from ..build import Build
from ..kind import NAME, TEXTS, Kind, failed, passed, words
from ..patterns import Pattern

__all__ = ["KIND"]

_COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
_CHUNK = 1 << 20
_MOST_SHOWN = 5


def _judge(check: Check, build: Build) -> Judgement:  # noqa: ARG001 - a log is of no build
    path = str(check.parameters["path"])
    must = {text: Pattern(text, "must") for text in words(check, "must")}
    must_not = {text: Pattern(text, "must_not") for text in words(check, "must_not")}
    found: dict[str, int] = {}
    bad: list[str] = []
    count = 0
    for number, raw in _lines(path):
        count = number
        line = _COLOUR.sub(b"", raw).decode("utf-8", "replace")
        for text in [text for text in must if text not in found]:
            if must[text].finds(line):
                found[text] = number
        if len(bad) < _MOST_SHOWN:
            bad += [
                f"{path}:{number}: {line.strip()[:160]}"
                for pattern in must_not.values()
                if pattern.finds(line)
            ]
        elif not must.keys() - found.keys():
            break
    missing = [text for text in must if text not in found]
    told = [f"{path}:{number} has {text}" for text, number in found.items()]
    if missing or bad:
        parts = [f"no line of {path} has {text}" for text in missing] + bad[:1]
        return failed(check, "; ".join(parts), bad[1:] + told)
    return passed(check, "; ".join(told) or f"none of {count:,} lines has what must not be there")


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line.

    Raises:
        SourceError: the file cannot be read.
    """
    stream = FileStream(path)
    rest, number = b"", 1
    try:
        while chunk := stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield number, line
                number += 1
            if len(rest) > _CHUNK:
                yield number, rest
                rest = b""
    finally:
        stream.release()
    if rest:
        yield number, rest


KIND = Kind("log", __doc__, _judge, {"path": NAME, "must": TEXTS, "must_not": TEXTS}, ("path",))
