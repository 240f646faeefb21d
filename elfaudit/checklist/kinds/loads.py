"""A file loads in the process it is made for.

## What it asks

The file is handed to the loader as `import` does it: in a Python of the root, with what else is
given there. `after`: libraries that the process opens before, with `:global` where it does so.
`preload`: what LD_PRELOAD may help with; the check then says "loads only with LD_PRELOAD", which is
a failure unless `preload_is_enough = true`. `external`: libraries that are installed elsewhere, `*`
for any part: where nothing but such is missing, the check is undecided. `error`: a text that the
loader's message must have, where the file must fail.

```toml
[[check]]
kind = "loads"
file = "torch/lib/libtorch_hip.so"
preload = ["/opt/rocm/lib/librocm_smi64.so"]
```

## Why

`python3 -c "import torch"` with LD_PRELOAD in the environment says that it works, and nothing of
whether it works for those who do not have it there.

## How it is decided

As `elfaudit resolve` decides. What is not part of the build and may be installed beside it leaves
the check undecided.
"""

from __future__ import annotations

from ...findings import Resolution, Verdict
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..globs import matches_name
from ..kind import GLOB, GLOBS, NAME, TEXTS, Kind, failed, passed, undecided, words
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    files = [file for file, _ in build.elf_files(str(check.parameters["file"]))]
    if not files:
        return no_file(check, build)
    results = [_judged(check, build, file) for file in files]
    worst = {"FAIL": 0, "ERROR": 1, "UNDECIDED": 2, "SKIP": 3, "PASS": 4}
    results.sort(key=lambda each: worst[each.status.value])
    first = results[0]
    same = sum(each.status is first.status for each in results)
    if len(results) == 1:
        return first
    message = f"{first.message} ({same} of {len(results)} files)"
    return Judgement(check, first.status, message, first.evidence, first.advice)


def _judged(check: Check, build: Build, file: BuildFile) -> Judgement:
    after, preload = words(check, "after"), words(check, "preload")
    alone = build.resolve(file, (), after)
    if "error" in check.parameters:
        return _fails(check, alone)
    if alone.verdict is Verdict.LOADS or not preload:
        return _told(check, alone)
    helped = build.resolve(file, preload, after)
    if helped.verdict is not Verdict.LOADS:
        return _told(check, alone)
    named = ":".join(preload)
    message = f"{file.path} loads only with LD_PRELOAD={named}"
    evidence = _evidence(alone)
    if check.parameters.get("preload_is_enough"):
        return passed(check, message, evidence)
    return failed(check, message, evidence, _advice(alone))


def _told(check: Check, result: Resolution) -> Judgement:
    if result.verdict is Verdict.LOADS:
        count = len(result.link_map.own) - 1
        return passed(check, f"{result.subject} loads, with {count} libraries")
    missing = [entry.name for entry in result.link_map.entries if entry.missing]
    external = words(check, "external")
    if missing and all(any(matches_name(m, each) for each in external) for m in missing):
        return undecided(check, f"{result.subject} needs {', '.join(missing)}, not given here")
    if result.verdict is Verdict.FAILS:
        message = result.error or f"{result.subject} does not load"
        return failed(check, message, _evidence(result)[1:], _advice(result))
    why = next((f.message for f in result.findings), "a library is not here")
    return undecided(check, f"{result.subject}: {why}", _evidence(result)[1:])


def _fails(check: Check, result: Resolution) -> Judgement:
    wanted = str(check.parameters["error"])
    told = result.error or f"{result.subject} {result.verdict.value}"
    if result.error is not None and wanted in result.error:
        return passed(check, f"fails as it should: {told}")
    return failed(check, f"should fail with {wanted!r}: {told}")


def _evidence(result: Resolution) -> list[str]:
    lines = [result.error] if result.error else []
    for finding in result.findings[:5]:
        lines += [finding.message, *finding.evidence[:2]]
    return list(dict.fromkeys(lines))


def _advice(result: Resolution) -> str:
    for finding in result.findings:
        for fix in finding.fixes:
            return fix.command or fix.title
    return ""


KIND = Kind(
    "loads",
    __doc__,
    _judge,
    {
        "file": GLOB,
        "after": TEXTS,
        "external": GLOBS,
        "preload": TEXTS,
        "preload_is_enough": {"type": "boolean"},
        "error": NAME,
    },
    ("file",),
    facts_wanted,
)
