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
megabyte is taken for a line. Colour codes are left out; gzip and UTF-16 are seen through. A pattern
that takes more than ten seconds, and one for every 50 MB, is an error.
"""

from __future__ import annotations

from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import NAME, REGEXES, Kind, counted, failed, listed, passed, words
from ..log_text import texts_of
from ..patterns import Pattern

__all__ = ["KIND"]

_LONGEST = 160


def _judge(check: Check, build: Build) -> Judgement:  # noqa: ARG001 - a log is of no build
    path = str(check.parameters["path"])
    must, must_not = words(check, "must"), words(check, "must_not")
    patterns = {text: Pattern(text, "must") for text in must}
    patterns |= {text: Pattern(text, "must_not") for text in must_not}
    found: dict[str, tuple[int, str]] = {}
    number, ended = 1, True
    for text in texts_of(path):
        ended = text.endswith("\n")
        for each in patterns.keys() - found.keys():
            at = patterns[each].first_line(text)
            if at is not None:
                line = text[at:].partition("\n")[0].strip()[:_LONGEST]
                found[each] = number + text.count("\n", 0, at), line
        if len(found) == len(patterns):
            break
        number += text.count("\n")
    told = [f"{path}:{found[each][0]} has {each}" for each in must if each in found]
    wrong = [f"no line of {path} has {each}" for each in must if each not in found]
    wrong += [f"{path}:{found[each][0]}: {found[each][1]}" for each in must_not if each in found]
    if wrong:
        return failed(check, listed(wrong), [*wrong[1:], *told])
    lines = counted(number - 1 if ended else number, "line")
    return passed(check, listed(told) or f"none of {lines} has what must not be there", told[1:])


KIND = Kind(
    "log",
    __doc__,
    _judge,
    {"path": NAME, "must": REGEXES, "must_not": REGEXES},
    ("path",),
    one_of=("must", "must_not"),
)
