"""All that is built for a GPU is built for the same one: ROCm, CUDA, or none.

## What it asks

`is`: `rocm`, `cuda` or `cpu`. Without it all evidence must agree.

```toml
[[check]]
kind = "flavor"
is = "rocm"
```

## Why

A resolver that finds no ROCm wheel takes the CUDA wheel of the same name, and says nothing. The
version of torch alone does not show that vLLM beside it is of CUDA.

## How it is decided

Two kinds of evidence: the constants of `torch/version.py` (`hip`, `rocm`, `cuda`), and the
libraries that the files list in DT_NEEDED (`libamdhip64`, `libtorch_hip`, `librccl` …;
`libcudart`, `libtorch_cuda`, `libnccl` …). Each package is judged by itself: torch without
either is of the CPU. If they disagree, that is the finding. A package with a file for each
(`libx_cuda126.so`, `libx_rocm71.so`), and none for one only, chooses when it runs: it is of any of
them. What the system has beside the places of modules does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import ElfAuditError
from ...findings.checks import Check, Judgement
from ...pydist import Presence, literal
from ..build import Build, BuildFile
from ..kind import Kind, failed, passed, skipped
from ..one_pass import Wanted

__all__ = ["KIND"]

_ROCM = re.compile(
    r"lib(amdhip64|hip(blas\w*|dnn\w*|fft\w*|rand|solver|sparse\w*|rtc\w*|tensor)|MIOpen|miopen|"
    r"roc(blas|fft|rand|solver|sparse|alution|decode|jpeg|shmem|m_smi64|m-core|m_sysdeps\w*|tx64|"
    r"tracer64|profiler\w*|profiler-\w+)|rccl|hsa-runtime64|torch_hip|c10_hip|amd_smi|aotriton\w*|"
    r"amd_comgr\w*)(-[0-9a-f]+)?\.so"
)
_CUDA = re.compile(
    r"lib(cudart|cuda|cublas\w*|cudnn\w*|cufft\w*|curand|cusparse\w*|cusolver\w*|nccl|nvrtc\w*|"
    r"nvToolsExt|nvJitLink|cupti|torch_cuda\w*|c10_cuda)(-[0-9a-f]+)?\.so"
)
_LIBRARY = re.compile(r"\.so(\.\d+)*$")
_IN_NAME = {
    "rocm": re.compile(r"(?<![a-z])(rocm|hip)(?![a-z])"),
    "cuda": re.compile(r"(?<![a-z])(cuda|cu\d\d)(?![a-z])"),
}
_NAMES = {"rocm": "ROCm", "cuda": "CUDA", "cpu": "the CPU"}


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What says that something is of a flavour; ``chosen``: the name of the file says it, too."""

    flavor: str
    about: str
    text: str
    chosen: bool = False


def _wants(check: Check, build: Build) -> Iterator[Wanted]:  # noqa: ARG001
    for file in build.files:
        if _LIBRARY.search(file.place):
            try:
                yield Wanted(file.member, facts=True)
            except ElfAuditError:
                continue


def _judge(check: Check, build: Build) -> Judgement:
    evidence = [*_values(build), *_libraries(build)]
    if not evidence:
        return skipped(
            check, f"nothing in {build.label} is built for a GPU, or says that it is not"
        )
    flavors: dict[str, set[str]] = {}
    for each in evidence:
        flavors.setdefault(each.about, set()).add(each.flavor)
    any_of = {
        owner
        for owner, some in flavors.items()
        if len(some) > 1 and all(each.chosen for each in evidence if each.about == owner)
    }
    told = [each.text for each in evidence]
    wanted = check.parameters.get("is")
    if wanted is not None:
        return _held_to(check, str(wanted), flavors, any_of, told)
    decided = {flavor for owner in flavors.keys() - any_of for flavor in flavors[owner]}
    common = set.intersection(*(flavors[owner] for owner in any_of)) if any_of else decided
    if len(decided) > 1 or not common or (decided and not decided & common):
        return failed(check, f"not everything is of one kind: {_listed(flavors)}", told)
    if decided:
        return passed(check, f"everything is of {_NAMES[decided.pop()]}", told)
    return passed(check, _listed(flavors, " or of "), told)


def _held_to(
    check: Check,
    wanted: str,
    flavors: dict[str, set[str]],
    any_of: set[str],
    told: list[str],
) -> Judgement:
    wrong = {
        owner: some
        for owner, some in flavors.items()
        if some != {wanted} and not (owner in any_of and wanted in some)
    }
    if wrong:
        message = f"{_listed(wrong)}, not of {_NAMES[wanted]}"
        return failed(check, message, told, "install the build for the GPU that is there, from "
                      "its own index, and pin its local version")  # fmt: skip
    return passed(check, f"everything is of {_NAMES[wanted]}", told)


def _listed(flavors: dict[str, set[str]], between: str = " and of ") -> str:
    return "; ".join(
        f"{owner} is of {between.join(_NAMES[each] for each in sorted(some))}"
        for owner, some in flavors.items()
    )


def _values(build: Build) -> Iterator[_Evidence]:
    """What torch/version.py says."""
    told: list[str] = []
    flavor = ""
    for name, kind in (("hip", "rocm"), ("rocm", "rocm"), ("cuda", "cuda")):
        found = literal(build.modules, "torch.version", name)
        if found.status is not Presence.PRESENT:
            continue
        told.append(f"{name} = {found.value!r}")
        if found.value is not None and not flavor:
            flavor = kind
    if told:
        yield _Evidence(flavor or "cpu", "torch", f"torch/version.py: {', '.join(told)}")


def _libraries(build: Build) -> Iterator[_Evidence]:
    """What the files of each package list in DT_NEEDED; one file of each kind is told."""
    seen: set[tuple[str, str, bool]] = set()
    torch = None
    for file in build.files:
        if file.path.startswith("/") or not _LIBRARY.search(file.place):
            continue  # of the system, or no library
        try:
            needed = build.elf(file).needed
        except ElfAuditError:
            continue
        owner = _owner(file)
        if owner == "torch" and "libtorch" in file.path and torch is None:
            torch = file
        for pattern, flavor in ((_ROCM, "rocm"), (_CUDA, "cuda")):
            names = [name for name in needed if pattern.match(name)]
            chosen = _IN_NAME[flavor].search(file.path.rpartition("/")[2]) is not None
            if names and (owner, flavor, chosen) not in seen:
                seen.add((owner, flavor, chosen))
                text = f"{file.path} lists {', '.join(names)} in DT_NEEDED"
                yield _Evidence(flavor, owner, text, chosen)
    if torch is not None and not any(owner == "torch" for owner, _, _ in seen):
        text = f"no library of torch lists one of ROCm or CUDA in DT_NEEDED, as {torch.path}"
        yield _Evidence("cpu", "torch", text)


def _owner(file: BuildFile) -> str:
    """The package that a file is in: the first part of its path below an import root."""
    return file.path.lstrip("/").partition("/")[0].partition(".")[0]


KIND = Kind("flavor", __doc__, _judge, {"is": {"enum": ["rocm", "cuda", "cpu"]}}, (), _wants)
