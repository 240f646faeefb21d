"""What is written: the rules that no corpus file meets."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from elfaudit import PatchError, SetRunpath, plan_patch

_LONG = ":".join(["/a/long/path"] * 1000)


def test_a_32_bit_file_has_no_place_above_four_gigabytes(prebuilt: Path, tmp_path: Path) -> None:
    file = tmp_path / "libdemo.so"
    shutil.copy(prebuilt / "machines/i386/libdemo.so", file)
    os.truncate(file, (4 << 30) + 4096)
    with pytest.raises(PatchError, match=r"libdemo\.so: would need a place that 32-bit ELF has"):
        plan_patch(file, [SetRunpath(_LONG)], check=False)


def test_a_64_bit_file_has_one(prebuilt: Path, tmp_path: Path) -> None:
    file = tmp_path / "libdemo.so"
    shutil.copy(prebuilt / "machines/x86_64/libdemo.so", file)
    os.truncate(file, (4 << 30) + 4096)
    plan = plan_patch(file, [SetRunpath(_LONG)], check=False)
    assert plan.files[0].new_size > 4 << 30
    assert plan.files[0].written < 1 << 20
