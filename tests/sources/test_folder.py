"""A directory of this machine: its links lead where they lead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from elfaudit.errors import SourceError
from elfaudit.sources import FolderSource


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    """A directory of links into a store beside it, as Nix, Bazel and stow make them."""
    store, profile = tmp_path / "store", tmp_path / "profile/lib"
    store.mkdir()
    profile.mkdir(parents=True)
    (store / "libx.so.1").write_bytes(b"x")
    (profile / "own.so").write_bytes(b"own")
    (profile / "liba.so").symlink_to("../../store/libx.so.1")
    (profile / "dangling.so").symlink_to("nowhere")
    (profile / "loop").symlink_to("loop")
    (profile / "store").symlink_to(store)
    os.mkfifo(profile / "fifo")
    return tmp_path / "profile"


def test_files_come_first_then_links_to_files(farm: Path) -> None:
    assert list(FolderSource(str(farm)).names()) == ["/lib/own.so", "/lib/liba.so"]


def test_links_and_dots_lead_out(farm: Path) -> None:
    source = FolderSource(str(farm))
    for path in ("/lib/liba.so", "/lib/../../store/libx.so.1", "/lib/store/libx.so.1"):
        member = source.find(path)
        assert member is not None, path
        assert member.open().read() == b"x"
        assert member.display == f"{farm}{path}"
    assert source.find("/lib/dangling.so") is None
    assert source.find("/lib/loop") is None
    assert source.find("/lib/fifo") is None
    assert source.find("/lib\0") is None
    assert source.find("/lib") is None


def test_listing(farm: Path) -> None:
    source = FolderSource(str(farm))
    assert source.listing("") == ["lib"]
    assert "liba.so" in source.listing("/lib")
    assert source.listing("/absent") == []


def test_what_cannot_be_listed_is_a_problem(farm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    source = FolderSource(str(farm))
    monkeypatch.setattr(os, "scandir", refuse)
    assert list(source.names()) == []
    assert [str(error) for error in source.problems] == [
        f"{farm}/: cannot be listed: Permission denied"
    ]


def test_only_a_directory_will_do(farm: Path) -> None:
    with pytest.raises(SourceError, match="is not a directory"):
        FolderSource(str(farm / "lib/own.so"))
