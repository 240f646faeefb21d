"""A segment cannot be mapped where it wants to be, on some systems.

## What it is

A `PT_LOAD` whose address and file offset do not agree modulo its own alignment, or modulo the
page size of some systems of that machine; or two of them that overlap or stand in the wrong
order.

## Why it matters

Files are mapped page by page. glibc before 2.35 refuses what does not agree modulo `p_align`
(`ELF load command address/offset not properly aligned`), newer ones what does not agree modulo
the page size. Kernels for AArch64 and POWER are built with pages of 64 KiB too (RHEL, Oracle),
and for Apple silicon with 16 KiB: a file linked for 4 KiB does not load there. Overlapping
segments overwrite each other. Tools that patch files (old patchelf, strip, packers) are the usual
cause.

## How it is decided

By the program headers of the file that was asked about, as `_dl_map_object_from_fd` does (glibc
`elf/dl-load.c`). It is an error where the C library of the root is older than 2.35. What
disagrees modulo the page size of every system is a refused-object.

## Example

```text
warning  libfoo.so: the PT_LOAD at 0x2ef0 is at 0x1ef0 in the file: not the same modulo its
       alignment of 0x200000
```

## Fix

Link again, for other page sizes with `-Wl,-z,max-page-size=65536`; patch with a patchelf from
0.18 on (`--page-size 65536`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..elf import Segment, SegmentType
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule

__all__ = ["RULE"]

_BY_PAGE_SINCE = (2, 35)
_LARGEST_PAGE = 0x10000
_LARGE_PAGES = {183: "AArch64", 21: "POWER"}


def _check(case: Case) -> Iterator[Finding]:
    subject = case.link_map.subject
    loads = [s for s in case.model.segments if s.type == SegmentType.LOAD]
    old = case.rtld_version is not None and case.rtld_version < _BY_PAGE_SINCE
    aligned = next((s for s in loads if not _agrees(s, s.align)), None)
    if aligned is not None:
        message = f"{_place(aligned)}: not the same modulo its alignment of {aligned.align:#x}"
        evidence = "glibc before 2.35 refuses it"
        if old and not case.model.is_program:
            evidence, message = message, f"{subject.label}: {_OLD_MESSAGE}"
        yield _finding(case, message, evidence, error=old and not case.model.is_program)
    name = _LARGE_PAGES.get(case.model.machine)
    large = next((s for s in loads if not _agrees(s, _LARGEST_PAGE)), None)
    if name is not None and large is not None and aligned is None:
        yield _finding(
            case,
            f"{_place(large)}: it cannot be mapped in pages of 64 KiB",
            f"systems for {name} have pages of 4, 16 or 64 KiB",
        )
    yield from _overlaps(case, loads)


_OLD_MESSAGE = "ELF load command address/offset not properly aligned"


def _overlaps(case: Case, loads: Sequence[Segment]) -> Iterator[Finding]:
    for one, two in pairwise(loads):
        if two.address < one.address + one.memory_size:
            what = "begins below" if two.address < one.address else "overlaps"
            yield _finding(
                case,
                f"the PT_LOAD at {two.address:#x} {what} the one "
                f"before it ({one.address:#x} to {one.address + one.memory_size:#x})",
                "the loader maps them one after the other and takes the first and the last for the "
                "bounds of all",
            )
            return


def _finding(case: Case, message: str, evidence: str, *, error: bool = False) -> Finding:
    fix = Fix(
        "link it again for all page sizes", "-Wl,-z,max-page-size=65536", (),
        Applicability.DISPLAY_ONLY,
    )  # fmt: skip
    severity = Severity.ERROR if error else Severity.WARNING
    return Finding(RULE.name, severity, case.link_map.subject.display, message, (evidence,), (fix,))


def _agrees(segment: Segment, align: int) -> bool:
    return align < 2 or (segment.address - segment.offset) % align == 0


def _place(segment: Segment) -> str:
    return f"the PT_LOAD at {segment.address:#x} is at {segment.offset:#x} in the file"


RULE = Rule("misaligned-segment", Severity.ERROR, __doc__, _check)
