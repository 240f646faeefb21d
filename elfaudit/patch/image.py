"""One ELF file as its editor sees it: every table that names a place in the file, with its place.

The reader in :mod:`elfaudit.elf` follows the loader and never looks at section headers. An editor
must: what it moves has to be found where a debugger, ``strip`` and the linker look for it as well.
Source: System V gABI, "ELF Header", "Sections", "Program Header", "Dynamic Section".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from ..elf.dynamic import DynamicTag
from ..elf.header import Header, Segment, SegmentType, read_header, read_segments
from ..elf.layout import Layout
from ..elf.reader import Reader
from ..errors import ElfFormatError
from ..stream import ByteStream

__all__ = [
    "Image", "Row", "Section", "SectionType", "physical_addresses", "read_image", "section_struct",
    "used_ranges",
]  # fmt: skip

_MAX_SECTIONS = 1 << 17
_MAX_ROWS = 1 << 16
_MAX_STRING = 1 << 20
_SHN_XINDEX = 0xFFFF


class SectionType(IntEnum):
    """The ``sh_type`` values that an editor treats in a way of their own."""

    NULL = 0
    SYMTAB = 2
    STRTAB = 3
    HASH = 5
    DYNAMIC = 6
    NOTE = 7
    NOBITS = 8
    DYNSYM = 11
    MIPS_REGINFO = 0x70000006
    MIPS_ABIFLAGS = 0x7000002A
    GNU_HASH = 0x6FFFFFF6
    GNU_VERDEF = 0x6FFFFFFD
    GNU_VERNEED = 0x6FFFFFFE
    GNU_VERSYM = 0x6FFFFFFF


@dataclass(frozen=True, slots=True)
class Section:
    """``ElfN_Shdr``. Sizes and offsets in bytes, addresses virtual.

    Attributes:
        index: its number in the table.
        name: offset of its name in the string table of the section names.
    """

    index: int
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int

    @property
    def file_size(self) -> int:
        """The bytes it has in the file."""
        return 0 if self.type in (SectionType.NOBITS, SectionType.NULL) else self.size

    @property
    def end(self) -> int:
        """The file offset behind it."""
        return self.offset + self.file_size


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of the dynamic section: a tag, and a number or the text that it is to stand for."""

    tag: int
    value: int
    text: bytes | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """The tables of one file.

    Attributes:
        name: how the user names the file.
        reader: its bytes.
        header: ``ElfN_Ehdr``.
        segments: the program headers.
        sections: the section headers; empty where there are none.
        section_names: index of the section with their names (``e_shstrndx``).
        dynamic: the program header of the dynamic section.
        rows: its entries before ``DT_NULL``.
        capacity: how many entries there is room for, ``DT_NULL`` included.
        strings: ``DT_STRTAB``, ``DT_STRSZ`` bytes of it.
        strings_offset: where those are in the file.
    """

    name: str
    reader: Reader = field(repr=False)
    header: Header
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...] = field(repr=False)
    section_names: int
    dynamic: Segment
    rows: tuple[Row, ...] = field(repr=False)
    capacity: int
    strings: bytes = field(repr=False)
    strings_offset: int

    @property
    def layout(self) -> Layout:
        """Class and byte order."""
        return self.header.layout

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return self.reader.size

    @property
    def loads(self) -> tuple[Segment, ...]:
        """The ``PT_LOAD`` segments."""
        return tuple(each for each in self.segments if each.type == SegmentType.LOAD)

    @property
    def has_execstack(self) -> bool:
        """Whether it asks for an executable stack (``PT_GNU_STACK`` with PF_X)."""
        stacks = (each for each in self.segments if each.type == SegmentType.GNU_STACK)
        return any(each.flags & _EXECUTE for each in stacks)

    def value(self, tag: int) -> int | None:
        """The value of the last entry with a tag, which is the one that counts."""
        return next((row.value for row in reversed(self.rows) if row.tag == tag), None)

    def string(self, offset: int) -> bytes:
        """The string at an offset of ``DT_STRTAB``.

        Raises:
            ElfFormatError: it does not end inside the table.
        """
        end = -1
        if 0 <= offset < len(self.strings):
            end = self.strings.find(0, offset, offset + _MAX_STRING)
        if end < 0:
            raise self.error(self.dynamic.offset, "DT_STRTAB", f"no string at {offset:#x} in it")
        return self.strings[offset:end]

    def texts(self, tag: int) -> list[bytes]:
        """The strings of all entries with a tag, in order."""
        return [self.string(row.value) for row in self.rows if row.tag == tag]

    def offset_of(self, address: int) -> int | None:
        """The file offset of an address, None if no segment has it in the file."""
        for load in self.loads:
            if load.address <= address < load.address + load.file_size:
                return load.offset + address - load.address
        return None

    def section_at(self, address: int, kinds: tuple[int, ...]) -> Section | None:
        """The section of some types that begins at an address."""
        found = (each for each in self.sections if each.type in kinds and each.address == address)
        return next((each for each in found if each.flags & _SHF_ALLOC), None)

    def error(self, offset: int, what: str, problem: str) -> ElfFormatError:
        """An error about this file."""
        return ElfFormatError(self.name, offset, what, problem)


_SHF_ALLOC = 2
_EXECUTE = 1


def section_struct(layout: Layout) -> str:
    """``ElfN_Shdr`` in the letters of :mod:`struct`."""
    return "IIQQQQIIQQ" if layout.bits == 64 else "IIIIIIIIII"


def read_image(stream: ByteStream, name: str) -> Image:
    """Read the tables of a file.

    Args:
        stream: its bytes.
        name: how the user names it.

    Raises:
        NotElfError, ElfFormatError: it is no ELF file, or one of its tables is not in the file.
        SourceError: it cannot be read.
    """
    reader = Reader(stream, name)
    header = read_header(reader)
    segments = read_segments(reader, header)
    sections, names = _read_sections(reader, header)
    found = [each for each in segments if each.type == SegmentType.DYNAMIC]
    if len(found) != 1 or not found[0].file_size:
        problem = "has several of them" if len(found) > 1 else "has no dynamic section to change"
        raise ElfFormatError(name, header.segment_offset, "PT_DYNAMIC", problem)
    (dynamic,) = found
    rows, capacity = _read_rows(reader, header.layout, dynamic)
    values = {row.tag: row.value for row in rows}
    if DynamicTag.STRTAB not in values or DynamicTag.STRSZ not in values:
        raise ElfFormatError(name, dynamic.offset, "DT_STRTAB", "is not there")
    address, size = values[DynamicTag.STRTAB], values[DynamicTag.STRSZ]
    place = _place_of(segments, address, size)
    if place is None:
        problem = f"{size} bytes at address {address:#x} lie in no segment of the file"
        raise ElfFormatError(name, dynamic.offset, "DT_STRTAB", problem)
    strings = reader.read(place, size, "DT_STRTAB")
    return Image(
        name, reader, header, segments, sections, names, dynamic, rows, capacity, strings, place
    )  # fmt: skip


def _place_of(segments: tuple[Segment, ...], address: int, size: int) -> int | None:
    """The file offset of some bytes at an address, all of them in one segment."""
    for load in segments:
        inside = load.address <= address and address + size <= load.address + load.file_size
        if load.type == SegmentType.LOAD and inside:
            return load.offset + address - load.address
    return None


def _read_rows(reader: Reader, layout: Layout, dynamic: Segment) -> tuple[tuple[Row, ...], int]:
    """The entries, and how many fit; at most those of the segment are looked at."""
    capacity = dynamic.file_size // layout.dynamic.size
    if capacity > _MAX_ROWS:
        problem = f"{dynamic.file_size} bytes is more than any real table has"
        raise ElfFormatError(reader.name, dynamic.offset, "PT_DYNAMIC", problem)
    raw = reader.read(dynamic.offset, capacity * layout.dynamic.size, "PT_DYNAMIC")
    rows: list[Row] = []
    for tag, value in layout.dynamic.iter_unpack(raw):
        if tag == DynamicTag.NULL:
            break
        rows.append(Row(tag, value))
    size = layout.dynamic.size
    spare = raw[len(rows) * size :]
    unused = (len(spare) - len(spare.lstrip(b"\0"))) // size
    return tuple(rows), len(rows) + unused


def _read_sections(reader: Reader, header: Header) -> tuple[tuple[Section, ...], int]:
    """The section headers, and which has their names; none if the file has no such table."""
    layout = header.layout
    raw = reader.read(16, layout.header.size, "ELF header")
    *_, entry_size, count, names = layout.header.unpack(raw)
    row = layout.struct(section_struct(layout))
    if not header.section_offset:
        return (), 0
    if entry_size != row.size:
        problem = f"is {entry_size}, a section header has {row.size} bytes"
        raise ElfFormatError(reader.name, 46, "e_shentsize", problem)
    if not count or names == _SHN_XINDEX:  # gABI: the numbers are in section 0
        first = row.unpack(reader.read(header.section_offset, row.size, "e_shoff"))
        count, names = count or first[5], first[6] if names == _SHN_XINDEX else names
    if count > _MAX_SECTIONS:
        problem = f"{count} sections are more than any real file has"
        raise ElfFormatError(reader.name, header.section_offset, "e_shnum", problem)
    table = reader.read(header.section_offset, row.size * count, "e_shoff")
    return tuple(Section(n, *each) for n, each in enumerate(row.iter_unpack(table))), names


def physical_addresses(image: Image) -> dict[tuple[int, int], int]:
    """``p_paddr`` by type and address of the program headers: no loader asks, tools compare it.

    Raises:
        ElfFormatError: the table is not in the file.
    """
    header, layout = image.header, image.layout
    size = header.segment_size * len(image.segments)
    rows = layout.segment.iter_unpack(image.reader.read(header.segment_offset, size, "e_phoff"))
    place = 4 if layout.bits == 64 else 3
    both = zip(image.segments, rows, strict=True)
    return {(each.type, each.address): row[place] for each, row in both}


def used_ranges(image: Image) -> Iterator[tuple[int, int]]:
    """(offset, end) of all of the file that some table says is in use."""
    header = image.header
    yield 0, 64 if image.layout.bits == 64 else 52
    yield header.segment_offset, header.segment_offset + header.segment_size * len(image.segments)
    if image.sections:
        size = image.layout.struct(section_struct(image.layout)).size
        yield header.section_offset, header.section_offset + size * len(image.sections)
    for segment in image.segments:
        if segment.type != SegmentType.NULL and segment.file_size:
            yield segment.offset, segment.offset + segment.file_size
    for section in image.sections:
        if section.file_size:
            yield section.offset, section.end
