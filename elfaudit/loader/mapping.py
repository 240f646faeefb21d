"""Whether the segments of a file can be mapped, as far as that hangs on the file.

Source: the loop over the program headers in ``_dl_map_object_from_fd`` (glibc ``elf/dl-load.c``),
``_dl_map_segments`` (``elf/dl-map-segments.h``), ``_dl_protect_relro`` (``elf/dl-reloc.c``).

The loader adds and subtracts addresses modulo the word, and asks the kernel; so an address near the
end of the address space is not refused by itself, but by what it leads to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..elf import Segment, SegmentType
from ..elf.pages import PAGE, page_end, page_start
from .rtld import Version

__all__ = ["mapping_problem", "protection_problem", "segments_problem"]

_BY_PAGE_SINCE = (2, 35)
_WRITE = 2

_UNALIGNED = "ELF load command address/offset not page-aligned"
_SEGMENT = "failed to map segment from shared object"
_PROTECTION = "cannot change memory protections"
_ZEROES = "cannot map zero-fill pages"
_RELRO = "cannot apply additional memory protection after relocation: Cannot allocate memory"

# What a process has on 64-bit machines with four levels of page tables: x86-64 and most others. The
# largest gap in it is what lies below a position-independent program.
_TOP = {64: (1 << 47) - PAGE, 32: (1 << 32) - PAGE}
_ABOVE = {64: 1 << 40, 32: 1 << 24}  # the stack, and what is left to chance
_LARGEST_GAP = {64: 0x5555_5555_4000, 32: 0xC000_0000}
_MEMORY = 1 << 44  # more than any machine has to give to one mapping that is written to
_PLAIN = 1 << 32  # nothing of that size comes near to any limit
_NEAR = 1 << 28
_LARGEST_OFFSET = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class _Command:
    """``struct loadcmd``: one ``PT_LOAD`` in whole pages."""

    start: int
    end: int
    data_end: int
    alloc_end: int
    offset: int
    written: bool

    @classmethod
    def of(cls, load: Segment, mask: int) -> _Command:
        data_end = load.address + load.file_size & mask
        return cls(
            page_start(load.address),
            _up(data_end, mask),
            data_end,
            load.address + load.memory_size & mask,
            page_start(load.offset),
            bool(load.flags & _WRITE),
        )


def _up(address: int, mask: int) -> int:
    return page_end(address) & mask


def segments_problem(
    segments: Sequence[Segment], bits: int, version: Version | None, *, executable: bool
) -> str | None:
    """Why ``dlopen`` does not take a file with these program headers, in the loader's words.

    Args:
        segments: the program headers.
        bits: of the class.
        version: the release of glibc; None: a new one.
        executable: whether the file says it is an ``ET_EXEC``.
    """
    loads = [segment for segment in segments if segment.type == SegmentType.LOAD]
    problem = _misaligned(loads, version)
    if problem is not None:
        return problem
    if not loads:
        return "object file has no loadable segments"
    if executable:
        return "cannot dynamically load executable"
    tables = [segment for segment in segments if segment.type == SegmentType.DYNAMIC]
    filled = [table for table in tables if table.file_size]
    if len(filled) < len(tables) or not filled or not filled[-1].address:
        return "object file has no dynamic section"
    return mapping_problem(loads, bits, version)


def _misaligned(loads: Sequence[Segment], version: Version | None) -> str | None:
    """Address and offset are alike within a page; before glibc 2.35, within the alignment."""
    old = version is not None and version < _BY_PAGE_SINCE
    for load in loads:
        if not old and (load.address - load.offset) % PAGE:
            return _UNALIGNED
        if old and load.align % PAGE:
            return "ELF load command alignment not page-aligned"
        if old and (load.address - load.offset) & (load.align - 1) & ((1 << 64) - 1):
            return "ELF load command address/offset not properly aligned"
    return None


def mapping_problem(loads: Sequence[Segment], bits: int, version: Version | None) -> str | None:
    """Why the ``PT_LOAD`` segments of a shared object cannot all be mapped; None if they can."""
    mask = (1 << bits) - 1
    commands = [_Command.of(load, mask) for load in loads]
    first, last = commands[0], commands[-1]
    if _is_plain(commands, _alignment(loads)):
        return None
    old = version is not None and version < _BY_PAGE_SINCE
    length = last.alloc_end - first.start & mask
    align = PAGE if old else _alignment(loads)
    base = _reserve(first, length, align, bits)
    if base is None:
        return _SEGMENT
    if any(one.end != two.start for one, two in pairwise(commands)):
        if last.start < first.end:
            return None if old else _UNALIGNED
        reserved = _up(length, mask)
        if last.start != first.end and last.start - first.start > reserved:
            return _PROTECTION
    return _fixed_problem(commands, base - first.start, bits)


def _is_plain(commands: Sequence[_Command], align: int) -> bool:
    """Whether the segments are as a linker lays them out, and not all too large."""
    first, last = commands[0], commands[-1]
    return (
        all(one.start <= one.data_end <= one.alloc_end for one in commands)
        and all(max(one.alloc_end, one.end) <= two.start for one, two in pairwise(commands))
        and max(last.alloc_end - first.start, first.offset, align) < _PLAIN
    )


def _alignment(loads: Sequence[Segment]) -> int:
    """The highest ``p_align`` that is a power of two."""
    return max((each.align for each in loads if not each.align & (each.align - 1)), default=0)


def _reserve(first: _Command, length: int, align: int, bits: int) -> int | None:
    """Where the whole of a file would lie; None if there is no room for it."""
    mask = (1 << bits) - 1
    if align > PAGE:
        whole = (length + align if length >= align else 2 * align) & mask
        taken = _up(whole, mask)
        if not taken or taken > _LARGEST_GAP[bits]:
            return None
    taken = _up(length, mask)
    if not taken or taken > _LARGEST_GAP[bits] or first.offset + taken > _LARGEST_OFFSET:
        return None
    if first.written and taken > _MEMORY:
        return None
    return _TOP[bits] // PAGE * PAGE - taken - _ABOVE[bits]


def _fixed_problem(commands: Sequence[_Command], difference: int, bits: int) -> str | None:
    """What goes wrong when each segment is put where it belongs, the first being there."""
    mask, top = (1 << bits) - 1, _TOP[bits]
    for number, command in enumerate(commands):
        start = difference + command.start & mask
        size = command.end - command.start
        if number and size > 0 and (start + size > top or command.offset + size > _LARGEST_OFFSET):
            return _SEGMENT
        if number and size > _MEMORY and command.written:
            return _SEGMENT
        if command.alloc_end <= command.data_end:
            continue
        zero, zero_end = difference + command.data_end & mask, difference + command.alloc_end & mask
        page = min(_up(zero, mask), zero_end) if zero_end >= zero else _up(zero, mask)
        if page > zero and not command.written and page_start(zero) >= top:
            return _PROTECTION
        room = zero_end - page
        if room > 0 and (zero_end > top or (command.written and room > _MEMORY)):
            return _ZEROES
    return None


def protection_problem(segments: Sequence[Segment], bits: int) -> str | None:
    """Why ``PT_GNU_RELRO`` cannot be made read-only once the relocations are done."""
    mask = (1 << bits) - 1
    loads = [segment for segment in segments if segment.type == SegmentType.LOAD]
    kept = [segment for segment in segments if segment.type == SegmentType.GNU_RELRO]
    if not kept or not loads or not kept[-1].memory_size:
        return None
    start = page_start(kept[-1].address)
    end = page_start(kept[-1].address + kept[-1].memory_size & mask)
    low, high = page_start(loads[0].address), loads[-1].address + loads[-1].memory_size & mask
    if start == end or low <= start < end <= _up(high, mask):
        return None
    # Next to the object another one may be mapped, which is then what is protected.
    away = min(low - start & mask, end - high & mask)
    return None if max(end - start & mask, away) < _NEAR else _RELRO
