"""Every fixture patched: readers that are not ours find what was asked, and all else as it was."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import NoteSection

from elfaudit.patch.edits import AddNeeded, PatchEdit, RemoveNeeded, SetRunpath, SetSoname
from elfaudit.patch.files import carry_out
from elfaudit.patch.planning import plan, plan_undo
from elfaudit.stream import FileStream
from tests.conftest import PREBUILT
from tests.elf import judge

ROOMS = ("machines", "linkers", "shapes")
NAMES = [
    name
    for name in judge.fixture_names()
    if name.split("/")[0] in ROOMS and not name.endswith((".o", "static-exe"))
]
every_library = pytest.mark.parametrize("name", NAMES)
EDITS: dict[str, PatchEdit] = {
    "NEEDED": AddNeeded("libadded_by_a_test.so.5"),
    "SONAME": SetSoname("libwith_another_name.so.4"),
    "RUNPATH": SetRunpath("$ORIGIN/somewhere:/else"),
}
every_edit = pytest.mark.parametrize("tag", EDITS)


def test_every_machine_and_linker_is_there() -> None:
    places = {name.rsplit("/", 1)[0] for name in NAMES}
    assert len([place for place in places if place.startswith("machines/")]) == 7
    assert len([place for place in places if place.startswith("linkers/")]) == 4


def _edited(source: Path, target: Path, *edits: PatchEdit) -> None:
    made = plan(FileStream(str(source)), source.name, edits)
    carry_out(made, str(source), str(target))


def _undone(source: Path, target: Path) -> None:
    carry_out(plan_undo(FileStream(str(source)), source.name), str(source), str(target))


@dataclass(frozen=True)
class Facts:
    """What pyelftools finds besides the dynamic section: by name, not by number or place."""

    symbols: list[tuple[Any, ...]]
    versions: list[tuple[Any, ...]]
    relocations: dict[str, int]
    notes: list[tuple[str, bytes]]
    sections: list[tuple[str, str, int]]
    segments: Counter[Any]
    contents: list[tuple[str, bytes]]


def _facts(path: Path) -> Facts:
    with judge.opened(path) as elf:
        (dynamic,) = elf.iter_segments("PT_DYNAMIC")
        sections = list(elf.iter_sections())
        relocations = {
            name: table.num_relocations()
            for name, table in dynamic.get_relocation_tables().items()
            if name != "RELR"
        }
        relocations |= {
            s.name: s.num_relocations() for s in sections if isinstance(s, RelocationSection)
        }
        return Facts(
            symbols=[row[:5] + row[6:] for row in judge.symbols(elf)],
            versions=[*judge.version_needs(elf), *judge.version_definitions(elf),
                      (judge.version_indices(elf),)],
            relocations=relocations,
            notes=[(s.name, s.data()) for s in sections if isinstance(s, NoteSection)],
            sections=[(s.name, s["sh_type"], s["sh_flags"]) for s in sections],
            segments=Counter(
                s["p_type"]
                for s in elf.iter_segments()
                if s["p_type"] not in ("PT_LOAD", "PT_PHDR", "PT_NULL")
            ),
            contents=[
                (s.name, s.data())
                for s in sections
                if s["sh_type"] in ("SHT_PROGBITS", "SHT_INIT_ARRAY", "SHT_FINI_ARRAY")
            ]
            + [
                ("code", s.data()[: s["p_memsz"]])
                for s in elf.iter_segments("PT_LOAD")
                if s["p_flags"] & 1 and s["p_offset"] and not sections
            ],
        )  # fmt: skip


# What says where a table is, and how long the strings are.
_PLACES = {
    "STRTAB", "STRSZ", "SYMTAB", "HASH", "GNU_HASH", "VERNEED", "VERSYM", "VERDEF",
}  # fmt: skip


def _entries(readelf: str, path: Path) -> list[tuple[str, str]]:
    """The dynamic section as GNU readelf prints it: (tag, value), of tables only the tag."""
    lines = judge.text(readelf, "-dW", path).splitlines()
    rows = [re.match(r"\s*0x[0-9a-f]+ \((\w+)\)\s+(.*)$", line) for line in lines]
    found = [(row[1], row[2].strip()) for row in rows if row is not None]
    assert found[-1][0] == "NULL"
    return [(tag, "" if tag in _PLACES else value) for tag, value in found if tag != "NULL"]


_SAID = {
    "NEEDED": "Shared library: [libadded_by_a_test.so.5]",
    "SONAME": "Library soname: [libwith_another_name.so.4]",
    "RUNPATH": "Library runpath: [$ORIGIN/somewhere:/else]",
}


def _expected(before: list[tuple[str, str]], tag: str) -> list[tuple[str, str]]:
    """What readelf is to print after an edit."""
    rows = list(before)
    tags = [each for each, _ in rows]
    if tag == "RUNPATH" and tag not in tags and "RPATH" in tags:
        rows[tags.index("RPATH")] = (tag, _SAID[tag])
    elif tag != "NEEDED" and tag in tags:
        rows[tags.index(tag)] = (tag, _SAID[tag])
    else:
        place = max((n + 1 for n, each in enumerate(tags) if each == "NEEDED"), default=0)
        rows.insert(place, (tag, _SAID[tag]))
    return rows


@every_library
@every_edit
def test_what_was_asked_and_nothing_else(name: str, tag: str, tmp_path: Path, readelf: str) -> None:
    source, patched, back = PREBUILT / name, tmp_path / "patched", tmp_path / "back"
    _edited(source, patched, EDITS[tag])
    assert _entries(readelf, patched) == _expected(_entries(readelf, source), tag)
    with judge.opened(source) as old, judge.opened(patched) as new:
        for each in ("NEEDED", "SONAME", "RUNPATH"):
            found = judge.dynamic_strings(new, f"DT_{each}")
            if each == tag:
                assert found[-1] == re.findall(r"\[(.*)\]", _SAID[tag])[0]
            else:
                assert found == judge.dynamic_strings(old, f"DT_{each}")
    assert _facts(patched) == _facts(source)
    _undone(patched, back)
    assert back.read_bytes() == source.read_bytes()


@every_library
def test_the_second_patch_adds_its_own_text_only(name: str, tmp_path: Path) -> None:
    """Neither the table of strings nor a segment is there once more for every patch."""
    source, one, other = PREBUILT / name, tmp_path / "one", tmp_path / "other"
    _edited(source, one, AddNeeded("libfirst.so.1"))
    sizes = [one.stat().st_size]
    for number in range(2, 9):
        _edited(one, other, AddNeeded(f"lib{number}.so.1"))
        other.replace(one)
        sizes.append(one.stat().st_size)
    # A text, an entry, what the journal keeps of both, and what aligns them. One of the patches
    # may find the last spare entry taken: the dynamic section is put elsewhere, once.
    *usual, _ = sorted(after - before for before, after in pairwise(sizes))
    assert usual[-1] <= len("lib2.so.1") + 1 + 2 * 16 + 16
    _edited(
        source, other, AddNeeded("libfirst.so.1"), *(AddNeeded(f"lib{n}.so.1") for n in range(2, 9))
    )
    assert one.read_bytes() == other.read_bytes()
    with judge.opened(PREBUILT / name) as elf:
        listed = judge.dynamic_strings(elf, "DT_NEEDED")
    with judge.opened(one) as elf:
        expected = [*listed, "libfirst.so.1", *(f"lib{number}.so.1" for number in range(2, 9))]
        assert judge.dynamic_strings(elf, "DT_NEEDED") == expected


@every_library
def test_removing_what_was_added_gives_the_file_back(name: str, tmp_path: Path) -> None:
    source, patched, back = PREBUILT / name, tmp_path / "patched", tmp_path / "back"
    _edited(source, patched, AddNeeded("libadded.so.1", first=True))
    assert patched.read_bytes() != source.read_bytes()
    _edited(patched, back, RemoveNeeded("libadded.so.1"))
    assert back.read_bytes() == source.read_bytes()


_LOADABLE = [
    name
    for name in NAMES
    if name.startswith(("machines/x86_64/", "linkers/", "shapes/")) and "/lib" in name
]
_OPEN = """
import ctypes, sys
ctypes.CDLL(sys.argv[1], mode=2)
print(open("/proc/self/maps").read())
"""


def _opened(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _OPEN, path], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(
    sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8, reason="loads x86_64 libraries"
)
@pytest.mark.parametrize("name", _LOADABLE)
def test_the_loader_loads_what_was_added(name: str, tmp_path: Path) -> None:
    """dlopen with RTLD_NOW, of a library that lists one more, and has another RUNPATH."""
    room = tmp_path / "room"
    shutil.copytree((PREBUILT / name).parent, room)
    path, added = room / Path(name).name, tmp_path / "added"
    if (before := _opened(path)).returncode:
        pytest.skip(f"does not load unpatched: {before.stderr.splitlines()[-1]}")
    added.mkdir()
    shutil.copy(PREBUILT / "shapes/libempty.so", added / "libadded_by_a_test.so.5")
    _edited(path, path, EDITS["NEEDED"], SetRunpath("$ORIGIN:$ORIGIN/../added"))
    after = _opened(path)
    assert after.returncode == 0, after.stderr
    assert str(added / "libadded_by_a_test.so.5") in after.stdout
    assert str(path) in after.stdout
