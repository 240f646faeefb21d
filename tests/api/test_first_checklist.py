"""The first checklist: what it was written from passes, what is damaged fails and is named."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus, Judgement, RequestError
from elfaudit.api.first_checklist import first_checklist
from tests.checklist.test_kinds import write

PASS, FAIL, SKIP = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.SKIP
MAP = "FOO_1.0 { global: foo_one; foo_two; local: *; };\nFOO_2.0 { global: foo_three; } FOO_1.0;\n"
SOURCE = (
    "int puts(char*); int foo_one(void){return puts(0);}"
    "int foo_two(void){return 2;} int foo_three(void){return 3;}"
)
HARD = ("-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack")


def gcc(folder: Path, name: str, source: str, *options: str) -> Path:
    """A shared library of a source."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-x", "none", "-o", str(target), *options]
    subprocess.run(command, input=source.encode(), check=True, cwd=folder)
    return target


def libfoo(
    folder: Path, source: str = SOURCE, versions: str = MAP, *, hard: tuple[str, ...] = HARD
) -> None:
    """``lib/libfoo.so.1.0``, with the link by which it is found."""
    (folder / "foo.map").write_text(versions)
    gcc(folder, "lib/libfoo.so.1.0", source, "-Wl,-soname,libfoo.so.1",
        f"-Wl,--version-script={folder}/foo.map", *hard)  # fmt: skip
    (folder / "foo.map").unlink()
    (folder / "lib/libfoo.so.1").unlink(missing_ok=True)
    (folder / "lib/libfoo.so.1").symlink_to("libfoo.so.1.0")


def libbar(folder: Path, *options: str) -> None:
    """``plugins/libbar.so``, which needs it and has it searched for beside its directory."""
    source = "extern int foo_one(void); int bar(void) { return foo_one(); }"
    gcc(folder, "plugins/libbar.so", source, *(options or (
        "-Wl,-soname,libbar.so", f"{folder}/lib/libfoo.so.1", "-Wl,-rpath,$ORIGIN/../lib",
        "-Wl,--enable-new-dtags", *HARD)))  # fmt: skip


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A directory of two libraries."""
    folder = tmp_path / "build"
    folder.mkdir()
    libfoo(folder)
    libbar(folder)
    return folder


def written(tmp_path: Path, *targets: Path) -> Path:
    path = tmp_path / "first.toml"
    path.write_text(first_checklist([str(each) for each in targets]), encoding="utf-8")
    return path


def judged(checklist: Path, *targets: Path) -> tuple[Judgement, ...]:
    reports = elfaudit.verify([str(each) for each in targets], str(checklist), together=True)
    return reports[0].judgements


def require_all_pass(tmp_path: Path, *targets: Path) -> dict[str, Judgement]:
    """The checklist of some targets, which they pass at once, by id."""
    path = written(tmp_path, *targets)
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["check"]
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]{,79}", each) for each in ids)
    assert all(row["title"] for row in rows)
    results = judged(path, *targets)
    assert results
    assert not [each for each in results if each.status is not PASS]
    return {each.check.id: each for each in results}


def first_failure(results: tuple[Judgement, ...]) -> str:
    return next(each.message for each in results if each.status is FAIL)


def test_a_directory_of_libraries_is_held_to_all_that_can_be_lost(
    build: Path, tmp_path: Path
) -> None:
    found = require_all_pass(tmp_path, build)
    assert set(found) == {
        "file-libfoo", "file-libfoo.so.1-link", "file-libbar", "glibc", "hardening-all",
        "runpath-foreign", "needed-libfoo", "soname-libfoo", "symbols-libfoo-foo_1.0",
        "symbols-libfoo-foo_2.0", "needed-libbar", "soname-libbar",
        "runpath-libbar", "symbols-libbar", "loads-libfoo", "loads-libbar",
    }  # fmt: skip
    assert found["hardening-all"].check.parameters == {
        "file": "**/*.so*", "relro": "full", "now": True, "stack": True,
    }  # fmt: skip
    assert found["symbols-libfoo-foo_1.0"].check.parameters["min"] == 2
    assert "libfoo.so.1" in str(found["needed-libbar"].check.parameters["has"])


def lost_export(build: Path) -> None:
    libfoo(build, SOURCE.replace("foo_two", "foo_new"), MAP.replace("foo_two", "foo_two*"))


def lost_version(build: Path) -> None:
    libfoo(build, versions=MAP.replace("FOO_2.0", "FOO_2.1"))


def lost_relro(build: Path) -> None:
    libfoo(build, hard=("-Wl,-z,norelro", "-Wl,-z,lazy"))


def lost_needed(build: Path) -> None:
    libbar(build, "-Wl,-soname,libbar.so", "-Wl,-rpath,$ORIGIN/../lib", *HARD)


def lost_runpath(build: Path) -> None:
    libbar(build, "-Wl,-soname,libbar.so", f"{build}/lib/libfoo.so.1", *HARD)
    load = [sys.executable, "-c", f"import ctypes; ctypes.CDLL('{build}/plugins/libbar.so')"]
    assert b"libfoo.so.1: cannot open" in subprocess.run(load, stderr=-1, check=False).stderr


def lost_library(build: Path) -> None:
    (build / "lib/libfoo.so.1.0").unlink()


def lost_link(build: Path) -> None:
    (build / "lib/libfoo.so.1").unlink()


def lost_soname(build: Path) -> None:
    libbar(build, f"{build}/lib/libfoo.so.1", "-Wl,-rpath,$ORIGIN/../lib", *HARD)


def cut_off(build: Path) -> None:
    path = build / "plugins/libbar.so"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(("damage", "told"), [
    (lost_export, "with version FOO_1.0, fewer than the 2 asked for"),
    (lost_version, "with version FOO_2.0, fewer than the 1 asked for"),
    (lost_relro, "lib/libfoo.so.1.0 has no RELRO"),
    (lost_needed, "plugins/libbar.so does not list libfoo.so.1"),
    (lost_runpath, "plugins/libbar.so does not list $ORIGIN/../lib"),
    (lost_library, "there is no lib/libfoo.so.1* in build"),
    (lost_link, "there is no /lib/libfoo.so.1 in build"),
    (lost_soname, "plugins/libbar.so has no SONAME"),
    (cut_off, "plugins/libbar.so has 1,000 bytes, less than"),
])  # fmt: skip
def test_the_first_line_that_fails_names_the_fault(
    build: Path, tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    path = written(tmp_path, build)
    damage(build)
    assert told in first_failure(judged(path, build))


def test_of_a_library_that_is_gone_one_line_fails(build: Path, tmp_path: Path) -> None:
    path = written(tmp_path, build)
    (build / "plugins/libbar.so").unlink()
    results = judged(path, build)
    assert [each.check.id for each in results if each.status is FAIL] == ["file-libbar"]
    assert {e.check.id for e in results if e.status is SKIP} == {
        "needed-libbar", "soname-libbar", "runpath-libbar", "symbols-libbar", "loads-libbar",
    }  # fmt: skip


def test_the_next_release_of_a_library_passes(build: Path, tmp_path: Path) -> None:
    """Its file has another name, it has an export more, and no more libpthread."""
    shutil.rmtree(build / "plugins")
    gcc(build, "lib/libthreads.so.2", "int x;", "-Wl,-soname,libthreads.so.2",
        "-Wl,--no-as-needed", "-lc", "-l:libpthread.so.0")  # fmt: skip
    path = written(tmp_path, build)
    (build / "lib/libfoo.so.1.0").unlink()
    libfoo(build, f"{SOURCE} int foo_four;", MAP.replace("foo_three;", "foo_three; foo_four;"))
    (build / "lib/libfoo.so.1.0").rename(build / "lib/libfoo.so.1.1.7")
    (build / "lib/libfoo.so.1").unlink()
    (build / "lib/libfoo.so.1").symlink_to("libfoo.so.1.1.7")
    gcc(build, "lib/libthreads.so.2", "int x;", "-Wl,-soname,libthreads.so.2",
        "-Wl,--no-as-needed")  # fmt: skip
    assert not [each for each in judged(path, build) if each.status is not PASS]


def test_one_library_is_held_to_the_same_wherever_the_next_one_lies(
    build: Path, tmp_path: Path
) -> None:
    path = build / "lib/libfoo.so.1.0"
    found = require_all_pass(tmp_path, path)
    assert found["loads-libfoo"].check.parameters["file"] == "libfoo.so.1*"
    other = tmp_path / "elsewhere/libfoo.so.1.2"
    other.parent.mkdir()
    shutil.copy(path, other)
    checklist = written(tmp_path, path)
    assert {each.status for each in judged(checklist, other)} == {PASS}


def test_several_targets_are_one_build(build: Path, tmp_path: Path) -> None:
    """Two files of one name in two directories are held to what both have."""
    other = tmp_path / "other"
    other.mkdir()
    libfoo(other, "int foo_one(void){return 1;}", "FOO_1.0 { global: foo_one; local: *; };")
    files = (build / "lib/libfoo.so.1.0", other / "lib/libfoo.so.1.0")
    found = require_all_pass(tmp_path, *files)
    assert found["symbols-libfoo-foo_1.0"].check.parameters["min"] == 1
    assert "symbols-libfoo-foo_2.0" not in found
    require_all_pass(tmp_path, build, other)


def test_files_whose_names_need_care(build: Path, tmp_path: Path) -> None:
    """Names that differ in case, are long, not ASCII, not UTF-8, or look like patterns."""
    shutil.rmtree(build / "plugins")
    library = build / "lib/libfoo.so.1.0"
    names = [
        "p/_C.so", "p/_c.so", "p/libä.so", "p/日本.so", "p/a[1]*?.so", "p/${x}.so", "p/\n.so",
        f"{'d' * 100}/{'e' * 100}/lib{'x' * 150}.so", f"{'d' * 100}/f/lib{'x' * 150}.so",
        "top.so", "p/top.so", "p/a b.so",
    ]  # fmt: skip
    for name in names:
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        # Each its own file: it is found where it is only.
        gcc(build, "made.so", f"int x = {len(name)}; int foo_one(void){{return 1;}}")
        os.replace(build / "made.so", build / name)
    raw = Path(os.fsdecode(os.fsencode(build) + b"/p/lib\xff\xfe.so"))
    shutil.copy(library, raw)
    found = require_all_pass(tmp_path, build)
    assert {"file-c", "file-c-2", "file-liba", "file-file", "file-top", "file-top-2"} <= set(found)
    checklist = written(tmp_path, build)
    for name in names:
        (build / name).rename(build / "aside")
        failing = [each for each in judged(checklist, build) if each.status is FAIL]
        assert len(failing) == 1, (name, failing)
        (build / "aside").rename(build / name)
    raw.unlink()
    assert any(each.status is FAIL for each in judged(checklist, build))


def test_a_module_without_what_it_had_fails_where_there_is_no_record(tmp_path: Path) -> None:
    write(tmp_path / "tree", {"p/__init__.py": b"from .a import x\n", "p/a.py": b"x = 1\n",
                              "p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n"})  # fmt: skip
    shutil.rmtree(tmp_path / "tree/p-1.dist-info")
    found = require_all_pass(tmp_path, tmp_path / "tree")
    assert set(found) == {"imports-p", "module-inventory-p.a"}
    checklist = written(tmp_path, tmp_path / "tree")
    (tmp_path / "tree/p/a.py").write_bytes(b"y = 1\n")
    assert "p.a has no x" in first_failure(judged(checklist, tmp_path / "tree"))
    (tmp_path / "tree/p/__init__.py").write_bytes(b"")
    assert "p.a has no x" in first_failure(judged(checklist, tmp_path / "tree"))


def test_what_does_not_hold_now_is_told_in_the_end(build: Path, tmp_path: Path) -> None:
    lost_runpath(build)
    text = written(tmp_path, build).read_text()
    assert "# - plugins/libbar.so loads: plugins/libbar.so: libfoo.so.1: cannot open shared" in text
    assert "elfaudit verify NEXT --checklist ./build.toml" in text.splitlines()[2]


def test_where_there_is_nothing_to_hold_it_is_an_error(build: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    (empty / "below").mkdir(parents=True)
    (empty / "below/data.txt").write_text("x")
    text = tmp_path / "notes.txt"
    text.write_text("nothing\n")
    cut = tmp_path / "cut.so"
    cut.write_bytes((build / "lib/libfoo.so.1.0").read_bytes()[:3000])
    void = tmp_path / "void.so"
    void.touch()
    with zipfile.ZipFile(tmp_path / "none-1-py3-none-any.whl", "w"):
        pass
    for target, told in (
        (empty, "no ELF file, no Python module"), (text, "no ELF file"), (cut, "cut.so: "),
        (void, "void.so: "), (tmp_path / "none-1-py3-none-any.whl", "no ELF file"),
    ):  # fmt: skip
        with pytest.raises(RequestError, match=re.escape(told)) as caught:
            first_checklist([str(target)])
        assert "\n" not in str(caught.value)
        with pytest.raises(RequestError):
            first_checklist([str(build), str(target)])


def test_of_many_files_some_have_lines_and_all_are_counted(build: Path, tmp_path: Path) -> None:
    """More libraries than a process may have open, a program, one that is hardened by itself."""
    for number in range(70):
        shutil.copy(build / "plugins/libbar.so", build / f"plugins/libbar{number}.so")
    gcc(build, "plugins/soft.so", "int x;", "-Wl,-z,norelro")
    (build / "bin").mkdir()
    command = ["gcc", "-pie", "-fPIE", "-x", "c", "-", "-o", str(build / "bin/tool")]
    subprocess.run(command, input=b"int main(void) { return 0; }", check=True)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 60, before[1]))
    try:
        text = first_checklist([str(build)])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    rows = {row["id"]: row for row in tomllib.loads(text)["check"]}
    assert rows["count-libraries"]["min"] == 73
    assert len([each for each in rows if each.startswith("needed-")]) < 60
    assert rows["hardening-all"] == rows["hardening-all"] | {"stack": True}
    assert "relro" not in rows["hardening-all"]
    assert rows["hardening-libfoo"]["relro"] == "full"
    found = require_all_pass(tmp_path, build)
    if "hardening-tool" in found:
        assert found["hardening-tool"].check.parameters["pie"] is True


@pytest.mark.parametrize("name", [b"libc.so.6\0", b"puts\0"])
def test_what_no_checklist_can_have_is_left_out(build: Path, tmp_path: Path, name: bytes) -> None:
    """A name that is not UTF-8, or empty, in a library that was damaged."""
    path = build / "lib/libfoo.so.1.0"
    data = path.read_bytes()
    for damaged in (b"\xff" + name[1:], bytes(len(name))):
        path.write_bytes(data.replace(name, damaged))
        require_all_pass(tmp_path, build)
