"""Members read one after the other from an archive that stays open, judged by :mod:`zipfile`."""

from __future__ import annotations

import os
import random
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.errors import ElfAuditError, SourceError, WheelError
from elfaudit.sources import Shelf, WheelSource, open_source
from elfaudit.stream import FileStream, release

from .archives import CENTRAL, LOCAL, archive, patched

SIZES = (0, 1, 30, 700, 4000, 63 << 10, 65 << 10, 300 << 10)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two archives of short and long members, deflated and stored."""
    folder, content = tmp_path_factory.mktemp("shelf"), random.Random(1)
    paths = []
    for number in range(2):
        path = folder / f"{number}.whl"
        with zipfile.ZipFile(path, "w") as out:
            for row in range(60):
                data = content.randbytes(SIZES[row % len(SIZES)] // 2) * 2
                method = zipfile.ZIP_STORED if row % 3 == 0 else zipfile.ZIP_DEFLATED
                out.writestr(f"{row}-ä" if row % 5 == 0 else f"{row}", data, method)
        paths.append(path)
    return paths


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 59)), min_size=1),
    in_order=st.booleans(),
)
def test_any_member_in_any_order(
    archives: list[Path], steps: list[tuple[int, int]], in_order: bool
) -> None:
    sources = [WheelSource(str(path)) for path in archives]
    shelf = Shelf()
    for number, row in sorted(steps) if in_order else steps:
        with zipfile.ZipFile(archives[number]) as expected:
            info = expected.infolist()[row]
            member = sources[number].find(f"/{info.filename}")
            assert member is not None
            assert shelf.open(member).read() == expected.read(info)
    shelf.release()


def test_the_archive_is_opened_once_for_all_short_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "x.whl", {f"{i:04}": b"content " * (i % 90) for i in range(2000)})
    source = WheelSource(str(path))
    did: Counter[str] = Counter()
    opens, pread = FileStream._open, os.pread

    def counted(stream: FileStream) -> int:
        did["open"] += 1
        return opens(stream)

    def counted_pread(descriptor: int, size: int, offset: int) -> bytes:
        did["pread"] += 1
        return pread(descriptor, size, offset)

    monkeypatch.setattr(FileStream, "_open", counted)
    monkeypatch.setattr(os, "pread", counted_pread)
    shelf = Shelf()
    for name in source.names():
        member = source.find(name)
        assert member is not None
        shelf.open(member).read()
    shelf.release()
    assert did["open"] == 1
    assert did["pread"] < 10


def test_files_that_are_in_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    member = open_source(str(tmp_path)).find("/a")
    assert member is not None
    assert Shelf().open(member).read() == b"content"


@pytest.mark.parametrize("size", [2000, 200_000])
def test_damage_is_told_in_the_same_words(tmp_path: Path, size: int) -> None:
    content = b" ".join(b"%d" % number for number in range(size // 5))
    path = archive(tmp_path / "x.whl", {"a": content, "b": content})
    data = bytearray(path.read_bytes())
    half = data.index(LOCAL, 1) // 2
    data[half : half + 200] = b"\xff" * 200
    path.write_bytes(data)
    source, shelf = WheelSource(str(path)), Shelf()
    told: list[str] = []
    for name in ("/a", "/b"):
        member = source.find(name)
        assert member is not None
        for opened in (member.open, lambda member=member: shelf.open(member)):
            try:
                assert opened().read() == content
                told.append("")
            except ElfAuditError as error:
                told.append(str(error))
    assert told[0] == told[1] != ""
    assert told[2:] == ["", ""]


@pytest.mark.parametrize("held", [True, False])
def test_an_archive_that_is_exchanged_meanwhile(tmp_path: Path, held: bool) -> None:
    """Never the bytes of another archive, even of one that has the same members."""
    path = archive(tmp_path / "x.whl", {"a": b"content", "b": b"content" * 40_000})
    source, shelf = WheelSource(str(path)), Shelf()
    first, second = source.find("/a"), source.find("/b")
    assert first is not None
    assert second is not None
    stream = shelf.open(first)
    assert stream.read() == b"content"
    if not held:
        shelf.release()
    archive(tmp_path / "y.whl", {"a": b"CONTENT", "b": b"CONTENT" * 40_000})
    os.replace(tmp_path / "y.whl", path)
    release(stream)
    stream.seek(0)
    told = r"x\.whl::[ab]: changed on disk while it was being read"
    with pytest.raises(SourceError, match=told):
        stream.read()
    with pytest.raises(SourceError, match=told):
        shelf.open(second)
    with pytest.raises(SourceError, match=told):
        first.open()


def _all_are(source: WheelSource, shelf: Shelf, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        member = source.find(f"/{name}")
        assert member is not None
        assert shelf.open(member).read() == content


def test_an_archive_that_is_written_to_meanwhile(tmp_path: Path) -> None:
    """The same file, so that an open one is still that: no bytes after those it had."""
    contents = {f"{number}": random.Random(number).randbytes(50_000) for number in range(40)}
    path = archive(tmp_path / "x.whl", contents)
    source, shelf = WheelSource(str(path)), Shelf()
    other = archive(tmp_path / "y.whl", {name: data[::-1] for name, data in contents.items()})
    first = source.find("/0")
    assert first is not None
    assert shelf.open(first).read() == contents["0"]
    with path.open("r+b") as file:
        file.write(other.read_bytes())
    os.utime(path, (1, 1))
    with pytest.raises(SourceError, match="changed on disk while it was being read"):
        _all_are(source, shelf, contents)


def test_an_archive_that_is_gone_is_told_with_the_member(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.whl", {"a": b"content"})
    member = WheelSource(str(path)).find("/a")
    assert member is not None
    path.unlink()
    with pytest.raises(SourceError, match=r"x\.whl::a: cannot be opened"):
        Shelf().open(member)


def test_an_empty_member_that_is_not_in_the_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.whl", {"a": b""}, zipfile.ZIP_STORED)
    patched(path, LOCAL, 28, "H", 60_000)
    member = WheelSource(str(path)).find("/a")
    assert member is not None
    for opened in (member.open, lambda: Shelf().open(member)):
        with pytest.raises(WheelError, match="past the end of the archive"):
            opened()


@pytest.mark.parametrize("field", [20, 24])
def test_what_claims_to_be_short_and_is_not(tmp_path: Path, field: int) -> None:
    """Packed size 20, size 24 (4.3.12): neither reads a megabyte for a member of a few bytes."""
    content = random.Random(5).randbytes(1 << 20) if field == 24 else bytes(1 << 20)
    path = archive(tmp_path / "x.whl", {"a": content})
    member = WheelSource(str(patched(path, CENTRAL, field, "I", 100))).find("/a")
    assert member is not None
    tracemalloc.start()
    try:
        with pytest.raises(WheelError):
            member.open().read()
        assert tracemalloc.get_traced_memory()[1] < 3 << 19
    finally:
        tracemalloc.stop()


def test_a_path_of_many_spellings_is_known_once(tmp_path: Path) -> None:
    source = WheelSource(str(archive(tmp_path / "x.whl", {"a/b": b"content"})))
    for count in range(100):
        assert source.find("/a/" + "./" * count + "b") is not None
    assert len(source._members) == 1
