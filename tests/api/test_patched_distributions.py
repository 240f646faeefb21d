"""Installed distributions patched in place: their RECORD is right whenever somebody looks."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import AddNeeded, SetSoname, apply_patch, plan_patch, undo_patch
from elfaudit.api import patch_jobs

HIP = "torch/lib/libtorch_hip.so"
ADD = AddNeeded("librocm_smi64.so.1")


@pytest.fixture
def prefix(tmp_path: Path, story: Path) -> Path:
    """An environment with the wheel of the story, and a program of it in ``bin``."""
    site = tmp_path / "env/lib/python3.11/site-packages"
    shutil.copytree(story / "site-packages", site)
    program = tmp_path / "env/bin/torch-tool"
    program.parent.mkdir()
    shutil.copy(story.parent / "machines/x86_64/demo", program)
    (record,) = site.glob("*.dist-info/RECORD")
    record.write_text(row("../../../bin/torch-tool", program.read_bytes()) + record.read_text())
    return tmp_path / "env"


@pytest.fixture
def site(prefix: Path) -> Path:
    return prefix / "lib/python3.11/site-packages"


def row(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def record_of(site: Path) -> Path:
    (record,) = site.glob("*.dist-info/RECORD")
    return record


def wrong(site: Path) -> list[str]:
    """The files that are not as RECORD says."""
    with record_of(site).open(newline="") as file:
        rows = [each for each in csv.reader(file) if each[1]]
    assert len(rows) == 9
    return [
        path for path, *columns in rows
        if row(path, (site / path).read_bytes()) != f"{path},{','.join(columns)}\n"
    ]  # fmt: skip


def patch(target: Path, *edits: elfaudit.PatchEdit, **options: object) -> None:
    apply_patch(plan_patch(target, edits or [ADD], check=False, **options))  # type: ignore[arg-type]


def left(directory: Path) -> list[str]:
    """What a patch may have left behind."""
    return [str(path) for path in directory.rglob("*.elfaudit")]


@pytest.mark.parametrize("how", ["file", "directory", "address", "relative"])
def test_record_is_right_after_a_patch_and_its_undo(
    site: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = record_of(site).read_bytes()
    was = (site / HIP).read_bytes()
    monkeypatch.chdir(site / "torch")
    target = {
        "file": str(site / HIP),
        "directory": str(site),
        "address": f"{site}::{HIP}",
        "relative": "lib/libtorch_hip.so",
    }[how]
    members = [HIP] if how == "directory" else []
    apply_patch(plan_patch(target, [ADD], members=members, check=False))
    assert (site / HIP).read_bytes() != was
    assert wrong(site) == []
    changed = record_of(site).read_text().splitlines()
    kept = before.decode().splitlines()
    assert [
        new.partition(",")[0] for new, old in zip(changed, kept, strict=True) if new != old
    ] == [HIP]
    apply_patch(undo_patch(target, members=members))
    assert (site / HIP).read_bytes() == was
    assert record_of(site).read_bytes() == before
    assert left(site) == []


def test_several_files_and_two_patches(site: Path) -> None:
    patch(site, members=["torch/lib/*.so"])
    patch(site, SetSoname("libx.so"), members=["libtorch_*.so"])
    assert wrong(site) == []
    assert elfaudit.read_elf(str(site / HIP)).soname == "libx.so"


def test_a_program_in_bin_belongs_to_its_distribution(prefix: Path, site: Path) -> None:
    patch(prefix / "bin/torch-tool")
    assert wrong(site) == []
    apply_patch(undo_patch(prefix / "bin/torch-tool"))
    assert wrong(site) == []


def test_record_keeps_mode_line_ends_and_rows_of_others(site: Path) -> None:
    record = record_of(site)
    text = record.read_text().replace("\n", "\r\n")
    record.write_bytes(text.encode())
    record.chmod(0o640)
    patch(site / HIP)
    new = record.read_bytes().decode()
    assert new.count("\r\n") == new.count("\n") == text.count("\n")
    assert record.stat().st_mode & 0o777 == 0o640
    assert wrong(site) == []


class StoppedError(Exception):
    """The process ends here."""


def stop(*_: object, **__: object) -> None:
    raise StoppedError


def interrupted(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do something that ends between the file and its RECORD."""
    with monkeypatch.context() as patching:
        patching.setattr(patch_jobs, "write_row", stop)
        with pytest.raises(StoppedError):
            action()


@pytest.mark.parametrize("again", [ADD, SetSoname("libx.so")])
def test_an_interrupted_patch_is_put_right_by_the_next_run(
    site: Path, monkeypatch: pytest.MonkeyPatch, again: elfaudit.PatchEdit
) -> None:
    interrupted(monkeypatch, lambda: patch(site / HIP))
    assert wrong(site) == [HIP]
    plan = plan_patch(site / HIP, [again], check=False)
    assert plan.needed
    result = apply_patch(plan, backup=".orig")
    assert wrong(site) == []
    assert all(Path(each).exists() for each in result.backups)
    assert not plan_patch(site / HIP, [again], check=False).needed


def test_an_interrupted_patch_can_be_undone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    was = (site / HIP).read_bytes()
    interrupted(monkeypatch, lambda: patch(site / HIP))
    apply_patch(undo_patch(site / HIP))
    assert (site / HIP).read_bytes() == was
    assert wrong(site) == []


def test_a_lying_record_is_refused(site: Path) -> None:
    record = record_of(site)
    record.write_text(record.read_text().replace(f"{HIP},sha256=", f"{HIP},sha256=A"))
    was = (record.read_bytes(), (site / HIP).read_bytes())
    for target, members in ((site / HIP, []), (site, ["torch/lib/*"])):
        with pytest.raises(elfaudit.PatchError, match=r"RECORD: says .* changed behind its back"):
            patch(target, members=members)
    assert (record.read_bytes(), (site / HIP).read_bytes()) == was
    patch(site / "torch/lib/libc10.so")  # of this it tells the truth


def test_a_file_that_nobody_lists_is_just_a_file(site: Path) -> None:
    record = record_of(site)
    before = record.read_bytes()
    own = site / "torch/lib/libown.so"
    shutil.copy(site / HIP, own)
    patch(own)
    assert record.read_bytes() == before
    assert elfaudit.read_elf(str(own)).needed[-1] == ADD.name


def test_what_is_written_elsewhere_leaves_record_alone(site: Path, tmp_path: Path) -> None:
    before = record_of(site).read_bytes()
    plan = plan_patch(site / HIP, [ADD], check=False)
    apply_patch(plan, output=str(tmp_path / "out.so"))
    assert record_of(site).read_bytes() == before
    assert wrong(site) == []


@pytest.mark.parametrize("by", ["link", "file"])
def test_a_link_to_a_store_is_patched_where_it_leads(site: Path, tmp_path: Path, by: str) -> None:
    """``uv --link-mode symlink``, Nix and Bazel do so; asked by the link RECORD is kept right."""
    store = tmp_path / "store/libtorch_hip.so"
    store.parent.mkdir()
    (site / HIP).rename(store)
    (site / HIP).symlink_to(store)
    if by == "file":
        patch(store)
        assert wrong(site) == [HIP]  # nobody can know from there who links to it
        return
    patch(site / HIP)
    assert (site / HIP).is_symlink()
    assert elfaudit.read_elf(str(store)).needed[-1] == ADD.name
    assert wrong(site) == []


def test_a_linked_environment_is_the_same_one(site: Path, prefix: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.symlink_to(prefix)
    patch(other / site.relative_to(prefix) / HIP)
    assert wrong(site) == []


def test_a_record_that_cannot_be_read_is_told(site: Path) -> None:
    record = record_of(site)
    record.unlink()
    record.mkdir()
    was = (site / HIP).read_bytes()
    with pytest.raises(elfaudit.SourceError, match=r"RECORD: cannot be read: Is a directory"):
        patch(site / HIP)
    assert (site / HIP).read_bytes() == was


def test_a_row_that_cannot_be_written_is_told_and_put_right_later(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    plan = plan_patch(site / HIP, [ADD], check=False)
    replace = os.replace
    with monkeypatch.context() as patching:
        patching.setattr(
            os, "replace", lambda a, b: full() if b.endswith("RECORD") else replace(a, b)
        )
        with pytest.raises(elfaudit.SourceError, match="RECORD: cannot be written: No space"):
            apply_patch(plan)
    assert left(site) == []
    patch(site / HIP)
    assert wrong(site) == []
