"""Archives with a member exchanged, judged by ``zipfile`` and ``unzip``."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from elfaudit.errors import SourceError, WheelError
from elfaudit.patch.archive import open_entry, read_archive
from elfaudit.patch.splice import Replacement, write_archive

_NEW = b"another text, " * 400


def _members() -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    """Members of many kinds; the third one is what is exchanged."""
    for number, (name, method) in enumerate(
        [
            ("a/first.py", zipfile.ZIP_DEFLATED),
            ("a/empty", zipfile.ZIP_STORED),
            ("a/changed.so", zipfile.ZIP_DEFLATED),
            ("ä/stored.bin", zipfile.ZIP_STORED),
            ("a/folder/", zipfile.ZIP_STORED),
            ("last.txt", zipfile.ZIP_DEFLATED),
        ]
    ):
        info = zipfile.ZipInfo(name, (1999, 12, 31, 23, 59, 2 * number))
        info.compress_type = method
        info.external_attr = (0o100640 + number) << 16
        info.extra = struct.pack("<HHI", 0x7075 + number, 4, number)
        info.comment = f"comment {number}".encode()
        data = b"" if name.endswith(("/", "empty")) else f"bytes of {name} ".encode() * 50
        yield info, data


def _archive(path: Path, *, stream: bool = False, prefix: bytes = b"") -> Path:
    """An archive; as one that was written to a pipe, its members have data descriptors."""
    buffer = io.BytesIO()
    target = _Pipe(buffer) if stream else buffer
    with zipfile.ZipFile(target, "w") as archive:
        for info, data in _members():
            archive.writestr(info, data)
        archive.comment = b"of the archive"
    path.write_bytes(prefix + buffer.getvalue())
    return path


class _Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, target: io.BytesIO) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        return self._target.write(data)  # type: ignore[arg-type]


def _exchanged(path: Path, target: Path, *, dropped: frozenset[int] = frozenset()) -> None:
    archive = read_archive(str(path))
    number = [each.name for each in archive.entries].index("a/changed.so")
    changed = {number: Replacement(lambda: iter([_NEW[:1000], _NEW[1000:]]), len(_NEW))}
    write_archive(archive, str(target), changed, dropped)


def _packed(path: Path) -> dict[str, bytes]:
    """Member to its bytes in the archive: from its local header to the next one."""
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
        pairs = zip(infos, ends, strict=True)
        return {info.filename: raw[info.header_offset : end] for info, end in pairs}


def _facts(info: zipfile.ZipInfo) -> tuple[object, ...]:
    return (
        info.filename, info.date_time, info.external_attr, info.create_system, info.extra,
        info.comment, info.compress_type,
    )  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["seekable", "descriptors"])
@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n" * 100], ids=["plain", "prefix"])
def test_all_but_the_changed_member_are_copied(
    tmp_path: Path, *, stream: bool, prefix: bytes
) -> None:
    old, new = _archive(tmp_path / "old.zip", stream=stream, prefix=prefix), tmp_path / "new.zip"
    _exchanged(old, new)
    with zipfile.ZipFile(old) as before, zipfile.ZipFile(new) as after:
        assert after.testzip() is None
        assert after.read("a/changed.so") == _NEW
        assert after.comment == b"of the archive"
        assert [*map(_facts, after.infolist())] == [*map(_facts, before.infolist())]
    were, are = _packed(old), _packed(new)
    assert {n: d for n, d in are.items() if n != "a/changed.so"} == {
        n: d for n, d in were.items() if n != "a/changed.so"
    }
    assert new.read_bytes().startswith(prefix)
    assert not zipfile.ZipFile(new).getinfo("a/changed.so").flag_bits & 0x8
    if shutil.which("unzip") and not prefix:
        subprocess.run(["unzip", "-tq", str(new)], check=True, capture_output=True)


def test_the_same_archive_again(tmp_path: Path) -> None:
    old = _archive(tmp_path / "old.zip")
    for name in ("one.zip", "two.zip"):
        _exchanged(old, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    write_archive(read_archive(str(old)), str(tmp_path / "copy.zip"), {})
    assert (tmp_path / "copy.zip").read_bytes() == old.read_bytes()


def test_members_are_dropped_and_renamed(tmp_path: Path) -> None:
    old, new = _archive(tmp_path / "old.zip", stream=True), tmp_path / "new.zip"
    archive = read_archive(str(old))
    write_archive(archive, str(new), {0: Replacement(name=b"b/1.py")}, frozenset([1]))
    with zipfile.ZipFile(old) as before, zipfile.ZipFile(new) as after:
        assert after.testzip() is None
        expected = [name for name in before.namelist() if name != "a/empty"]
        assert after.namelist() == ["b/1.py", *expected[1:]]
        assert after.read("b/1.py") == before.read("a/first.py")


def test_a_member_is_read_as_zipfile_reads_it(tmp_path: Path) -> None:
    old = _archive(tmp_path / "old.zip", prefix=b"x" * 77)
    archive = read_archive(str(old))
    with zipfile.ZipFile(old) as judge:
        for entry in archive.entries:
            assert open_entry(archive, entry).read() == judge.read(entry.name)


def test_an_archive_above_four_gigabytes(tmp_path: Path) -> None:
    """Its middle is a hole: zip64 sizes and offsets, and hardly a block on the disk."""
    old, new = tmp_path / "old.zip", tmp_path / "new.zip"
    size = (4 << 30) + 4096
    with zipfile.ZipFile(old, "w", allowZip64=True) as archive:
        archive.writestr("a/changed.so", b"before")
        with archive.open(zipfile.ZipInfo("hole"), "w", force_zip64=True) as member:
            member.write(b"begin")
        archive.writestr("behind", b"behind the hole")
    _stretch(old, size)
    _exchanged(old, new)
    if new.stat().st_blocks * 512 > (1 << 30):
        pytest.skip("the file system has no holes, or does not copy them")
    archive_ = read_archive(str(new))
    assert [(e.name, e.size) for e in archive_.entries][1] == ("hole", size)
    with zipfile.ZipFile(new) as after:
        assert after.read("a/changed.so") == _NEW
        assert after.read("behind") == b"behind the hole"
        assert after.getinfo("behind").header_offset > size
        assert after.getinfo("hole").file_size == size


def _stretch(path: Path, size: int) -> None:
    """Make the stored member ``hole`` of an archive that large, without writing zeros."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        start = archive.start_dir
    raw = path.read_bytes()
    hole, behind = infos[1], infos[2]
    head = raw[hole.header_offset : behind.header_offset - 5]
    head = head[:-16] + struct.pack("<2Q", size, size)  # the zip64 field ends the local header
    moved = size - 5
    with open(path, "wb") as file:
        file.write(raw[: hole.header_offset] + head + b"begin")
        file.seek(moved - 0, os.SEEK_CUR)
        file.write(raw[behind.header_offset : start])
        directory = file.tell()
        for info in infos:
            wide = info.filename == "hole"
            offset = info.header_offset + (moved if info.filename == "behind" else 0)
            sizes = (size, size) if wide else (info.compress_size, info.file_size)
            values = [v for v in (*reversed(sizes), offset) if v >= 0xFFFFFFFF]
            extra = (
                struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
            )
            narrow = [min(v, 0xFFFFFFFF) for v in (*sizes, offset)]
            name = info.filename.encode()
            file.write(
                struct.pack(
                    "<4s6H3I5H2I", b"PK\1\2", 45, 45, 0, 0, 0, 33, info.CRC, narrow[0],
                    narrow[1], len(name), len(extra), 0, 0, 0, 0, narrow[2],
                ) + name + extra
            )  # fmt: skip
        length = file.tell() - directory
        end = file.tell()
        file.write(struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, length, directory))
        file.write(struct.pack("<4sIQI", b"PK\6\7", 0, end, 1))
        file.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 3, 3, length, 0xFFFFFFFF, 0))


@pytest.mark.parametrize("where", ["end", "directory", "local header"])
def test_a_damaged_archive_is_one_sentence(tmp_path: Path, where: str) -> None:
    old = _archive(tmp_path / "old.zip")
    raw = bytearray(old.read_bytes())
    marks = {"end": b"PK\5\6", "directory": b"PK\1\2", "local header": b"PK\3\4"}
    place = raw.rindex(marks[where]) if where != "local header" else raw.index(b"a/changed.so") - 30
    raw[place : place + 4] = b"XXXX"
    old.write_bytes(raw)
    with pytest.raises(WheelError, match=r"old\.zip"):
        _exchanged(old, tmp_path / "new.zip")


def test_cut_anywhere_it_is_refused(tmp_path: Path) -> None:
    raw = _archive(tmp_path / "old.zip").read_bytes()
    for size in range(0, len(raw), 97):
        (tmp_path / "cut.zip").write_bytes(raw[:size])
        with pytest.raises(WheelError, match=r"cut\.zip"):
            read_archive(str(tmp_path / "cut.zip"))


def test_any_damage_ends_in_an_archive_or_a_sentence(tmp_path: Path) -> None:
    raw = _archive(tmp_path / "old.zip", stream=True).read_bytes()
    for place in range(0, len(raw), 3):
        for value in (0, 0xFF):
            damaged = bytearray(raw)
            damaged[place] = value
            (tmp_path / "damaged.zip").write_bytes(damaged)
            (tmp_path / "new.zip").unlink(missing_ok=True)
            try:
                archive = read_archive(str(tmp_path / "damaged.zip"))
                for entry in archive.entries:
                    open_entry(archive, entry).read()
                write_archive(archive, str(tmp_path / "new.zip"), {0: Replacement(name=b"x")})
            except SourceError:
                continue


def test_an_encrypted_member_is_not_exchanged(tmp_path: Path) -> None:
    old = _archive(tmp_path / "old.zip")
    raw = bytearray(old.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = raw.find(mark)
        while place >= 0:
            raw[place + flags] |= 1
            place = raw.find(mark, place + 4)
    old.write_bytes(raw)
    with pytest.raises(WheelError, match="encrypted"):
        _exchanged(old, tmp_path / "new.zip")
    archive = read_archive(str(old))
    with pytest.raises(WheelError, match="encrypted"):
        open_entry(archive, archive.entries[0])
