"""The ELF header and the program headers: what a file is, and what of it would be mapped where.

Source: System V gABI, chapters "ELF Header" and "Program Header". Section headers are never
consulted (they may be stripped), with one exception the gABI demands: ``PN_XNUM``, where the number
of program headers is kept in section header 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ..errors import ElfFormatError, NotElfError, PlaceholderError
from .layout import Layout
from .reader import Reader

__all__ = [
    "AddressMap",
    "FileType",
    "Header",
    "Segment",
    "SegmentType",
    "parse_segments",
    "read_header",
    "read_segments",
]

_MAGIC = b"\x7fELF"
_PN_XNUM = 0xFFFF
_MAX_SEGMENTS = 1 << 16
# Four there are; shared, so that each compiles its structures once and not once a file.
_LAYOUTS = {(bits, order): Layout(bits, little=order == 1) for bits in (32, 64) for order in (1, 2)}


class FileType(IntEnum):
    """``e_type``."""

    NONE = 0
    REL = 1
    EXEC = 2
    DYN = 3
    CORE = 4


class SegmentType(IntEnum):
    """The ``p_type`` values this package acts upon."""

    NULL = 0
    LOAD = 1
    DYNAMIC = 2
    INTERP = 3
    NOTE = 4
    PHDR = 6
    TLS = 7
    GNU_STACK = 0x6474E551
    GNU_RELRO = 0x6474E552
    GNU_PROPERTY = 0x6474E553


@dataclass(frozen=True, slots=True)
class Header:
    """``ElfN_Ehdr``, the identification included.

    Attributes:
        layout: class and byte order.
        osabi, abi_version: ``EI_OSABI`` and ``EI_ABIVERSION``.
        type: ``e_type``, as a number (OS-specific values exist beside :class:`FileType`).
        machine: ``e_machine``, as a number.
        flags: ``e_flags``.
        entry: virtual address of the entry point.
        segment_offset, segment_size, segment_count: ``e_phoff``, ``e_phentsize``, ``e_phnum``.
        section_offset, section_count: ``e_shoff``, ``e_shnum``: told, never used to find anything.
        version: ``e_version``.
        padding: the bytes of ``e_ident`` from ``EI_PAD`` on.
        extended: whether ``e_phnum`` is ``PN_XNUM``, and their number stands elsewhere.
    """

    layout: Layout
    osabi: int
    abi_version: int
    type: int
    machine: int
    flags: int
    entry: int
    segment_offset: int
    segment_size: int
    segment_count: int
    section_offset: int
    section_count: int
    version: int
    padding: bytes
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """``ElfN_Phdr``. Sizes and offsets in bytes, addresses virtual."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int
    align: int

    @property
    def permissions(self) -> str:
        """``p_flags`` as ``readelf`` writes them: ``R``, ``W`` and ``E``, a space where clear."""
        return "".join(c if self.flags & bit else " " for c, bit in (("R", 4), ("W", 2), ("E", 1)))


@dataclass(frozen=True, slots=True)
class AddressMap:
    """Where in the file the bytes of a virtual address are: the ``PT_LOAD`` segments.

    The loader only knows addresses (``DT_SYMTAB`` and the like); this is its mapping, backwards.
    """

    name: str
    loads: tuple[Segment, ...]

    def locate(self, address: int, field: str, where: int) -> tuple[int, int]:
        """File offset of ``address`` and how many bytes of its segment follow from there.

        Args:
            address: a virtual address.
            field: what it was read from, for the message.
            where: the file offset of that, for the message.

        Raises:
            ElfFormatError: no ``PT_LOAD`` has file bytes for that address.
        """
        for load in self.loads:
            if load.address <= address < load.address + load.file_size:
                delta = address - load.address
                return load.offset + delta, load.file_size - delta
        raise ElfFormatError(
            self.name, where, field, f"address {address:#x} lies in no PT_LOAD segment of the file"
        )

    def readable(self, reader: Reader) -> Reader:
        """What of a file can be read by its addresses."""
        return reader

    def string(self, reader: Reader, address: int) -> bytes | None:  # noqa: ARG002
        """The string at an address outside of the string table: nothing that a file may have."""
        return None

    def rest(self, reader: Reader, address: int) -> bytes | None:  # noqa: ARG002
        """What lies in memory from an address on, whatever a table's own size is; not to be had."""
        return None

    def tolerate(self, error: ElfFormatError) -> None:
        """Pass over a contradiction that need not matter.

        Raises:
            ElfFormatError: it does.
        """
        raise error


def read_header(reader: Reader) -> Header:
    """The ELF header.

    Raises:
        NotElfError: something else than ELF; the message says what it looks like.
        ElfFormatError: unknown class, byte order or version, or a truncated header.
    """
    ident = reader.read_available(0, 64)
    if not ident.startswith(_MAGIC):
        placeholder = not ident or ident.startswith(_LFS_POINTER)
        kind = PlaceholderError if placeholder else NotElfError
        raise kind(reader.name, 0, "e_ident", _what_it_is(ident))
    if len(ident) < 16:
        raise ElfFormatError(reader.name, len(ident), "e_ident", "the file ends inside it")
    bits = _one_of(reader, ident, 4, "EI_CLASS", {1: 32, 2: 64})
    order = _one_of(reader, ident, 5, "EI_DATA", {1: 1, 2: 2})
    _one_of(reader, ident, 6, "EI_VERSION", {1: 1})
    layout = _LAYOUTS[bits, order]
    raw = reader.read(16, layout.header.size, "ELF header")
    kind, machine, version, entry, *rest = layout.header.unpack(raw)
    phoff, shoff, flags, _, phentsize, phnum, shentsize, shnum, _ = rest
    extended = phnum == _PN_XNUM
    if extended and shoff:
        phnum = _extended_segment_count(reader, layout, shoff, shentsize)
    return Header(
        layout, ident[7], ident[8], kind, machine, flags, entry,
        phoff, phentsize, phnum, shoff, shnum, version, ident[9:16], extended,
    )  # fmt: skip


def read_segments(reader: Reader, header: Header) -> tuple[Segment, ...]:
    """The program headers, in file order.

    Raises:
        ElfFormatError: ``e_phentsize`` is wrong, or the table is not inside the file.
    """
    layout = header.layout
    if not header.segment_count:
        return ()
    size = layout.segment.size
    if header.segment_size != size:
        raise ElfFormatError(
            reader.name,
            54 if layout.bits == 64 else 42,
            "e_phentsize",
            f"is {header.segment_size}, a program header has {size} bytes",
        )
    if header.segment_count > _MAX_SEGMENTS:
        raise ElfFormatError(
            reader.name,
            56 if layout.bits == 64 else 44,
            "e_phnum",
            f"{header.segment_count} program headers are more than any real file has",
        )
    return parse_segments(
        layout, reader.read(header.segment_offset, size * header.segment_count, "e_phoff")
    )


def parse_segments(layout: Layout, raw: bytes) -> tuple[Segment, ...]:
    """Program headers out of the bytes of whole ones."""
    rows = layout.segment.iter_unpack(raw)
    if layout.bits == 64:
        return tuple(
            Segment(kind, flags, offset, address, file_size, memory_size, align)
            for kind, flags, offset, address, _, file_size, memory_size, align in rows
        )
    return tuple(
        Segment(kind, flags, offset, address, file_size, memory_size, align)
        for kind, offset, address, _, file_size, memory_size, flags, align in rows
    )


def _one_of(reader: Reader, ident: bytes, index: int, field: str, known: dict[int, int]) -> int:
    value = ident[index]
    if value not in known:
        raise ElfFormatError(reader.name, index, field, f"is {value}, known are {sorted(known)}")
    return known[value]


def _extended_segment_count(reader: Reader, layout: Layout, shoff: int, shentsize: int) -> int:
    """``sh_info`` of section header 0 (gABI, "Program Header", ``PN_XNUM``)."""
    offset = shoff + (44 if layout.bits == 64 else 28)
    if shentsize < (64 if layout.bits == 64 else 40):
        raise ElfFormatError(
            reader.name,
            58 if layout.bits == 64 else 46,
            "e_shentsize",
            f"is {shentsize}, too small for the section header that e_phnum refers to",
        )
    (count,) = layout.struct("I").unpack(reader.read(offset, 4, "sh_info of section 0 (PN_XNUM)"))
    return int(count)


_LFS_POINTER = b"version https://git-lfs"
_SIGNATURES = (
    (_LFS_POINTER, "is a Git LFS pointer, not the file itself: run `git lfs pull`"),
    (b"/* GNU ld script", "is a linker script (text), not a shared object"),
    (b"INPUT", "is a linker script (text), not a shared object"),
    (b"GROUP", "is a linker script (text), not a shared object"),
    (b"!<arch>\n", "is a static library (ar archive), not a shared object"),
    (b"!<thin>\n", "is a static library (thin ar archive), not a shared object"),
    (b"PK\x03\x04", "is a zip archive, not an ELF file"),
    (b"MZ", "is a Windows (PE) file, not ELF"),
    (b"\xcf\xfa\xed\xfe", "is a macOS (Mach-O) file, not ELF"),
    (b"\xce\xfa\xed\xfe", "is a macOS (Mach-O) file, not ELF"),
    (b"\xca\xfe\xba\xbe", "is a macOS (Mach-O, universal) file, not ELF"),
    (b"#!", "is a script, not an ELF file"),
)


def _what_it_is(head: bytes) -> str:
    if not head:
        return "the file is empty"
    for signature, words in _SIGNATURES:
        if head.startswith(signature):
            return words
    if len(head) < len(_MAGIC) and _MAGIC.startswith(head):
        return "the file ends inside the ELF magic"
    return f"begins with {head[:4].hex(' ')}, not with the ELF magic 7f 45 4c 46"
