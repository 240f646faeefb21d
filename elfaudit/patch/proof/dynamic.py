"""What the dynamic section of a new file says, and where it leads to."""

from __future__ import annotations

from collections.abc import Iterator

from ...elf.dynamic import DynamicTag
from ..image import Image
from ..planning import Plan
from ..tags import ADDRESSES, TEXTS
from ..verneed import requirements

__all__ = ["lost_tables", "other_entries", "other_places", "other_strings"]

_ALLOC = 2
_MIPS_RLD_MAP_REL = 0x70000035


def other_entries(before: Image, after: Image, plan: Plan) -> Iterator[str]:
    """Entries of the dynamic section that are not what they were to be."""
    counted = {row.tag: n for n, row in enumerate(before.rows)}
    wanted = [
        (row.tag, row.text if row.text is not None else _value(before, counted[row.tag], row.value))
        for row in plan.change.rows
    ]
    found = [(row.tag, _value(after, n, row.value)) for n, row in enumerate(after.rows)]
    if wanted != found:
        different = next((pair for pair in zip(wanted, found, strict=False) if pair[0] != pair[1]),
                         (len(wanted), len(found)))  # fmt: skip
        yield f"the dynamic section has {different[1]} where {different[0]} was to be"
    if len(after.rows) >= after.capacity and len(before.rows) < before.capacity:
        yield "the dynamic section has no end (DT_NULL)"
    renamed = dict(plan.change.renamed)
    names = [renamed.get(each.library, each.library) for each in requirements(before)]
    if names != [each.library for each in requirements(after)]:
        yield "the version requirements name other libraries"


def _value(image: Image, number: int, value: int) -> bytes | int | None:
    """What an entry says, whatever place it says it by."""
    tag = image.rows[number].tag
    if tag in TEXTS:
        return image.string(value)
    if tag == _MIPS_RLD_MAP_REL:  # it counts from where it stands
        place = image.dynamic.address + number * image.layout.dynamic.size
        return (place + value) % (1 << image.layout.bits)
    return None if tag in ADDRESSES or tag == DynamicTag.STRSZ else value


def other_strings(first: Image, after: Image) -> Iterator[str]:
    """Strings that are gone, or that nothing asked for."""
    if not (after.strings.startswith(first.strings) and after.strings.endswith(b"\0")):
        yield "the strings have changed"
    asked_for = {after.string(row.value) for row in after.rows if row.tag in TEXTS}
    asked_for.update(each.library for each in requirements(after))
    added = after.strings[len(first.strings) : -1].split(b"\0")
    if any(text and text not in asked_for for text in added):
        yield "there are strings that nobody asked for"


def other_places(before: Image, after: Image, plan: Plan) -> Iterator[str]:
    """Code, data and relocations that are elsewhere, or were written to."""
    written = [(each.offset, each.offset + len(each.data)) for each in plan.writes]
    for tag, size_tag in _STAYING.items():
        old, new = before.value(tag), after.value(tag)
        if old != new or (old and before.offset_of(old) != after.offset_of(new or 0)):
            yield f"entry {tag:#x} of the dynamic section leads elsewhere"
        begin = before.offset_of(old) if old else None
        end = (begin or 0) + (before.value(size_tag) or 0)
        if begin is not None and any(b < end and begin < e for b, e in written):
            yield f"what entry {tag:#x} of the dynamic section leads to was written to"
    for tag in ADDRESSES - _FOUND_ANYWHERE:
        if before.value(tag) != after.value(tag):
            yield f"entry {tag:#x} of the dynamic section leads elsewhere"


def lost_tables(first: Image, after: Image) -> Iterator[str]:
    """Tables that an entry of the dynamic section leads to, and their sections do not."""
    places = {
        each.address: each.index for each in first.sections if each.size and each.flags & _ALLOC
    }
    for tag in _FOUND_ANYWHERE:
        old, new = first.value(tag), after.value(tag)
        index = places.get(old or 0)
        if index is None and tag == DynamicTag.STRTAB:
            continue
        if new != (old if index is None else after.sections[index].address):
            yield f"entry {tag:#x} of the dynamic section leads elsewhere"


# Tables that only have to be found: DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH, DT_VER…, …XHASH.
_FOUND_ANYWHERE = frozenset((4, 5, 6, 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE, 0x70000036))

# Tables that are never moved, each with the entry that has its size in bytes.
_STAYING = {
    DynamicTag.RELA: DynamicTag.RELASZ,
    DynamicTag.REL: DynamicTag.RELSZ,
    DynamicTag.RELR: DynamicTag.RELRSZ,
    DynamicTag.JMPREL: DynamicTag.PLTRELSZ,
    25: 27,  # DT_INIT_ARRAY, DT_INIT_ARRAYSZ
    26: 28,  # DT_FINI_ARRAY, DT_FINI_ARRAYSZ
}
