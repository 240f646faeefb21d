"""A file loads in the process it is made for.

## What it asks

The file is handed to the loader as `import` does it: in a Python of the root, with what else is
given there. `after`: libraries that the process opens before, with `:global` where it does so; a
path below an import root (`torch/lib/libtorch.so`) is that file of the build, and left out where
there is none. `preload`: what LD_PRELOAD may help with, the same way; the check then says "loads
only with LD_PRELOAD", which is a failure unless `preload_is_enough = true`. `external`: libraries
that are installed elsewhere, `*` for any part: where nothing but such is missing, the check is
undecided. `error`: a text that the loader's message must have, where the file must fail.

```toml
[[check]]
kind = "loads"
file = "torch/lib/libtorch_hip.so"
preload = ["/opt/rocm/lib/librocm_smi64.so"]
external = ["libamdhip64.so*"]
```

## Why

`python3 -c "import torch"` with LD_PRELOAD in the environment says that it works, and nothing of
whether it works for those who do not have it there.

## How it is decided

As `elfaudit resolve` decides. What is not part of the build and may be installed beside it leaves
the check undecided, unless what is there is wrong already: a version that a library does not have
comes from no other one.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from ...errors import ElfAuditError
from ...findings import Resolution, Severity, Verdict
from ...findings.checks import Check, CheckStatus, Judgement
from ...loader import Origin
from ..build import Build, BuildFile
from ..globs import matches_name
from ..kind import GLOB, GLOBS, NAME, NAMES, Kind, erred, failed, listed, passed, undecided, words
from .elf_files import facts_wanted, look_at, no_file

__all__ = ["KIND"]

_WORST = (CheckStatus.FAIL, CheckStatus.ERROR, CheckStatus.UNDECIDED, CheckStatus.PASS)
_MOST_FINDINGS = 5


def _judge(check: Check, build: Build) -> Judgement:
    files = look_at(check, build)
    if not files.found and not files.damaged:
        return no_file(check, build, files)
    after, preload = _of_build(check, "after", build), _of_build(check, "preload", build)
    results = [_one(check, build, file, after, preload) for file, _ in files.found]
    results += [erred(check, each) for each in files.damaged]
    judged = results[0] if len(results) == 1 else _together(check, results)
    return replace(judged, evidence=(*judged.evidence, *files.passed_over))


def _of_build(check: Check, parameter: str, build: Build) -> tuple[str, ...]:
    """Libraries that are opened before: those of the build as they are addressed."""
    return tuple(address for text in words(check, parameter) for address in _addressed(text, build))


def _addressed(text: str, build: Build) -> list[str]:
    name, colon, mode = text.partition(":") if "::" not in text else (text, "", "")
    if "/" not in name or name.startswith(("/", "./")) or "::" in text:
        return [text]
    return [f"{file.target}{colon}{mode}" for file in build.matching(name)]


def _one(
    check: Check, build: Build, file: BuildFile, after: Sequence[str], preload: Sequence[str]
) -> Judgement:
    """What becomes of one file."""
    try:
        alone = build.resolve(file, (), after)
        if "error" in check.parameters:
            return _fails(check, file, alone)
        if alone.verdict is Verdict.LOADS or not preload:
            return _told(check, build, file, alone)
        helped = build.resolve(file, preload, after)
    except ElfAuditError as error:
        return erred(check, error)
    found = [e.name for e in helped.link_map.entries if e.origin is Origin.PRELOAD]
    if helped.verdict is not Verdict.LOADS:
        told = _told(check, build, file, alone)
        absent = () if found else (f"nothing to preload: there is no {' or '.join(preload)}",)
        return replace(told, evidence=(*told.evidence, *absent))
    named = ":".join(found)
    message = f"{file.path} loads only with LD_PRELOAD={named}"
    if check.parameters.get("preload_is_enough"):
        return passed(check, message, _evidence(alone))
    return failed(check, message, _evidence(alone), _advice(alone, build))


def _told(check: Check, build: Build, file: BuildFile, result: Resolution) -> Judgement:
    if result.verdict is Verdict.LOADS:
        count = len(result.link_map.own) - 1
        return passed(check, f"{file.path} loads, with {count} libraries")
    missing = list(dict.fromkeys(e.name for e in result.link_map.entries if e.missing))
    external = words(check, "external")
    beside = missing and all(any(matches_name(m, each) for each in external) for m in missing)
    sure = next((f for f in result.findings if _is_sure(f.rule, f.severity)), None)
    if result.verdict is Verdict.FAILS and (not beside or sure is not None):
        message = sure.message if beside and sure is not None else result.error
        text = message or "does not load"
        text = text if file.path in text else f"{file.path}: {text}"
        return failed(check, text, _evidence(result)[1:], _advice(result, build))
    if missing:
        needs = f"{file.path} needs {listed(missing, 6, ', ')}, which is not given here"
        advice = "say where the rest is: --root DIR (/ is this machine), or the other wheels, too"
        return undecided(check, needs, _evidence(result), advice)
    why = next((f.message for f in result.findings), "it cannot be said")
    return undecided(check, f"{file.path}: {why}", _evidence(result)[1:])


def _is_sure(rule: str, severity: Severity) -> bool:
    """Whether a finding stays one when what is missing is there."""
    return severity is Severity.ERROR and rule != "missing-library"


def _fails(check: Check, file: BuildFile, result: Resolution) -> Judgement:
    wanted = str(check.parameters["error"])
    told = result.error or f"{file.path} {result.verdict.value}"
    if result.error is not None and wanted in result.error:
        return passed(check, f"fails as it should: {told}")
    return failed(check, f"should fail with {wanted!r}: {told}")


def _together(check: Check, results: list[Judgement]) -> Judgement:
    """Of many files: the worst that became of any, and of how many."""
    ranked = sorted(results, key=lambda each: _WORST.index(each.status))
    first = ranked[0]
    counts = ", ".join(
        f"{len(list(some))} {status.value}"
        for status, some in groupby(ranked, key=lambda each: each.status)
    )
    if first.status is CheckStatus.PASS:
        return passed(check, f"all {len(results)} files load", [r.message for r in results])
    others = (each.message for each in ranked[1:] if each.status is not CheckStatus.PASS)
    evidence = [*first.evidence, *others]
    message = f"{first.message} ({counts})"
    return Judgement(check, first.status, message, tuple(evidence), first.advice)


def _evidence(result: Resolution) -> list[str]:
    lines = [result.error] if result.error else []
    for finding in result.findings[:_MOST_FINDINGS]:
        lines += [finding.message, *finding.evidence[:2]]
    return list(dict.fromkeys(lines))


def _advice(result: Resolution, build: Build) -> str:
    for finding in result.findings:
        for fix in finding.fixes:
            command = fix.command or fix.title
            if build.system is None or build.system.label == "/" or not fix.command:
                return command
            return f"{command} --root {shlex.quote(build.system.label)}"
    return ""


KIND = Kind(
    "loads",
    __doc__,
    _judge,
    {
        "file": GLOB,
        "after": NAMES,
        "external": GLOBS,
        "preload": NAMES,
        "preload_is_enough": {"type": "boolean"},
        "error": NAME,
    },
    ("file",),
    facts_wanted,
)
