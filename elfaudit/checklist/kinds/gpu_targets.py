"""The GPUs that the device code in a file is compiled for.

## What it asks

`has`: targets (`gfx1151`, `sm_90`, `compute_90`) that must be there, in one of the files. `only`:
there may be no others. `lacks`: those must not be there. A target without features or a variant
stands for itself with any (`gfx90a` for `gfx90a:xnack-`, `sm_90` for `sm_90a`), and code for a
family (`gfx11-generic`) for each GPU of it. What is only compiled when it runs (`amdgcnspirv`,
`compute_90`) is told by its own name.

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
from ..one_pass import Wanted
from .elf_files import ElfFiles, facts_wanted, look_at, no_file

__all__ = ["KIND"]


def _wants(check: Check, build: Build) -> Iterator[Wanted]:
    for wanted in facts_wanted(check, build):
        yield replace(wanted, device_code=True)


def _judge(check: Check, build: Build) -> Judgement:
    files = look_at(check, build)
    if not files.found and not files.damaged:
        return no_file(check, build, files)
    found, unsure = _targets(build, files)
    told = ", ".join(sorted(found)) or "no device code"
    where = files.found[0][0].path if len(files.found) == 1 else f"{check.parameters['file']}"
    missing = [each for each in words(check, "has") if not any(_is(one, each) for one in found)]
    extra = _extra(check, found)
    if extra:
        return failed(
            check, f"{where} is compiled for {', '.join(extra)}, too", [f"all: {told}", *unsure]
        )
    if missing and not unsure:
        return failed(check, f"{where} is not compiled for {', '.join(missing)}: {told}")
    if not found and not unsure and "only" in check.parameters:
        return failed(check, f"{where} has no device code")
    if unsure and (missing or {"only", "lacks"} & check.parameters.keys()):
        return undecided(check, unsure[0], [told, *unsure[1:]])
    rows = [f"{each}: {path}" for each, path in sorted(found.items())]
    return passed(check, f"{where} is compiled for {told}", [*rows, *unsure, *files.passed_over])


def _targets(build: Build, files: ElfFiles) -> tuple[dict[str, str], list[str]]:
    """The targets with a file that has them, and what could not be said."""
    found: dict[str, str] = {}
    unsure = list(files.damaged)
    for file, _ in files.found:
        reading = build.reading(file.member)
        targets = None if reading is None else reading.device_code
        if not isinstance(targets, GpuTargets):
            unsure.append(str(targets or f"{file.path}: was not read"))
            continue
        unsure += targets.unknown
        for each in (*targets.hip, *targets.cuda):
            found.setdefault(each, file.path)
    return found, unsure


# Source: AMDGPUUsage.rst of LLVM, "Generic processors": code for all of a family.
_GENERIC = {
    "gfx9-generic": ("gfx900", "gfx902", "gfx904", "gfx906", "gfx909", "gfx90c"),
    "gfx9-4-generic": ("gfx942", "gfx950"),
    "gfx10-1-generic": ("gfx1010", "gfx1011", "gfx1012", "gfx1013"),
    "gfx10-3-generic": tuple(f"gfx103{n}" for n in range(7)),
    "gfx11-generic": tuple(f"gfx11{n}{m}" for n in (0, 5) for m in range(4)),
    "gfx12-generic": ("gfx1200", "gfx1201"),
}


def _is(target: str, asked: str) -> bool:
    """Whether a target is what a checklist asks for, which may leave out features and variants.

    Source: AMDGPUUsage.rst, "Target Features": code for no setting of one runs with any.
    """
    processor, *features = target.split(":")
    wanted, *settings = asked.split(":")
    if "_" in processor and wanted[-1:].isdigit():
        processor = processor.rstrip("af")
    if wanted != processor and wanted not in _GENERIC.get(processor, ()):
        return False
    stated = {each[:-1]: each[-1:] for each in features}
    return all(stated.get(each[:-1], each[-1:]) == each[-1:] for each in settings)


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
    one_of=("has", "only", "lacks"),
)
