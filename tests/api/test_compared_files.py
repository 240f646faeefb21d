"""Files that are gone, have another name, or are something else now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import elfaudit
from elfaudit import Aspect, BuildChange, ChangeSeverity
from tests.oracle.workshop import Workshop

BREAKING, NOTABLE, HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)


def changes(old: Path, new: Path) -> dict[Aspect, BuildChange]:
    return {change.aspect: change for _, change in elfaudit.diff(str(old), str(new)).every()}


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Two directories that have one file in common."""
    for side in ("old", "new"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "same.txt").write_text("same")
    return tmp_path / "old", tmp_path / "new"


def test_what_no_loader_takes_is_no_loss(workshop: Workshop, sides: tuple[Path, Path]) -> None:
    tool = shutil.which("objcopy")
    if tool is None:
        pytest.skip("objcopy is not installed")
    library = workshop.library("libx.so", "int f(void) { return 1; }", flags=["-g"])
    source = workshop.directory / "x.c"
    source.write_text("int g(void) { return 1; }")
    subprocess.run(["gcc", "-c", "-o", sides[0] / "x.o", source], check=True)
    debug = sides[0] / "libx.so.debug"
    subprocess.run([tool, "--only-keep-debug", library, debug], check=True)
    found = elfaudit.diff(*map(str, sides))
    assert {file.name for file in found.files} == {"x.o", "libx.so.debug"}
    assert found.severity is HARMLESS
    shutil.copy(library, sides[0])
    assert elfaudit.diff(*map(str, sides)).severity is BREAKING


def test_an_extension_is_for_the_interpreters_of_its_name(
    workshop: Workshop, sides: tuple[Path, Path]
) -> None:
    """Of its own suffix CPython imports it, of another one it does not."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    if not str(suffix).startswith(".cpython-3"):
        pytest.skip(f"this Python's extensions are named {suffix}")
    other = str(suffix).replace("cpython-3", "cpython-39")
    code = "void *PyInit_m(void) { return 0; }"
    built = workshop.library("m.so", code, soname="")
    for name, severity, found in ((other, BREAKING, False), (".abi3.so", HARMLESS, True)):
        shutil.copy(built, sides[0] / f"m{suffix}")
        new = sides[1] / f"m{name}"
        shutil.copy(built, new)
        search = "import importlib.util as u, sys; sys.exit(u.find_spec('m') is None)"
        done = subprocess.run([sys.executable, "-c", search], cwd=sides[1], check=False)
        assert (done.returncode == 0) is found
        renamed = changes(*sides)[Aspect.FILE_RENAMED]
        assert renamed.severity is severity
        new.unlink()


def test_wheels_for_other_interpreters_are_no_loss(workshop: Workshop, tmp_path: Path) -> None:
    built = workshop.library("m.so", "void *PyInit_m(void) { return 0; }", soname="")
    wheels = []
    for tag in ("311", "312"):
        wheels.append(tmp_path / f"m-1.0-cp{tag}-cp{tag}-linux_x86_64.whl")
        with zipfile.ZipFile(wheels[-1], "w") as out:
            out.write(built, f"m.cpython-{tag}-x86_64-linux-gnu.so")
    assert changes(*wheels)[Aspect.FILE_RENAMED].severity is HARMLESS


def test_a_script_in_the_place_of_a_program(workshop: Workshop, sides: tuple[Path, Path]) -> None:
    workshop.program("old/tool", "int main(void) { return 0; }")
    (sides[1] / "tool").write_text("#!/bin/sh\n")
    found = changes(*sides)
    assert Aspect.UNREADABLE not in found
    assert found[Aspect.KIND].severity is NOTABLE
    assert found[Aspect.KIND].message.startswith("is now a script (before a position-independent")
    assert found[Aspect.EXECUTABLE_BIT].severity is BREAKING


def test_a_program_that_has_another_name(workshop: Workshop, sides: tuple[Path, Path]) -> None:
    built = workshop.program("old/tool3.11", "int main(void) { return 0; }")
    shutil.copy(built, sides[1] / "tool3.12")
    assert changes(*sides)[Aspect.FILE_RENAMED].severity is BREAKING
    (sides[1] / "tool3.11").symlink_to("tool3.12")
    assert Aspect.FILE_RENAMED not in changes(*sides)


def test_a_program_that_moved_and_may_be_run_no_more(
    workshop: Workshop, sides: tuple[Path, Path]
) -> None:
    built = workshop.program("old/tool", "int main(void) { return 0; }")
    moved = sides[1] / "bin/tool"
    moved.parent.mkdir()
    shutil.copy(built, moved)
    assert subprocess.run([moved], check=False).returncode == 0
    assert Aspect.EXECUTABLE_BIT not in changes(*sides)
    moved.chmod(0o644)
    assert not os.access(moved, os.X_OK)
    assert changes(*sides)[Aspect.EXECUTABLE_BIT].severity is BREAKING
    assert changes(*sides)[Aspect.FILE_RENAMED].severity is NOTABLE


def test_what_python_caches_is_not_compared(sides: tuple[Path, Path]) -> None:
    (sides[1] / "p/__pycache__").mkdir(parents=True)
    (sides[1] / "p/__pycache__/a.cpython-311.pyc").write_bytes(b"x")
    assert elfaudit.diff(*map(str, sides)).is_empty


def test_a_root_that_is_not_there_is_an_error_whatever_is_compared(
    sides: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(elfaudit.SourceError, match="is not a directory"):
        elfaudit.diff(*map(str, sides), root=str(tmp_path / "absent"))
