"""Directories put behind those of a RUNPATH: each stands there once, however it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.patch.edits import AddRunpath
from elfaudit.patch.files import carry_out
from elfaudit.patch.planning import plan
from elfaudit.stream import FileStream
from tests.elf import judge

SAMPLE = "linkers/bfd/libdemo.so"
FIRST = "$ORIGIN:$ORIGIN/../other"


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (["/a"], f"{FIRST}:/a"),
        (["/a:/b"], f"{FIRST}:/a:/b"),
        (["/a:/b", "/a:/b"], f"{FIRST}:/a:/b"),
        (["/a:/b", "/b:/c"], f"{FIRST}:/a:/b:/c"),
        (["/a:/a"], f"{FIRST}:/a"),
        (["/a", "$ORIGIN:/a:$ORIGIN/../other"], f"{FIRST}:/a"),
    ],
)
def test_what_is_added_is_there_once(
    added: list[str], expected: str, prebuilt: Path, tmp_path: Path
) -> None:
    source, target = prebuilt / SAMPLE, tmp_path / "libdemo.so"
    edits = [AddRunpath(path) for path in added]
    carry_out(plan(FileStream(str(source)), SAMPLE, edits), str(source), str(target))
    with judge.opened(target) as elf:
        assert judge.dynamic_strings(elf, "DT_RUNPATH") == [expected]


def test_several_that_are_all_there_are_no_change(prebuilt: Path) -> None:
    made = plan(
        FileStream(str(prebuilt / SAMPLE)), SAMPLE, [AddRunpath("$ORIGIN/../other:$ORIGIN")]
    )
    assert not made.is_needed
    assert made.change.told == ("$ORIGIN/../other:$ORIGIN is in the RUNPATH already",)
