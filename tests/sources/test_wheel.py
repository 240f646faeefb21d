"""Wheels: members read in place, judged by :mod:`zipfile`; and archives that lie."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.elf import read_elf
from elfaudit.errors import ElfAuditError, SourceError, WheelError
from elfaudit.sources import Member, WheelSource
from elfaudit.stream import ByteStream
from tests.conftest import PREBUILT

from .archives import CENTRAL, LOCAL, archive, patched, streamed, zip64

WHEEL = PREBUILT / "story/torch-2.9.1+rocm7.1-cp311-cp311-linux_x86_64.whl"
CONTENT = b"some content, " * 100


def _member(path: Path, name: str = "/a") -> Member:
    member = WheelSource(str(path)).find(name)
    assert member is not None
    return member


def _open(path: Path, name: str = "/a") -> ByteStream:
    return _member(path, name).open()


def test_every_member_of_the_story_is_what_zipfile_extracts() -> None:
    source = WheelSource(str(WHEEL))
    assert source.problems == ()
    with zipfile.ZipFile(WHEEL) as expected:
        names = [name for name in expected.namelist() if not name.endswith("/")]
        assert list(source.names()) == sorted(f"/{name}" for name in names)
        for name in names:
            member = source.find(f"/{name}")
            assert member is not None
            assert member.open().read() == expected.read(name)
            assert member.size == expected.getinfo(name).file_size
            assert member.display == f"{WHEEL}::{name}"


def test_a_library_in_the_wheel_has_the_facts_of_the_unpacked_one(story: Path) -> None:
    source = WheelSource(str(WHEEL))
    for path in sorted((story / "site-packages").rglob("*.so")):
        member = source.find("/" + path.relative_to(story / "site-packages").as_posix())
        assert member is not None
        inside, outside = read_elf(member.open()), read_elf(path)
        assert inside.dynamic == outside.dynamic
        assert list(inside.symbols) == list(outside.symbols)
        assert inside.relocations.eager == outside.relocations.eager
        assert inside.relocations.lazy == outside.relocations.lazy


@pytest.mark.parametrize(
    ("method", "sequential"), [(zipfile.ZIP_STORED, False), (zipfile.ZIP_DEFLATED, True)]
)
def test_stored_and_deflated_members(tmp_path: Path, method: int, sequential: bool) -> None:
    member = _member(archive(tmp_path / "x.whl", {"a": CONTENT, "empty": b""}, method))
    assert (member.sequential, member.size) == (sequential, len(CONTENT))
    stream = member.open()
    assert stream.read() == CONTENT
    stream.seek(5)
    assert stream.read(7) == CONTENT[5:12]
    assert _open(tmp_path / "x.whl", "/empty").read() == b""


def test_data_descriptors(tmp_path: Path) -> None:
    path = streamed(tmp_path / "x.whl", {"a": CONTENT, "b": b"b"})
    assert path.read_bytes()[6] & 8
    assert _open(path).read() == CONTENT
    assert _open(path, "/b").read() == b"b"


def test_zip64(tmp_path: Path) -> None:
    path = zip64(tmp_path / "x.whl", "a", CONTENT)
    with zipfile.ZipFile(path) as judge:
        assert judge.read("a") == CONTENT
    assert _open(path).read() == CONTENT


def test_bytes_in_front_of_the_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.whl", {"a": CONTENT})
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert _open(path).read() == CONTENT


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = patched(archive(tmp_path / "x.whl", {"a": CONTENT}), CENTRAL, 8, "H", 1)
    with pytest.raises(WheelError, match=r"x\.whl::a: is encrypted$"):
        _open(path)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (zipfile.ZIP_BZIP2, "bzip2"),
        (zipfile.ZIP_LZMA, "LZMA"),
        (93, "Zstandard"),
        (77, "method 77"),
    ],
)
def test_other_compressions_are_named(tmp_path: Path, method: int, words: str) -> None:
    path = archive(tmp_path / "x.whl", {"a": CONTENT})
    patched(path, CENTRAL, 10, "H", method)
    with pytest.raises(WheelError, match=rf"x.whl::a: is compressed with {words}; wheels use defl"):
        _open(path)


def test_a_size_that_is_too_large_is_said_when_the_data_ends(tmp_path: Path) -> None:
    path = patched(archive(tmp_path / "x.whl", {"a": CONTENT}), CENTRAL, 24, "I", 5000)
    stream = _open(path)
    assert stream.read(100) == CONTENT[:100]
    with pytest.raises(WheelError, match=r"x\.whl::a: ends after 1400 bytes, .* claims 5000$"):
        stream.read()


def test_a_size_that_is_too_small_is_said(tmp_path: Path) -> None:
    path = patched(archive(tmp_path / "x.whl", {"a": CONTENT}), CENTRAL, 24, "I", 500)
    with pytest.raises(WheelError, match=r"x\.whl::a: is longer than the 500 bytes"):
        _open(path).read()


def test_a_packed_size_that_is_too_small_is_said(tmp_path: Path) -> None:
    path = patched(archive(tmp_path / "x.whl", {"a": CONTENT}), CENTRAL, 20, "I", 5)
    with pytest.raises(WheelError, match=r"x\.whl::a: ends after \d+ bytes, .* claims 1400$"):
        _open(path).read()


def test_a_packed_size_past_the_archive_is_said(tmp_path: Path) -> None:
    path = patched(archive(tmp_path / "x.whl", {"a": CONTENT}), CENTRAL, 20, "I", 50_000)
    with pytest.raises(WheelError, match=r"over 50000 bytes, past the end of the archive"):
        _open(path)


def test_a_stored_member_of_two_sizes_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.whl", {"a": CONTENT}, zipfile.ZIP_STORED)
    patched(path, CENTRAL, 24, "I", 1 << 30)
    with pytest.raises(WheelError, match=r"is stored, but the archive's directory gives it 1400 b"):
        _open(path)


@pytest.mark.parametrize("at", [0, 5, 20])
def test_damaged_data_says_where(tmp_path: Path, at: int) -> None:
    path = archive(tmp_path / "x.whl", {"a": bytes(range(256)) * 50})
    data = bytearray(path.read_bytes())
    data[31 + at : 31 + at + 30] = b"\xff" * 30
    path.write_bytes(data)
    with pytest.raises(WheelError, match=r"x\.whl::a: (cannot be inflated past 0x|ends after)"):
        _open(path).read()


@pytest.mark.parametrize(
    "name", ["../a", "x/../../a", "/etc/passwd", "..\\a", "C:\\a", "./.", ".."]
)
def test_names_that_lead_out_are_left_out_and_told(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "x.whl", {name: b"bad", "good": b"good"})
    source = WheelSource(str(path))
    assert list(source.names()) == ["/good"]
    assert [problem.name for problem in source.problems] == [f"{path}::{name}"]
    assert "leads out of the archive" in source.problems[0].problem
    assert source.find(f"/{name}") is None


def test_names_are_normalised(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.whl", {"./a//b.so": b"b"})
    assert list(WheelSource(str(path)).names()) == ["/a/b.so"]
    assert _open(path, "/a/b.so").read() == b"b"


def test_of_two_members_of_one_name_the_last_counts_as_for_pip(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("a", b"first")
        with pytest.warns(UserWarning, match=r"Duplicate name"):
            out.writestr("a", b"second")
    assert _open(path).read() == b"second"
    assert "has this member twice; the last one is used" in str(WheelSource(str(path)).problems[0])


def test_directories_are_no_members(tmp_path: Path) -> None:
    source = WheelSource(str(archive(tmp_path / "x.whl", {"lib/": b"", "lib/a": b"a"})))
    assert list(source.names()) == ["/lib/a"]
    assert source.find("/lib") is source.find("/lib/") is source.find("/") is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/torch/lib/a.so", True),
        ("torch/lib/./a.so", True),
        ("//torch//lib/a.so", True),
        ("/torch/lib/../lib/a.so", True),
        ("/torch/../torch/lib/a.so", True),
        ("/torch/absent/../lib/a.so", False),
        ("/torch/lib/a.so/../a.so", False),
        ("/torch/lib/a.so/", False),
        ("/../torch/lib/a.so", False),
        ("/torch/../../torch/lib/a.so", False),
    ],
)
def test_paths_are_resolved_as_on_a_disk(tmp_path: Path, path: str, found: bool) -> None:
    source = WheelSource(str(archive(tmp_path / "x.whl", {"torch/lib/a.so": b""})))
    assert (source.find(path) is not None) is found


def test_listing(tmp_path: Path) -> None:
    source = WheelSource(
        str(archive(tmp_path / "x.whl", {"t/lib/a": b"", "t/lib/b": b"", "c": b""}))
    )
    assert source.listing("/") == ["c", "t"]
    assert source.listing("/t/lib/") == ["a", "b"]
    assert source.listing("/t/../t") == ["lib"]
    assert source.listing("/c") == source.listing("/..") == source.listing("/absent") == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip", b"PK\x05\x06" + bytes(10)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.whl").write_bytes(content)
    with pytest.raises(WheelError, match=r"x\.whl: cannot be read as a zip archive: "):
        WheelSource(str(tmp_path / "x.whl"))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.whl: cannot be opened: No such file or directory$"):
        WheelSource(str(tmp_path / "x.whl"))


def test_errors_of_the_operating_system_keep_their_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_path: str) -> None:
        raise OSError(5, "Input/output error")

    path = archive(tmp_path / "x.whl", {"a": b""})
    monkeypatch.setattr(zipfile, "ZipFile", failing)
    with pytest.raises(SourceError, match=r"x\.whl: cannot be read: Input/output error$"):
        WheelSource(str(path))


def test_a_git_lfs_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(WheelError, match=r"x\.whl: is a Git LFS pointer, not the file itself"):
        WheelSource(str(tmp_path / "x.whl"))


def test_a_local_header_that_is_elsewhere_is_refused(tmp_path: Path) -> None:
    path = patched(archive(tmp_path / "x.whl", {"a": CONTENT}), CENTRAL, 42, "I", 3)
    with pytest.raises(WheelError, match=r"a: has no local header at offset 0x3$"):
        _open(path)


def test_a_local_header_of_another_member_is_refused(tmp_path: Path) -> None:
    path = patched(archive(tmp_path / "x.whl", {"a": CONTENT}), LOCAL, 30, "B", ord("b"))
    with pytest.raises(WheelError, match=r"a: has another name in its local header at 0x0$"):
        _open(path)


def test_names_outside_of_ascii_are_compared_as_the_header_encodes_them(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.whl", {"ä": CONTENT})
    assert _open(path, "/ä").read() == CONTENT


def test_a_member_of_a_gigabyte_of_zeros_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    deflated = zipfile.ZIP_DEFLATED
    with (
        zipfile.ZipFile(path, "w", deflated, compresslevel=1) as out,
        out.open("a", "w") as file,
    ):
        for _ in range(64):
            file.write(bytes(16 << 20))
    member = _member(path)
    tracemalloc.start()
    try:
        stream = member.open()
        stream.seek(member.size - 10)
        assert stream.read() == bytes(10)
        stream.seek(100 << 20)
        assert stream.read(10) == bytes(10)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def _everything(path: Path) -> list[str]:
    """Reads all there is; returns the error messages."""
    errors: list[str] = []
    try:
        source = WheelSource(str(path))
    except ElfAuditError as error:
        return [str(error)]
    for name in source.names():
        member = source.find(name)
        assert member is not None
        try:
            _ = read_elf(member.open(), name=member.display).symbols.names
        except ElfAuditError as error:
            errors.append(str(error))
    return errors


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated") / "x.whl"


@settings(max_examples=200)
@given(end=st.integers(0, WHEEL.stat().st_size))
def test_truncated_anywhere(scratch: Path, end: int) -> None:
    scratch.write_bytes(WHEEL.read_bytes()[:end])
    errors = _everything(scratch)
    if end < WHEEL.stat().st_size:
        assert errors[0].startswith(f"{scratch}: cannot be read as a zip archive: ")


@settings(max_examples=500)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10_000),
            st.sampled_from([0, 1, 0x7FFF, 0xFFFF, 2**31, 2**32 - 1]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_bytes_overwritten(scratch: Path, changes: list[tuple[int, int]], directory: bool) -> None:
    data = bytearray(WHEEL.read_bytes())
    first = data.index(CENTRAL) if directory else 0
    for offset, value in changes:
        at = first + offset % (len(data) - first - 4)
        struct.pack_into("<I", data, at, value)
    scratch.write_bytes(data)
    for error in _everything(scratch):
        assert error.startswith(str(scratch))
