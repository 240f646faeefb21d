"""The GPUs that the device code in a file is compiled for.

## What it asks

`has`: targets (`gfx1151`, `sm_90`, `compute_90`) that must be there, in one of the files. `only`:
there may be no others. `lacks`: those must not be there. A target without features or a variant
stands for itself with any (`gfx90a` for `gfx90a:xnack-`, `sm_90` for `sm_90a`).

```toml
[[check]]
kind = "gpu-targets"
file = "torch/lib/libtorch_hip.so"
has = ["${gpu_target}"]
```

## Why

"no kernel image is available for execution on the device" comes when the first kernel is started.
That PYTORCH_ROCM_ARCH was set says nothing of what the libraries were compiled for that came as
they are.

## How it is decided

By the bundles in `.hip_fatbin` and the images in `.nv_fatbin`, in the same pass in which the file
is hashed, if it is; section headers are not needed. A compressed bundle (CCOB) is decompressed as
far as needed; with zstd that takes `pip install 'elfaudit[gpu]'`. What cannot be read leaves the
check undecided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...elf.fatbin import GpuTargets
from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import GLOB, TEXTS, Kind, failed, passed, undecided, words
from ..passing import Wanted
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]


def _wants(check: Check, build: Build) -> Iterator[Wanted]:
    for wanted in facts_wanted(check, build):
        yield replace(wanted, device_code=True)


def _judge(check: Check, build: Build) -> Judgement:
    files = [file for file, _ in build.elf_files(str(check.parameters["file"]))]
    if not files:
        return no_file(check, build)
    found: dict[str, str] = {}
    unsure: list[str] = []
    for file in files:
        reading = build.reading(file.member)
        targets = None if reading is None else reading.device_code
        if not isinstance(targets, GpuTargets):
            unsure.append(str(targets or f"{file.path}: was not read"))
            continue
        unsure += targets.unknown
        for each in (*targets.hip, *targets.cuda):
            found.setdefault(each, file.path)
    listed = ", ".join(sorted(found)) or "no device code"
    missing = [each for each in words(check, "has") if not any(_is(one, each) for one in found)]
    extra = _extra(check, found)
    if extra:
        return failed(check, f"is compiled for {', '.join(extra)}, too", [listed, *unsure])
    if missing and not unsure:
        return failed(check, f"is not compiled for {', '.join(missing)}: {listed}")
    if unsure:
        return undecided(check, unsure[0], [listed, *unsure[1:]])
    return passed(check, listed, [f"{each}: {path}" for each, path in sorted(found.items())])


def _is(target: str, asked: str) -> bool:
    """Whether a target is what a checklist asks for, which may leave out features and variants."""
    plain = target.partition(":")[0]
    if "_" in plain and asked[-1:].isdigit():
        plain = plain.rstrip("af")
    return asked in (target, plain)


def _extra(check: Check, found: dict[str, str]) -> list[str]:
    """The targets that should not be there."""
    only, lacks = words(check, "only"), words(check, "lacks")
    return [
        each
        for each in sorted(found)
        if (only and not any(_is(each, one) for one in only))
        or any(_is(each, one) for one in lacks)
    ]


KIND = Kind(
    "gpu-targets",
    __doc__,
    _judge,
    {"file": GLOB, "has": TEXTS, "only": TEXTS, "lacks": TEXTS},
    ("file",),
    _wants,
)
