"""The sections of a new file: where its segments have them, with the bytes they had."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from ..image import Image, Section, SectionType
from ..planning import Plan

__all__ = ["other_sections"]

_ALLOC, _TLS = 2, 0x400
_CHUNK = 1 << 20


def other_sections(first: Image, after: Image, plan: Plan) -> Iterator[str]:
    """Sections that are gone, lie elsewhere than their segments, or have other bytes."""
    if len(first.sections) != len(after.sections):
        yield "there are more or fewer sections"
        return
    if first.section_names != after.section_names:
        yield "the sections have other names"
    writes = sorted((each.offset, each.offset + len(each.data)) for each in plan.writes)
    for old, new in zip(first.sections, after.sections, strict=True):
        if _kind(old) != _kind(new):
            yield f"section {new.index} is another one"
        if new.file_size and new.flags & _ALLOC and after.offset_of(new.address) != new.offset:
            yield f"section {new.index} is not where its address is"
        if _is_zeros(old) and (old != new or (_is_loaded(first, old) > _is_loaded(after, new))):
            yield f"section {new.index} is not in memory any more"
        if new.address % max(new.align, 1) and not old.address % max(old.align, 1):
            yield f"section {new.index} is not aligned any more"
        if new.size != _wanted_size(first, old, after):
            yield f"section {new.index} has {new.size} bytes"
        elif old.offset == new.offset and not _is_touched(new, writes):
            continue
        elif old.file_size and not _goes_on(first, old, after, new):
            yield f"section {new.index} does not have the bytes it had"


def _kind(section: Section) -> tuple[int, ...]:
    return (
        section.name, section.type, section.flags, section.link, section.info, section.align,
        section.entry_size,
    )  # fmt: skip


def _is_zeros(section: Section) -> bool:
    """Whether it is memory without bytes in the file, of which each process has one."""
    kind = section.flags & (_ALLOC | _TLS)
    return section.type == SectionType.NOBITS and kind == _ALLOC and bool(section.size)


def _is_loaded(image: Image, section: Section) -> bool:
    """Whether all of a section is in one segment."""
    return any(
        load.address <= section.address
        and section.address + section.size <= load.address + load.memory_size
        for load in image.loads
    )


def _wanted_size(first: Image, old: Section, after: Image) -> int:
    """How long a section of the first state is to be."""
    if (old.offset, old.size) == (first.strings_offset, len(first.strings)):
        return len(after.strings)
    if (old.offset, old.size) == (first.dynamic.offset, first.dynamic.file_size):
        return after.dynamic.file_size
    return old.size


def _is_touched(section: Section, writes: Sequence[tuple[int, int]]) -> bool:
    """Whether something was written to a section; ``writes`` are (offset, end), ascending."""
    number = bisect_left(writes, (section.end, 0))
    return number > 0 and writes[number - 1][1] > section.offset


def _goes_on(first: Image, old: Section, after: Image, new: Section) -> bool:
    """Whether a section has the bytes it had; those that have to change are judged apart."""
    judged_apart = old.offset in (first.dynamic.offset, first.strings_offset)
    if judged_apart or old.type in _JUDGED_APART:
        return True
    return all(
        first.reader.read_available(old.offset + begin, min(_CHUNK, old.size - begin))
        == after.reader.read_available(new.offset + begin, min(_CHUNK, old.size - begin))
        for begin in range(0, old.size, _CHUNK)
    )


_JUDGED_APART = (SectionType.GNU_VERNEED, SectionType.DYNSYM, SectionType.SYMTAB)
