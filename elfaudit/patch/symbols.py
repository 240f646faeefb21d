"""Symbols of sections that have another address: ``_DYNAMIC``, and the sections' own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .image import Image, Section, SectionType

__all__ = ["moved_symbols"]

_CHUNK = 1 << 16  # symbols read at once, of tables that may have millions
_SHN_ABS = 0xFFF1
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
    moving = {index: shift for index, shift in shifts.items() if shift}
    kinds = {image.sections[index].type: shift for index, shift in moving.items()}
    mask = (1 << image.layout.bits) - 1
    pack = image.layout.struct("Q" if image.layout.bits == 64 else "I").pack
    for section in image.sections if moving else ():
        if section.type not in (SectionType.SYMTAB, SectionType.DYNSYM):
            continue
        for place, name, index, value in _rows(image, section):
            shift = moving.get(index)
            if index == _SHN_ABS and value == image.dynamic.address:
                shift = (
                    kinds.get(SectionType.DYNAMIC) if _is_dynamic(image, section, name) else None
                )
            if shift is not None:
                yield place, pack((value + shift) & mask)


def _rows(image: Image, table: Section) -> Iterator[tuple[int, int, int, int]]:
    """(file offset of ``st_value``, ``st_name``, ``st_shndx``, ``st_value``) of each symbol."""
    layout = image.layout
    size, word = layout.symbol_size, layout.word_size
    where, index_at = (8, 6) if layout.bits == 64 else (4, 14)
    for begin in range(0, table.size - table.size % size, size * _CHUNK):
        length = min(size * _CHUNK, table.size // size * size - begin)
        raw = image.reader.read(table.offset + begin, length, "SHT_SYMTAB")
        places = range(table.offset + begin + where, table.offset + begin + length, size)
        names = layout.words(raw, 4)[:: size // 4]
        indices = layout.words(raw, 2)[index_at // 2 :: size // 2]
        values = layout.words(raw, word)[where // word :: size // word]
        yield from zip(places, names, indices, values, strict=True)


def _is_dynamic(image: Image, table: Section, name: int) -> bool:
    """Whether a symbol of a table is called ``_DYNAMIC``."""
    if table.link >= len(image.sections):
        return False
    place = image.sections[table.link].offset + name
    return image.reader.read_available(place, len(_NAME)) == _NAME
