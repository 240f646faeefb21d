"""Files and trees that mean harm: an answer, soon, and never a traceback."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elfaudit.api import Passed, resolve, resolve_all
from elfaudit.errors import ElfAuditError
from elfaudit.findings import Resolution, Verdict
from elfaudit.sources import Member, NoFile, TreeSource
from tests.elf.forge import forge

NEEDED, STRTAB, STRSZ, SONAME, RPATH, RUNPATH = 1, 5, 10, 14, 15, 29


SOUND = ((4, "hash"), (6, "symbols"))  # DT_HASH, DT_SYMTAB


def library(
    needed: list[str],
    *,
    rpath: str | None = None,
    runpath: str | None = None,
    tables: tuple[tuple[int, str], ...] = (),
) -> bytes:
    """A shared object with these names and nothing else; ``tables`` may add empty ones."""
    text = bytearray(b"\0")

    def place(value: str) -> int:
        text.extend(value.encode() + b"\0")
        return len(text) - len(value.encode()) - 1

    rows: list[tuple[int, int | str]] = [(NEEDED, place(name)) for name in needed]
    if rpath is not None:
        rows.append((RPATH, place(rpath)))
    if runpath is not None:
        rows.append((RUNPATH, place(runpath)))
    rows += [(STRTAB, "strings"), (STRSZ, len(text)), *tables]
    empty = {"hash": struct.pack("<4I", 1, 1, 0, 0), "symbols": bytes(24)} if tables else {}
    return forge(rows, {"strings": bytes(text), **empty})


def whole_root(path: Path) -> Path:
    """A root that has a loader, so that absence is failure."""
    loader = path / "lib64/ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.write_bytes(library([]))
    return path


def test_ten_thousand_needed(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "liball.so").write_bytes(library([f"lib{number}.so" for number in range(10_000)]))
    ours = resolve(str(root / "liball.so"), root=str(root))
    assert ours.verdict is Verdict.FAILS
    assert len(ours.link_map.missing) == 10_000
    assert ours.error == "lib0.so: cannot open shared object file: No such file or directory"


def test_one_name_needed_ten_thousand_times(tmp_path: Path) -> None:
    (tmp_path / "liball.so").write_bytes(library(["libone.so"] * 10_000))
    assert len(resolve(str(tmp_path / "liball.so"), root=None).link_map.missing) == 1


def test_a_chain_of_a_thousand(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    for number in range(1000):
        raw = library([f"lib{number + 1}.so"], rpath="$ORIGIN")
        (root / f"lib{number}.so").write_bytes(raw)
    ours = resolve(str(root / "lib0.so"), root=str(root))
    assert len(ours.link_map.entries) == 1001
    assert ours.error == "lib1000.so: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize("element", ["/nowhere", "$ORIGIN/x", "", "/", "$", "${", "$ORIGIN$LIB"])
def test_a_path_of_a_megabyte(tmp_path: Path, element: str) -> None:
    root = whole_root(tmp_path)
    path = ":".join([element] * ((1 << 20) // (len(element) + 1)))
    (root / "liball.so").write_bytes(library(["libgone.so"], rpath=path))
    ours = resolve(str(root / "liball.so"), root=str(root))
    assert ours.verdict is Verdict.FAILS


def test_a_single_element_of_a_megabyte(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    for text in ("/" + "x" * 1_000_000, "/x" * 500_000, "$ORIGIN/.." * 60_000):
        (root / "liball.so").write_bytes(library(["libgone.so"], runpath=text))
        assert resolve(str(root / "liball.so"), root=str(root)).verdict is Verdict.FAILS


def test_tokens_do_not_multiply(tmp_path: Path) -> None:
    """A long path full of tokens that is far down a chain of directories."""
    root = whole_root(tmp_path)
    deep = root
    for _ in range(20):
        deep /= "d" * 200
        if len(str(deep)) > 3500:
            break
    deep.mkdir(parents=True)
    path = ":".join(["$ORIGIN" * 50] * 500)
    (deep / "liball.so").write_bytes(library(["libgone.so"], rpath=path))
    assert resolve(str(deep / "liball.so"), root=str(root)).verdict is Verdict.FAILS


@pytest.mark.parametrize(
    "name",
    ["/", ".", "..", "../x.so", "a\nb.so", "/dev/zero", "/dev/stdin", "x" * 5000, "::", "a::b"],
)
def test_odd_names(tmp_path: Path, name: str) -> None:
    root = whole_root(tmp_path)
    (root / "liball.so").write_bytes(library([name], runpath="$ORIGIN"))
    assert resolve(str(root / "liball.so"), root=str(root)).verdict is Verdict.FAILS
    resolve(str(root / "liball.so"), host="none")
    resolve(str(root / "liball.so"), root=None)


def test_a_tree_with_loops(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    (root / "liball.so").write_bytes(
        library(["libgone.so"], runpath="/loop:/a:/up/up/up:$ORIGIN/loop")
    )
    ours = resolve(str(root / "liball.so"), root=str(root))
    assert ours.verdict is Verdict.FAILS
    results = list(resolve_all([str(root)], root=str(root)))
    assert sum(isinstance(r, Resolution) for r in results) == 2


def test_libraries_that_are_no_files(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "lib").mkdir()
    (root / "lib/libdir.so").mkdir()
    os.mkfifo(root / "lib/libpipe.so")
    (root / "liball.so").write_bytes(library(["libdir.so", "libpipe.so"]))
    ours = resolve(str(root / "liball.so"), root=str(root), with_=[str(root)])
    assert ours.verdict is Verdict.FAILS


def test_a_preload_that_is_a_directory(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "libone.so").write_bytes(library([]))
    ours = resolve(str(root / "libone.so"), root=str(root), preload=["/lib64", "/"])
    assert [f.rule for f in ours.findings].count("ignored-preload") == 2


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_to_any_library_of_a_process(
    prebuilt: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    names = ("libdemo.so", "libdep.so.1")
    folder = tmp_path_factory.mktemp("damage")
    for name in names:
        (folder / name).write_bytes((prebuilt / "machines/x86_64" / name).read_bytes())
    victim = folder / data.draw(st.sampled_from(names))
    raw = bytearray(victim.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=8)):
        raw[at] = data.draw(st.integers(0, 255))
    victim.write_bytes(
        raw[: data.draw(st.integers(1, len(raw)))] if data.draw(st.booleans()) else raw
    )
    for result in resolve_all([str(folder)], root=None, with_=[str(folder)]):
        assert isinstance(result, (Resolution, Passed))
    with suppress(ElfAuditError):
        resolve(str(folder / "libdemo.so"), root=None, with_=[str(folder)])


def test_many_names_times_many_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """47 kB that ask for eight million paths."""
    root = whole_root(tmp_path)
    path = ":".join(f"/{number:x}" for number in range(4096))
    names = [f"{number:x}" for number in range(2000)]
    (root / "liball.so").write_bytes(library(names, rpath=path))
    asked: list[str] = []
    look = TreeSource.look

    def counting(source: TreeSource, path: str) -> Member | NoFile:
        asked.append(path)
        return look(source, path)

    monkeypatch.setattr(TreeSource, "look", counting)
    ours = resolve(str(root / "liball.so"), root=str(root))
    assert ours.error == "0: cannot open shared object file: No such file or directory"
    assert len(ours.link_map.missing) == 2000
    assert len(ours.link_map.missing[0].steps) > 4096  # the first ones are told in full
    assert sum(len(entry.steps) for entry in ours.link_map.missing) < 100_000
    assert len(asked) < 500_000  # and not eight million, four times each
    both = [root / "libone.so", root / "libtwo.so"]
    for file in both:
        file.write_bytes(library(["libgone.so", *names[:20]], rpath=path))
    told = [
        len(result.link_map.missing[0].steps)
        for result in resolve_all([str(file) for file in both], root=str(root))
        if isinstance(result, Resolution)
    ]
    assert told[0] == told[1] > 4096  # what is left out of one process is told of the next


@pytest.mark.parametrize("kind", ["spellings", "directories"])
def test_many_names_times_many_directories_that_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The same where all of them are there: one spelled in a thousand ways, or a thousand."""
    root = whole_root(tmp_path)
    if kind == "spellings":
        bits = [f"{number:011b}" for number in range(1500)]
        elements = ["/" + each.replace("0", "/").replace("1", "./") + "lib64" for each in bits]
    else:
        elements = [f"/d/{number:x}" for number in range(1500)]
        for element in elements:
            (root / element[1:]).mkdir(parents=True)
            (root / element[1:] / "libother.so").touch()
    names = [f"{number:x}" for number in range(2000)]
    (root / "liball.so").write_bytes(library(names, rpath=":".join(elements)))
    asked: list[str] = []
    look = TreeSource.look

    def counting(source: TreeSource, path: str) -> Member | NoFile:
        asked.append(path)
        return look(source, path)

    monkeypatch.setattr(TreeSource, "look", counting)
    ours = resolve(str(root / "liball.so"), root=str(root))
    assert len(ours.link_map.missing) == 2000
    assert len(asked) < 200_000  # and not three million


def test_what_is_in_one_of_many_directories_is_found(tmp_path: Path) -> None:
    """Even late, when directories are no longer tried one by one."""
    root = whole_root(tmp_path)
    elements = [f"/d/{number:x}" for number in range(300)]
    for element in elements:
        (root / element[1:]).mkdir(parents=True)
    for where in (40, 250):
        (root / f"d/{where:x}/liblast.so").write_bytes(library([]))
    names = [*(f"{number:x}" for number in range(500)), "liblast.so"]
    (root / "liball.so").write_bytes(library(names, rpath=":".join(elements)))
    ours = resolve(str(root / "liball.so"), root=str(root))
    assert ours.link_map.entries[-1].path == "/d/28/liblast.so"


def test_a_library_that_needs_itself(tmp_path: Path) -> None:
    root = whole_root(tmp_path)
    (root / "libself.so").write_bytes(library(["libself.so"] * 3, runpath="$ORIGIN"))
    ours = resolve(str(root / "libself.so"), root=str(root))
    assert (ours.error, len(ours.link_map.entries)) == (None, 1)


def test_a_device_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = whole_root(tmp_path)
    (root / "opt").mkdir()
    os.mkfifo(root / "opt/libfifo.so")
    (root / "opt/libnull.so").symlink_to("/dev/null")
    opened: list[str] = []
    before = os.open

    def counting(path: str, flags: int) -> int:
        opened.append(path)
        return before(path, flags)

    monkeypatch.setattr(os, "open", counting)
    for name in ("libfifo.so", "libnull.so"):
        (root / "liball.so").write_bytes(library([name], runpath="/opt"))
        assert resolve(str(root / "liball.so"), root=str(root)).verdict is Verdict.FAILS
    assert opened
    assert not [path for path in opened if "opt" in str(path).rpartition("/root")[2]]
