"""Whether musl's loader takes a file, and whether what it then sees is what we read of it.

Source: ``map_library``, ``load_library`` and ``reloc_all`` (musl ``ldso/dynlink.c``); for programs
``load_elf_binary`` (Linux ``fs/binfmt_elf.c``) and ``__dls3``. Of a file that is as linkers make
them the answer follows from its headers; any other one is mapped in thought. Where the loader
would take, or crash on, what we cannot follow, that is said: it is no failure.
"""

from __future__ import annotations

import os

from ..elf import DynamicTag, ElfObject, FileType, Layout, Segment, SegmentType, read_elf
from ..elf.header import AddressMap
from ..elf.pages import PAGE, page_end, page_start
from ..errors import ElfAuditError, ElfFormatError
from ..sources import Member
from ..stream import ByteStream, release
from .environment import Libc
from .musl_machines import musl_machine_of
from .musl_mapping import Mapped, RefusedError, UntoldError, map_library
from .store import ObjectStore

__all__ = ["RefusedError", "UntoldError", "doubt_of_program", "verified"]

_LARGE = 1 << 30
_MOST_SEGMENTS = 1 << 10
_MOST_ALIGN = 1 << 30
_MOST_TLS = 1 << 30
_MOST_TLS_ALIGN = 1 << 21
_READABLE = 4 | 2  # PF_R, PF_W
_TABLES = (
    (DynamicTag.RELA, DynamicTag.RELASZ),
    (DynamicTag.REL, DynamicTag.RELSZ),
    (DynamicTag.JMPREL, DynamicTag.PLTRELSZ),
)
_READ = frozenset(
    (
        DynamicTag.STRTAB, DynamicTag.SYMTAB, DynamicTag.HASH, DynamicTag.GNU_HASH,
        DynamicTag.VERSYM, DynamicTag.RELA, DynamicTag.REL, DynamicTag.JMPREL, DynamicTag.RELR,
    )
)  # fmt: skip
_COUNTED = (
    (DynamicTag.RELA, DynamicTag.RELASZ, DynamicTag.RELACOUNT, 3),
    (DynamicTag.REL, DynamicTag.RELSZ, DynamicTag.RELCOUNT, 2),
)
_FIRST_COUNTS = (DynamicTag.GNU_HASH, DynamicTag.VERSYM)  # search_vec; of others the last counts


def verified(member: Member, store: ObjectStore, model: ElfObject) -> ElfObject:
    """The facts of a file as the loader of a process sees them.

    Args:
        member: the file.
        store: reads it.
        model: any object of the process.

    Raises:
        RefusedError: the loader does not take it; the text is its word for ``errno``.
        UntoldError: whether it does, or what it sees in it, cannot be told.
        SourceError: the file cannot be read.
    """
    try:
        elf: ElfObject | None = store.read(member)
    except ElfFormatError:
        elf = None
    if elf is None or elf.layout != model.layout or not _is_plain(elf, member.size):
        elf = _mapped(member, store, model.layout)
    if not _is_readable(elf):
        raise UntoldError("it has a segment that nobody may read")
    _require_tables(elf, member, store)
    _require_tls(elf)
    _require_relro(elf)
    return elf


def doubt_of_program(elf: ElfObject, member: Member, store: ObjectStore) -> str | None:
    """Why it cannot be told whether the kernel and musl start a program; None if they do.

    Args:
        elf: the program.
        member: its file.
        store: has its symbols.
    """
    doubt = _doubt_of_kernel(elf, member.size)
    if doubt is None:
        try:
            _require_tables(elf, member, store)
            _require_tls(elf)
            _require_relro(elf)
        except UntoldError as unknown:
            return str(unknown)
    return doubt


def _doubt_of_kernel(elf: ElfObject, size: int) -> str | None:
    if musl_machine_of(elf).slot is None:
        return f"it is a program for machine {elf.machine}, which musl does not know"
    loads = _loads(elf)
    aligned = all(_is_power(load.align) and load.align <= _MOST_ALIGN for load in loads)
    if not _is_plain(elf, size) or not aligned or not _is_readable(elf):
        return "it has program headers no linker makes: the kernel may end it before musl sees it"
    if not any(load.flags & 1 and elf.header.entry - load.address in _room(load) for load in loads):
        return "it does not begin in its code"
    if not _names_loader(elf):
        return "its PT_INTERP is no path of a loader of musl, as linkers write it"
    table = [s.address for s in elf.segments if s.type == SegmentType.PHDR]
    place = _address_of(elf, elf.header.segment_offset)
    if table[-1:] != [place] and (table or elf.header.type != FileType.EXEC):
        return "its PT_PHDR is not where its program headers are: musl misplaces it"
    return None


def _is_readable(elf: ElfObject) -> bool:
    """Whether all that the loader looks at lies in segments that may be read."""
    dynamic = elf.dynamic.entries if elf.dynamic else ()
    read = {value for tag, value in dynamic if tag in _READ}
    read |= {each.address for each in elf.segments if each.type == SegmentType.DYNAMIC}
    closed = [load for load in _loads(elf) if not load.flags & _READABLE]
    return all(
        load.offset and not any(each - load.address in _room(load) for each in read)
        for load in closed
    )


def _names_loader(elf: ElfObject) -> bool:
    """Whether the kernel and musl find the same loader's path."""
    found = [segment for segment in elf.segments if segment.type == SegmentType.INTERP]
    path = elf.interp or ""
    whole = [len(path.encode("utf-8", "surrogateescape")) + 1] == [s.file_size for s in found]
    same = all(_address_of(elf, segment.offset) == segment.address for segment in found)
    return whole and same and path.startswith("/") and "ld-musl-" in path


def _address_of(elf: ElfObject, offset: int) -> int | None:
    """Where a byte of the file is in memory."""
    for load in _loads(elf):
        if offset - load.offset in _room(load):
            return load.address + offset - load.offset
    return None


def _room(load: Segment) -> range:
    return range(load.file_size)


def _loads(elf: ElfObject) -> list[Segment]:
    return [segment for segment in elf.segments if segment.type == SegmentType.LOAD]


def _is_plain(elf: ElfObject, size: int) -> bool:
    """Whether the headers are as linkers make them: then the file is mapped as it says."""
    loads = _loads(elf)
    dynamic = [segment for segment in elf.segments if segment.type == SegmentType.DYNAMIC]
    if not loads or not dynamic or elf.dynamic is None or len(elf.segments) > _MOST_SEGMENTS:
        return False
    if elf.header.type not in (FileType.DYN, FileType.EXEC):
        return False
    last = dynamic[-1]
    ends = [0, *(page_end(load.address + load.memory_size) for load in loads)]
    return (
        all(_is_plain_load(load, size) for load in loads)
        and all(end <= page_start(load.address) for end, load in zip(ends, loads, strict=False))
        and ends[-1] - loads[0].address + loads[0].offset < _LARGE
        and (
            elf.header.type == FileType.DYN or loads[0].address == 0 or loads[0].address >= 1 << 16
        )
        and ends[-1] < 1 << (40 if elf.layout.bits == 64 else 31)
        and bool(last.address and last.file_size)
        and any(_holds(load, last) for load in loads)
    )


def _is_plain_load(load: Segment, size: int) -> bool:
    return (
        load.file_size <= load.memory_size
        and load.offset + load.file_size <= size
        and (load.address - load.offset) % PAGE == 0
        and bool(load.memory_size)
    )


def _holds(load: Segment, part: Segment) -> bool:
    """Whether a readable part of a file has another one in it."""
    end = part.address + part.file_size
    readable = bool(load.flags & _READABLE)
    return readable and load.address <= part.address and end <= load.address + load.file_size


def _mapped(member: Member, store: ObjectStore, layout: Layout) -> ElfObject:
    """The same of a file that no linker has made so."""
    outcome = store.once(_follow, member, layout)
    if isinstance(outcome, Exception):
        raise outcome.with_traceback(None)
    return outcome


def _follow(member: Member, layout: Layout) -> ElfObject | RefusedError | UntoldError:
    stream = _AsOneOf(member.open(), layout)
    try:
        mapped = map_library(stream.read_at, member.size, layout)
        stream.cover(*mapped.length_of_dynamic)
        elf = read_elf(stream, name=member.display)
        elf.release()
    except (RefusedError, UntoldError) as outcome:
        return outcome
    except ElfFormatError as error:
        return UntoldError(f"the loader does not mind that {error.field} is wrong: {error.problem}")
    return elf if _is_same(elf, mapped) else UntoldError("its dynamic section is read otherwise")


def _is_same(elf: ElfObject, mapped: Mapped) -> bool:
    """Whether the loader finds the dynamic section and the segments that we found."""
    ours = tuple((s.type, s.address, s.offset, s.memory_size) for s in elf.segments)
    theirs = tuple((s.type, s.address, s.offset, s.memory_size) for s in mapped.segments)
    return elf.dynamic is not None and elf.dynamic.entries == mapped.dynamic and ours == theirs


def _require_tables(elf: ElfObject, member: Member, store: ObjectStore) -> None:
    """Refuse to guess what becomes of an object whose tables we cannot read as musl does."""
    dynamic = elf.dynamic
    tags = [tag for tag, _ in dynamic.entries] if dynamic is not None else []
    if dynamic is None or not {DynamicTag.GNU_HASH, DynamicTag.HASH}.intersection(tags):
        raise UntoldError("it has no hash table: the loader crashes where it looks for a symbol")
    if any(tags.count(tag) > 1 for tag in _FIRST_COUNTS):
        raise UntoldError("it has two tables of a kind")
    for tag, size in _TABLES:
        if dynamic.value(size) and dynamic.value(tag) is None:
            raise UntoldError(f"it has DT_{size.name}, but no DT_{tag.name}: the loader reads on")
    if any(dynamic.value(tag) is None for tag in (DynamicTag.SYMTAB, DynamicTag.STRTAB)):
        raise UntoldError("it has no DT_SYMTAB or no DT_STRTAB: the loader reads on at its start")
    try:
        store.index(member.identity, elf, Libc.MUSL)
    except ElfFormatError as error:
        raise UntoldError(f"its {error.field} cannot be followed: {error.problem}") from error
    except ElfAuditError as error:
        raise UntoldError(str(error)) from error
    _require_relative(elf, member)


def _require_relative(elf: ElfObject, member: Member) -> None:
    """Refuse a file that counts rows as relative that are not: we pass over these, musl does not.

    The first and the last of them are looked at; linkers sort the rows, so they are all alike.
    """
    dynamic = elf.dynamic
    if dynamic is None or member.sequential:
        return
    addresses, stream = AddressMap(elf.path, tuple(_loads(elf))), member.open()
    for tag, size, counted, words in _COUNTED:
        row = words * elf.layout.word_size
        rows = min(dynamic.value(counted) or 0, (dynamic.value(size) or 0) // row)
        if not rows or dynamic.value(tag) is None:
            continue
        offset, _ = dynamic.locate(tag, addresses)
        infos = set()
        for number in (0, rows - 1):
            stream.seek(offset + number * row)
            infos.add(elf.layout.words(stream.read(row), elf.layout.word_size)[1])
        if len(infos) > 1 or infos.pop() >> (32 if elf.layout.bits == 64 else 8):
            raise UntoldError(f"its DT_{counted.name} counts rows that are not relative")


def _require_tls(elf: ElfObject) -> None:
    blocks = [segment for segment in elf.segments if segment.type == SegmentType.TLS]
    for block in blocks:
        sound = block.file_size <= block.memory_size <= _MOST_TLS and block.align <= _MOST_TLS_ALIGN
        inside = not block.file_size or any(_holds(load, block) for load in _loads(elf))
        if block.memory_size and not (sound and inside and _is_power(block.align)):
            raise UntoldError("its thread-local storage is of a size or alignment nothing has")
    if len(blocks) > 1:
        raise UntoldError("it has thread-local storage twice")


def _require_relro(elf: ElfObject) -> None:
    loads = _loads(elf)
    word = (1 << elf.layout.bits) - 1
    parts = [segment for segment in elf.segments if segment.type == SegmentType.GNU_RELRO]
    for part in parts[-1:]:
        start = page_start(part.address)
        end = page_start((part.address + part.memory_size) & word)
        lowest = min((page_start(load.address) for load in loads), default=0)
        highest = max((page_end(load.address + load.memory_size) for load in loads), default=0)
        if start != end and not lowest <= start < end <= highest:
            raise UntoldError("its PT_GNU_RELRO is no part of it")


def _is_power(align: int) -> bool:
    return align > 0 and not align & (align - 1)


class _AsOneOf:
    """A file with the identification of an object of the process, whatever its own says.

    And with other bytes where the loader does not look, and the reader does.
    """

    def __init__(self, stream: ByteStream, layout: Layout) -> None:
        ident = (2 if layout.bits == 64 else 1, 1 if layout.little else 2, 1)
        self._stream = stream
        self._covers = [(0, b"\x7fELF" + bytes(ident))]

    def cover(self, offset: int, data: bytes) -> None:
        """Have other bytes at an offset."""
        self._covers.append((offset, data))

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from an offset on, fewer at the end of the file."""
        if offset >= self.seek(0, os.SEEK_END):
            return b""
        self.seek(offset)
        return self.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to an offset."""
        return self._stream.seek(offset, whence)

    def read(self, size: int = -1, /) -> bytes:
        """Up to so many bytes."""
        at = self._stream.seek(0, os.SEEK_CUR)
        data = bytearray(self._stream.read(size))
        for offset, other in self._covers:
            start, stop = max(offset, at), min(offset + len(other), at + len(data))
            if start < stop:
                data[start - at : stop - at] = other[start - offset : stop - offset]
        return bytes(data)

    def release(self) -> None:
        """Close the file until more is read."""
        release(self._stream)
