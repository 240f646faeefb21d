"""What is compared with what: roots of file systems, directories of wheels, two versions in one."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import elfaudit
from elfaudit import Aspect, BuildChange, ChangeSeverity, Difference
from elfaudit.api.compared_builds import open_build, paired_keys
from tests.oracle.workshop import LOADER, Workshop

BREAKING, NOTABLE, HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)


def wheel(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    """A wheel with METADATA, of a file name as ``demo-1.0-py3-none-any``."""
    project, version, *_ = name.split("-")
    path = folder / f"{name}.whl"
    folder.mkdir(exist_ok=True)
    text = f"Name: {project}\nVersion: {version}\n".encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for member, content in {
            f"{project}-{version}.dist-info/METADATA": text,
            f"{project}-{version}.dist-info/WHEEL": b"Tag: py3-none-linux_x86_64\n",
            **members,
        }.items():
            out.writestr(member, content)
    return path


def messages(found: Difference) -> list[str]:
    return [change.message for change in found.changes]


def of(found: Difference, aspect: Aspect) -> list[BuildChange]:
    return [change for _, change in found.every() if change.aspect is aspect]


@pytest.fixture
def roots(workshop: Workshop, tmp_path: Path) -> tuple[Path, Path]:
    """Two file systems with a loader each; the second one lacks a library that another needs."""
    for root in ("old", "new"):
        library = workshop.library(f"{root}/usr/lib/libq.so.1", "int q(void) { return 0; }")
        workshop.library(
            f"{root}/usr/lib/libuser.so", "int q(void); int u(void) { return q(); }",
            needed=[library], flags=["-Wl,-z,now"],
        )  # fmt: skip
        (tmp_path / root / "etc").mkdir()
        (tmp_path / root / "lib64").mkdir()
        shutil.copy(LOADER, tmp_path / f"{root}/lib64")
        os.symlink("/usr/lib/libq.so.1", tmp_path / f"{root}/usr/lib/libq.so")
    (tmp_path / "new/usr/lib/libq.so.1").unlink()
    return tmp_path / "old", tmp_path / "new"


@pytest.mark.oracle
def test_each_root_is_that_of_its_own_files(roots: tuple[Path, Path], host: Path) -> None:
    said = []
    for root in roots:
        libraries = str(root / "usr/lib")
        done = subprocess.run(
            [LOADER, "--inhibit-cache", "--library-path", libraries, host,
             f"{libraries}/libuser.so"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said.append(done.stdout + done.stderr)
    assert "libq.so.1: cannot open shared object file" not in said[0]
    assert "libq.so.1: cannot open shared object file" in said[1]
    found = elfaudit.diff(*map(str, roots))
    (verdict,) = of(found, Aspect.VERDICT)
    assert verdict.severity is BREAKING
    assert verdict.message.startswith("LOADS before, FAILS now: libq.so.1: cannot open shared")
    (link,) = of(found, Aspect.LINK_REMOVED)  # absolute, and so one of the root
    assert [item.name for item in link.items] == ["usr/lib/libq.so"]
    assert link.severity is NOTABLE  # that its library is gone is what is breaking


def test_the_roots_can_be_said(roots: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = roots
    for side, root in (("a", old), ("b", new)):
        (tmp_path / side).mkdir()
        shutil.copy(root / "usr/lib/libuser.so", tmp_path / side)
    sides = str(tmp_path / "a"), str(tmp_path / "b")
    assert elfaudit.diff(*sides, root=str(old)).is_empty
    assert elfaudit.diff(*sides, old_root=str(old), new_root=str(old)).is_empty
    found = elfaudit.diff(*sides, old_root=str(old), new_root=str(new))
    (verdict,) = of(found, Aspect.VERDICT)
    assert verdict.message.startswith("LOADS before, FAILS now")


def test_a_directory_of_wheels_stands_for_them(workshop: Workshop, tmp_path: Path) -> None:
    library = workshop.library("build/libx.so", "int f(void) { return 1; }").read_bytes()
    less = workshop.library("less/libx.so").read_bytes()
    for folder, version, content in (("old", "1.0", library), ("new", "1.1", less)):
        wheel(tmp_path / folder, f"demo-{version}-py3-none-any", {"demo/libx.so": content})
        for python in ("cp311", "cp312"):
            name = f"other-{version}-{python}-{python}-linux_x86_64"
            wheel(tmp_path / folder, name, {f"_{python}.py": version.encode()})
    found = elfaudit.diff(str(tmp_path / "old"), str(tmp_path / "new"))
    (row,) = found.files
    assert row.name == "demo::demo/libx.so"
    assert row.severity is BREAKING
    assert [change.aspect for change in row.changes] == [Aspect.EXPORTS_LOST]
    assert messages(found) == [
        "demo is of version 1.1 (before 1.0)",
        "other is of version 1.1 (before 1.0)",
        "other is of version 1.1 (before 1.0)",
    ]
    changed = {each.path for each in found.others.changed}
    assert "other-cp311-cp311-linux_x86_64::_cp311.py" in changed
    single = elfaudit.diff(str(tmp_path / "old"), str(tmp_path / "old"))
    assert single.is_empty


def test_one_wheel_in_a_directory_is_that_wheel(tmp_path: Path) -> None:
    alone = wheel(tmp_path / "old", "demo-1.0-py3-none-any", {"demo.py": b"a = 1"})
    again = wheel(tmp_path / "new", "demo-1.0-py3-none-any", {"demo.py": b"b = 1"})
    for old, new in ((alone.parent, again), (alone, again.parent), (alone.parent, again.parent)):
        found = elfaudit.diff(str(old), str(new))
        assert [c.items[0].name for c in of(found, Aspect.NAMES_LOST)] == ["demo.a"]


def test_two_versions_of_one_distribution_are_told_apart(tmp_path: Path) -> None:
    """One was left behind by an installer that did not know of it."""
    for side, versions in (("old", ("1.0", "1.1")), ("new", ("1.0",))):
        for version in versions:
            directory = tmp_path / side / f"demo-{version}.dist-info"
            directory.mkdir(parents=True)
            (directory / "METADATA").write_text(f"Name: demo\nVersion: {version}\n")
            (directory / "top_level.txt").write_text("demo")
    found = elfaudit.diff(str(tmp_path / "old"), str(tmp_path / "new"))
    assert messages(found) == ["demo 1.1 is not there any more"]
    assert not found.others.changed
    assert {each.path for each in found.others.removed} == {
        "demo-1.1.dist-info/METADATA",
        "demo-1.1.dist-info/top_level.txt",
    }


def test_what_a_wheel_installs_beside_its_modules_is_the_same_file(tmp_path: Path) -> None:
    packed = wheel(tmp_path, "demo-1.0-py3-none-any", {"demo-1.0.data/platlib/demo/a.py": b"x = 1"})
    (tmp_path / "site/demo").mkdir(parents=True)
    (tmp_path / "site/demo/a.py").write_text("x = 1")
    keys = paired_keys(open_build(str(packed)), open_build(str(tmp_path / "site")))
    assert "demo/a.py" in keys[0].keys() & keys[1].keys()


def test_the_tags_of_the_file_name_are_those_that_pip_reads(tmp_path: Path) -> None:
    old = wheel(tmp_path, "demo-1.0-cp38-abi3-manylinux1_x86_64", {})
    new = wheel(tmp_path, "demo-1.1-cp38-abi3-manylinux_2_31_x86_64", {})
    (tags,) = of(elfaudit.diff(str(old), str(new)), Aspect.TAGS)
    assert tags.severity is NOTABLE
    assert tags.message == (
        "demo has the tags cp38-abi3-manylinux_2_31_x86_64 in its file name "
        "(before cp38-abi3-manylinux1_x86_64)"
    )


def test_a_command_that_is_not_installed_any_more(tmp_path: Path) -> None:
    points = {"demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ntool = demo:main\n"}
    old = wheel(tmp_path / "old", "demo-1.0-py3-none-any", points)
    new = wheel(tmp_path / "new", "demo-1.0-py3-none-any", {})
    (change,) = of(elfaudit.diff(str(old), str(new)), Aspect.ENTRY_POINTS)
    assert change.severity is BREAKING
    assert change.message == "demo does not install the command tool any more"


@pytest.mark.parametrize("kind", ["program", "script"])
def test_what_may_not_be_run_any_more(workshop: Workshop, tmp_path: Path, kind: str) -> None:
    for side, mode in (("old", 0o755), ("new", 0o644)):
        if kind == "program":
            file = workshop.program(f"{side}/tool", "int main(void) { return 0; }")
        else:
            (tmp_path / side).mkdir()
            file = tmp_path / side / "tool"
            file.write_text("#!/bin/sh\n")
        shutil.copy(file, tmp_path / side / "libx.so")  # nobody runs it
        for name in ("tool", "libx.so"):
            (tmp_path / side / name).chmod(mode)
    with pytest.raises(PermissionError):
        subprocess.run([tmp_path / "new/tool"], check=False)
    found = elfaudit.diff(str(tmp_path / "old"), str(tmp_path / "new"))
    (change,) = of(found, Aspect.EXECUTABLE_BIT)
    assert change.severity is BREAKING
    assert elfaudit.diff(str(tmp_path / "new"), str(tmp_path / "old")).is_empty


def test_an_archive_that_is_not_looked_into_is_named(tmp_path: Path) -> None:
    for name in ("a.tar.gz", "b.tar.gz"):
        (tmp_path / name).write_bytes(b"\x1f\x8b" + name.encode())
    with pytest.raises(elfaudit.RequestError, match=r"unpack it first: tar -xf .*a\.tar\.gz"):
        elfaudit.diff(str(tmp_path / "a.tar.gz"), str(tmp_path / "b.tar.gz"))
