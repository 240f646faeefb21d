"""Where what has grown is put, and which tables then say so.

Nothing that is code or data moves. Of the ways there are, each is tried in turn: behind the last
segment where the file ends with it; in the zero bytes behind a read-only segment; in a new segment
at the end of the file, whose program header takes the place of one that nobody needs, or grows
the table into bytes that nobody uses, or into those of tables that only have to be found
(the interpreter's name, notes, hash tables), which then go along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..elf.dynamic import DynamicTag, Flags1
from ..elf.header import FileType, Segment, SegmentType
from ..errors import PatchError
from .emptied import emptied, guarding, is_relro_of, is_within
from .eviction import Piece, evictable
from .image import Image, used_ranges
from .pages import largest_page
from .tags import ADDRESSES

__all__ = ["Moved", "Placement", "place"]

_READ, _WRITE, _EXECUTE = 4, 2, 1
_MOST_PADDING = 64 << 20


@dataclass(frozen=True, slots=True)
class Moved:
    """A piece and its new place."""

    piece: Piece
    offset: int
    address: int


@dataclass(frozen=True, slots=True)
class Placement:
    """The new places of some pieces.

    Attributes:
        moved: each piece with its place.
        segments: the program headers, of the pieces that moved not corrected yet.
        table: file offset of the program headers.
        size: of the file.
        how: what was done, for whoever asks.
    """

    moved: tuple[Moved, ...]
    segments: tuple[Segment, ...]
    table: int
    size: int
    how: str


def place(image: Image, pieces: Sequence[Piece]) -> Placement:
    """Find a place for some pieces.

    Args:
        image: the file.
        pieces: what has to move; the first one comes first.

    Raises:
        PatchError: there is no safe way.
    """
    for way in _WAYS:
        found = way(image, pieces)
        if found is not None and _is_sane(image, found):
            return _without_empty(image, found)
    raise PatchError(
        image.name,
        "has no room for another program header: the table cannot grow, no entry of it is free, "
        "and no segment can be extended",
    )


def _is_sane(image: Image, placement: Placement) -> bool:
    """Whether no alignment that the file asks for leads out of memory, or far behind its end."""
    moved = sum(each.piece.new_size for each in placement.moved)
    loads = (each for each in placement.segments if each.type == SegmentType.LOAD)
    ends = (each.address + each.memory_size for each in loads)
    top = 1 << image.layout.bits
    return placement.size - image.size - moved <= _MOST_PADDING and max(ends) <= top


def _behind_the_last(image: Image, pieces: Sequence[Piece]) -> Placement | None:
    """Extend the last segment where it ends with the file."""
    last = image.loads[-1]
    writable = any(piece.writable for piece in pieces)
    if last.offset + last.file_size != image.size or last.file_size != last.memory_size:
        return None
    if (writable and not last.flags & _WRITE) or not last.flags & _READ or _is_moving(last, pieces):
        return None
    moved, end = _in_a_row(pieces, image.size, last.address - last.offset)
    grown = _grown(last, end)
    segments = tuple(grown if each is last else each for each in image.segments)
    how = "the last segment is extended"
    return Placement(moved, segments, image.header.segment_offset, end, how)


def _behind_a_readable(image: Image, pieces: Sequence[Piece]) -> Placement | None:
    """Use the zero bytes between a read-only segment and what comes next."""
    if any(piece.writable for piece in pieces):
        return None
    loads = image.loads
    page = largest_page(image.header.machine)
    by_rank = sorted(range(len(loads)), key=lambda n: loads[n].flags & _EXECUTE)
    for number in by_rank:
        load = loads[number]
        following = loads[number + 1] if number + 1 < len(loads) else None
        if load.flags & _WRITE or not load.flags & _READ or load.file_size != load.memory_size:
            continue
        start = load.offset + load.file_size
        limit = _next_used(image, start)
        if following is not None:
            room = following.address // max(page, following.align) * max(page, following.align)
            limit = min(limit, start + max(room - load.address - load.memory_size, 0))
        moved, end = _in_a_row(pieces, start, load.address - load.offset)
        if end <= limit and not any(image.reader.read(start, end - start, "PT_LOAD")):
            segments = tuple(_grown(load, end) if each is load else each for each in image.segments)
            how = "in the zero bytes behind a read-only segment"
            return Placement(moved, segments, image.header.segment_offset, image.size, how)
    return None


def _in_place_of_an_empty(image: Image, pieces: Sequence[Piece]) -> Placement | None:
    """A new segment, its program header in the place of one whose sections all move."""
    empty = emptied(image, pieces)
    if not empty:
        return None
    others = [each for each in image.loads if each not in empty]
    segment, moved, end = _new_segment(image, pieces, others or empty)
    rows = [guarding(segment) if is_relro_of(each, empty) else each for each in image.segments]
    segments = tuple(segment if each is empty[-1] else each for each in rows)
    if others:
        segments = _with_load(segment, [each for each in rows if each is not empty[-1]])
    how = "a segment, which held nothing else, is put at the end of the file"
    return Placement(moved, segments, image.header.segment_offset, end, how)


def _for_a_free_entry(image: Image, pieces: Sequence[Piece]) -> Placement | None:
    """A new segment, its program header in the place of a PT_NULL, or of a library's PT_PHDR."""
    free = next((n for n, each in enumerate(image.segments) if each.type == SegmentType.NULL), None)
    how = "a new segment, for an unused program header"
    if free is None and _is_library(image) and _table_is_mapped(image, 0):
        kinds = [each.type for each in image.segments]
        free = kinds.index(SegmentType.PHDR) if SegmentType.PHDR in kinds else None
        how = "a new segment, for the PT_PHDR that only programs need"
    if free is None:
        return None
    segment, moved, end = _new_segment(image, pieces, image.loads)
    segments = _with_load(segment, [e for n, e in enumerate(image.segments) if n != free])
    return Placement(moved, segments, image.header.segment_offset, end, how)


def _for_a_gap(image: Image, pieces: Sequence[Piece]) -> Placement | None:
    """A new segment, its program header in unused bytes behind the table."""
    start, entry = _end_of_table(image), image.header.segment_size
    if not image.sections or not _table_is_mapped(image, entry):
        return None
    if _next_used(image, start) < start + entry or _is_addressed(image, start, start + entry):
        return None
    if any(image.reader.read(start, entry, "e_phoff")):
        return None
    return _with_longer_table(image, pieces, "a new segment, its program header behind the others")


def _for_evicted(image: Image, pieces: Sequence[Piece]) -> Placement | None:
    """A new segment, its program header in the place of tables that are put into it."""
    start, entry = _end_of_table(image), image.header.segment_size
    if not _table_is_mapped(image, entry):
        return None
    moving = list(pieces)
    while (limit := _next_used(image, start, moving)) < start + entry:
        piece = evictable(image, limit)
        if piece is None or piece in moving:  # something else lies over it
            return None
        moving.append(piece)
    if _is_addressed(image, start, start + entry, moving):
        return None
    if not image.sections and not _is_all_known(image, start, start + entry, moving):
        return None
    how = "a new segment; what stood behind the program headers is in it"
    return _with_longer_table(image, moving, how)


def _with_moved_table(image: Image, pieces: Sequence[Piece]) -> Placement | None:
    """A new segment with the program headers in it: only where there are no section headers.

    ``strip`` corrupts a file whose table was moved. Old kernels take the table to be where the
    first segment would have it, so the distance of addresses and offsets is the same.
    """
    if image.sections or not image.loads:
        return None
    entry = image.header.segment_size
    table = Piece(0, 0, 0, entry * (len(image.segments) + 1), image.layout.word_size)
    first = image.loads[0]
    base = first.address - first.offset
    align = _alignment(image, image.loads)
    address = _up(_end_of_memory(image.loads), align)
    while address - base < image.size:
        address += align
    offset = address - base
    if offset - image.size > _MOST_PADDING:
        return None
    moved, end = _in_a_row([*pieces, table], offset, base)
    segment = _load(offset, address, end, align, pieces)
    place = moved[-1]
    rows = _with_load(segment, list(image.segments))
    segments = tuple(
        replace(
            each, offset=place.offset, address=place.address,
            file_size=table.new_size, memory_size=table.new_size,
        )
        if each.type == SegmentType.PHDR
        else each
        for each in rows
    )  # fmt: skip
    how = "a new segment, with the program headers in it"
    return Placement(moved[:-1], segments, place.offset, end, how)


_WAYS: tuple[Callable[[Image, Sequence[Piece]], Placement | None], ...] = (
    _in_place_of_an_empty,
    _behind_the_last,
    _behind_a_readable,
    _for_a_free_entry,
    _for_a_gap,
    _for_evicted,
    _with_moved_table,
)


def _without_empty(image: Image, placement: Placement) -> Placement:
    """A placement with the program headers of segments that hold nothing any more unused."""
    empty = emptied(image, [each.piece for each in placement.moved])
    unused = Segment(SegmentType.NULL, 0, 0, 0, 0, 0, 0)
    segments = tuple(unused if each in empty else each for each in placement.segments)
    return replace(placement, segments=segments)


def _with_longer_table(image: Image, pieces: Sequence[Piece], how: str) -> Placement:
    segment, moved, end = _new_segment(image, pieces, image.loads)
    size = image.header.segment_size * (len(image.segments) + 1)
    rows = [
        replace(each, file_size=size, memory_size=size) if each.type == SegmentType.PHDR else each
        for each in image.segments
    ]
    segments = _with_load(segment, rows)
    return Placement(moved, segments, image.header.segment_offset, end, how)


def _with_load(segment: Segment, rows: list[Segment]) -> tuple[Segment, ...]:
    """Some program headers with one more segment behind the others: addresses ascend."""
    last = max(n for n, each in enumerate(rows) if each.type == SegmentType.LOAD)
    return (*rows[: last + 1], segment, *rows[last + 1 :])


def _new_segment(
    image: Image, pieces: Sequence[Piece], loads: Sequence[Segment]
) -> tuple[Segment, tuple[Moved, ...], int]:
    """A segment at the end of the file, above all others: (it, what is in it, end of the file)."""
    align = _alignment(image, loads)
    offset = _up(image.size, max(piece.align for piece in pieces))
    address = _up(_end_of_memory(loads), align) + offset % align
    moved, end = _in_a_row(pieces, offset, address - offset)
    return _load(offset, address, end, align, pieces), moved, end


def _load(offset: int, address: int, end: int, align: int, pieces: Iterable[Piece]) -> Segment:
    flags = _READ | (_WRITE if any(piece.writable for piece in pieces) else 0)
    size = end - offset
    return Segment(SegmentType.LOAD, flags, offset, address, size, size, align)


def _in_a_row(pieces: Iterable[Piece], offset: int, distance: int) -> tuple[tuple[Moved, ...], int]:
    """Pieces one behind the other from an offset on, and where they end.

    A piece that was not aligned stays as far from it as it was: notes of several alignments in one
    segment are.
    """
    moved: list[Moved] = []
    for piece in pieces:
        offset += (piece.offset - offset) % piece.align if piece.size else -offset % piece.align
        moved.append(Moved(piece, offset, offset + distance))
        offset += piece.new_size
    return tuple(moved), offset


def _grown(load: Segment, end: int) -> Segment:
    size = end - load.offset
    return replace(load, file_size=size, memory_size=size)


def _alignment(image: Image, loads: Iterable[Segment]) -> int:
    return max(largest_page(image.header.machine), *(load.align for load in loads))


def _end_of_memory(loads: Iterable[Segment]) -> int:
    return max(load.address + load.memory_size for load in loads)


def _up(value: int, align: int) -> int:
    return -(-value // align) * align


def _is_library(image: Image) -> bool:
    """Whether nobody starts the file as a program: PT_PHDR then serves nobody."""
    flags = image.value(DynamicTag.FLAGS_1) or 0
    started = any(each.type == SegmentType.INTERP for each in image.segments)
    return image.header.type == FileType.DYN and not flags & Flags1.PIE and not started


def _end_of_table(image: Image) -> int:
    return image.header.segment_offset + image.header.segment_size * len(image.segments)


def _table_is_mapped(image: Image, more: int) -> bool:
    """Whether the first segment begins with the file and has the table, and some bytes more."""
    first = image.loads[0]
    return not first.offset and _end_of_table(image) + more <= first.file_size


def _is_moving(load: Segment, pieces: Iterable[Piece]) -> bool:
    """Whether something of a segment is a piece that moves."""
    return any(load.offset <= p.offset < load.offset + load.file_size for p in pieces)


def _next_used(image: Image, start: int, moving: Sequence[Piece] = ()) -> int:
    """The first offset from one on that something other than a PT_LOAD has, or the file's end."""
    found = (
        max(begin, start)
        for begin, end in used_ranges(image)
        if end > start and not is_within(begin, end, moving) and not _is_load(image, begin, end)
    )
    starts = (load.offset for load in image.loads if load.offset > start)
    return min((*found, *starts), default=image.size)


def _is_load(image: Image, begin: int, end: int) -> bool:
    return any(load.offset == begin and load.offset + load.file_size == end for load in image.loads)


def _is_all_known(image: Image, begin: int, end: int, pieces: Iterable[Piece]) -> bool:
    """Whether all between two offsets is in some pieces, but for zeros that align the next one.

    Without section headers nobody says what else there is.
    """
    for piece in sorted(pieces, key=lambda each: each.offset):
        if piece.offset + piece.size > begin and begin < end:
            gap = piece.offset - begin
            if gap >= piece.align or (gap > 0 and any(image.reader.read(begin, gap, "e_phoff"))):
                return False
            begin = piece.offset + piece.size
    return begin >= end


def _is_addressed(image: Image, begin: int, end: int, moving: Sequence[Piece] = ()) -> bool:
    """Whether an entry of the dynamic section gives an address between two offsets."""
    addresses = (row.value for row in image.rows if row.tag in ADDRESSES)
    offsets = (image.offset_of(address) for address in addresses)
    return any(
        offset is not None and begin <= offset < end and not is_within(offset, offset + 1, moving)
        for offset in offsets
    )
