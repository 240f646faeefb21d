"""The dynamic section: what the file asks of the loader.

Source: System V gABI, "Dynamic Section"; ``elf/get-dynamic-info.h`` and ``elf/dl-load.c`` of glibc
for what counts when a tag stands more than once (of every tag but ``DT_NEEDED``, ``DT_FILTER`` and
``DT_AUXILIARY`` the last one), and that the table ends at ``DT_NULL``, not where the segment does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from ..errors import ElfFormatError
from .header import AddressMap, Segment
from .layout import Layout
from .reader import Reader

__all__ = ["Dynamic", "DynamicTag", "Flags", "Flags1", "read_dynamic"]

_MAX_ENTRIES = 1 << 16
_MAX_STRINGS = 8 << 20


class DynamicTag(IntEnum):
    """The ``d_tag`` values this package acts upon."""

    NULL = 0
    NEEDED = 1
    PLTRELSZ = 2
    HASH = 4
    STRTAB = 5
    SYMTAB = 6
    RELA = 7
    RELASZ = 8
    RELAENT = 9
    STRSZ = 10
    SYMENT = 11
    SONAME = 14
    RPATH = 15
    SYMBOLIC = 16
    REL = 17
    RELSZ = 18
    RELENT = 19
    PLTREL = 20
    TEXTREL = 22
    JMPREL = 23
    BIND_NOW = 24
    RUNPATH = 29
    FLAGS = 30
    RELRSZ = 35
    RELR = 36
    RELRENT = 37
    GNU_HASH = 0x6FFFFEF5
    VERSYM = 0x6FFFFFF0
    RELACOUNT = 0x6FFFFFF9
    RELCOUNT = 0x6FFFFFFA
    FLAGS_1 = 0x6FFFFFFB
    VERDEF = 0x6FFFFFFC
    VERDEFNUM = 0x6FFFFFFD
    VERNEED = 0x6FFFFFFE
    VERNEEDNUM = 0x6FFFFFFF
    MIPS_LOCAL_GOTNO = 0x7000000A
    MIPS_SYMTABNO = 0x70000011
    MIPS_GOTSYM = 0x70000013
    AUXILIARY = 0x7FFFFFFD
    FILTER = 0x7FFFFFFF


class Flags(IntFlag):
    """``DT_FLAGS``."""

    ORIGIN = 0x1
    SYMBOLIC = 0x2
    TEXTREL = 0x4
    BIND_NOW = 0x8
    STATIC_TLS = 0x10


class Flags1(IntFlag):
    """``DT_FLAGS_1``: the bits a loader or a reader of its output cares for."""

    NOW = 0x1
    GLOBAL = 0x2
    GROUP = 0x4
    NODELETE = 0x8
    LOADFLTR = 0x10
    INITFIRST = 0x20
    NOOPEN = 0x40
    ORIGIN = 0x80
    DIRECT = 0x100
    INTERPOSE = 0x400
    NODEFLIB = 0x800
    NODUMP = 0x1000
    CONFALT = 0x2000
    ENDFILTEE = 0x4000
    PIE = 0x08000000


@dataclass(frozen=True, slots=True)
class Dynamic:
    """The dynamic section, strings resolved.

    Attributes:
        soname: ``DT_SONAME``, or None.
        needed: ``DT_NEEDED``, in file order.
        rpath, runpath: ``DT_RPATH`` / ``DT_RUNPATH`` as written (colon-separated, tokens not
            expanded), or None. An empty string is a path list of one empty element.
        flags, flags_1: ``DT_FLAGS`` and ``DT_FLAGS_1``.
        filters, auxiliaries: ``DT_FILTER`` and ``DT_AUXILIARY`` filtees, in file order.
        dependencies: the last three together as (tag, name), in file order.
        entries: every entry before ``DT_NULL`` as (tag, value), in file order.
        offset: file offset of the table.
        entry_size: bytes of one entry.
    """

    soname: str | None
    needed: tuple[str, ...]
    rpath: str | None
    runpath: str | None
    flags: Flags
    flags_1: Flags1
    filters: tuple[str, ...]
    auxiliaries: tuple[str, ...]
    dependencies: tuple[tuple[int, str], ...] = field(repr=False)
    entries: tuple[tuple[int, int], ...] = field(repr=False)
    offset: int = field(repr=False)
    entry_size: int = field(default=16, repr=False)
    _last: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_last", dict(self.entries))  # of equal tags the last one stays

    def value(self, tag: int) -> int | None:
        """The value of the last entry with ``tag``, or None: the one glibc and musl would use."""
        return self._last.get(tag)

    def locate(self, tag: DynamicTag, addresses: AddressMap) -> tuple[int, int]:
        """File offset of the table that ``tag`` gives the address of, and the bytes from there on.

        Raises:
            ElfFormatError: there is no such entry, or no such address in the file.
        """
        address = self.value(tag)
        if address is None:
            raise ElfFormatError(
                addresses.name, self.offset, f"DT_{tag.name}", "is missing from the dynamic section"
            )
        return addresses.locate(address, f"DT_{tag.name}", self.where(tag))

    def where(self, tag: int) -> int:
        """File offset of the last entry with ``tag``; of the table if there is none."""
        for index in range(len(self.entries) - 1, -1, -1):
            if self.entries[index][0] == tag:
                return self.offset + index * self.entry_size
        return self.offset

    @property
    def symbolic(self) -> bool:
        """Whether the object looks in itself first (``DT_SYMBOLIC`` or ``DF_SYMBOLIC``)."""
        return Flags.SYMBOLIC in self.flags or self.value(DynamicTag.SYMBOLIC) is not None

    @property
    def bind_now(self) -> bool:
        """Whether functions are bound at load: ``DT_BIND_NOW``, ``DF_BIND_NOW`` or ``DF_1_NOW``."""
        return (
            Flags.BIND_NOW in self.flags
            or Flags1.NOW in self.flags_1
            or self.value(DynamicTag.BIND_NOW) is not None
        )

    @property
    def text_relocations(self) -> bool:
        """Whether code pages are written at load (``DT_TEXTREL`` or ``DF_TEXTREL``)."""
        return Flags.TEXTREL in self.flags or self.value(DynamicTag.TEXTREL) is not None


def read_dynamic(
    reader: Reader, layout: Layout, segment: Segment, addresses: AddressMap
) -> Dynamic:
    """Decode the table that ``segment`` (``PT_DYNAMIC``) points at.

    The table is found by its address, as the loader finds it, and read up to ``DT_NULL``.

    Raises:
        ElfFormatError: the table, or a string it names, is not inside the file.
    """
    offset, available = addresses.locate(segment.address, "PT_DYNAMIC p_vaddr", segment.offset)
    size = layout.dynamic.size
    entries = _entries(reader, layout, offset, available, segment.file_size)
    last = dict(entries)  # of equal tags the last one stays
    strings = _StringTable.of(reader, addresses, last, offset)
    texts: dict[int, list[str]] = {}
    dependencies: list[tuple[int, str]] = []
    for row, (tag, value) in enumerate(entries):
        if tag in _STRING_TAGS:
            try:
                text = strings.get(value, _STRING_TAGS[tag], offset + row * size)
            except ElfFormatError as error:
                if tag != DynamicTag.SONAME:  # which is only read where names are compared
                    raise
                addresses.tolerate(error)
                continue
            texts.setdefault(tag, []).append(text)
            if tag in _DEPENDENCY_TAGS:
                dependencies.append((tag, text))

    def one(tag: int) -> str | None:
        return texts[tag][-1] if tag in texts else None

    return Dynamic(
        soname=one(DynamicTag.SONAME),
        needed=tuple(texts.get(DynamicTag.NEEDED, ())),
        rpath=one(DynamicTag.RPATH),
        runpath=one(DynamicTag.RUNPATH),
        flags=Flags(last.get(DynamicTag.FLAGS, 0)),
        flags_1=Flags1(last.get(DynamicTag.FLAGS_1, 0)),
        filters=tuple(texts.get(DynamicTag.FILTER, ())),
        auxiliaries=tuple(texts.get(DynamicTag.AUXILIARY, ())),
        dependencies=tuple(dependencies),
        entries=entries,
        offset=offset,
        entry_size=size,
    )


_STRING_TAGS = {
    tag.value: f"DT_{tag.name}"
    for tag in (
        DynamicTag.NEEDED,
        DynamicTag.SONAME,
        DynamicTag.RPATH,
        DynamicTag.RUNPATH,
        DynamicTag.FILTER,
        DynamicTag.AUXILIARY,
    )
}
_DEPENDENCY_TAGS = frozenset((DynamicTag.NEEDED, DynamicTag.FILTER, DynamicTag.AUXILIARY))


def _entries(
    reader: Reader, layout: Layout, offset: int, available: int, expected: int
) -> tuple[tuple[int, int], ...]:
    """Entries before ``DT_NULL``, which may stand behind the end of the segment's own size."""
    size = layout.dynamic.size
    found: list[tuple[int, int]] = []
    position = offset
    end = offset + available
    step = max(size, min(expected, 1 << 16) // size * size)
    while position + size <= end and len(found) < _MAX_ENTRIES:
        raw = reader.read(position, min(step, (end - position) // size * size), "dynamic section")
        rows = list(layout.dynamic.iter_unpack(raw))
        stop = next((row for row, (tag, _) in enumerate(rows) if not tag), None)
        found += rows[:stop]
        if stop is not None:
            return tuple(found)
        position += len(raw)
    raise ElfFormatError(
        reader.name, position, "dynamic section", f"no DT_NULL after {len(found)} entries"
    )


@dataclass(slots=True)
class _StringTable:
    """The few strings the dynamic section names, read one by one.

    ``.dynstr`` of a large C++ library has megabytes of symbol names in front of its five NEEDED;
    asking for those must not read the rest.
    """

    reader: Reader
    addresses: AddressMap
    base: int
    offset: int
    size: int
    known: dict[int, str]
    total: int = 0

    @classmethod
    def of(
        cls, reader: Reader, addresses: AddressMap, last: dict[int, int], where: int
    ) -> _StringTable:
        address, size = last.get(DynamicTag.STRTAB), last.get(DynamicTag.STRSZ)
        if address is None or size == 0:
            return cls(reader, addresses, address or 0, 0, 0, {})
        offset, available = addresses.locate(address, "DT_STRTAB", where)
        size = available if size is None else min(size, available)
        return cls(reader, addresses, address, offset, size, {})

    def get(self, index: int, field: str, where: int) -> str:
        """The string at ``index``; ``where`` is the file offset of the entry that names it."""
        if index in self.known:
            return self.known[index]
        if index < self.size:
            raw = self._inside(index, field)
        else:
            found = self.addresses.string(self.reader, self.base + index)
            if found is None:
                problem = f"lies outside the string table of {self.size:#x} bytes"
                text = f"string index {index:#x} {problem}"
                raise ElfFormatError(self.reader.name, where, field, text)
            raw = found
        self.total += len(raw)
        if self.total > _MAX_STRINGS:  # overlapping strings: more text than the file has bytes
            raise ElfFormatError(self.reader.name, where, field, "the strings are too long")
        text = self.known[index] = raw.decode("utf-8", "surrogateescape")
        return text

    def _inside(self, index: int, field: str) -> bytes:
        try:
            return self.reader.string(self.offset + index, self.offset + self.size, field)
        except ElfFormatError:  # it does not end in the table
            found = self.addresses.string(self.reader, self.base + index)
            if found is None:
                raise
            return found
