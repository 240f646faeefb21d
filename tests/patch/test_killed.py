"""Whatever interrupts a patch, the old file or the new one is there, whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from elfaudit import AddNeeded, SourceError, apply_patch, plan_patch

ROOT = Path(__file__).resolve().parents[2]
_EDITS = [AddNeeded("libadded.so.1")]


def test_killed_two_hundred_times(prebuilt: Path, tmp_path: Path) -> None:
    file = tmp_path / "libdemo.so"
    shutil.copy(prebuilt / "linkers/bfd/libdemo.so", file)
    arguments = [sys.executable, "-m", "tests.patch.kill_loop", str(file), "200", "7"]
    done = subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    old, new = map(int, done.stdout.split())
    assert old + new == 200
    assert min(old, new) > 10, "the kills did not fall into different moments"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with open(ballast, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.mount
def test_a_full_disk_leaves_the_file_and_nothing_else(prebuilt: Path, small_disk: Path) -> None:
    file = small_disk / "libdemo.so"
    shutil.copy(prebuilt / "linkers/bfd/libdemo.so", file)
    before = file.read_bytes()
    plan = plan_patch(file, _EDITS, check=False)
    _fill(small_disk / "ballast")
    with pytest.raises(SourceError, match=r"libdemo\.so: .*No space left on device"):
        apply_patch(plan)
    assert file.read_bytes() == before
    assert sorted(each.name for each in small_disk.iterdir()) == ["ballast", "libdemo.so"]


@pytest.mark.mount
def test_a_read_only_place_is_one_sentence(prebuilt: Path, small_disk: Path) -> None:
    file = small_disk / "libdemo.so"
    shutil.copy(prebuilt / "linkers/bfd/libdemo.so", file)
    plan = plan_patch(file, _EDITS, check=False)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SourceError, match=r"libdemo\.so: cannot be written: Read-only file system"):
        apply_patch(plan)
    assert [each.name for each in small_disk.iterdir()] == ["libdemo.so"]


_LIMITED = """
import resource, signal, sys
from elfaudit.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
main()
"""


def test_a_file_that_may_not_grow_is_as_it_was(prebuilt: Path, tmp_path: Path) -> None:
    file = tmp_path / "libdemo.so"
    shutil.copy(prebuilt / "linkers/bfd/libdemo.so", file)
    before = file.read_bytes()
    arguments = ["patch-needed", str(file), "--add", "libadded.so.1", "--no-check"]
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, *arguments],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"elfaudit: {file}: cannot be written: File too large\n"
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["libdemo.so"]


def test_a_file_that_changed_since_it_was_planned_is_refused(
    prebuilt: Path, tmp_path: Path
) -> None:
    file = tmp_path / "libdemo.so"
    shutil.copy(prebuilt / "linkers/bfd/libdemo.so", file)
    plan = plan_patch(file, _EDITS, check=False)
    with open(file, "r+b") as stream:
        stream.seek(0x40)
        stream.write(b"x")
    changed = file.read_bytes()
    with pytest.raises(Exception, match="changed"):
        apply_patch(plan)
    assert file.read_bytes() == changed
    assert [each.name for each in tmp_path.iterdir()] == ["libdemo.so"]
