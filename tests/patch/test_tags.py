"""Entries of the dynamic section that are texts though their numbers are among those of addresses.

The table of strings is where the text's offset, taken for an address, would be: it moves, and the
offset must not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from elfaudit.patch.edits import AddNeeded, PatchEdit, SetRunpath
from elfaudit.patch.files import carry_out
from elfaudit.patch.planning import plan, plan_undo
from elfaudit.stream import FileStream
from tests.elf import judge

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
]
SOURCE = "".join(f"void f{'x' * 200}{number}(void) {{}}\n" for number in range(50))


def _built(directory: Path, *options: str, source: str = SOURCE) -> Path:
    path = directory / "built"
    subprocess.run(
        ["gcc", "-x", "c", "-", "-o", path, *options], input=source, text=True, check=True
    )
    return path


def _edited(source: Path, target: Path, room: int) -> None:
    """A text for which there is no room behind the others."""
    edits: list[PatchEdit] = [AddNeeded("libm.so.6"), SetRunpath("/" + "y" * room)]
    carry_out(plan(FileStream(str(source)), source.name, edits), str(source), str(target))


def _auditors(readelf: str, path: Path) -> list[str]:
    lines = judge.text(readelf, "-dW", path).splitlines()
    return [line.split("[")[1] for line in lines if re.search(r"\((AUDIT|DEPAUDIT)\)", line)]


@pytest.mark.parametrize("room", [9, 5000])
def test_auditors_are_texts(room: int, tmp_path: Path, readelf: str) -> None:
    path, patched = _built(
        tmp_path, "-shared", "-fPIC", "-Wl,--audit=libone.so:libtwo.so,--depaudit=libthree.so"
    ), tmp_path / "patched"  # fmt: skip
    auditors = _auditors(readelf, path)
    assert sorted(auditors) == ["libone.so:libtwo.so]", "libthree.so]"]
    with judge.opened(path) as elf:
        (dynamic,) = elf.iter_segments("PT_DYNAMIC")
        values = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic.iter_tags()}
        begin = values["DT_STRTAB"]
        assert begin <= values["DT_AUDIT"] < begin + values["DT_STRSZ"], "the trap is not there"
    _edited(path, patched, room)
    assert _auditors(readelf, patched) == auditors
    again, back = tmp_path / "again", tmp_path / "back"
    _edited(patched, again, room + 300)
    assert _auditors(readelf, again) == auditors
    carry_out(plan_undo(FileStream(str(again)), "again"), str(again), str(back))
    assert back.read_bytes() == path.read_bytes()


def test_the_loader_asks_for_the_same_auditor(tmp_path: Path) -> None:
    """ld.so complains about an auditor that is not there, by the name that it has read."""
    path = _built(
        tmp_path, "-rdynamic", "-Wl,--audit=libno_such_auditor.so",
        source=SOURCE + "int main(void) { return 0; }\n",
    )  # fmt: skip
    before = subprocess.run([path], capture_output=True, text=True, check=True).stderr
    if "libno_such_auditor.so" not in before:
        pytest.skip("the loader here does not look at DT_AUDIT")
    _edited(path, path, 5000)
    assert subprocess.run([path], capture_output=True, text=True, check=True).stderr == before
