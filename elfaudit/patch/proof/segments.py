"""The program headers of a new file: by the rules of the loader, and those of the first state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from ...elf.header import Segment, SegmentType
from ..emptied import guarding
from ..image import Image, physical_addresses
from ..pages import largest_page
from ..planning import Plan

__all__ = ["broken_rules", "other_segments"]

_WRITE, _EXECUTE = 2, 1


def broken_rules(image: Image) -> Iterator[str]:
    """Violations of what the loader and the kernel ask of program headers."""
    for each in image.loads:
        if each.align & (each.align - 1) or (each.address - each.offset) % max(each.align, 1):
            yield f"offset and address of the segment at {each.offset:#x} do not agree"
        if each.offset + each.file_size > image.size or each.file_size > each.memory_size:
            yield f"the segment at {each.offset:#x} has more bytes than there are"
    for one, other in pairwise(image.loads):
        if one.address + one.memory_size > other.address:
            yield f"the segments at {one.offset:#x} and {other.offset:#x} overlap"
    size = image.header.segment_size * len(image.segments)
    for each in image.segments:
        if each.type == SegmentType.PHDR:
            # lld counts program headers that it drops then: of a small library it says one more
            if each.offset != image.header.segment_offset or each.file_size < size:
                yield "PT_PHDR is not the table of program headers"
            if image.offset_of(each.address) != each.offset:
                yield "PT_PHDR is in no segment"
        elif (
            each.type in _MAPPED and each.file_size and image.offset_of(each.address) != each.offset
        ):
            yield f"the segment of type {each.type:#x} is not where its address is"


# What is mapped by a PT_LOAD, and found by a program header of its own.
_MAPPED = (SegmentType.DYNAMIC, SegmentType.INTERP, SegmentType.NOTE, SegmentType.GNU_PROPERTY)


def other_segments(first: Image, before: Image, after: Image, plan: Plan) -> Iterator[str]:
    """Program headers that are not those of the first state, but for what an editor may change."""
    for old in first.segments:
        if not any(_serves_for(new, old) for new in after.segments):
            moved = first.sections and old.type == SegmentType.LOAD  # all that was in it
            if not moved or any(old.address == each.address for each in after.loads):
                yield f"the program header of type {old.type:#x} at {old.offset:#x} has changed"
    if after.has_execstack != (before.has_execstack and not plan.change.clear_execstack):
        yield "the stack is not what it was to be"
    if not _is_guarded(first, after):
        yield "RELRO has changed"
    if any(getattr(first.header, name) != getattr(after.header, name) for name in _HEADER):
        yield "the header has changed"
    yield from _other_memory(first, after)
    yield from _other_physical(first, after)


def _other_memory(first: Image, after: Image) -> Iterator[str]:
    """Memory that cannot be what it was: by its flags, or by what shares a page with it."""
    known = {(each.offset, each.address) for each in first.loads}
    page = largest_page(first.header.machine)
    align = max((page, *(each.align for each in after.loads if _place(each) in known)))
    for each in after.loads:
        if _place(each) in known:
            continue
        if each.flags not in _NEW_FLAGS or each.file_size != each.memory_size:
            yield f"the new segment at {each.offset:#x} is neither only data, nor all of it"
        if each.align < align:
            yield f"the new segment at {each.offset:#x} is aligned to {each.align:#x} only"
    ends = {each.address + each.memory_size for each in first.loads}
    for one, other in pairwise(after.loads):
        end, size = one.address + one.memory_size, max(page, other.align)
        as_before = end in ends and _place(other) in known
        if not as_before and (end - 1) // size >= other.address // size:
            yield f"the segments at {one.offset:#x} and {other.offset:#x} share a page"
    old, new = _flags_of_dynamic(first), _flags_of_dynamic(after)
    if old & _WRITE and not new & _WRITE:
        yield "the loader cannot write to the dynamic section"
    if new & _EXECUTE and not old & _EXECUTE:
        yield "the dynamic section can be executed"


def _place(load: Segment) -> tuple[int, int]:
    return load.offset, load.address


def _flags_of_dynamic(image: Image) -> int:
    """The flags of the memory that the dynamic section is in."""
    address = image.dynamic.address
    found = (e for e in image.loads if e.address <= address < e.address + e.memory_size)
    return next((each.flags for each in found), 0)


def _other_physical(first: Image, after: Image) -> Iterator[str]:
    """Physical addresses that are neither those of the first state nor the virtual ones."""
    known = physical_addresses(first)
    for (kind, address), physical in physical_addresses(after).items():
        if physical != known.get((kind, address), address):
            yield f"the program header of type {kind:#x} has the physical address {physical:#x}"


def _is_guarded(first: Image, after: Image) -> bool:
    """Whether RELRO is what it was, or went along with the dynamic section, which was all in it."""
    old, new = (
        [each for each in image.segments if each.type == SegmentType.GNU_RELRO]
        for image in (first, after)
    )
    place = after.dynamic.offset
    around = (load for load in after.loads if 0 <= place - load.offset < load.file_size)
    return old == new or [guarding(load) for load in around] == new


def _serves_for(new: Segment, old: Segment) -> bool:
    """Whether a program header says what one of the first state said."""
    if old.type in _FREE:
        return True
    if (new.type, new.align) != (old.type, old.align):
        return False
    if old.type == SegmentType.GNU_STACK:
        return replace(new, flags=0) == replace(old, flags=0) and new.flags | 1 == old.flags | 1
    if old.type == SegmentType.LOAD:
        grown = new.file_size - old.file_size
        in_both = grown >= 0 and grown == new.memory_size - old.memory_size
        return in_both and (new.offset, new.address, new.flags) == (
            old.offset, old.address, old.flags,
        )  # fmt: skip
    if new.flags != old.flags:
        return False
    sizes = (new.file_size, new.memory_size) == (old.file_size, old.memory_size)
    if old.type == SegmentType.DYNAMIC and new.offset != old.offset:
        sizes = new.file_size == new.memory_size  # its rows are judged apart
    places = (new.offset, new.address) == (old.offset, old.address)
    return sizes and (places or old.type in _MOVABLE)


# What may be used for something else, or is judged apart.
_FREE = (SegmentType.PHDR, SegmentType.NULL, SegmentType.GNU_RELRO)
_MIPS_TABLES = (0x70000000, 0x70000003)  # PT_MIPS_REGINFO, PT_MIPS_ABIFLAGS
_MOVABLE = (*_MAPPED, *_MIPS_TABLES)
_NEW_FLAGS = (4, 6)
_HEADER = ("osabi", "abi_version", "type", "machine", "flags", "entry", "version", "padding")
