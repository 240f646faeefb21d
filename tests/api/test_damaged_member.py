"""A damaged file of a wheel is judged as the same file on disk."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import DynamicTag, read_elf
from elfaudit.errors import ElfFormatError
from tests.oracle.edit import patch

LIBRARIES = ("libc10.so", "libtorch_cpu.so")


@pytest.mark.parametrize("root", ["/", None])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("tag", [DynamicTag.SYMTAB, DynamicTag.STRTAB, DynamicTag.GNU_HASH])
def test_a_table_that_leads_nowhere(
    story: Path, tmp_path: Path, tag: DynamicTag, method: int, root: str | None
) -> None:
    for name in LIBRARIES:
        (tmp_path / name).write_bytes((story / "site-packages/torch/lib" / name).read_bytes())
    _lead_nowhere(tmp_path / "libc10.so", tag)
    wheel = tmp_path / "bad-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", method) as archive:
        for name in LIBRARIES:
            archive.write(tmp_path / name, f"lib/{name}")
    for name in LIBRARIES:  # the damaged one, and one that needs it
        member = _said(f"{wheel}::lib/{name}", root)
        assert member == _said(str(tmp_path / name), root)
        assert member[0].startswith("libc10.so: ")


def _said(target: str, root: str | None) -> list[str]:
    """What is said of a file, the folder of the damaged one left out."""
    try:
        told = resolve(target, root=root)
    except ElfFormatError as error:
        return [str(error).rpartition("/")[2]]
    return [(told.error or "").rpartition("/")[2], *(finding.rule for finding in told.findings)]


def _lead_nowhere(path: Path, tag: DynamicTag) -> None:
    """Let a table lie at an address that no segment has."""
    dynamic = read_elf(path).dynamic
    assert dynamic is not None
    value = dynamic.value(tag)
    assert value is not None
    entry = tag.to_bytes(8, "little") + value.to_bytes(8, "little")
    patch(path, path.read_bytes().index(entry) + 8, (1 << 40).to_bytes(8, "little"))
