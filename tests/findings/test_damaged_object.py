"""Rule ``damaged-object``: one library that cannot be read does not end the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

from elfaudit.api import resolve
from elfaudit.findings import Verdict
from tests.oracle.edit import dynamic_value, patch

DT_SYMTAB, DT_GNU_HASH = 6, 0x6FFFFEF5


def test_the_rest_goes_on(story: Path, tmp_path: Path) -> None:
    shutil.copytree(story / "variants/repaired/lib", tmp_path / "lib")
    damaged = tmp_path / "lib/libc10.so"
    # The first symbol's name lies far outside the string table.
    patch(damaged, dynamic_value(damaged, DT_SYMTAB) + 24, b"\xff\xff\xff\x7f")
    ours = resolve(str(tmp_path / "lib/libtorch_hip.so"), root=None)
    assert ours.verdict is Verdict.FAILS
    assert ours.findings[0].rule == "damaged-object"
    assert ours.findings[0].location.endswith("libc10.so")
    assert "st_name" in ours.findings[0].message
    undecided = {name for f in ours.findings if f.rule == "undecided-symbol" for name in f.symbols}
    assert undecided
    assert "rsmi_init" not in undecided
