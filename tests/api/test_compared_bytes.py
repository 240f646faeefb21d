"""Members that are not what their archive states: zipfile is asked whether they are."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import Aspect, ChangeSeverity

BREAKING, NOTABLE = ChangeSeverity.BREAKING, ChangeSeverity.NOTABLE
NAMES = ["p/__init__.py", "p/libx.so"]


def spoilt_stream(raw: bytearray, entry: zipfile.ZipInfo) -> None:
    start = entry.header_offset + 30 + len(entry.filename)
    raw[start : start + 6] = b"\xff" * 6


def spoilt_middle(raw: bytearray, entry: zipfile.ZipInfo) -> None:
    start = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    raw[start] ^= 0x10


def spoilt_checksum(raw: bytearray, entry: zipfile.ZipInfo) -> None:
    at = raw.rindex(entry.filename.encode()) - 46  # in the directory (APPNOTE 4.3.12)
    struct.pack_into("<I", raw, at + 16, entry.CRC ^ 0xFFFF)


def spoilt(sound: Path, name: str, spoil: Callable[[bytearray, zipfile.ZipInfo], None]) -> Path:
    """A copy of an archive with one member that cannot be taken out of it."""
    raw = bytearray(sound.read_bytes())
    with zipfile.ZipFile(sound) as archive:
        spoil(raw, archive.getinfo(name))
    bad = sound.parent / "bad.whl"
    bad.write_bytes(raw)
    with zipfile.ZipFile(bad) as archive, pytest.raises((zipfile.BadZipFile, zlib.error)):
        archive.read(name)
    return bad


@pytest.fixture
def sound(tmp_path: Path, prebuilt: Path) -> Path:
    path = tmp_path / "sound.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("p/__init__.py", "".join(f"name{n} = {n}\n" for n in range(400)))
        out.write(prebuilt / "shapes/libdep.so.1", "p/libx.so")
        out.writestr("p/same.txt", "same")
    return path


@pytest.mark.parametrize("spoil", [spoilt_stream, spoilt_middle, spoilt_checksum])
@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_pip_would_refuse_is_not_the_same(
    sound: Path, name: str, spoil: Callable[[bytearray, zipfile.ZipInfo], None]
) -> None:
    bad = spoilt(sound, name, spoil)
    with zipfile.ZipFile(sound) as archive:
        archive.extractall(sound.parent / "unpacked")
    for other in (sound, sound.parent / "unpacked"):
        found = elfaudit.diff(str(other), str(bad))
        grave = [row for row in found.every() if row[1].aspect is Aspect.UNREADABLE]
        assert [change.severity for _, change in grave] == [BREAKING]
        assert name in grave[0][1].message
        back = elfaudit.diff(str(bad), str(other))
        unread = [change for _, change in back.every() if change.aspect is Aspect.UNREADABLE]
        assert [change.severity for change in unread] == [NOTABLE]


def test_the_same_bytes_packed_in_another_way_are_the_same(sound: Path) -> None:
    again = sound.parent / "again.whl"
    with zipfile.ZipFile(sound) as archive, zipfile.ZipFile(again, "w", zipfile.ZIP_STORED) as out:
        for name in archive.namelist():
            out.writestr(name, archive.read(name))
    assert elfaudit.diff(str(sound), str(again)).is_empty


def test_an_old_build_of_which_nothing_can_be_read(tmp_path: Path, prebuilt: Path) -> None:
    library = (prebuilt / "shapes/libdep.so.1").read_bytes()
    for folder, content in (("old", library[:900]), ("new", library)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "libx.so").write_bytes(content)
    for suffix in ("", "/libx.so"):
        with pytest.raises(elfaudit.RequestError, match=r"^nothing was compared: .*libx\.so"):
            elfaudit.diff(f"{tmp_path}/old{suffix}", f"{tmp_path}/new{suffix}")
        found = elfaudit.diff(f"{tmp_path}/new{suffix}", f"{tmp_path}/old{suffix}")
        assert found.severity is BREAKING
    (tmp_path / "empty").mkdir()
    for pair in (("empty", "new"), ("new", "empty"), ("empty", "empty")):
        with pytest.raises(elfaudit.RequestError, match="nothing was compared"):
            elfaudit.diff(*(str(tmp_path / each) for each in pair))
