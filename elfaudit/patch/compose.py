"""A change and the places for it, as the bytes to write.

What names a place that something has left is corrected everywhere: in the dynamic section, in the
program and section headers, in the symbols of the sections that moved, and in the one entry of MIPS
that counts from its own address (``DT_MIPS_RLD_MAP_REL``).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ..elf.dynamic import DynamicTag
from ..elf.header import Segment, SegmentType
from ..errors import PatchError
from .edits import Change
from .eviction import Piece
from .image import Image, Row, Section, SectionType, physical_addresses, section_struct
from .placement import Moved, Placement, place
from .strings import placed
from .symbols import moved_symbols
from .tags import ADDRESSES
from .verneed import requirements

__all__ = ["Rewrite", "Write", "compose"]

_SPARE_ROWS = 4
_MIPS_RLD_MAP_REL = 0x70000035
_PN_XNUM = 0xFFFF
_STAYING = (SegmentType.LOAD, SegmentType.PHDR, SegmentType.GNU_RELRO, SegmentType.TLS)
_WRITE, _EXECUTE = 2, 1


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for one place of the file."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Rewrite:
    """All that is written over a copy of a file.

    Attributes:
        size: of the file afterwards, in bytes.
        writes: what is written, in the order of the places, none of them over another.
        how: where what has grown went.
    """

    size: int
    writes: tuple[Write, ...]
    how: tuple[str, ...] = ()


def compose(image: Image, change: Change) -> Rewrite:
    """The bytes that make a change.

    Args:
        image: the file.
        change: what its dynamic section is to be.

    Raises:
        PatchError: there is no safe place for what grows.
        ElfFormatError: a table that has to be corrected is not in the file.
    """
    return _Composition(image, change).rewrite()


class _Composition:
    """One change of one file, on its way to bytes."""

    def __init__(self, image: Image, change: Change) -> None:
        self._image = image
        self._change = change
        texts = [row.text for row in change.rows if row.text is not None]
        texts += [new for _, new in change.renamed]
        self._offsets, self._appended = placed(image.strings, texts)
        self._writes: list[Write] = []
        self._strings = self._strings_piece() if self._appended else None
        self._dynamic = self._dynamic_piece() if len(change.rows) >= image.capacity else None
        pieces = [piece for piece in (self._strings, self._dynamic) if piece is not None]
        self._placement = place(image, pieces) if pieces else _unmoved(image)
        _require_room(image, self._placement)

    def rewrite(self) -> Rewrite:
        self._write_rows()
        self._write_pieces()
        self._write_requirements()
        self._write_segments()
        self._write_sections()
        self._write_symbols()
        placement = self._placement
        told = [placement.how] if placement.how else []
        if self._leaves_relro():
            told.append("the dynamic section is not made read-only after relocation any more")
        writes = _joined(self._image, self._writes)
        return Rewrite(placement.size, writes, tuple(told))

    def _strings_piece(self) -> Piece:
        image = self._image
        size = len(image.strings)
        address = image.value(DynamicTag.STRTAB) or 0
        section = image.section_at(address, (SectionType.STRTAB,))
        align = max(section.align, 1) if section is not None else 1
        return Piece(image.strings_offset, size, address, size + len(self._appended), align)

    def _dynamic_piece(self) -> Piece:
        dynamic, layout = self._image.dynamic, self._image.layout
        rows = len(self._change.rows) + 1 + _SPARE_ROWS
        return Piece(
            dynamic.offset, dynamic.file_size, dynamic.address, rows * layout.dynamic.size,
            layout.word_size, writable=self._is_writable(dynamic.address),
        )  # fmt: skip

    def _is_writable(self, address: int) -> bool:
        """Whether a loader may write there: on MIPS it must not to the dynamic section."""
        return any(
            load.flags & _WRITE and load.address <= address < load.address + load.memory_size
            for load in self._image.loads
        )

    def _leaves_relro(self) -> bool:
        """Whether the dynamic section was in RELRO, which does not go along with it."""
        moved = (each for each in self._placement.moved if each.piece is self._dynamic)
        return any(
            _is_guarded(self._image.segments, each.piece.address)
            and not _is_guarded(self._placement.segments, each.address)
            for each in moved
        )

    def _moved(self, offset: int, size: int = 1) -> Moved | None:
        """What some bytes of the old file have moved with."""
        for moved in self._placement.moved:
            piece = moved.piece
            if piece.offset <= offset and offset + size <= piece.offset + piece.size:
                return moved
        return None

    def _moved_address(self, address: int) -> int:
        for moved in self._placement.moved:
            if moved.piece.address <= address < moved.piece.address + moved.piece.size:
                return address - moved.piece.address + moved.address
        return address

    def _put(self, offset: int, data: bytes) -> None:
        """Write to a place of the old file, wherever that is now."""
        moved = self._moved(offset, len(data))
        self._writes.append(
            Write(offset if moved is None else offset - moved.piece.offset + moved.offset, data)
        )

    def _write_rows(self) -> None:
        image, placement = self._image, self._placement
        found = (each for each in placement.moved if each.piece is self._dynamic)
        place = next(found, None)
        capacity = image.capacity
        if self._dynamic is not None:
            capacity = self._dynamic.new_size // image.layout.dynamic.size
        offset = place.offset if place else image.dynamic.offset
        address = place.address if place else image.dynamic.address
        rows = [self._encoded(row, n, address) for n, row in enumerate(self._change.rows)]
        rows += [bytes(image.layout.dynamic.size)] * (capacity - len(rows))
        self._writes.append(Write(offset, b"".join(rows)))

    def _encoded(self, row: Row, number: int, address: int) -> bytes:
        image, value = self._image, row.value
        if row.text is not None:
            value = self._offsets[row.text]
        elif row.tag == DynamicTag.STRSZ:
            value = len(image.strings) + len(self._appended)
        elif row.tag in ADDRESSES:
            value = self._moved_address(value)
        elif row.tag == _MIPS_RLD_MAP_REL:
            old = next(n for n, each in enumerate(image.rows) if each.tag == row.tag)
            size = image.layout.dynamic.size
            target = image.dynamic.address + old * size + image.rows[old].value
            value = (target - address - number * size) % (1 << image.layout.bits)
        return image.layout.dynamic.pack(row.tag, value)

    def _write_pieces(self) -> None:
        for moved in self._placement.moved:
            piece = moved.piece
            if piece is self._strings:
                data = self._image.strings + self._appended
            elif piece is self._dynamic:
                continue
            else:
                data = self._image.reader.read(piece.offset, piece.size, "PT_LOAD")
            self._writes.append(Write(moved.offset, data))

    def _write_requirements(self) -> None:
        renamed = dict(self._change.renamed)
        for each in requirements(self._image) if renamed else ():
            if each.library in renamed:
                value = self._offsets[renamed[each.library]]
                self._put(each.field, self._image.layout.struct("I").pack(value))

    def _write_segments(self) -> None:
        image, placement = self._image, self._placement
        header, layout = image.header, image.layout
        count = len(placement.segments)
        if count >= _PN_XNUM:
            raise PatchError(image.name, "has as many program headers as there can be")
        physical = physical_addresses(image)
        rows = []
        for each in placement.segments:
            segment = self._placed(each)
            paddr = physical.get((each.type, each.address), segment.address)
            if segment.address != each.address:
                paddr = segment.address
            rows.append(_encoded_segment(image, segment, paddr))
        self._writes.append(Write(placement.table, b"".join(rows)))
        word = "Q" if layout.bits == 64 else "I"
        if placement.table != header.segment_offset:
            offset = 32 if layout.bits == 64 else 28
            self._writes.append(Write(offset, layout.struct(word).pack(placement.table)))
        if count != len(image.segments):
            offset = 56 if layout.bits == 64 else 44
            self._writes.append(Write(offset, layout.struct("H").pack(count)))

    def _placed(self, segment: Segment) -> Segment:
        """A program header with the place that its bytes have now."""
        if segment.type == SegmentType.GNU_STACK and self._change.clear_execstack:
            return replace(segment, flags=segment.flags & ~_EXECUTE)
        moved = None
        if segment.type not in _STAYING and segment.file_size:
            moved = self._moved(segment.offset, segment.file_size)
        if moved is None:
            return segment
        shift = segment.offset - moved.piece.offset
        size = moved.piece.new_size if moved.piece is self._dynamic else segment.file_size
        return replace(
            segment, offset=moved.offset + shift, address=moved.address + shift,
            file_size=size, memory_size=size,
        )  # fmt: skip

    def _moved_sections(self) -> Iterator[tuple[Section, Moved]]:
        for section in self._image.sections:
            moved = None
            if section.file_size and section.flags & 2:
                moved = self._moved(section.offset, section.file_size)
            if moved is not None:
                yield section, moved

    def _write_sections(self) -> None:
        image = self._image
        row = image.layout.struct(section_struct(image.layout))
        for section, moved in self._moved_sections():
            shift = section.offset - moved.piece.offset
            whole = moved.piece in (self._strings, self._dynamic)
            size = moved.piece.new_size if whole else section.size
            data = row.pack(
                section.name, section.type, section.flags, moved.address + shift,
                moved.offset + shift, size, section.link, section.info, section.align,
                section.entry_size,
            )  # fmt: skip
            self._writes.append(Write(image.header.section_offset + section.index * row.size, data))

    def _write_symbols(self) -> None:
        shifts = {
            section.index: moved.address - moved.piece.address
            for section, moved in self._moved_sections()
        }
        for offset, data in moved_symbols(self._image, shifts):
            self._put(offset, data)


def _require_room(image: Image, placement: Placement) -> None:
    """Refuse places that a header of the file's class has no number for.

    Raises:
        PatchError: a new place is one.
    """
    ends = [moved.offset + moved.piece.new_size for moved in placement.moved]
    ends += [each.address + each.memory_size for each in placement.segments]
    if max(ends, default=0) >> image.layout.bits:
        problem = f"would need a place that {image.layout.bits}-bit ELF has no number for"
        raise PatchError(image.name, problem)


def _is_guarded(segments: Sequence[Segment], address: int) -> bool:
    """Whether an address is read-only after relocation."""
    relro = (each for each in segments if each.type == SegmentType.GNU_RELRO)
    return any(each.address <= address < each.address + each.memory_size for each in relro)


def _unmoved(image: Image) -> Placement:
    return Placement((), image.segments, image.header.segment_offset, image.size, "")


def _encoded_segment(image: Image, each: Segment, physical: int) -> bytes:
    if image.layout.bits == 64:
        return image.layout.segment.pack(
            each.type, each.flags, each.offset, each.address, physical,
            each.file_size, each.memory_size, each.align,
        )  # fmt: skip
    return image.layout.segment.pack(
        each.type, each.offset, each.address, physical,
        each.file_size, each.memory_size, each.flags, each.align,
    )  # fmt: skip


def _joined(image: Image, writes: Sequence[Write]) -> tuple[Write, ...]:
    """The writes by place, later ones over earlier ones, without what is there already."""
    starts: list[int] = []
    areas: dict[int, bytes | bytearray] = {}  # copied only where something is written into one
    for write in writes:
        number = bisect_right(starts, write.offset) - 1
        start = starts[number] if number >= 0 else 0
        area = areas.get(start, b"")
        begin, end = write.offset - start, write.offset - start + len(write.data)
        if number < 0 or end > len(area):
            if write.offset not in areas:
                insort(starts, write.offset)
            areas[write.offset] = write.data
            continue
        if isinstance(area, bytes):
            areas[start] = area = bytearray(area)
        area[begin:end] = write.data
    found = [(start, bytes(areas[start])) for start in starts]
    for (first, data), (second, _) in pairwise(found):
        if first + len(data) > second:
            raise PatchError(image.name, f"two tables would be written to {second:#x}")
    trimmed = (_differing(image, offset, data) for offset, data in found)
    return tuple(write for write in trimmed if write.data)


def _differing(image: Image, offset: int, data: bytes) -> Write:
    """A write without what it begins and ends with that the file has there already."""
    old = image.reader.read_available(offset, len(data))
    if len(old) < len(data):
        return Write(offset, data)
    begin = _alike(old, data)
    tail = _alike(old[begin:][::-1], data[begin:][::-1])
    return Write(offset + begin, data[begin : len(data) - tail])


def _alike(first: bytes, second: bytes) -> int:
    """How many bytes two texts of one length begin with that are the same."""
    low, high = 0, len(first)
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
