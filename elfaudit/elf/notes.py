"""Notes: build-id, GNU properties, and the dlopens a file declares.

Source: gABI "Note Section"; the x86 and AArch64 psABI for ``NT_GNU_PROPERTY_TYPE_0``; the "ELF
Package Metadata and dlopen" specification of the UAPI group for owner ``FDO``, type 0x407c0c0a.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import ElfFormatError
from .header import Segment, SegmentType
from .layout import Layout
from .reader import Reader

__all__ = [
    "DlopenNote",
    "Note",
    "build_id",
    "dlopen_notes",
    "isa_needed",
    "properties",
    "read_notes",
]

_NT_GNU_BUILD_ID = 3
_NT_GNU_PROPERTY_TYPE_0 = 5
_1_NEEDED, _X86_FEATURE_1_AND, _X86_ISA_1_NEEDED = 0xB0008000, 0xC0000002, 0xC0008002
_NT_FDO_DLOPEN_METADATA = 0x407C0C0A
_MAX_NOTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Note:
    """One note: who defines its meaning, its number there, and its bytes."""

    owner: str
    type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DlopenNote:
    """One feature a file says it dlopens a library for.

    Attributes:
        sonames: any one of these will do.
        feature, description: in the words of the file, or None.
        priority: ``required``, ``recommended`` (the default) or ``suggested``.
    """

    sonames: tuple[str, ...]
    feature: str | None
    description: str | None
    priority: str


def read_notes(reader: Reader, layout: Layout, segments: Iterable[Segment]) -> tuple[Note, ...]:
    """All notes of the ``PT_NOTE`` segments, in file order.

    Raises:
        ElfFormatError: a note segment is not inside the file, or they are megabytes.
    """
    seen: dict[tuple[int, int], Segment] = {}
    for segment in segments:
        if segment.type == SegmentType.NOTE and segment.file_size:
            seen.setdefault((segment.offset, segment.file_size), segment)
    notes: list[Note] = []
    left = _MAX_NOTES
    for segment in seen.values():
        left -= segment.file_size
        if left < 0:
            raise ElfFormatError(
                reader.name, segment.offset, "PT_NOTE", f"more than {_MAX_NOTES} bytes of notes"
            )
        raw = reader.read(segment.offset, segment.file_size, "PT_NOTE")
        notes += _notes(layout, raw, 8 if segment.align == 8 else 4)
    return tuple(notes)


def build_id(notes: Iterable[Note]) -> str | None:
    """The build-id in hexadecimal, or None."""
    for note in notes:
        if note.owner == "GNU" and note.type == _NT_GNU_BUILD_ID:
            return note.data.hex()
    return None


def properties(layout: Layout, notes: Iterable[Note]) -> tuple[tuple[int, bytes], ...]:
    """GNU properties as (``pr_type``, data), in file order."""
    return tuple(
        entry
        for note in notes
        if note.owner == "GNU" and note.type == _NT_GNU_PROPERTY_TYPE_0
        for entry in _properties(layout, note.data)
    )


def isa_needed(layout: Layout, notes: Iterable[Note]) -> int:
    """The x86 instruction set levels that an object needs, as bits; 0 where it does not say.

    Two notes of properties are what an old linker puts side by side: they count for nothing, and
    neither does what comes behind a property that is out of order or of the wrong size.

    Source: ``_dl_process_property_note`` (glibc ``sysdeps/x86/dl-prop.h``).
    """
    found = [n for n in notes if n.owner == "GNU" and n.type == _NT_GNU_PROPERTY_TYPE_0]
    if len(found) != 1 or len(found[0].data) < 8 or len(found[0].data) % layout.word_size:
        return 0
    last = 0
    for kind, data in _properties(layout, found[0].data):
        sized = kind in (_1_NEEDED, _X86_FEATURE_1_AND, _X86_ISA_1_NEEDED)
        if kind < last or (sized and len(data) != 4):
            return 0
        if kind == _X86_ISA_1_NEEDED:
            return int.from_bytes(data, "little")
        last = kind
    return 0


def dlopen_notes(notes: Iterable[Note]) -> tuple[DlopenNote, ...]:
    """The optional libraries the file declares; what is no JSON of that form is passed over."""
    return tuple(
        entry
        for note in notes
        if note.owner == "FDO" and note.type == _NT_FDO_DLOPEN_METADATA
        for entry in _dlopens(note.data)
    )


def _notes(layout: Layout, raw: bytes, align: int) -> Iterator[Note]:
    head = layout.struct("III")
    position = 0
    while position + head.size <= len(raw):
        name_size, data_size, kind = head.unpack_from(raw, position)
        name_start = position + head.size
        # Head and name are padded together, not each of them (glibc ELF_NOTE_DESC_OFFSET).
        data_start = position + _round_up(head.size + name_size, align)
        if data_start + data_size > len(raw):
            return
        owner = raw[name_start : name_start + name_size].rstrip(b"\0")
        yield Note(owner.decode("latin-1"), kind, raw[data_start : data_start + data_size])
        position = data_start + _round_up(data_size, align)


def _properties(layout: Layout, data: bytes) -> Iterator[tuple[int, bytes]]:
    head = layout.struct("II")
    position = 0
    while position + head.size <= len(data):
        kind, size = head.unpack_from(data, position)
        start = position + head.size
        if start + size > len(data):
            return
        yield kind, data[start : start + size]
        position = start + _round_up(size, layout.word_size)


def _dlopens(data: bytes) -> Iterator[DlopenNote]:
    try:
        entries = json.loads(data.rstrip(b"\0"))
    except (ValueError, RecursionError):
        return
    for entry in entries if isinstance(entries, list) else ():
        sonames = entry.get("soname") if isinstance(entry, dict) else None
        if not isinstance(sonames, list):
            continue
        yield DlopenNote(
            tuple(name for name in sonames if isinstance(name, str)),
            _text(entry.get("feature")),
            _text(entry.get("description")),
            _text(entry.get("priority")) or "recommended",
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _round_up(size: int, align: int) -> int:
    return (size + align - 1) // align * align
