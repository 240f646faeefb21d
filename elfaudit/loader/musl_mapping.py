"""What musl's loader makes of a file: it looks at few bytes of it, and trusts them.

Source: ``map_library`` (musl ``ldso/dynlink.c``). Neither the magic nor the class, the byte order,
the versions or the machine are looked at: every file is read as if it were one of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..elf import FileType, Layout, Segment, SegmentType, parse_segments
from ..elf.pages import page_end, page_start
from .musl_image import Image, RefusedError, UntoldError

__all__ = ["NOT_A_LIBRARY", "Mapped", "RefusedError", "UntoldError", "map_library"]

NOT_A_LIBRARY = "Exec format error"
"""What musl says of a file that it does not take for a library (ENOEXEC)."""

_BUFFER = 896  # of program headers that are read together with the header
_IDENT = 16
_MOST_ENTRIES = 1 << 16
_LOWEST, _HIGHEST = 1 << 16, 1 << 40  # where a program at a fixed address surely finds its place
_BEYOND = 1 << 57

_Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Mapped:
    """A file that is taken.

    Attributes:
        start, stop: the pages it has, by its own addresses.
        dynamic: the entries of the dynamic section that is in memory then.
        segments: the program headers.
        length_of_dynamic: the file offset of ``p_filesz`` of ``PT_DYNAMIC``, which is not looked
            at, and what should stand there.
    """

    start: int
    stop: int
    dynamic: tuple[tuple[int, int], ...]
    segments: tuple[Segment, ...]
    length_of_dynamic: tuple[int, bytes]


def map_library(read: _Read, size: int, layout: Layout) -> Mapped:
    """Map a file as the loader of a process does.

    Args:
        read: gives so many bytes from an offset of the file on, fewer at its end.
        size: of the file.
        layout: of the process, whatever the file says of itself.

    Raises:
        RefusedError: the loader does not take it.
        UntoldError: what it does cannot be told.
    """
    head = read(0, _head_size(layout))
    if len(head) < _IDENT + layout.header.size:
        raise RefusedError(NOT_A_LIBRARY)
    kind, _, _, _, table, _, _, _, entry_size, count, *_ = layout.header.unpack_from(head, _IDENT)
    if kind not in (FileType.DYN, FileType.EXEC):
        raise RefusedError(NOT_A_LIBRARY)
    raw, at = _table(read, head, layout, (table, entry_size * count))
    segments = _segments(raw, at, entry_size, count, layout)
    dynamic = [each for each in segments if each.type == SegmentType.DYNAMIC]
    if not dynamic or not dynamic[-1].address:
        raise RefusedError(NOT_A_LIBRARY)
    image = Image(read, size, layout.bits)
    start, stop = _map(image, segments, layout.bits, fixed=kind == FileType.EXEC)
    entries = tuple(_entries(image, dynamic[-1].address, layout))
    row = len(segments) - 1 - segments[::-1].index(dynamic[-1])
    place = table + row * entry_size + (32 if layout.bits == 64 else 16)
    length = (len(entries) + 1) * layout.dynamic.size
    field = layout.struct("Q" if layout.bits == 64 else "I").pack(length)
    return Mapped(start, stop, entries, segments, (place, field))


def _head_size(layout: Layout) -> int:
    """``sizeof buf``: a whole number of ELF headers."""
    header = _IDENT + layout.header.size
    return (_BUFFER + header) // header * header


def _table(read: _Read, head: bytes, layout: Layout, place: tuple[int, int]) -> tuple[bytes, int]:
    """The bytes that the program headers are taken from, and where they begin in them."""
    offset, size = place
    header = _IDENT + layout.header.size
    half = 1 << layout.bits - 1
    if size >= 1 << 31:
        raise UntoldError("the size of all program headers is more than an int holds")
    enclosed = size <= _head_size(layout) - header
    end = (offset + size) % (2 * half)
    if enclosed and end <= len(head):
        if end < offset:
            raise UntoldError("the program headers are read from before the file")
        return head, offset
    if layout.bits == 64 and offset + size >= half:
        raise RefusedError("Invalid argument")  # pread, of an offset that is negative
    raw = read(offset, size)
    if len(raw) != size:
        raise RefusedError(NOT_A_LIBRARY)
    return (head[:header] + raw + head[header + size :], header) if enclosed else (raw, 0)


def _segments(raw: bytes, at: int, step: int, count: int, layout: Layout) -> tuple[Segment, ...]:
    """The program headers, as far apart as ``e_phentsize`` says."""
    size = layout.segment.size
    if count and at + (count - 1) * step + size > len(raw):
        raise UntoldError("the program headers go on behind what was read of them")
    places = (at + number * step for number in range(count))
    return parse_segments(layout, b"".join(raw[place : place + size] for place in places))


def _map(image: Image, segments: tuple[Segment, ...], bits: int, *, fixed: bool) -> tuple[int, int]:
    """Map everything at once, then each segment over it; where that begins and ends."""
    word = (1 << bits) - 1
    loads = [each for each in segments if each.type == SegmentType.LOAD]
    first = min(loads, key=lambda each: each.address, default=None)
    if first is None or first.address == word:
        # The loader goes on with what happens to be in a variable.
        raise RefusedError("Out of memory")
    start = page_start(first.address)
    end = page_end(max((each.address + each.memory_size) & word for each in loads)) & word
    offset = page_start(first.offset)
    length = (end - start + offset) & word
    image.map(start, length, offset, first.flags)
    if fixed and start:
        _require_place(start, length)
    for load in loads:
        _map_segment(image, load, (start, end), word)
    return start, end


def _require_place(start: int, length: int) -> None:
    """Refuse what the kernel puts elsewhere than a program at a fixed address asks for."""
    if start + length > _BEYOND:
        raise RefusedError("Resource busy")
    if not _LOWEST <= start <= _HIGHEST:
        raise UntoldError(f"whether address {start:#x} is free")


def _map_segment(image: Image, load: Segment, extent: tuple[int, int], word: int) -> None:
    start = page_start(load.address)
    stop = page_end(load.address + load.memory_size) & word
    length = (stop - start) & word
    inside = extent[0] <= start <= stop <= extent[1]
    if not inside and length < word >> 1:
        raise UntoldError("a segment is laid over other memory of the process")
    if start != extent[0] and length:
        image.map(start, length, page_start(load.offset), load.flags)
    if load.memory_size > load.file_size and load.flags & 2:
        cleared = load.address + load.file_size
        page = page_end(cleared)
        if page > cleared:
            image.clear(cleared, page - cleared)
        if page < stop:
            image.map(page, stop - page, None, load.flags)


def _entries(image: Image, address: int, layout: Layout) -> Iterator[tuple[int, int]]:
    """The dynamic section up to its end, word by word as it may lie across two mappings."""
    size = layout.word_size
    signed = layout.struct("q" if size == 8 else "i")
    unsigned = layout.struct("Q" if size == 8 else "I")
    for number in range(_MOST_ENTRIES):
        at = address + 2 * size * number
        (tag,) = signed.unpack(image.bytes(at, size))
        if not tag:
            return
        (value,) = unsigned.unpack(image.bytes(at + size, size))
        yield int(tag), int(value)
    raise UntoldError(f"the dynamic section has no end within {_MOST_ENTRIES} entries")
