"""The proof of an archive: whatever goes wrong while members are copied, it is seen."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elfaudit.errors import PatchError
from elfaudit.patch import splice
from elfaudit.patch.archive import Archive, read_archive
from elfaudit.patch.proof.archive import prove_archive
from elfaudit.patch.record import Digest
from elfaudit.patch.splice import Replacement, write_archive

_NEW = b"something else, " * 99
_DIGEST = Digest(hashlib.sha256(_NEW).digest(), len(_NEW))
_NAMES = ("a/one.py", "a/two.so", "a/three.so", "b/four.txt")


def _archive(directory: Path) -> Archive:
    path = directory / "old.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in _NAMES:
            file.writestr(name, hashlib.sha256(name.encode()).digest() * 20)
    return read_archive(str(path))


def _written(archive: Archive, directory: Path) -> Path:
    """The archive with its second member exchanged, and its first one under another name."""
    new = directory / "new.zip"
    changed = {
        0: Replacement(name=b"c/one.py"),
        1: Replacement(lambda: iter((_NEW,)), len(_NEW)),
    }
    write_archive(archive, str(new), changed, {3})
    return new


def _prove(archive: Archive, new: Path) -> None:
    names = {0: "c/one.py", 1: "a/two.so", 2: "a/three.so"}
    prove_archive(archive, str(new), names, {1: _DIGEST})


def test_what_is_right_is_proven(tmp_path: Path) -> None:
    archive = _archive(tmp_path)
    new = _written(archive, tmp_path)
    _prove(archive, new)
    with zipfile.ZipFile(new) as file:
        assert file.testzip() is None
        assert file.namelist() == ["c/one.py", "a/two.so", "a/three.so"]


def _one_byte_off(copy: Callable[..., None]) -> Callable[..., None]:
    def wrong(old: int, new: Any, begin: int, end: int) -> None:
        copy(old, new, begin + (end > begin), end)
        new.write(b"\0" * (end > begin))

    return wrong


def _too_far(record: Callable[..., bytes]) -> Callable[..., bytes]:
    return lambda old, now, offset: record(old, now, offset + (now is old))


def _under_the_old_name(record: Callable[..., bytes]) -> Callable[..., bytes]:
    return lambda old, _, offset: record(old, old, offset)


def _cut(write: Callable[..., Any]) -> Callable[..., Any]:
    return lambda new, chunks, method: write(new, lambda: (e[1:] for e in chunks()), method)


@pytest.mark.parametrize(
    ("function", "mistake", "problem"),
    [
        ("_copy", _one_byte_off, "the new .* is not right|cannot be read again"),
        ("_record", _too_far, "the new a/three.so is not right"),
        ("_record", _under_the_old_name, "other members"),
        ("_write_contents", _cut, "the new a/two.so is not right"),
    ],
)
def test_a_mistake_of_the_writer(
    function: str, mistake: Callable[..., Any], problem: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    archive = _archive(tmp_path)
    monkeypatch.setattr(splice, function, mistake(getattr(splice, function)))
    new = _written(archive, tmp_path)
    with pytest.raises(PatchError, match=problem):
        _prove(archive, new)


def test_every_byte_of_the_headers_counts(tmp_path: Path) -> None:
    """Of what was copied: the local header, the name, and where the bytes end."""
    archive = _archive(tmp_path)
    new = _written(archive, tmp_path)
    right = new.read_bytes()
    third = read_archive(str(new)).entries[2]
    size = 30 + len(third.raw_name)
    for at in (*range(third.offset, third.offset + size), third.offset + size + third.packed - 1):
        wrong = bytearray(right)
        wrong[at] ^= 0x10
        new.write_bytes(wrong)
        with pytest.raises(PatchError, match=r"a/three\.so is not right"):
            _prove(archive, new)
