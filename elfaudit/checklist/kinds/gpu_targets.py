"""The GPUs that the device code in a file is compiled for.

## What it asks

`has`: targets (`gfx1151`, `sm_90`, `compute_90`) that must be there, in one of the files. `only`:
there may be no others. `lacks`: those must not be there. A target without features stands for
itself with any (`gfx90a` for `gfx90a:xnack-`).

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

By the bundles in `.hip_fatbin` and the images in `.nv_fatbin`. A compressed bundle (CCOB) is
decompressed as far as needed; with zstd that takes `pip install 'elfaudit[gpu]'`. What cannot be
read leaves the check undecided.
"""

from __future__ import annotations

from ...elf.fatbin import gpu_targets
from ...errors import ElfAuditError
from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import GLOB, TEXTS, Kind, failed, passed, undecided, words
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]


def _judge(check: Check, build: Build) -> Judgement:
    files = [file for file, _ in build.elf_files(str(check.parameters["file"]))]
    if not files:
        return no_file(check, build)
    found: dict[str, str] = {}
    unsure: list[str] = []
    for file in files:
        member = file.member
        try:
            stream = member.open()
            targets = gpu_targets(stream, member.display)
        except ElfAuditError as error:
            unsure.append(str(error))
            continue
        unsure += targets.unknown
        for each in (*targets.hip, *targets.cuda):
            found.setdefault(each, file.path)
    plain = {each.partition(":")[0] for each in found} | found.keys()
    listed = ", ".join(sorted(found)) or "no device code"
    missing = [each for each in words(check, "has") if each not in plain]
    extra = _extra(check, found)
    if extra:
        return failed(check, f"is compiled for {', '.join(extra)}, too", [listed, *unsure])
    if missing and not unsure:
        return failed(check, f"is not compiled for {', '.join(missing)}: {listed}")
    if unsure:
        return undecided(check, unsure[0], [listed, *unsure[1:]])
    return passed(check, listed, [f"{each}: {path}" for each, path in sorted(found.items())])


def _extra(check: Check, found: dict[str, str]) -> list[str]:
    """The targets that should not be there."""
    only, lacks = words(check, "only"), words(check, "lacks")
    return [
        each
        for each in sorted(found)
        if (only and not {each, each.partition(":")[0]} & set(only))
        or {each, each.partition(":")[0]} & set(lacks)
    ]


KIND = Kind(
    "gpu-targets",
    __doc__,
    _judge,
    {"file": GLOB, "has": TEXTS, "only": TEXTS, "lacks": TEXTS},
    ("file",),
    facts_wanted,
)
