"""Damaged and hostile files: one clear refusal, or a patch that can be undone; nothing else."""

from __future__ import annotations

import random
import shutil
import struct
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from elfaudit.elf import SegmentType
from elfaudit.errors import ElfAuditError, PatchError
from elfaudit.patch.edits import (
    AddNeeded,
    ClearExecstack,
    PatchEdit,
    RemoveRunpath,
    ReplaceNeeded,
    SetRunpath,
    SetSoname,
)
from elfaudit.patch.image import Image
from tests.elf.forge import strings_and_symbols, symbol

from .patching import (
    BIG_ENDIAN,
    DYNAMIC,
    X86,
    copied,
    image_of,
    nothing_is_left_over,
    patched,
    undone,
)

_EDITS: list[list[PatchEdit]] = [
    [AddNeeded("libfuzz.so.1")],
    [SetRunpath("/a/b")],
    [AddNeeded(f"lib{n}.so") for n in range(9)],
    [SetSoname("other.so"), ClearExecstack()],
    [RemoveRunpath()],
    [ReplaceNeeded("libdep.so.1", "q.so")],
]
_EXTREMES = (
    *(0, 1, 2, 7, 8, 0xFF, 0x1000, 0x7FFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40),
    *(2**60, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1),
)


_LETTERS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _regions(image: Image) -> list[tuple[int, int]]:
    """Where a file says how it is made up."""
    header, bits = image.header, image.layout.bits
    found = [
        (0, 64 if bits == 64 else 52),
        (header.segment_offset, header.segment_size * len(image.segments)),
        (image.dynamic.offset, image.dynamic.file_size),
    ]
    if image.sections:
        found.append((header.section_offset, len(image.sections) * (64 if bits == 64 else 40)))
    notes_and_versions = (7, 0x6FFFFFFE)
    found += [(s.offset, s.size) for s in image.sections if s.type in notes_and_versions]
    return found


def _damaged(data: bytes, regions: list[tuple[int, int]], dice: random.Random) -> bytes:
    raw = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        begin, length = dice.choice(regions)
        width = dice.choice((1, 2, 4, 8))
        at = begin + dice.randrange(length) // width * width
        if dice.random() < 0.4:
            raw[at] ^= 1 << dice.randrange(8)
        elif at + width <= len(raw):
            value = dice.choice((*_EXTREMES, len(raw), len(raw) - 8, dice.getrandbits(64)))
            order = dice.choice(("<", ">"))
            struct.pack_into(f"{order}{_LETTERS[width]}", raw, at, value % (1 << 8 * width))
    return bytes(raw)


def _tried(path: Path, edits: list[PatchEdit]) -> bool:
    """Patch a file and take it back, or see it refused properly; whether it was patched."""
    before = path.read_bytes()
    try:
        plan = patched(path, *edits)
    except ElfAuditError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        assert path.read_bytes() == before
        return False
    finally:
        assert nothing_is_left_over(path.parent)
    if plan.is_needed:
        undone(path)
    assert path.read_bytes() == before
    return plan.is_needed


@pytest.mark.parametrize("seed", range(4))
def test_damaged_tables(seed: int, tmp_path: Path) -> None:
    dice = random.Random(f"damage {seed}")
    path = tmp_path / "file.so"
    known = {}
    for name in DYNAMIC:
        shutil.copy(copied(name, tmp_path), path)
        known[name] = path.read_bytes(), _regions(image_of(path))
    found: Counter[bool] = Counter()
    for _ in range(700):
        data, regions = known[dice.choice(DYNAMIC)]
        path.write_bytes(_damaged(data, regions, dice))
        found[_tried(path, dice.choice(_EDITS))] += 1
    assert min(found[True], found[False]) > 150


@pytest.mark.parametrize("name", [X86, BIG_ENDIAN, "shapes/libdemo-nosections.so"])
def test_truncated(name: str, tmp_path: Path) -> None:
    """Every table, the sections' names and the end included, has its place in the file."""
    path = copied(name, tmp_path)
    data = path.read_bytes()
    for size in range(0, len(data), 64):
        path.write_bytes(data[:size])
        assert not _tried(path, [AddNeeded("libnew.so")]), size


@pytest.mark.parametrize("name", [X86, "linkers/lld/libdemo.so", BIG_ENDIAN])
def test_truncated_with_its_way_back(name: str, tmp_path: Path) -> None:
    """Half a download of a file that was patched: what is patched then can be undone, too."""
    path = copied(name, tmp_path)
    patched(path, AddNeeded("libnew.so"))
    data = path.read_bytes()
    for size in range(len(data) - 1, 0, -61):
        path.write_bytes(data[:size])
        _tried(path, [AddNeeded("libmore.so")])


def _with(data: bytes, offset: int, fields: str, *values: int) -> bytes:
    raw = bytearray(data)
    struct.pack_into(f"<{fields}", raw, offset, *values)
    return bytes(raw)


def _header_of(image: Image, kind: int, number: int = 0) -> int:
    """File offset of a program header."""
    found = [n for n, each in enumerate(image.segments) if each.type == kind]
    return image.header.segment_offset + found[number] * image.header.segment_size


def _refused(path: Path, data: bytes, problem: str) -> None:
    path.write_bytes(data)
    with pytest.raises(ElfAuditError, match=problem) as caught:
        patched(path, AddNeeded("libnew.so"))
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == data
    assert sorted(path.parent.iterdir()) == [path]


def test_segments_that_lie_over_each_other(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    image, data = image_of(path), path.read_bytes()
    first = _header_of(image, SegmentType.LOAD)
    _refused(path, _with(data, first + 40, "Q", 1 << 30), "the segments at 0x0 and .* overlap or")


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (8, 0x10, "offset and address of the segment at 0x10 do not agree"),
        (32, 1 << 40, "has more bytes in the file than in memory"),
        (40, 2**64 - 1, "ends behind the end of memory"),
        (48, 3, "has the alignment 0x3"),
    ],
)
def test_segments_that_no_loader_takes(
    field: int, value: int, problem: str, tmp_path: Path
) -> None:
    path = copied(X86, tmp_path)
    image, data = image_of(path), path.read_bytes()
    place = _header_of(image, SegmentType.LOAD, len(image.loads) - 1) + field
    _refused(path, _with(data, place, "Q", value), f"is not changed: .*{problem}")


def test_a_segment_behind_the_end_of_the_file(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    image, data = image_of(path), path.read_bytes()
    last = image.loads[-1]
    place = _header_of(image, SegmentType.LOAD, len(image.loads) - 1)
    size = len(data) - last.offset + 1
    _refused(path, _with(data, place + 32, "2Q", size, size), "ends behind the end of the file")


def test_no_dynamic_segment(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    image, data = image_of(path), path.read_bytes()
    place = _header_of(image, SegmentType.DYNAMIC)
    _refused(path, _with(data, place, "I", 0), "PT_DYNAMIC .* has no dynamic section to change")
    _refused(path, _with(data, place + 32, "Q", 0), "has no dynamic section to change")
    _refused(path, _with(data, place + 16, "Q", 8), "PT_DYNAMIC is not where the segments have")
    other = _header_of(image, SegmentType.NOTE)
    _refused(path, _with(data, other, "I", SegmentType.DYNAMIC), "PT_DYNAMIC .* several of them")


def _row_of(image: Image, tag: int) -> int:
    number = next(n for n, each in enumerate(image.rows) if each.tag == tag)
    return image.dynamic.offset + 16 * number


@pytest.mark.parametrize(
    ("tag", "row", "problem"),
    [
        (5, (21, 0), "DT_STRTAB .* is not there"),
        (10, (21, 0), "DT_STRTAB .* is not there"),
        (5, (5, 1 << 50), "DT_STRTAB .* lie in no segment of the file"),
        (10, (10, 2**64 - 1), "DT_STRTAB .* lie in no segment of the file"),
        (10, (10, 1), "no string at"),
        (6, (21, 0), "DT_SYMTAB stands 0 times in the dynamic section"),
        (14, (6, 0), "DT_SYMTAB stands 2 times in the dynamic section"),
        (1, (1, 1 << 40), "no string at 0x10000000000 in it"),
    ],
)
def test_entries_that_lie(tag: int, row: tuple[int, int], problem: str, tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    image, data = image_of(path), path.read_bytes()
    _refused(path, _with(data, _row_of(image, tag), "2Q", *row), problem)


def test_strings_without_an_end(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    image, data = image_of(path), path.read_bytes()
    size = len(image.strings) - 1
    _refused(path, _with(data, _row_of(image, 10) + 8, "Q", size), "DT_STRTAB does not end with")


def test_sections_that_say_otherwise(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    image, data = image_of(path), path.read_bytes()
    number = next(each.index for each in image.sections if each.type == 6)
    place = image.header.section_offset + 64 * number
    _refused(path, _with(data, place + 24, "Q", 0x40), "do not agree where the dynamic section is")
    _refused(path, _with(data, 58, "H", 63), "e_shentsize .* a section header has 64 bytes")
    _refused(path, _with(data, 60, "H", 0xFFF0), "e_shoff .* the file ends at")


def test_more_sections_than_any_file_has(tmp_path: Path) -> None:
    """Their number in section 0, as where there are more than 65,279; the file has holes."""
    path = copied(X86, tmp_path)
    image, data = image_of(path), path.read_bytes()
    data = _with(data, image.header.section_offset + 32, "Q", 1 << 50)
    _refused(path, _with(data, 60, "H", 0), "sections are more than any real file has")


def test_no_room_and_no_way(tmp_path: Path) -> None:
    """The program headers stand in front of code; the last segment does not end with the file."""
    path = tmp_path / "libfull.so"
    data = strings_and_symbols(b"\0name\0", [symbol(1)])
    with_sections = _with(data + bytes(128), 40, "Q", len(data))
    with_sections = _with(with_sections, 58, "3H", 64, 2, 0)
    # A section of code begins where the table ends.
    image_end = 64 + 56 * 2
    code = struct.pack("<2I4Q2I2Q", 0, 1, 6, image_end, image_end, 8, 0, 0, 8, 0)
    with_sections = with_sections[: len(data) + 64] + code
    path.write_bytes(with_sections)
    _refused(path, with_sections, "has no room for another program header")


def _claims(path: Path) -> Iterator[tuple[str, bytes]]:
    image, data = image_of(path), path.read_bytes()
    yield "DT_STRSZ", _with(data, _row_of(image, 10) + 8, "Q", 2**63)
    yield "p_filesz", _with(data, _header_of(image, SegmentType.DYNAMIC) + 32, "Q", 2**62)
    yield "e_phnum", _with(data, 56, "H", 0xFFFE)
    yield "e_shnum", _with(data, 60, "H", 0xFFFE)


def test_claims_cost_nothing(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    for what, data in list(_claims(path)):
        path.write_bytes(data)
        tracemalloc.start()
        try:
            with pytest.raises(ElfAuditError):
                patched(path, AddNeeded("libnew.so"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 << 20, what


def test_a_file_full_of_holes(tmp_path: Path) -> None:
    """All tables as long as a file of gigabytes lets them be: refused, not read into memory."""
    path = copied(X86, tmp_path)
    image = image_of(path)
    place, size = _header_of(image, SegmentType.DYNAMIC), 1 << 32
    data = _with(path.read_bytes(), place + 32, "2Q", size, size)
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(1 << 33)
    tracemalloc.start()
    try:
        with pytest.raises(ElfAuditError, match="more than any real table has"):
            patched(path, AddNeeded("libnew.so"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_an_alignment_of_terabytes(tmp_path: Path) -> None:
    """Of what stands behind the program headers and would be put elsewhere."""
    path = copied("machines/ppc64le/libdep.so.1", tmp_path)
    image, data = image_of(path), path.read_bytes()
    for section in image.sections:
        if section.type == 7:  # SHT_NOTE
            place = image.header.section_offset + 64 * section.index + 48
            data = _with(data, place, "Q", 1 << 62)
    path.write_bytes(data)
    edits: list[PatchEdit] = [AddNeeded(f"lib{n}.so") for n in range(9)]
    with pytest.raises(PatchError, match="has no room"):
        patched(path, *edits)
    assert path.read_bytes() == data
    assert sorted(tmp_path.iterdir()) == [path]
