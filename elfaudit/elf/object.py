"""One ELF file as facts: :class:`ElfObject`, and :func:`read_elf` that makes it.

The header, the program headers and the dynamic section are read at once; symbols, versions,
relocations and notes when they are first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from ..errors import ElfFormatError, NotLoadableError
from ..stream import ByteStream, FileStream
from .dynamic import Dynamic, Flags, Flags1, read_dynamic
from .dynsym import DynamicSymbols
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
_NO_DYNAMIC = Dynamic(None, (), None, None, Flags(0), Flags1(0), (), (), (), (), 0)


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
        return read_versions(
            reader, self.layout, self.dynamic, self._addresses, self._dynsym.strings
        )

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
        return self._symbol_table(self._dynsym.names_of, self.versions)

    @cached_property
    def symbol_columns(self) -> SymbolTable:
        """The same without any names, for who has no need of those: they can be megabytes."""
        return self._symbol_table(lambda _: b"", Versions((), (), {}))

    def _symbol_table(
        self, strings_of: Callable[[bytes], bytes], versions: Versions
    ) -> SymbolTable:
        count = self._symbol_count
        if not count:
            return SymbolTable(self.layout, b"", b"", None, versions, None, name=self.path)
        rows, offset = self._dynsym.rows(count)
        return SymbolTable(
            self.layout,
            rows,
            strings_of(rows),
            self._dynsym.version_indices(count),
            versions,
            self._dynsym.hash_table,
            name=self.path,
            offset=offset,
        )

    @cached_property
    def _symbol_count(self) -> int:
        counted = self._dynsym.count()
        return self._dynsym.bound(self.relocations.symbols()) if counted is None else counted

    @cached_property
    def _dynsym(self) -> DynamicSymbols:
        return DynamicSymbols(
            self._reader, self.header, self.dynamic or _NO_DYNAMIC, self._addresses
        )

    @property
    def symbols_reachable(self) -> bool:
        """Whether the hash table leads to any symbol; without one the loader finds none.

        Source: ``_dl_setup_hash`` and ``do_lookup_x`` of glibc. What is in a table that has
        something in it is taken to be what a linker put there.
        """
        table = self._dynsym.hash_table
        return table is not None and table.reaches_any()

    def may_define(self, name: str) -> bool:
        """Whether the hash table leads somewhere for a name; no symbol is read to say no."""
        table = self._dynsym.hash_table
        if table is None:
            return True
        raw = name.encode("utf-8", "surrogateescape")
        return next(iter(table.candidates(raw)), None) is not None

    @property
    def bloom_size(self) -> int:
        """Words of the Bloom filter of ``DT_GNU_HASH``, by its header; 0 without the table.

        Raises:
            ElfFormatError: the header is not inside the file.
        """
        return self._dynsym.bloom_size

    def release(self) -> None:
        """Close the file and forget what was decoded; whatever is asked for again is read again."""
        for name in ("symbols", "relocations", "versions", "notes", "_dynsym"):
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


_X86 = (3, 62)


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
