"""Wheels and directories laid over a root."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.sources import FileSource, Overlay, TreeSource, WheelSource, mount_name

from .archives import archive


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    root = tmp_path / "root"
    (root / "lib").mkdir(parents=True)
    (root / "lib/libc.so").write_bytes(b"libc")
    wheel = WheelSource(str(archive(tmp_path / "x.whl", {"t/a.so": b"a", "../bad": b""})))
    return Overlay(TreeSource(str(root), label="/"), {mount_name(wheel): wheel})


def _mount(overlay: Overlay) -> str:
    return next(iter(overlay.mounts))


def test_paths_with_a_mount_name_are_found_in_the_mount(overlay: Overlay) -> None:
    mount = _mount(overlay)
    member = overlay.find(f"{mount}/t/a.so")
    assert member is not None
    assert member.path == f"{mount}/t/a.so"
    assert member.display == f"{mount}t/a.so"
    assert member.open().read() == b"a"
    assert overlay.listing(f"{mount}/t") == ["a.so"]
    assert overlay.listing(mount) == ["t"]


def test_other_paths_are_found_in_the_root(overlay: Overlay) -> None:
    member = overlay.find("/lib/libc.so")
    assert member is not None
    assert member.open().read() == b"libc"
    assert overlay.listing("/lib") == ["libc.so"]
    assert overlay.label == "/"


def test_dot_dot_does_not_climb_out_of_a_mount(overlay: Overlay) -> None:
    mount = _mount(overlay)
    assert overlay.find(f"{mount}/../lib/libc.so") is None
    assert overlay.find(f"{mount}/t/../../../lib/libc.so") is None
    assert overlay.find(f"{mount}/absent") is None
    assert overlay.find(mount) is None


def test_names_and_problems_are_those_of_all(overlay: Overlay) -> None:
    mount = _mount(overlay)
    assert list(overlay.names()) == [f"{mount}/t/a.so", "/lib/libc.so"]
    assert len(overlay.problems) == 1
    assert "../bad" in overlay.problems[0].name


def test_wheels_are_installed_side_by_side(tmp_path: Path) -> None:
    one = WheelSource(str(archive(tmp_path / "one.whl", {"a/x.so": b"x"})))
    two = WheelSource(str(archive(tmp_path / "two.whl", {"b/y.so": b"y"})))
    overlay = Overlay(None, {mount_name(wheel): wheel for wheel in (one, two)})
    found = overlay.find(f"{mount_name(one)}/a/../b/y.so")
    assert found is not None
    assert found.display == f"{two.label}::b/y.so"
    assert overlay.find(f"{mount_name(one)}/a/../../b/y.so") is None


def test_a_name_that_only_looks_like_a_mount_is_looked_for_in_the_root(overlay: Overlay) -> None:
    assert overlay.find("/other.whl::/t/a.so") is None


def test_a_mount_may_have_the_separator_in_its_own_name(tmp_path: Path) -> None:
    wheel = WheelSource(str(archive(tmp_path / "a::b.whl", {"t/a.so": b"a"})))
    overlay = Overlay(None, {mount_name(wheel): wheel})
    assert overlay.find(f"{mount_name(wheel)}/t/a.so") is not None


def test_without_a_root_there_are_only_the_mounts(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(b"x")
    source = FileSource(str(tmp_path / "x.so"))
    overlay = Overlay(None, {mount_name(source): source})
    assert overlay.label == "none"
    assert overlay.find("/lib/libc.so") is None
    assert overlay.listing("/lib") == []
    assert list(overlay.names()) == [f"{tmp_path}/x.so::{tmp_path}/x.so"]
