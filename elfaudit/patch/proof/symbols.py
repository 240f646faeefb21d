"""The symbols of a new file: all that they were, and moved with their sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...elf import ElfObject
from ...elf.versions import VersionNeed
from ..image import Image, Section, SectionType
from ..symbols import SHN_ABS, SHN_LORESERVE, is_dynamic, symbol_tables

__all__ = ["other_names", "other_symbols"]

_ROWS = 1 << 15  # compared at once; only where something differs, one by one


def other_names(old: ElfObject, new: ElfObject) -> Iterator[str]:
    """Symbols that are others for the loader, or have other names or versions.

    Their values are judged apart, by :func:`other_symbols`: sections say which of them move.
    """
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


def other_symbols(first: Image, after: Image) -> Iterator[str]:
    """Symbols that are not where their section is, or have changed otherwise, table by table."""
    shifts = {
        old.index: new.address - old.address
        for old, new in zip(first.sections, after.sections, strict=True)
        if new.address != old.address and old.index < SHN_LORESERVE
    }
    size = first.layout.symbol_size
    for table in symbol_tables(first):
        place = after.sections[table.index].offset
        for begin in range(0, table.size, size * _ROWS):
            length = min(size * _ROWS, table.size - begin)
            old = first.reader.read(table.offset + begin, length, "SHT_SYMTAB")
            new = after.reader.read(place + begin, length, "SHT_SYMTAB")
            row = next(_other_rows(first, table, old, new, shifts), None)
            if row is not None:
                number = begin // size + row
                yield f"symbol {number} of section {table.index} is not what it was to be"
                break


def _other_rows(
    first: Image, table: Section, old: bytes, new: bytes, shifts: Mapping[int, int]
) -> Iterator[int]:
    """The rows, of some of a table, that are not what they were to be."""
    layout, wide = first.layout, first.layout.bits == 64
    place = first.dynamic.address
    of_dynamic = next((s.index for s in first.sections if s.type == SectionType.DYNAMIC), 0)
    absolute = of_dynamic in shifts and layout.struct("Q" if wide else "I").pack(place) in old
    sections = layout.words(old, 2)[3::12] if wide else layout.words(old, 2)[7::8]
    if old == new and shifts.keys().isdisjoint(sections) and not absolute:
        return
    row = layout.struct("IBBHQQ" if wide else "IIIBBH")
    which, value = (3, 4) if wide else (5, 1)
    whole = len(old) // row.size * row.size
    if old[whole:] != new[whole:]:
        yield whole // row.size
    both = zip(row.iter_unpack(old[:whole]), row.iter_unpack(new[:whole]), strict=True)
    for number, (was, now) in enumerate(both):
        shift = shifts.get(was[which], 0)
        if absolute and (was[which], was[value]) == (SHN_ABS, place):
            shift = shifts[of_dynamic] if is_dynamic(first, table, was[0]) else 0
        wanted = (was[value] + shift) % (1 << layout.bits)
        if now != (*was[:value], wanted, *was[value + 1 :]):
            yield number
