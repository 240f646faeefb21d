"""From what the user writes to a source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from elfaudit.errors import SourceError, WheelError
from elfaudit.sources import FileSource, FolderSource, WheelSource, open_source, split_address

from .archives import archive


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("x.so", ("x.so", None)),
        ("torch.whl::torch/lib/libc10.so", ("torch.whl", "torch/lib/libc10.so")),
        ("torch.whl::/torch/lib/libc10.so", ("torch.whl", "torch/lib/libc10.so")),
        ("torch.whl::", ("torch.whl", "")),
        ("a::b::c", ("a", "b::c")),
        ("::x", ("", "x")),
        ("a\0::b", ("a\0", "b")),
    ],
)
def test_an_address_is_archive_and_member(address: str, parts: tuple[str, str | None]) -> None:
    assert split_address(address) == parts


def test_a_file_with_the_separator_in_its_name_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a::b").write_bytes(b"")
    assert split_address(str(tmp_path / "a::b")) == (str(tmp_path / "a::b"), None)


def test_each_kind_is_opened_as_what_it_is(tmp_path: Path, story: Path) -> None:
    archive(tmp_path / "x.whl", {"a": b""})
    archive(tmp_path / "renamed", {"a": b""})
    (tmp_path / "begins").write_bytes(b"PK\x03\x04 but goes on as something else")
    library = story / "site-packages/torch/lib/libc10.so"
    kinds = {
        str(tmp_path): FolderSource,
        str(tmp_path / "x.whl"): WheelSource,
        str(tmp_path / "renamed"): WheelSource,
        str(tmp_path / "begins"): FileSource,
        str(library): FileSource,
    }
    for path, kind in kinds.items():
        source = open_source(path)
        assert type(source) is kind
        assert (source.label, source.problems) == (path, ())


def test_a_directory_shows_its_members_by_their_path(story: Path) -> None:
    member = open_source(str(story)).find("/site-packages/torch/lib/libc10.so")
    assert member is not None
    assert member.display == f"{story}/site-packages/torch/lib/libc10.so"


def test_a_file_is_a_source_of_one_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.so").write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    source = open_source("x.so")
    path = str(tmp_path / "x.so")
    assert list(source.names()) == [path]
    member = source.find(path)
    assert member is not None
    assert (member.path, member.display, member.size) == (path, "x.so", 7)
    assert member.open().read() == b"content"
    assert source.find("/other") is None
    assert source.listing(str(tmp_path)) == ["x.so"]
    assert source.listing("/") == []


@pytest.mark.parametrize("name", ["absent", "absent.whl", "a\0b"])
def test_what_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=r": cannot be opened: (No such file|embedded null byte)"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize("name", ["fifo", "fifo.whl"])
def test_a_fifo_is_refused_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match=rf"{name}: is not a regular file$"):
        open_source(str(tmp_path / name))


def test_a_git_lfs_pointer_of_a_wheel_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(WheelError, match=r"x\.whl: .*Git LFS pointer"):
        open_source(str(tmp_path / "x.whl"))
