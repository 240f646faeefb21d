"""The link map as a tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.report.rows import found_by
from elfaudit.report.style import Style
from elfaudit.report.tree import tree_report


def tree(target: Path | str, style: Style | None = None, **options: object) -> list[str]:
    resolution = resolve(str(target), **options)  # type: ignore[arg-type]
    return tree_report(resolution, style or Style(200)).splitlines()


def test_each_library_is_below_who_asked_for_it_first(story: Path) -> None:
    library = story / "variants/transitive/lib/libtorch_hip.so"
    lines = tree(library, root=None)
    below = [line.partition(" => ")[0].partition(" [")[0] for line in lines if "──" in line]
    assert below == [
        "├── libtorch_cpu.so",
        "│   └── libc10.so",
        "├── libc10.so",
        "└── librccl.so.1",
        "    └── librocm_smi64.so.1",
    ]


def test_what_is_missing_is_red(prebuilt: Path, tmp_path: Path) -> None:
    alone = tmp_path / "libdemo.so"
    shutil.copy(prebuilt / "shapes/libdemo-gnu.so", alone)
    lines = tree(alone, Style(200, colour=True), root=None)
    assert "└── \x1b[33mlibdep.so.1 => outside of what is audited\x1b[0m" in lines


def test_preloads_and_the_program_have_trees_of_their_own(prebuilt: Path, story: Path) -> None:
    shapes = prebuilt / "shapes"
    smi = story / "variants/repaired/lib/librocm_smi64.so.1"
    lines = tree(
        shapes / "libdemo-gnu.so",
        Style(200, verbose=True),
        host=str(shapes / "fixed-exe"),
        preload=[str(smi)],
    )
    assert any(line.startswith("host:  ") for line in lines)
    assert any(line.endswith("[LD_PRELOAD]") for line in lines)
    assert any("[already loaded with fixed-exe]" in line for line in lines)
    assert lines[-2].endswith("fixed-exe")


def test_rpath_is_named_as_the_reason(prebuilt: Path) -> None:
    lines = tree(prebuilt / "shapes/libdemo-rpath.so", root=None)
    assert lines[-1].endswith("[RPATH $ORIGIN of libdemo-rpath.so]")


def test_an_owner_is_left_out_whatever_the_directory_is_called(
    prebuilt: Path, tmp_path: Path
) -> None:
    place = tmp_path / "one of many"
    place.mkdir()
    for name in ("libdemo-gnu.so", "libdep.so.1"):
        shutil.copy(prebuilt / "shapes" / name, place)
    resolution = resolve(str(place / "libdemo-gnu.so"), root=None)
    entry = next(e for e in resolution.link_map.entries if e.name == "libdep.so.1")
    full = found_by(entry, resolution.link_map)
    short = found_by(entry, resolution.link_map, owned=False)
    assert full == f"{short} of libdemo-gnu.so"


def test_a_quiet_tree_is_for_problems(story: Path) -> None:
    good = story / "variants/repaired/lib/libtorch_hip.so"
    assert tree(good, Style(80, quiet=True), root=None) == []
    warned = story / "variants/twice/lib/libtorch_hip.so"
    assert not any("──" in line for line in tree(warned, Style(80, quiet=True), root=None))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_long_lines_give_up_the_owner_of_the_runpath(story: Path, width: int) -> None:
    lines = tree(story / "variants/repaired/lib/libtorch_hip.so", Style(width), root=None)
    assert any("libtorch_cpu.so => " in line and "[RUNPATH $ORIGIN" in line for line in lines)
