"""Symbols of sections that have another address: ``_DYNAMIC``, and the sections' own."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping

from .image import Image, Section, SectionType

__all__ = ["SHN_ABS", "SHN_LORESERVE", "is_dynamic", "moved_symbols", "symbol_tables"]

SHN_LORESERVE, SHN_ABS = 0xFF00, 0xFFF1

_ROWS = 1 << 16  # read at once, of tables that may have millions
_NAME = b"_DYNAMIC\0"


def moved_symbols(image: Image, shifts: Mapping[int, int]) -> Iterator[tuple[int, bytes]]:
    """(file offset of ``st_value``, what it is to be) of each symbol that goes with a section.

    ``ld.bfd`` gives ``_DYNAMIC`` as an absolute symbol on some machines; it goes along as well.

    Args:
        image: the file.
        shifts: section index to the difference of its addresses.

    Raises:
        ElfFormatError: a symbol table is not in the file.
    """
    moving = {index: shift for index, shift in shifts.items() if shift and index < SHN_LORESERVE}
    types = {image.sections[index].type: shift for index, shift in moving.items()}
    absolute = types.get(SectionType.DYNAMIC)
    wide = image.layout.bits == 64
    mask, pack = (1 << image.layout.bits) - 1, image.layout.struct("Q" if wide else "I").pack
    where = 8 if wide else 4
    for table in symbol_tables(image) if moving else ():
        for begin, raw in _pieces(image, table):
            indices = _column(image, raw, 2, 6 if wide else 14)
            at_dynamic = absolute is not None and pack(image.dynamic.address) in raw
            if moving.keys().isdisjoint(indices) and not at_dynamic:
                continue  # nearly always: row by row it takes thirty times as long
            names = _column(image, raw, 4, 0)
            values = _column(image, raw, image.layout.word_size, where)
            for row, (name, index, value) in enumerate(zip(names, indices, values, strict=True)):
                shift = moving.get(index)
                if index == SHN_ABS and at_dynamic and value == image.dynamic.address:
                    shift = absolute if is_dynamic(image, table, name) else None
                if shift is not None:
                    place = begin + row * image.layout.symbol_size + where
                    yield place, pack((value + shift) & mask)


def symbol_tables(image: Image) -> Iterator[Section]:
    """The sections with symbols: the loader's, and the debuggers'."""
    kinds = (SectionType.SYMTAB, SectionType.DYNSYM)
    return (section for section in image.sections if section.type in kinds)


def is_dynamic(image: Image, table: Section, name: int) -> bool:
    """Whether a symbol of a table, whose ``st_name`` is given, is called ``_DYNAMIC``."""
    if table.link >= len(image.sections):
        return False
    place = image.sections[table.link].offset + name
    return image.reader.read_available(place, len(_NAME)) == _NAME


def _pieces(image: Image, table: Section) -> Iterator[tuple[int, bytes]]:
    """(file offset, bytes) of some thousand rows of a table after the other."""
    size = image.layout.symbol_size
    end = table.offset + table.size // size * size
    for begin in range(table.offset, end, size * _ROWS):
        yield begin, image.reader.read(begin, min(size * _ROWS, end - begin), "SHT_SYMTAB")


def _column(image: Image, raw: bytes, width: int, offset: int) -> array[int]:
    """One field of each row, by its width and its offset in the row, both in bytes."""
    step = image.layout.symbol_size // width
    return image.layout.words(raw, width)[offset // width :: step]
