"""The new file, read again by three readers, before it takes the place of the old one.

What is compared is what the files say, not how they came about: every byte that was not to change,
every table as our reader has it, the rules of the loader for segments, and what pyelftools and LIEF
make of the file. LIEF only reads: what it writes was measured to break one file in ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ..elf import ElfObject, read_elf
from ..elf.dynamic import DynamicTag
from ..elf.header import Segment, SegmentType
from ..elf.reader import Reader
from ..elf.versions import VersionNeed
from ..errors import ElfAuditError, PatchError
from ..stream import ByteStream
from .emptied import guarding
from .image import Image, Section, SectionType, read_image
from .journal import read_journal
from .opinions import other_opinions
from .overwritten import OverwrittenStream
from .planning import Plan
from .tags import ADDRESSES, TEXTS
from .verneed import requirements

__all__ = ["prove"]

_CHUNK = 1 << 20
_ALLOC = 2
_WRITE_EXECUTE = 3


def prove(old: ByteStream, new: ByteStream, plan: Plan) -> None:
    """Check a new file against the old one and the plan; a difference is refused.

    What was there before it was first patched has whatever faults it had: only its bytes count.

    Args:
        old: the file that was patched.
        new: what was written.
        plan: what was to change.

    Raises:
        PatchError: the first difference that was not intended.
    """
    try:
        differences = _unrestored if plan.restores else _differences
        difference = next(differences(old, new, plan), None)
    except ElfAuditError as error:
        raise PatchError(plan.name, f"the patched file cannot be read again: {error}") from error
    if difference is not None:
        raise PatchError(plan.name, f"the patched file is not right, it is dropped: {difference}")


def _differences(old: ByteStream, new: ByteStream, plan: Plan) -> Iterator[str]:
    """What is wrong with a new file, a clause each; nothing if it is right."""
    before, after = plan.image, read_image(new, plan.name)
    first = _first(before)
    if after.size != plan.size:
        yield f"it has {after.size} bytes, not {plan.size}"
    yield from _other_bytes(Reader(old, plan.name), after.reader, plan)
    yield from _written(Reader(old, plan.name), after.reader, plan)
    yield from _dynamic(before, after, plan)
    yield from _unmoved(before, after, plan)
    yield from _segments(after)
    yield from _programs(first, before, after, plan)
    yield from _sections(before, after)  # from here on there are as many as there were
    yield from _found(first, after)
    one, other = read_elf(old, name=plan.name), read_elf(new, name=plan.name)
    if not (after.strings.startswith(first.strings) and after.strings.endswith(b"\0")):
        yield "the strings have changed"
    yield from _names(one, other)
    yield from _facts(one, other)
    yield from other_opinions(old, before, new, after)


def _unrestored(old: ByteStream, new: ByteStream, plan: Plan) -> Iterator[str]:
    """Where a new file is not what it was before it was patched."""
    reader = Reader(new, plan.name)
    if reader.size != plan.size:
        yield f"it has {reader.size} bytes, not {plan.size}"
    first = OverwrittenStream(Reader(old, plan.name), plan.size, plan.writes, plan.kept)
    for position in range(0, plan.size, _CHUNK):
        first.seek(position)
        if first.read(_CHUNK) != reader.read_available(position, _CHUNK):
            yield f"bytes near offset {position:#x} are not what they were"


def _other_bytes(old: Reader, new: Reader, plan: Plan) -> Iterator[str]:
    """Bytes that differ where nothing was to be written."""
    written = sorted((each.offset, each.offset + len(each.data)) for each in plan.writes)
    position = 0
    for begin, end in (*written, (plan.kept, plan.kept)):
        while position < min(begin, plan.kept):
            size = min(_CHUNK, min(begin, plan.kept) - position)
            if old.read_available(position, size) != new.read_available(position, size):
                yield f"bytes near offset {position:#x} have changed"
                return
            position += size
        position = max(position, end)


def _first(image: Image) -> Image:
    """A file as it was before it was first patched."""
    journal = read_journal(image.reader)
    if journal is None:
        return image
    stream = OverwrittenStream(image.reader, journal.size, journal.writes)
    return read_image(stream, image.name)


def _written(old: Reader, new: Reader, plan: Plan) -> Iterator[str]:
    """Places that do not have what was written there, and a way back that is none."""
    expected = OverwrittenStream(old, plan.size, plan.writes, plan.kept)
    behind = (
        (begin, min(_CHUNK, plan.size - begin)) for begin in range(plan.kept, plan.size, _CHUNK)
    )
    for offset, size in (*((each.offset, len(each.data)) for each in plan.writes), *behind):
        expected.seek(offset)
        if expected.read(size) != new.read_available(offset, size):
            yield f"not all that was written to {offset:#x} is there"
    if read_journal(new) is None:
        yield "there is no way back from it"


def _dynamic(before: Image, after: Image, plan: Plan) -> Iterator[str]:
    """Entries of the dynamic section that are not what they were to be."""
    wanted = [(row.tag, row.text if row.text is not None else _value(before, row.tag, row.value))
              for row in plan.change.rows]  # fmt: skip
    found = [(row.tag, _value(after, row.tag, row.value)) for row in after.rows]
    if wanted != found:
        different = next((pair for pair in zip(wanted, found, strict=False) if pair[0] != pair[1]),
                         (len(wanted), len(found)))  # fmt: skip
        yield f"the dynamic section has {different[1]} where {different[0]} was to be"
    if len(after.rows) >= after.capacity and len(before.rows) < before.capacity:
        yield "the dynamic section has no end (DT_NULL)"
    renamed = dict(plan.change.renamed)
    names = [renamed.get(each.library, each.library) for each in requirements(before)]
    if names != [each.library for each in requirements(after)]:
        yield "the version requirements name other libraries"


def _value(image: Image, tag: int, value: int) -> bytes | int | None:
    """What an entry says, whatever place it says it by."""
    if tag in TEXTS:
        return image.string(value)
    by_place = tag in ADDRESSES or tag in _BY_PLACE
    return None if by_place else value


_BY_PLACE = (DynamicTag.STRSZ, 0x70000035)  # the latter is DT_MIPS_RLD_MAP_REL


def _segments(image: Image) -> Iterator[str]:
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


_MAPPED = (SegmentType.DYNAMIC, SegmentType.INTERP, SegmentType.NOTE, SegmentType.GNU_PROPERTY)


def _programs(first: Image, before: Image, after: Image, plan: Plan) -> Iterator[str]:
    """Program headers that are not those of the first state, but for what an editor may change."""
    for old in first.segments:
        if not any(_serves_for(new, old) for new in after.segments):
            moved = first.sections and old.type == SegmentType.LOAD  # all that was in it
            if not moved or any(old.address == each.address for each in after.loads):
                yield f"the program header of type {old.type:#x} at {old.offset:#x} has changed"
    known = {each.address for each in first.loads}
    for each in after.loads:
        if each.address not in known and each.flags not in _NEW_FLAGS:
            yield f"the new segment at {each.offset:#x} has the flags {each.flags}"
    if after.has_execstack != (before.has_execstack and not plan.change.clear_execstack):
        yield "the stack is not what it was to be"
    if not _is_guarded(first, after):
        yield "RELRO has changed"
    if any(getattr(first.header, name) != getattr(after.header, name) for name in _HEADER):
        yield "the header has changed"


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
        return new.flags | 1 == old.flags | 1 and new.memory_size == old.memory_size
    if old.type == SegmentType.LOAD:
        grown = new.file_size >= old.file_size and new.memory_size >= old.memory_size
        return grown and (new.offset, new.address, new.flags) == (
            old.offset, old.address, old.flags,
        )  # fmt: skip
    if new.flags != old.flags:
        return False
    sizes = (new.file_size, new.memory_size) == (old.file_size, old.memory_size)
    places = (new.offset, new.address) == (old.offset, old.address)
    return (sizes or old.type == SegmentType.DYNAMIC) and (places or old.type in _MOVABLE)


# What may be used for something else, or is judged apart.
_FREE = (SegmentType.PHDR, SegmentType.NULL, SegmentType.GNU_RELRO)
_MIPS_TABLES = (0x70000000, 0x70000003)  # PT_MIPS_REGINFO, PT_MIPS_ABIFLAGS
_MOVABLE = (*_MAPPED, *_MIPS_TABLES)
_NEW_FLAGS = (4, 6)
_HEADER = ("osabi", "abi_version", "type", "machine", "flags", "entry", "version", "padding")


def _sections(before: Image, after: Image) -> Iterator[str]:
    """Sections that are gone, lie elsewhere than their segments, or have other bytes."""
    if len(before.sections) != len(after.sections):
        yield "there are more or fewer sections"
        return
    for old, new in zip(before.sections, after.sections, strict=True):
        if (old.name, old.type, old.flags, old.link, old.info) != (
            new.name, new.type, new.flags, new.link, new.info,
        ):  # fmt: skip
            yield f"section {new.index} is another one"
        if new.file_size and new.flags & _ALLOC and after.offset_of(new.address) != new.offset:
            yield f"section {new.index} is not where its address is"
        if new.address % max(new.align, 1) and not old.address % max(old.align, 1):
            yield f"section {new.index} is not aligned any more"
        if old.offset != new.offset and old.file_size and not _goes_on(before, old, after, new):
            yield f"section {new.index} does not have the bytes it had"


def _goes_on(before: Image, old: Section, after: Image, new: Section) -> bool:
    """Whether a section that moved is what it was; strings and entries are judged apart."""
    judged_apart = old.offset in (before.dynamic.offset, before.strings_offset)
    if judged_apart or old.type == SectionType.GNU_VERNEED:
        return True
    data = before.reader.read(old.offset, old.size, "sh_offset")
    return new.size == old.size and data == after.reader.read(new.offset, new.size, "sh_offset")


def _unmoved(before: Image, after: Image, plan: Plan) -> Iterator[str]:
    """Code, data and relocations that are elsewhere, or were written to."""
    written = [(each.offset, each.offset + len(each.data)) for each in plan.writes]
    for tag, size_tag in _STAYING.items():
        old, new = before.value(tag), after.value(tag)
        if old != new or (old and before.offset_of(old) != after.offset_of(new or 0)):
            yield f"entry {tag:#x} of the dynamic section leads elsewhere"
        begin = before.offset_of(old) if old else None
        end = (begin or 0) + (before.value(size_tag) or 0)
        if begin is not None and any(b < end and begin < e for b, e in written):
            yield f"what entry {tag:#x} of the dynamic section leads to was written to"
    for tag in ADDRESSES - _FOUND_ANYWHERE:
        if before.value(tag) != after.value(tag):
            yield f"entry {tag:#x} of the dynamic section leads elsewhere"


def _found(first: Image, after: Image) -> Iterator[str]:
    """Tables that an entry of the dynamic section leads to, and their sections do not."""
    places = {
        each.address: each.index for each in first.sections if each.size and each.flags & _ALLOC
    }
    for tag in _FOUND_ANYWHERE:
        old, new = first.value(tag), after.value(tag)
        index = places.get(old or 0)
        if index is None and tag == DynamicTag.STRTAB:
            continue
        if new != (old if index is None else after.sections[index].address):
            yield f"entry {tag:#x} of the dynamic section leads elsewhere"


# Tables that only have to be found: DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH, DT_VER…, …XHASH.
_FOUND_ANYWHERE = frozenset((4, 5, 6, 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE, 0x70000036))

# Tables that are never moved, each with the entry that has its size in bytes.
_STAYING = {
    DynamicTag.RELA: DynamicTag.RELASZ,
    DynamicTag.REL: DynamicTag.RELSZ,
    DynamicTag.RELR: DynamicTag.RELRSZ,
    DynamicTag.JMPREL: DynamicTag.PLTRELSZ,
    25: 27,  # DT_INIT_ARRAY, DT_INIT_ARRAYSZ
    26: 28,  # DT_FINI_ARRAY, DT_FINI_ARRAYSZ
}


def _names(old: ElfObject, new: ElfObject) -> Iterator[str]:
    """Symbols that are others, or have other names or versions; those of a moved section move."""
    ours, theirs = old.symbol_columns, new.symbol_columns
    if not ours.has_rows_of(theirs):
        if ours.name_offsets != theirs.name_offsets:
            yield "the names of the symbols are elsewhere"
        if ours.info != theirs.info or ours.sizes != theirs.sizes:
            yield "the symbols have changed"
        if ours.sections != theirs.sections:
            yield "the sections of the symbols have changed"
    if ours.version_indices != theirs.version_indices:
        yield "the versions of the symbols have changed"
    if old.versions.definitions != new.versions.definitions:
        yield "the versions that are defined have changed"
    if [*map(_version, old.versions.needs)] != [*map(_version, new.versions.needs)]:
        yield "the versions that are required have changed"


def _version(need: VersionNeed) -> tuple[str, int, bool, bool]:
    return need.name, need.index, need.weak, need.hidden


def _facts(old: ElfObject, new: ElfObject) -> Iterator[str]:
    """Tables that our reader, which goes by addresses as the loader does, finds different."""
    if old.dynamic is None or new.dynamic is None:
        yield "the dynamic section is gone"
    if old.notes != new.notes:
        yield "the notes have changed"
    if (old.interp, old.tls) != (new.interp, new.tls):
        yield "the interpreter or the thread-local storage have changed"
    if {*map(_kind, old.segments)} - {*map(_kind, new.segments)} - {SegmentType.PHDR, 0}:
        yield "a program header is gone"


def _kind(segment: Segment) -> int:
    return segment.type
