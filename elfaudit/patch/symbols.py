"""Symbols of sections that have another address: ``_DYNAMIC``, and the sections' own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .image import Image, Section, SectionType

__all__ = ["moved_symbols"]

_CHUNK = 1 << 16  # symbols read at once, of tables that may have millions


def moved_symbols(image: Image, shifts: Mapping[int, int]) -> Iterator[tuple[int, bytes]]:
    """(file offset of ``st_value``, what it is to be) of each symbol that goes with a section.

    Args:
        image: the file.
        shifts: section index to the difference of its addresses.

    Raises:
        ElfFormatError: a symbol table is not in the file.
    """
    moving = {index: shift for index, shift in shifts.items() if shift}
    for section in image.sections if moving else ():
        if section.type in (SectionType.SYMTAB, SectionType.DYNSYM):
            yield from _of_table(image, section, moving)


def _of_table(
    image: Image, table: Section, shifts: Mapping[int, int]
) -> Iterator[tuple[int, bytes]]:
    layout = image.layout
    size, word = layout.symbol_size, layout.word_size
    where, index_at = (8, 6) if layout.bits == 64 else (4, 14)
    pack = layout.struct("Q" if layout.bits == 64 else "I").pack
    for begin in range(0, table.size - table.size % size, size * _CHUNK):
        length = min(size * _CHUNK, table.size // size * size - begin)
        raw = image.reader.read(table.offset + begin, length, "SHT_SYMTAB")
        indices = layout.words(raw, 2)[index_at // 2 :: size // 2]
        values = layout.words(raw, word)[where // word :: size // word]
        for row, index in enumerate(indices):
            if index in shifts:
                mask = (1 << layout.bits) - 1
                value = (values[row] + shifts[index]) & mask
                yield table.offset + begin + row * size + where, pack(value)
