"""Segments that hold nothing any more once something has moved out of them.

GNU ``strip`` cannot lay out a segment without sections, and a library that is patched and stripped
in turn gets one: its program header is used again, or is made unused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..elf.header import Segment, SegmentType
from .eviction import TOGETHER, Piece
from .image import Image, Section

__all__ = ["emptied", "guarding", "is_relro_of", "is_within"]

_READ = 4
_ALLOC = 2
_SMALLEST_PAGE = 0x1000


def emptied(image: Image, pieces: Sequence[Piece]) -> list[Segment]:
    """The segments all of whose sections move, and that nothing else is said to be in.

    The one with the headers of the file always holds those.
    """
    found = []
    for load in image.loads:
        if load.offset <= image.header.segment_offset < load.offset + load.file_size:
            continue
        inside = [each for each in image.sections if _lies_in(each, load)]
        moves = bool(inside) and all(_has_moved(each, pieces) for each in inside)
        if moves and not any(_stays_in(each, load, pieces) for each in image.segments):
            found.append(load)
    return found


def is_relro_of(segment: Segment, loads: Iterable[Segment]) -> bool:
    """Whether a program header is RELRO, and begins and ends in the file with one of some."""
    return segment.type == SegmentType.GNU_RELRO and any(
        load.offset <= segment.offset
        and segment.offset + segment.file_size <= load.offset + load.file_size
        for load in loads
    )


def guarding(segment: Segment) -> Segment:
    """RELRO of all of a segment: what it held has moved there, and a loader only reads the rest.

    It ends with the page, as lld's does: a loader whose pages are larger protects nothing then.
    """
    end = -(-(segment.address + segment.memory_size) // _SMALLEST_PAGE) * _SMALLEST_PAGE
    return replace(
        segment, type=SegmentType.GNU_RELRO, flags=_READ, align=1, memory_size=end - segment.address
    )


def is_within(begin: int, end: int, pieces: Iterable[Piece]) -> bool:
    """Whether some bytes of the file are part of a piece."""
    return any(piece.offset <= begin and end <= piece.offset + piece.size for piece in pieces)


def _stays_in(segment: Segment, load: Segment, pieces: Iterable[Piece]) -> bool:
    """Whether another program header names memory of a segment, and not with what moves."""
    if segment.type == SegmentType.LOAD or not segment.memory_size:
        return False
    if is_relro_of(segment, [load]):
        return False
    begin, end = segment.address, segment.address + segment.memory_size
    if begin >= load.address + load.memory_size or end <= load.address:
        return False
    goes_along = segment.type in (SegmentType.DYNAMIC, *TOGETHER, SegmentType.INTERP)
    offset = segment.offset
    return not goes_along or not is_within(offset, offset + segment.file_size, pieces)


def _lies_in(section: Section, load: Segment) -> bool:
    """Whether a section is loaded by a segment."""
    inside = load.address <= section.address < load.address + max(load.memory_size, 1)
    return bool(section.flags & _ALLOC) and inside


def _has_moved(section: Section, pieces: Iterable[Piece]) -> bool:
    if section.size and not section.file_size:
        return False  # .bss: it only seems to begin where the table in front of it ends
    return any(p.offset <= section.offset and section.end <= p.offset + p.size for p in pieces)
