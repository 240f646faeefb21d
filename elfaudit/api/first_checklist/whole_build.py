"""What all files of a build are held to together: its distributions, its flavour, its libraries."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from packaging.utils import canonicalize_name

from ...checklist.build import Build
from ...errors import ElfAuditError
from .draft import Draft
from .survey import Code, Survey, is_library

__all__ = ["distribution_drafts", "flavor_drafts", "library_drafts", "size_drafts"]

_VERSION = re.compile(r"(GLIBC|GLIBCXX|CXXABI)_(\d{1,6}(?:\.\d{1,6}){0,4})")
_ALL = "**/*.so*"
_SMALLER = 0.5  # of the size that a wheel has now
_MOST_RECORDS = 40
# Where builds are made; on another machine nobody knows who has a directory of that name.
_FOREIGN = ("", "/home/*", "/root/*", "/tmp/*", "/build/*", "/io/*", "/__w/*", "/github/*")  # noqa: S108


def distribution_drafts(build: Build) -> Iterator[Draft]:
    """Each distribution is what its RECORD says; all they require is there."""
    names = {canonicalize_name(d.name): d.name for d in build.distributions if d.record is not None}
    each = [
        Draft("record", name, f"every file of {written} is what RECORD says",
              {"distribution": written})
        for name, written in names.items()
    ]  # fmt: skip
    if len(each) > _MOST_RECORDS:
        yield Draft("record", "", "every file is what RECORD says", {}, instead=tuple(each))
    else:
        yield from each
    count = len(build.distributions)
    if count:
        yield Draft("requires", "", "what is required is there", {})
    if count > 1:
        yield Draft("count", "distributions", f"there are {count} distributions at least",
                    {"what": "distributions", "min": count})  # fmt: skip


def size_drafts(build: Build) -> Iterator[Draft]:
    """The wheels are not much smaller."""
    wheels = dict.fromkeys(root.source.label for root in build.roots if root.is_wheel)
    if wheels:
        smallest = min(map(os.path.getsize, wheels))
        yield Draft("file", "wheel", "the wheel is at least half as large",
                    {"wheel": True, "min_size": int(smallest * _SMALLER)})  # fmt: skip


def flavor_drafts() -> Iterator[Draft]:
    """The GPU that everything is built for, if anything is."""
    for flavor, named in (("rocm", "ROCm"), ("cuda", "CUDA"), ("cpu", "the CPU")):
        yield Draft("flavor", flavor, f"everything is built for {named}", {"is": flavor},
                    expected=False)  # fmt: skip


def library_drafts(survey: Survey, chosen: Sequence[Code]) -> Iterator[Draft]:
    """What holds for every library.

    Args:
        survey: what there is.
        chosen: the files that have lines of their own.
    """
    libraries = [each for each in survey.code if is_library(each.path)]
    if not libraries:
        return
    if limits := _limits(libraries):
        told = ", ".join(f"{prefix} {number}" for prefix, number in limits.items())
        yield Draft("glibc", "", f"nothing newer is needed than {told}",
                    {"file": _ALL, "max": limits})  # fmt: skip
    yield Draft("glibc", "tag", "no newer glibc or libstdc++ is needed than the tag promises",
                {"file": _ALL, "tag": True}, expected=False)  # fmt: skip
    if asked := {key: value for key, value in survey.hardening.parameters.items() if key != "pie"}:
        yield Draft("hardening", "all", "every library is hardened as it was",
                    {"file": _ALL, **asked})  # fmt: skip
    yield Draft(
        "runpath", "foreign",
        "no library is searched for in a directory of the machine that built it",
        {"file": _ALL, "lacks": list(_FOREIGN)},
    )  # fmt: skip
    count = sum(len(each.files) for each in libraries)
    if len(chosen) < len(survey.code):
        yield Draft("count", "libraries", f"there are {count} libraries at least",
                    {"what": "files", "path": _ALL, "min": count})  # fmt: skip


def _limits(libraries: Sequence[Code]) -> dict[str, str]:
    """The newest versions that are needed now, as the kind ``glibc`` counts them."""
    highest: dict[str, tuple[int, ...]] = {}
    for elf in (elf for each in libraries for _, elf in each.files):
        try:
            needs = [need.name for need in elf.versions.needs if not need.weak]
        except ElfAuditError:
            continue  # the check will not be decided, and left out
        finally:
            elf.release()
        for match in filter(None, map(_VERSION.fullmatch, needs)):
            number = tuple(map(int, match[2].split(".")))
            highest[match[1]] = max(number, highest.get(match[1], ()))
    return {prefix: ".".join(map(str, highest[prefix])) for prefix in sorted(highest)}
