"""Members read one after the other from an archive that stays open, judged by :mod:`zipfile`."""

from __future__ import annotations

import os
import random
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.errors import ElfAuditError, SourceError
from elfaudit.sources import Shelf, WheelSource, open_source
from elfaudit.stream import FileStream

from .archives import LOCAL, archive

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


def test_an_archive_that_is_exchanged_meanwhile(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.whl", {"a": b"content", "b": b"content" * 40_000})
    source, shelf = WheelSource(str(path)), Shelf()
    first, second = source.find("/a"), source.find("/b")
    assert first is not None
    assert second is not None
    shelf.open(first).read()
    shelf.release()
    archive(path, {"c": b"other"})
    with pytest.raises(SourceError, match=r"has no local header|another name|past the end"):
        shelf.open(second).read()
