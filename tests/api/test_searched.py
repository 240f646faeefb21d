"""Names without a slash: ``dlopen`` searches for them, and so does a target that is no file."""

from __future__ import annotations

from pathlib import Path

import pytest

import elfaudit
from elfaudit import Mode, Process, resolve
from elfaudit.loader import Origin
from elfaudit.report.rows import FileRow
from tests.api.test_process import ASK, BASE, STEPS, told
from tests.oracle import Workshop, dlopen
from tests.oracle.compare import agree
from tests.oracle.loader import HOST

pytestmark = pytest.mark.oracle


@pytest.fixture
def place(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, which has a library nobody should find."""
    workshop.library("libbase.so", BASE)
    monkeypatch.chdir(workshop.directory)
    return workshop.directory


@pytest.mark.parametrize("kind", ["rpath", "runpath", "library_path"])
def test_the_program_says_where(workshop: Workshop, place: Path, kind: str) -> None:
    base = workshop.library("sub/libbase.so", BASE)
    paths = {kind: "$ORIGIN/sub"} if kind != "library_path" else {}
    library_path = str(place / "sub") if kind == "library_path" else None
    host = workshop.program("program", HOST, **paths)
    real = dlopen(host, "libbase.so", library_path=library_path, cwd=place)
    process = Process(str(host), library_path=[library_path] if library_path else ())
    ours = process.dlopen("libbase.so")
    agree(real, ours)
    assert ours.link_map.subject.path == str(base) in real.objects
    assert [each.name for each in process.opened] == ["libbase.so"]


@pytest.mark.parametrize("name", ["libm.so.6", "libz.so.1", "libc.so.6"])
def test_the_cache(workshop: Workshop, host: Path, name: str) -> None:
    real = dlopen(host, name)
    ours = Process(str(host)).dlopen(name)
    agree(real, ours)
    found = resolve(name, host=str(host))
    assert found.link_map.subject.path == ours.link_map.subject.path
    assert found.link_map.subject.path in real.objects
    agree(real, found)


def test_dlopens_before_the_target(workshop: Workshop, place: Path) -> None:
    base = workshop.library("sub/libbase.so", BASE, soname="libbase.so")
    ask = workshop.library("libask.so", ASK)
    program = workshop.program("steps", STEPS, runpath=str(place / "sub"))
    real = told(program, (Path("libbase.so"), "g"), (ask, "l"))
    assert real == ["", ""]
    ours = resolve(str(ask), host=str(program), dlopen=["libbase.so:global"])
    assert ours.error is None
    assert str(base) in [entry.path for entry in ours.link_map.entries]
    process = Process(str(program))
    process.dlopen("libbase.so", Mode.GLOBAL)
    assert process.dlopen(str(ask)).error is None


def test_a_name_in_the_process(workshop: Workshop, place: Path) -> None:
    """By its SONAME an object that is there is found without any search."""
    other = workshop.library("sub/libother.so.1", BASE, soname="libbase.so")
    program = workshop.program("steps", STEPS)
    real = told(program, (other, "l"), (Path("libbase.so"), "l"))
    process = Process(str(program))
    process.dlopen(str(other))
    ours = process.dlopen("libbase.so")
    assert [ours.error or ""] == real[1:] == [""]
    assert ours.link_map.subject.path == str(other)


def test_dlopen_never_takes_what_is_in_the_current_directory(
    workshop: Workshop, place: Path
) -> None:
    program = workshop.program("steps", STEPS)
    real = told(program, (Path("libbase.so"), "l"))
    assert "cannot open shared object file" in real[0]
    with pytest.raises(elfaudit.SourceError, match=r"finds no library .* is \./libbase\.so"):
        Process(str(program)).dlopen("libbase.so")
    assert Process(str(program)).dlopen("./libbase.so").error is None


def test_a_target_is_a_file_first(place: Path, workshop: Workshop) -> None:
    workshop.library("libz.so.1", BASE)
    assert resolve("libz.so.1").link_map.subject.path == str(place / "libz.so.1")


def test_a_target_that_is_searched_for(place: Path) -> None:
    found = resolve("libz.so.1")
    subject = found.link_map.subject
    assert subject.origin is Origin.LD_SO_CACHE
    assert FileRow.of(found).searched == f"libz.so.1 => {subject.path} (ld.so.cache)"
    assert resolve(found.subject).link_map.subject.path == subject.path


def test_a_target_that_is_nowhere() -> None:
    with pytest.raises(elfaudit.SourceError, match="nor does the loader find a library"):
        resolve("libgone.so.9")
    with pytest.raises(elfaudit.SourceError, match=r"No such file or directory$"):
        resolve("gone")
    with pytest.raises(elfaudit.SourceError, match=r"No such file or directory$"):
        resolve("libz.so.1", root=None)


def test_another_root(workshop: Workshop, tmp_path: Path) -> None:
    """Where the loader of the root looks, and the target can be asked for again."""
    loader = tmp_path / "root/lib64/ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.write_bytes(Path("/lib64/ld-linux-x86-64.so.2").read_bytes())
    made = workshop.library("libonly.so", BASE)
    there = tmp_path / "root/usr/lib/libonly.so"
    there.parent.mkdir(parents=True)
    there.write_bytes(made.read_bytes())
    found = resolve("libonly.so", root=str(tmp_path / "root"))
    assert found.link_map.subject.path == "/usr/lib/libonly.so"
    again = resolve(found.subject, root=str(tmp_path / "root"))
    assert again.link_map.subject.path == "/usr/lib/libonly.so"
