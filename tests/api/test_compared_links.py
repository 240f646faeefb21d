"""The names by which libraries are found, in two builds: a program that was linked with the old one
is run with both, and what it says is the truth."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from elfaudit import Aspect, ChangeSeverity
from elfaudit.api.differing import diff
from tests.oracle.workshop import Workshop

Setting = Callable[[Path, Path, Path], None]
FOO, OTHER = "int foo(void) { return 7; }", "int bar(void) { return 8; }"


def put(library: Path, folder: Path, name: str, *links: str) -> None:
    """A library under a name, and links to it."""
    folder.mkdir(exist_ok=True)
    shutil.copy(library, folder / name)
    for link in links:
        os.symlink(name, folder / link)


def retargeted(old: Path, good: Path, other: Path) -> None:
    for folder in (old, old.parent / "new"):
        put(good, folder, "libfoo.so.1.3")
        put(other, folder, "libfoo.so.1.2")
    os.symlink("libfoo.so.1.3", old / "libfoo.so.1")
    os.symlink("libfoo.so.1.2", old.parent / "new/libfoo.so.1")


def dangling(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1.3", "libfoo.so.1")
    put(good, old.parent / "new", "libfoo.so.1.3")
    os.symlink("libfoo.so.1.4", old.parent / "new/libfoo.so.1")


def unlinked(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1.3", "libfoo.so.1", "libfoo.so")
    put(good, old.parent / "new", "libfoo.so.1.3", "libfoo.so")


def renamed(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1", "libfoo.so")
    put(good, old.parent / "new", "libfoo.so.1.3", "libfoo.so")


def replaced_and_gone(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1.3", "libfoo.so.1")
    put(other, old, "libbar.so.2")
    put(other, old.parent / "new", "libbar.so.2", "libfoo.so.1")


def another_version(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1.3", "libfoo.so.1")
    put(good, old.parent / "new", "libfoo.so.1.4", "libfoo.so.1")


def copy_is_link(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1")
    put(good, old, "libfoo.so")
    put(good, old.parent / "new", "libfoo.so.1", "libfoo.so")


def link_is_copy(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1.3", "libfoo.so.1")
    put(good, old.parent / "new", "libfoo.so.1")


def in_linked_folder(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1")
    new = old.parent / "new"
    new.mkdir()
    put(good, new / "real", "libfoo.so.1")
    os.symlink("real/libfoo.so.1", new / "libfoo.so.1")


def developers_link(old: Path, good: Path, other: Path) -> None:
    put(good, old, "libfoo.so.1", "libfoo.so")
    put(good, old.parent / "new", "libfoo.so.1")


@pytest.mark.oracle
@pytest.mark.parametrize(
    "setting",
    [
        retargeted, dangling, unlinked, renamed, replaced_and_gone, another_version, copy_is_link,
        link_is_copy, in_linked_folder, developers_link,
    ],
)  # fmt: skip
def test_what_is_breaking_breaks_a_program(
    workshop: Workshop, tmp_path: Path, setting: Setting
) -> None:
    good = workshop.library("build/libfoo.so.1", FOO)
    other = workshop.library("build/libother.so", OTHER, soname="libfoo.so.1")
    verdict, found = judged(workshop, tmp_path, good, other, setting)
    assert (found is ChangeSeverity.BREAKING) is not verdict


@pytest.mark.oracle
@pytest.mark.parametrize("kept", [True, False])
def test_without_soname_the_file_name_is_asked_for(
    workshop: Workshop, tmp_path: Path, *, kept: bool
) -> None:
    good = workshop.library("build/libfoo-1.2.so", FOO, soname="")

    def setting(old: Path, good: Path, other: Path) -> None:
        put(good, old, "libfoo-1.2.so")
        put(good, old.parent / "new", "libfoo-1.3.so", *(["libfoo-1.2.so"] if kept else []))

    works, found = judged(workshop, tmp_path, good, good, setting)
    assert works is kept
    assert (found is ChangeSeverity.BREAKING) is not kept


def judged(
    workshop: Workshop, tmp_path: Path, good: Path, other: Path, setting: Setting
) -> tuple[bool, ChangeSeverity | None]:
    """Whether a program of the old build runs with the new one, and what is said of the two."""
    code = "int foo(void); int main(void) { return foo() == 7 ? 0 : 1; }"
    flags = ["-Wl,-z,now", f"-L{good.parent}", f"-l:{good.name}"]
    program = workshop.program("prog", code, flags=flags)
    setting(tmp_path / "old", good, other)
    runs = [
        subprocess.run(
            [program], env={"LD_LIBRARY_PATH": str(tmp_path / side)}, check=False,
            capture_output=True,
        ).returncode == 0
        for side in ("old", "new")
    ]  # fmt: skip
    assert runs[0]
    return runs[1], diff(str(tmp_path / "old"), str(tmp_path / "new")).severity


def test_each_link_is_told_with_what_it_leads_to(workshop: Workshop, tmp_path: Path) -> None:
    retargeted(
        tmp_path / "old", workshop.library("build/libfoo.so.1", FOO),
        workshop.library("build/libother.so", OTHER, soname="libfoo.so.1"),
    )  # fmt: skip
    found = diff(str(tmp_path / "old"), str(tmp_path / "new"))
    (change,) = found.changes
    assert change.aspect is Aspect.LINK_CHANGED
    assert [(i.name, i.old, i.new) for i in change.items] == [
        ("libfoo.so.1", "libfoo.so.1.3", "libfoo.so.1.2")
    ]
    assert [file.name for file in found.files] == ["libfoo.so.1"]


def test_a_link_to_a_directory_is_missed(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder / "lib").mkdir(parents=True)
        (tmp_path / folder / "lib/a.txt").write_text("a")
    os.symlink("lib", tmp_path / "old/lib64")
    found = diff(str(tmp_path / "old"), str(tmp_path / "new"))
    assert [(c.aspect, c.items[0].name) for c in found.changes] == [(Aspect.LINK_REMOVED, "lib64")]


@pytest.mark.oracle
def test_a_link_alone_may_break_who_lists_its_name(workshop: Workshop, tmp_path: Path) -> None:
    """No file has changed, and yet the program does not start any more."""
    good = workshop.library("build/libfoo.so.1", FOO)
    flags = ["-Wl,-z,now", f"-L{good.parent}", f"-l:{good.name}"]
    code = "int foo(void); int main(void) { return foo() - 7; }"
    program = workshop.program("prog", code, runpath="$ORIGIN", flags=flags)
    unlinked(tmp_path / "old", good, good)
    for side in ("old", "new"):
        shutil.copy(program, tmp_path / side)
    real = subprocess.run([tmp_path / "new/prog"], capture_output=True, text=True, check=False)
    assert real.returncode == 127
    found = diff(str(tmp_path / "old"), str(tmp_path / "new"))
    (row,) = found.files
    assert row.name == "prog"
    told = row.changes[0].message.removeprefix("LOADS before, FAILS now: ")
    assert told in real.stderr
