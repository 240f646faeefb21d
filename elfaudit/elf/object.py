"""One ELF file as facts: :class:`ElfObject`, and :func:`read_elf` that makes it.

The header, the program headers and the dynamic section are read at once; symbols, versions,
relocations and notes when they are first asked for.
"""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from ..errors import ElfFormatError, NotLoadableError
from ..stream import ByteStream, FileStream
from .dynamic import Dynamic, DynamicTag, Flags1, read_dynamic
from .hashtable import GnuHash, HashTable, SysvHash
from .header import AddressMap, FileType, Header, Segment, SegmentType, read_header, read_segments
from .layout import Layout
from .notes import DlopenNote, Note, build_id, dlopen_notes, isa_needed, properties, read_notes
from .pages import PageMap
from .reader import Reader
from .relocations import Relocations, read_relocations
from .symbols import SymbolTable
from .versions import Versions, read_versions

__all__ = ["ElfObject", "Kind", "Stack", "Tls", "map_elf", "read_elf"]

_PATH_MAX = 4096
_MAX_SYMBOLS = 1 << 21  # libtorch has 75,000; a sparse file may claim anything


class Kind(Enum):
    """What a file is to a loader; the value is how elfaudit says it."""

    SHARED_OBJECT = "shared object"
    PIE = "position-independent executable"
    EXECUTABLE = "executable"
    STATIC_EXECUTABLE = "statically linked executable"
    RELOCATABLE = "relocatable object"
    CORE = "core dump"
    OTHER = "unknown file type"


_OTHER_KINDS: dict[int, Kind] = {FileType.REL: Kind.RELOCATABLE, FileType.CORE: Kind.CORE}


class Stack(Enum):
    """What ``PT_GNU_STACK`` asks for."""

    NOT_EXECUTABLE = "not executable"
    EXECUTABLE = "executable"
    UNSTATED = "unstated"


@dataclass(frozen=True, slots=True)
class Tls:
    """``PT_TLS``: bytes of a thread's block in memory, bytes of its initial image, alignment."""

    memory_size: int
    file_size: int
    align: int


class ElfObject:
    """The facts of one ELF file. Made by :func:`read_elf`.

    Attributes:
        path: how the user names the file.
        header: the ELF header.
        segments: the program headers, in file order.
        dynamic: the dynamic section, or None (static executables, relocatable objects).
        interp: ``PT_INTERP``, or None.

    Everything else is decoded on first use and may raise
    :class:`~elfaudit.errors.ElfFormatError` then.
    """

    def __init__(
        self,
        reader: Reader,
        header: Header,
        segments: tuple[Segment, ...],
        dynamic: Dynamic | None,
        interp: str | None,
        *,
        addresses: AddressMap,
    ) -> None:
        self._reader = reader
        self._addresses = addresses
        self.path = reader.name
        self.header = header
        self.segments = segments
        self.dynamic = dynamic
        self.interp = interp

    def __repr__(self) -> str:
        return f"<ElfObject {self.path}: {self.kind.value}, machine {self.machine}>"

    @property
    def layout(self) -> Layout:
        """Class and byte order."""
        return self.header.layout

    @property
    def machine(self) -> int:
        """``e_machine``."""
        return self.header.machine

    @property
    def soname(self) -> str | None:
        """``DT_SONAME``."""
        return self.dynamic.soname if self.dynamic else None

    @property
    def needed(self) -> tuple[str, ...]:
        """``DT_NEEDED``, in file order."""
        return self.dynamic.needed if self.dynamic else ()

    @cached_property
    def kind(self) -> Kind:
        """What a loader would take the file for."""
        if self.header.type == FileType.EXEC:
            return Kind.EXECUTABLE if self.dynamic else Kind.STATIC_EXECUTABLE
        if self.header.type != FileType.DYN:
            return _OTHER_KINDS.get(self.header.type, Kind.OTHER)
        if self.dynamic and Flags1.PIE in self.dynamic.flags_1:
            return Kind.PIE
        # A PIE of a linker that knows no DF_1_PIE has an interpreter and no name to be NEEDED by.
        unmarked = self.interp is not None and self.soname is None
        return Kind.PIE if unmarked else Kind.SHARED_OBJECT

    @property
    def is_program(self) -> bool:
        """Whether the file is run, not loaded by another one."""
        return self.kind in (Kind.EXECUTABLE, Kind.PIE, Kind.STATIC_EXECUTABLE)

    @cached_property
    def tls(self) -> Tls | None:
        """Thread-local storage, or None."""
        for segment in self.segments:
            if segment.type == SegmentType.TLS:
                return Tls(segment.memory_size, segment.file_size, segment.align)
        return None

    @cached_property
    def stack(self) -> Stack:
        """Whether the file asks for an executable stack."""
        for segment in self.segments:
            if segment.type == SegmentType.GNU_STACK:
                return Stack.EXECUTABLE if segment.flags & 1 else Stack.NOT_EXECUTABLE
        return Stack.UNSTATED

    @cached_property
    def relro(self) -> Segment | None:
        """``PT_GNU_RELRO``: what is made read-only after relocation, or None."""
        return next((s for s in self.segments if s.type == SegmentType.GNU_RELRO), None)

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """All notes of the file's ``PT_NOTE`` segments."""
        return read_notes(self._reader, self.layout, self.segments)

    @property
    def build_id(self) -> str | None:
        """The GNU build-id in hexadecimal, or None."""
        return build_id(self.notes)

    @property
    def dlopen_notes(self) -> tuple[DlopenNote, ...]:
        """The libraries the file says it may dlopen (``.note.dlopen``)."""
        return dlopen_notes(self.notes)

    @property
    def properties(self) -> tuple[tuple[int, bytes], ...]:
        """GNU properties as (``pr_type``, data)."""
        return properties(self.layout, self.notes)

    @cached_property
    def versions(self) -> Versions:
        """The versions the file needs and defines."""
        if self.dynamic is None:
            return Versions((), (), {})
        reader = self._addresses.readable(self._reader)
        return read_versions(reader, self.layout, self.dynamic, self._addresses, self._strings)

    @cached_property
    def relocations(self) -> Relocations:
        """The symbols the file's relocations name."""
        if self.dynamic is None:
            return Relocations(
                lambda _: iter(()), lambda _: iter(()), None, (), None, range(0), relative=False
            )
        return read_relocations(
            self._reader, self.layout, self.machine, self.dynamic, self._addresses
        )

    @cached_property
    def isa_needed(self) -> int:
        """The x86 instruction set levels the file needs (``GNU_PROPERTY_X86_ISA_1_NEEDED``).

        As bits; 0 where it does not say, or its notes are damaged. Only notes aligned to a word are
        looked at, as by the loader.
        """
        align = self.layout.word_size
        own = [s for s in self.segments if s.type == SegmentType.NOTE and s.align == align]
        if not own or self.machine not in _X86:
            return 0
        try:
            return isa_needed(self.layout, read_notes(self._reader, self.layout, own))
        except ElfFormatError:
            return 0

    @cached_property
    def symbols(self) -> SymbolTable:
        """The dynamic symbol table; empty without one."""
        count = self._symbol_count
        if self.dynamic is None or not count:
            return SymbolTable(self.layout, b"", b"", None, self.versions, None, name=self.path)
        offset, _ = self.dynamic.locate(DynamicTag.SYMTAB, self._addresses)
        if count > _MAX_SYMBOLS:
            raise ElfFormatError(
                self.path, offset, "DT_SYMTAB", f"{count} symbols are more than any real file has"
            )
        return SymbolTable(
            self.layout,
            rows := self._reader.read(offset, count * self.layout.symbol_size, "DT_SYMTAB"),
            self._names_of(rows),
            self._version_indices(self.dynamic, count),
            self.versions,
            self._hash,
            name=self.path,
            offset=offset,
        )

    def _names_of(self, rows: bytes) -> bytes:
        """The string table, or more than it says it has if symbols have their names there."""
        strings, word = self._strings, self.layout.symbol_size // 4
        offsets = self.layout.words(rows, 4)[::word]
        if self.dynamic is None or max(offsets, default=0) < len(strings):
            return strings
        base = self.dynamic.value(DynamicTag.STRTAB) or 0
        return self._addresses.rest(self._reader, base) or strings

    @property
    def symbols_reachable(self) -> bool:
        """Whether the hash table leads to any symbol; without one the loader finds none.

        Source: ``_dl_setup_hash`` and ``do_lookup_x`` of glibc. What is in a table that has
        something in it is taken to be what a linker put there.
        """
        return self._hash is not None and self._hash.reaches_any()

    def may_define(self, name: str) -> bool:
        """Whether the hash table leads somewhere for a name; no symbol is read to say no."""
        if self._hash is None:
            return True
        raw = name.encode("utf-8", "surrogateescape")
        return next(iter(self._hash.candidates(raw)), None) is not None

    @property
    def bloom_size(self) -> int:
        """Words of the Bloom filter of ``DT_GNU_HASH``, by its header; 0 without the table.

        Raises:
            ElfFormatError: the header is not inside the file.
        """
        if self.dynamic is None or self.dynamic.value(DynamicTag.GNU_HASH) is None:
            return 0
        offset, _ = self.dynamic.locate(DynamicTag.GNU_HASH, self._addresses)
        return self.layout.words(self._reader.read(offset, 16, "DT_GNU_HASH header"), 4)[2]

    def release(self) -> None:
        """Close the file and forget what was decoded; whatever is asked for again is read again."""
        for name in ("symbols", "relocations", "versions", "notes", *_TABLES_KEPT):
            self.__dict__.pop(name, None)
        self._reader.release()

    def require_loadable(self) -> Dynamic:
        """The dynamic section of a file that a dynamic loader takes.

        Raises:
            NotLoadableError: the file is a relocatable object, a core dump or static.
        """
        if self.dynamic is not None and self.kind not in (Kind.RELOCATABLE, Kind.CORE, Kind.OTHER):
            return self.dynamic
        if self.kind is Kind.RELOCATABLE:
            why = "is a relocatable object (ET_REL): link it first, no loader takes it"
        elif self.kind is Kind.STATIC_EXECUTABLE:
            why = "is statically linked: it has no dynamic section, nothing to resolve"
        elif self.dynamic is None:
            why = "has no dynamic section (PT_DYNAMIC): nothing a loader could resolve"
        else:
            why = f"is a {self.kind.value}, which no loader takes"
        raise NotLoadableError(self.path, why)

    @cached_property
    def _strings(self) -> bytes:
        dynamic = self.dynamic
        if dynamic is None or dynamic.value(DynamicTag.STRTAB) is None:
            return b""
        size = dynamic.value(DynamicTag.STRSZ)
        if size == 0:
            return b""
        offset, available = dynamic.locate(DynamicTag.STRTAB, self._addresses)
        # The loader does without DT_STRSZ; a file without it has what is left of the segment.
        try:
            return self._reader.read(offset, available if size is None else size, "DT_STRSZ")
        except ElfFormatError as error:
            self._addresses.tolerate(error)
            return self._reader.read_available(offset, available)

    @cached_property
    def _hash(self) -> HashTable | None:
        """The table the loader would use: ``DT_GNU_HASH`` where there are both."""
        if self.dynamic is None or self.dynamic.value(DynamicTag.GNU_HASH) is None:
            return self._sysv_hash
        offset, _ = self.dynamic.locate(DynamicTag.GNU_HASH, self._addresses)
        return GnuHash(self._reader, self.layout, offset)

    @cached_property
    def _sysv_hash(self) -> SysvHash | None:
        if self.dynamic is None or self.dynamic.value(DynamicTag.HASH) is None:
            return None
        try:
            offset, _ = self.dynamic.locate(DynamicTag.HASH, self._addresses)
            return SysvHash(self._reader, self.layout, self.machine, offset)
        except ElfFormatError as error:
            if self.dynamic.value(DynamicTag.GNU_HASH) is None:
                raise
            self._addresses.tolerate(error)  # the other one is used
            return None

    @cached_property
    def _symbol_count(self) -> int:
        """Entries of the dynamic symbol table, which has no size of its own without sections.

        ``DT_HASH`` says it, but the loader has no use for it where there is the other:
        ``DT_GNU_HASH`` says it unless the file exports nothing; then it ends
        where the next table begins, or at least behind the last symbol a relocation names.
        """
        dynamic = self.dynamic
        if dynamic is None or dynamic.value(DynamicTag.SYMTAB) is None:
            return 0
        counted = self._hash.symbol_count() if isinstance(self._hash, GnuHash) else None
        if self._sysv_hash is not None:
            return max(self._sysv_hash.symbol_count(), counted or 0)
        if counted is None:
            referenced = max(self.relocations.symbols(), default=-1) + 1
            counted = max(referenced, self._count_to_next_table(dynamic))
        return counted

    def _count_to_next_table(self, dynamic: Dynamic) -> int:
        def room(tag: DynamicTag, entry: int) -> int:
            start = dynamic.value(tag) or 0
            _, available = dynamic.locate(tag, self._addresses)
            later = (value - start for tag, value in dynamic.entries if tag in _TABLES)
            return min((gap for gap in later if 0 < gap < available), default=available) // entry

        count = room(DynamicTag.SYMTAB, self.layout.symbol_size)
        if dynamic.value(DynamicTag.VERSYM) is None:
            return count
        return min(count, room(DynamicTag.VERSYM, 2))

    def _version_indices(self, dynamic: Dynamic, count: int) -> array[int] | None:
        if dynamic.value(DynamicTag.VERSYM) is None:
            return None
        offset, _ = dynamic.locate(DynamicTag.VERSYM, self._addresses)
        return self.layout.words(self._reader.read(offset, count * 2, "DT_VERSYM"), 2)


_X86 = (3, 62)
_TABLES_KEPT = ("_strings", "_hash", "_sysv_hash")
_TABLES = frozenset(
    (
        DynamicTag.STRTAB,
        DynamicTag.SYMTAB,
        DynamicTag.HASH,
        DynamicTag.GNU_HASH,
        DynamicTag.VERSYM,
        DynamicTag.VERNEED,
        DynamicTag.VERDEF,
        DynamicTag.RELA,
        DynamicTag.REL,
        DynamicTag.RELR,
        DynamicTag.JMPREL,
    )
)


def read_elf(source: str | os.PathLike[str] | ByteStream, *, name: str | None = None) -> ElfObject:
    """Read one ELF file.

    Only headers and the dynamic section are read here, the rest when it is asked for; so the file
    must stay as it is, and a stream open, while the result is used.

    Args:
        source: a path, or a seekable binary stream.
        name: how to name the file in messages; the path by default.

    Raises:
        NotElfError: it is something else; the message says what it looks like.
        ElfFormatError: a header or the dynamic section contradicts the specification.
        SourceError: the file cannot be opened or read.
    """
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        return _read(Reader(FileStream(path), name or path))
    return _read(Reader(source, name or str(getattr(source, "name", "<stream>"))))


def map_elf(source: ByteStream, *, name: str) -> ElfObject:
    """Read one ELF file as a loader does, which does not see every contradiction in it.

    Args:
        source: a seekable binary stream.
        name: how to name the file in messages.

    Raises:
        as :func:`read_elf` does, for what the loader cannot do without.
    """
    return _read(Reader(source, name), PageMap)


def _read(reader: Reader, kind: type[AddressMap] = AddressMap) -> ElfObject:
    header = read_header(reader)
    segments = read_segments(reader, header)
    addresses = kind(reader.name, tuple(s for s in segments if s.type == SegmentType.LOAD))
    dynamic = None
    interp = None
    # Of several, glibc takes the last PT_DYNAMIC and the kernel the first PT_INTERP. A PT_DYNAMIC
    # without bytes in the file is one of a debuginfo file; glibc passes it over too.
    for segment in reversed(segments):
        if segment.type == SegmentType.DYNAMIC and segment.file_size:
            dynamic = read_dynamic(reader, header.layout, segment, addresses)
            break
    for segment in segments:
        if segment.type == SegmentType.INTERP and segment.file_size:
            size = min(segment.file_size, _PATH_MAX)
            try:
                raw = reader.read(segment.offset, size, "PT_INTERP")
            except ElfFormatError as error:
                addresses.tolerate(error)
                break
            interp = raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
            break
    return ElfObject(reader, header, segments, dynamic, interp, addresses=addresses)
