"""What may be put somewhere else to make room behind the program headers.

Only tables that are found through other tables, all of which can be corrected: the interpreter's
name, notes, hash tables, symbols and versions.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..elf.header import SegmentType
from .image import Image, Section, SectionType

__all__ = ["TOGETHER", "Piece", "evictable"]

_ALLOC = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the file that need another place.

    Attributes:
        offset, size: where they are, and how many.
        address: where they are in memory.
        new_size: how many there will be.
        align: what the new place is a multiple of.
        writable: whether the loader writes to it.
    """

    offset: int
    size: int
    address: int
    new_size: int
    align: int
    writable: bool = False


def evictable(image: Image, start: int) -> Piece | None:
    """What begins at an offset, as a piece, if it may be somewhere else; None if it may not.

    Without section headers only what has a program header of its own is known to its end.
    """
    return _section_at(image, start) if image.sections else _segment_at(image, start)


def _segment_at(image: Image, start: int) -> Piece | None:
    """The interpreter's name or the notes that begin at an offset: all segments of those bytes."""
    kinds = (*TOGETHER, SegmentType.INTERP)
    found = [each for each in image.segments if each.type in kinds and each.file_size]
    first = next((each for each in found if each.offset == start), None)
    if first is None:
        return None
    end, align = start, 1
    for each in sorted(found, key=lambda each: each.offset):
        if each.offset == start or start < each.offset < end:
            end, align = max(end, each.offset + each.file_size), max(align, each.align)
        elif each.offset < start < each.offset + each.file_size:
            return None
    return Piece(start, end - start, first.address, end - start, align)


def _section_at(image: Image, start: int) -> Piece | None:
    """The section that begins at an offset; the notes of one segment go together, as they are."""
    section = next((s for s in image.sections if s.file_size and s.offset == start), None)
    if section is None or not section.flags & _ALLOC or not _may_move(image, section):
        return None
    begin, end, align = section.offset, section.end, max(section.align, 1)
    for segment in image.segments:
        if segment.type in TOGETHER and segment.offset < end:
            stop = segment.offset + segment.file_size
            if segment.offset >= begin or stop > begin:
                begin, end = min(begin, segment.offset), max(end, stop)
                align = max(align, segment.align)
    inside = [s for s in image.sections if s.file_size and begin <= s.offset < end]
    if begin != start or not all(s.end <= end and _may_move(image, s) for s in inside):
        return None
    return Piece(begin, end - begin, section.address, end - begin, align)


def _may_move(image: Image, section: Section) -> bool:
    """Whether a section is only ever found through tables that are corrected."""
    if section.type in _MOVABLE:
        return True
    interps = (each for each in image.segments if each.type == SegmentType.INTERP)
    return any((i.offset, i.file_size) == (section.offset, section.size) for i in interps)


TOGETHER = (SegmentType.NOTE, SegmentType.GNU_PROPERTY)
_MOVABLE = (
    SectionType.NOTE, SectionType.HASH, SectionType.GNU_HASH, SectionType.DYNSYM,
    SectionType.GNU_VERSYM, SectionType.GNU_VERDEF, SectionType.GNU_VERNEED,
    SectionType.MIPS_REGINFO, SectionType.MIPS_ABIFLAGS,
)  # fmt: skip
