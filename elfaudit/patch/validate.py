"""What a file must be like to be edited: whatever is not so is refused, not guessed at.

Source: System V gABI, "Program Header" and "Dynamic Section"; ``_dl_map_object_from_fd`` (glibc
``elf/dl-load.c``) for what the loader takes for granted.
"""

from __future__ import annotations

from itertools import pairwise

from ..elf.dynamic import DynamicTag, Flags1
from ..elf.header import FileType, Segment, SegmentType
from ..errors import PatchError
from .image import Image, SectionType

__all__ = ["validate"]


def validate(image: Image) -> None:
    """Refuse a file whose tables contradict each other.

    Raises:
        PatchError: which do, and how.
    """
    problem = _problem(image)
    if problem is not None:
        raise PatchError(image.name, f"is not changed: {problem}")


def _problem(image: Image) -> str | None:
    if image.header.type not in (FileType.DYN, FileType.EXEC):
        return "it is neither a shared object nor an executable"
    if _is_static(image):
        return "it is a static program: no loader reads its dynamic section"
    return _problem_of_loads(image) or _problem_of_dynamic(image) or _problem_of_sections(image)


def _is_static(image: Image) -> bool:
    """Whether a program relocates itself (``-static-pie``), or is not relocated at all."""
    flags = image.value(DynamicTag.FLAGS_1) or 0
    program = image.header.type == FileType.EXEC or flags & Flags1.PIE
    return bool(program) and all(each.type != SegmentType.INTERP for each in image.segments)


def _problem_of_loads(image: Image) -> str | None:
    loads = image.loads
    problems = (_problem_of_load(image, each) for each in loads)
    problem = next((each for each in problems if each is not None), None)
    for one, other in pairwise(loads):
        if problem is None and one.address + one.memory_size > other.address:
            return f"the segments at {one.offset:#x} and {other.offset:#x} overlap or do not ascend"
    return problem


def _problem_of_load(image: Image, load: Segment) -> str | None:
    where = f"the segment at {load.offset:#x}"
    if load.file_size > load.memory_size:
        return f"{where} has more bytes in the file than in memory"
    if load.offset + load.file_size > image.size:
        return f"{where} ends behind the end of the file"
    if load.align & (load.align - 1):
        return f"{where} has the alignment {load.align:#x}"
    if (load.address - load.offset) % max(load.align, 1):
        return f"offset and address of {where} do not agree"
    if (load.address + load.memory_size) >> image.layout.bits:
        return f"{where} ends behind the end of memory"
    return None


def _problem_of_dynamic(image: Image) -> str | None:
    dynamic = image.dynamic
    place = image.offset_of(dynamic.address)
    if place != dynamic.offset or dynamic.file_size > dynamic.memory_size:
        return "PT_DYNAMIC is not where the segments have its address"
    if len(image.rows) >= image.capacity and not _ends_there(image):
        return "the dynamic section has no end (DT_NULL)"
    if not image.strings.endswith(b"\0"):
        return "DT_STRTAB does not end with a NUL"
    tags = [row.tag for row in image.rows]
    for tag in (DynamicTag.STRTAB, DynamicTag.STRSZ, DynamicTag.SYMTAB):
        if tags.count(tag) != 1:
            return f"DT_{tag.name} stands {tags.count(tag)} times in the dynamic section"
    return None


def _ends_there(image: Image) -> bool:
    """Whether the section has no room for a DT_NULL: some linkers leave it out."""
    size = image.layout.dynamic.size
    return len(image.rows) * size == image.dynamic.file_size // size * size


def _problem_of_sections(image: Image) -> str | None:
    found = [each for each in image.sections if each.type == SectionType.DYNAMIC]
    if not image.sections or not found:
        return None
    section = found[0]
    if (section.offset, section.address) != (image.dynamic.offset, image.dynamic.address):
        return "the section headers and PT_DYNAMIC do not agree where the dynamic section is"
    return None
