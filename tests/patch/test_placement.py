"""Where what has grown is put: each way there is, by a file that has no other, and loaded."""

from __future__ import annotations

import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from elfaudit.elf import SegmentType
from elfaudit.patch.edits import AddNeeded, PatchEdit, SetRunpath, SetSoname
from elfaudit.patch.pages import largest_page
from tests.elf import judge

from .loading import loaded, needs_x86_64
from .outside import facts, said
from .patching import copied, every_dynamic_fixture, image_of, patched, undone

_ONE: list[PatchEdit] = [AddNeeded("libnew0.so")]
_NINE: list[PatchEdit] = [AddNeeded(f"libnew{n}.so") for n in range(9)]
_ZEROS = "in the zero bytes behind a read-only segment"
_PHDR = "a new segment, for the PT_PHDR that only programs need"
_EVICTED = "a new segment; what stood behind the program headers is in it"
_LAST = "the last segment is extended"
_EMPTY = "a segment, which held nothing else, is put at the end of the file"
_TABLE = "a new segment, with the program headers in it"
_NULL = "a new segment, for an unused program header"
_GAP = "a new segment, its program header behind the others"
_RELRO = "the dynamic section is not made read-only after relocation any more"

_WAYS = [
    ("linkers/bfd/libdemo.so", _ONE, (_ZEROS,)),
    ("linkers/lld/libdemo.so", _ONE, (_PHDR, _RELRO)),
    ("linkers/mold/libdemo.so", _ONE, (_PHDR,)),
    ("linkers/bfd/libdemo.so", _NINE, (_EVICTED, _RELRO)),
    ("shapes/libdemo-now.so", _NINE, (_EVICTED, _RELRO)),
    ("shapes/libdemo-nosections.so", _NINE, (_TABLE, _RELRO)),
    ("shapes/libdemo-nosections.so", _ONE, (_LAST,)),
    ("shapes/libimports-nosections.so", _ONE, (_LAST,)),
    ("shapes/libempty.so", _NINE, (_EMPTY,)),
]


def _neighbours(directory: Path, dependency: str) -> None:
    """What a file asks for, and what is added to it."""
    copied(dependency, directory, "libdep.so.1")
    for number in range(9):
        copied("shapes/libempty.so", directory, f"libnew{number}.so")
        patched(directory / f"libnew{number}.so", SetSoname(f"libnew{number}.so"))


@needs_x86_64
@pytest.mark.parametrize(("name", "edits", "how"), _WAYS)
def test_each_way_loads(
    name: str, edits: list[PatchEdit], how: tuple[str, ...], tmp_path: Path
) -> None:
    dependency = "shapes/libdep.so.1" if name.startswith("shapes") else f"{Path(name).parent}/"
    dependency = dependency.removesuffix("/")
    dependency = dependency if dependency.endswith(".so.1") else f"{dependency}/libdep.so.1"
    _neighbours(tmp_path, dependency)
    path = copied(name, tmp_path, "libsubject.so")
    first = path.read_bytes()
    plan = patched(path, *edits, SetRunpath("$ORIGIN"))
    assert plan.how == how
    expected = {edit.name for edit in edits if isinstance(edit, AddNeeded)}
    assert expected <= loaded(path)
    _strip_and_load(path, expected)
    undone(path)
    assert path.read_bytes() == first


def _strip_and_load(path: Path, expected: set[str]) -> None:
    strip, stripped = shutil.which("strip"), path.parent / "libstripped.so"
    if strip is None or "nosections" in str(path):
        return
    done = subprocess.run([strip, "-o", stripped, path], capture_output=True, check=False)
    if done.returncode == 0:
        assert expected <= loaded(stripped)


def _with(path: Path, offset: int, fields: str, *values: int) -> None:
    raw = bytearray(path.read_bytes())
    struct.pack_into(f"<{fields}", raw, offset, *values)
    path.write_bytes(raw)


@needs_x86_64
def test_an_unused_program_header(tmp_path: Path) -> None:
    """PT_GNU_EH_FRAME or the like made PT_NULL: nobody needs it here."""
    _neighbours(tmp_path, "linkers/bfd/libdep.so.1")
    path = copied("linkers/bfd/libdemo.so", tmp_path, "libsubject.so")
    image = image_of(path)
    stack = next(n for n, each in enumerate(image.segments) if each.type == SegmentType.NOTE)
    _with(path, image.header.segment_offset + 56 * stack, "I", SegmentType.NULL)
    first = path.read_bytes()
    plan = patched(path, *_NINE, SetRunpath("$ORIGIN"))
    assert _NULL in plan.how
    with judge.opened(path) as elf:
        assert not list(elf.iter_segments("PT_NULL"))
    assert {f"libnew{n}.so" for n in range(9)} <= loaded(path)
    undone(path)
    assert path.read_bytes() == first


@needs_x86_64
def test_a_gap_behind_the_program_headers(tmp_path: Path) -> None:
    """One entry fewer than there is room for: the note's header taken off the end of the table."""
    _neighbours(tmp_path, "linkers/bfd/libdep.so.1")
    path = copied("linkers/bfd/libdemo.so", tmp_path, "libsubject.so")
    image = image_of(path)
    rows = [each for each in image.segments if each.type != SegmentType.NOTE]
    assert len(rows) < len(image.segments)
    data = bytearray(path.read_bytes())
    table = image.header.segment_offset
    kept = [
        bytes(data[table + 56 * n : table + 56 * (n + 1)])
        for n, each in enumerate(image.segments)
        if each.type != SegmentType.NOTE
    ]
    data[table : table + 56 * len(image.segments)] = b"".join(kept).ljust(
        56 * len(image.segments), b"\0"
    )
    struct.pack_into("<H", data, 56, len(kept))
    path.write_bytes(data)
    plan = patched(path, *_NINE, SetRunpath("$ORIGIN"))
    assert _GAP in plan.how
    assert {f"libnew{n}.so" for n in range(9)} <= loaded(path)
    undone(path)
    assert path.read_bytes() == data


def _segments(elf: Any, kind: str) -> list[Any]:
    return [each.header for each in elf.iter_segments(kind)]


@every_dynamic_fixture
@pytest.mark.parametrize("edits", [_ONE, _NINE], ids=["one", "nine"])
def test_rules_of_program_headers(name: str, edits: list[PatchEdit], tmp_path: Path) -> None:
    """What glibc, musl, bionic and the kernel ask, as pyelftools has the tables."""
    path = copied(name, tmp_path)
    machine, before = image_of(path).header.machine, facts(path)
    with judge.opened(path) as elf:
        old = _segments(elf, "PT_LOAD")
        end = max(each.p_vaddr + each.p_memsz for each in old)
    patched(path, *edits)
    assert facts(path) == before
    with judge.opened(path) as elf:
        loads = _segments(elf, "PT_LOAD")
        for one, other in pairwise(loads):
            assert one.p_vaddr + one.p_memsz <= other.p_vaddr
        for each in loads:
            assert (each.p_vaddr - each.p_offset) % max(each.p_align, 1) == 0
            assert each.p_offset + each.p_filesz <= path.stat().st_size
        for each in loads:
            if each.p_vaddr >= end:
                assert each.p_flags in {4, 6}
                assert each.p_align >= largest_page(machine)
                pages = {load.p_vaddr // each.p_align for load in loads if load is not each}
                ends = {(e.p_vaddr + e.p_memsz - 1) // each.p_align for e in loads if e is not each}
                assert each.p_vaddr // each.p_align not in pages | ends
        for each in _segments(elf, "PT_PHDR"):
            assert each.p_offset == elf["e_phoff"]
            assert each.p_vaddr - loads[0].p_vaddr == elf["e_phoff"] - loads[0].p_offset
            assert each.p_filesz >= elf["e_phnum"] * elf["e_phentsize"]
        (dynamic,) = _segments(elf, "PT_DYNAMIC")
        section = elf.get_section_by_name(".dynamic")
        if section is not None:
            assert (section["sh_offset"], section["sh_addr"], section["sh_size"]) == (
                dynamic.p_offset, dynamic.p_vaddr, dynamic.p_filesz,
            )  # fmt: skip
        # Addresses of sections, and what the dynamic section says, are those of the segments.
        for each in elf.iter_sections():
            if each["sh_flags"] & 2 and each["sh_type"] != "SHT_NOBITS" and each["sh_size"]:
                assert list(elf.address_offsets(each["sh_addr"], 1))[:1] == [each["sh_offset"]]
    assert len(said(path).needed) == len(edits) + len(said(copied(name, tmp_path, "o")).needed)


@every_dynamic_fixture
def test_symbols_of_what_moved_go_along(name: str, tmp_path: Path) -> None:
    """``_DYNAMIC``, and the symbols of sections, have the addresses of their sections."""
    path = copied(name, tmp_path)
    with judge.opened(path) as elf:
        before = _symbols(elf)
    patched(path, *_NINE)
    with judge.opened(path) as elf:
        after = _symbols(elf)
        dynamic = next(iter(elf.iter_segments("PT_DYNAMIC")))["p_vaddr"]
    assert after.keys() == before.keys()
    for key, (value, base) in after.items():
        old_value, old_base = before[key]
        assert value - base == old_value - old_base, key
        if key[1] == "_DYNAMIC":
            assert value == dynamic


def _symbols(elf: Any) -> dict[tuple[int, str], tuple[int, int]]:
    """Number and name of each symbol to its value and the address of its section."""
    found = {}
    for table in (".symtab", ".dynsym"):
        section = elf.get_section_by_name(table)
        for number, symbol in enumerate(section.iter_symbols() if section else ()):
            index = symbol["st_shndx"]
            base = elf.get_section(index)["sh_addr"] if isinstance(index, int) else 0
            if symbol["st_info"]["type"] == "STT_TLS" or not isinstance(index, int):
                base = 0 if symbol.name != "_DYNAMIC" else symbol["st_value"]
            found[number + (1 << 20) * (table == ".dynsym"), symbol.name] = (
                symbol["st_value"], base,
            )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("machine", "page"),
    [(62, 0x1000), (3, 0x1000), (183, 0x10000), (40, 0x10000), (21, 0x10000), (8, 0x10000),
     (43, 0x100000), (22, 0x1000), (243, 0x1000), (258, 0x10000), (9999, 0x10000)],
)  # fmt: skip
def test_pages(machine: int, page: int) -> None:
    assert largest_page(machine) == page
