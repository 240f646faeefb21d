"""The first checklists of real wheels: what they were written from passes them at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus
from elfaudit.api.first_checklist import first_checklist

pytestmark = pytest.mark.real

WHEELS = [
    "cryptography", "lxml", "pillow", "psycopg2-binary", "numpy", "bitsandbytes", "django",
    "onnxruntime-rocm", "torch-scatter-rocm", "pillow-musl", "jax-rocm7-plugin", "pyarrow",
]  # fmt: skip


@pytest.mark.parametrize("name", WHEELS)
def test_a_wheel_passes_what_was_written_from_it(
    name: str, wheel: Callable[[str], Path], tmp_path: Path
) -> None:
    path, checklist = wheel(name), tmp_path / "first.toml"
    text = first_checklist([str(path)])
    checklist.write_text(text, encoding="utf-8")
    rows = tomllib.loads(text)["check"]
    assert len({row["id"] for row in rows}) == len(rows) > 5
    (report,) = elfaudit.verify(str(path), str(checklist))
    assert not [each for each in report.judgements if each.status is not CheckStatus.PASS]


@pytest.mark.parametrize(("name", "target", "flavor"), [
    ("torch-scatter-rocm", "gfx1100", "rocm"), ("bitsandbytes", "sm_90", "rocm cuda"),
    ("jax-rocm7-plugin", None, "rocm"),
])  # fmt: skip
def test_what_it_is_built_for_is_held(
    name: str, target: str | None, flavor: str, wheel: Callable[[str], Path]
) -> None:
    rows = tomllib.loads(first_checklist([str(wheel(name))]))["check"]
    targets = {each for row in rows if row["kind"] == "gpu-targets" for each in row["has"]}
    assert target is None or target in targets
    assert [row["is"] for row in rows if row["kind"] == "flavor"] == flavor.split()
