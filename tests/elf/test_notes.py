"""Notes, judged by pyelftools and readelf."""

from __future__ import annotations

import io
import json
import re
import struct
from pathlib import Path

import pytest

from elfaudit.elf import DlopenNote, Layout, Note, Segment, SegmentType, read_elf
from elfaudit.elf.notes import build_id, dlopen_notes, properties, read_notes
from elfaudit.elf.reader import Reader
from elfaudit.errors import ElfFormatError

from . import judge

LAYOUT = Layout(64, little=True)
DLOPEN = 0x407C0C0A


@judge.every_fixture
def test_owners_and_build_id_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    elf = read_elf(prebuilt / name)
    with judge.opened(prebuilt / name) as other:
        notes = [n for s in other.iter_segments("PT_NOTE") for n in s.iter_notes()]
        ids = [n["n_desc"] for n in notes if n["n_type"] == "NT_GNU_BUILD_ID"]
        owners = sorted((n["n_name"], n["n_descsz"]) for n in notes)
    assert sorted((note.owner, len(note.data)) for note in elf.notes) == owners
    assert [elf.build_id] == (ids or [None])


@judge.every_fixture
def test_build_id_is_what_readelf_prints(prebuilt: Path, readelf: str, name: str) -> None:
    printed = re.findall(r"Build ID: ([0-9a-f]+)", judge.text(readelf, "-nW", prebuilt / name))
    assert [read_elf(prebuilt / name).build_id] == (printed or [None])


def test_properties_are_what_readelf_prints(prebuilt: Path, readelf: str) -> None:
    path = prebuilt / "shapes/libproperty.so"
    assert "x86 feature: IBT, SHSTK" in judge.text(readelf, "-nW", path)
    assert read_elf(path).properties == ((0xC0000002, struct.pack("<I", 3)),)


def test_the_declared_dlopens_are_read(prebuilt: Path) -> None:
    notes = read_elf(prebuilt / "shapes/libdlopen.so").dlopen_notes
    assert [note.sonames for note in notes] == [("libfoo.so.1",)]
    assert read_elf(prebuilt / "shapes/libempty.so").dlopen_notes == ()


def _note(owner: bytes, kind: int, data: bytes, align: int = 4) -> bytes:
    head = struct.pack("<III", len(owner), len(data), kind) + owner
    head += bytes(-len(head) % align)
    return head + data + bytes(-len(data) % align)


def _read(raw: bytes, *segments: tuple[int, int, int]) -> tuple[Note, ...]:
    rows = [Segment(SegmentType.NOTE, 4, at, 0, size, size, align) for at, size, align in segments]
    return read_notes(Reader(io.BytesIO(raw), "x.so"), LAYOUT, rows)


@pytest.mark.parametrize("align", [4, 8])
def test_notes_are_padded_as_the_segment_is_aligned(align: int) -> None:
    raw = _note(b"GNU\0", 5, b"12345", align) + _note(b"odd\0\0", 1, b"678", align)
    found = _read(raw, (0, len(raw), align))
    assert found == (Note("GNU", 5, b"12345"), Note("odd", 1, b"678"))


def test_a_segment_listed_twice_is_read_once() -> None:
    raw = _note(b"GNU\0", 3, b"\xab\xcd")
    found = _read(raw, (0, len(raw), 4), (0, len(raw), 4), (0, 0, 4))
    assert build_id(found) == "abcd"
    assert len(found) == 1


def test_a_note_that_leads_out_of_its_segment_ends_the_segment() -> None:
    raw = _note(b"GNU\0", 3, b"\xab") + struct.pack("<III", 4, 0xFFFFFFFF, 3)
    assert len(_read(raw, (0, len(raw), 4))) == 1


def test_a_segment_outside_of_the_file_is_an_error() -> None:
    with pytest.raises(ElfFormatError, match=r"PT_NOTE at offset 0x0: 99 bytes wanted"):
        _read(b"", (0, 99, 4))


def test_megabytes_of_notes_are_refused_together() -> None:
    """Segments may overlap: each alone is small enough."""
    raw = bytes(3 << 20)
    with pytest.raises(ElfFormatError, match=r"more than 4194304 bytes of notes"):
        _read(raw, (0, 3 << 20, 4), (1, (3 << 20) - 1, 4))


def test_properties_cut_short_are_left_out() -> None:
    data = struct.pack("<IIQ", 1, 8, 7) + struct.pack("<II", 2, 99)
    assert properties(LAYOUT, [Note("GNU", 5, data)]) == ((1, struct.pack("<Q", 7)),)


def test_dlopen_fields_have_defaults() -> None:
    entries = [
        {"soname": ["a.so", 1, "b.so"], "feature": "f", "description": "d", "priority": "required"},
        {"soname": ["c.so"], "feature": 1},
        {"soname": "no list"},
        "no object",
    ]
    notes = [Note("FDO", DLOPEN, json.dumps(entries).encode() + b"\0")]
    assert dlopen_notes(notes) == (
        DlopenNote(("a.so", "b.so"), "f", "d", "required"),
        DlopenNote(("c.so",), None, None, "recommended"),
    )


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 100_000, b"[1", b"1" * 5000])
def test_what_is_no_such_json_is_passed_over(data: bytes) -> None:
    assert dlopen_notes([Note("FDO", DLOPEN, data), Note("GNU", DLOPEN, b"[]")]) == ()
