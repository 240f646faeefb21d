"""Which modules of real packages cannot be imported: what a stale file breaks, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus
from elfaudit.pydist import refusal_of

from .mix import STALE, mix
from .test_imports import build_of

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("name", "package"), [
    ("vllm-0.12.0", "vllm"), ("torch", "torch"), ("numpy", "numpy"), ("scipy", "scipy"),
    ("pandas", "pandas"), ("django", "django"),
])  # fmt: skip
def test_no_module_of_a_released_package_is_refused(
    wheel: Callable[[str], Path], name: str, package: str
) -> None:
    modules = build_of(wheel(name)).modules
    refused = {each.name: refusal_of(modules, each.name) for each in modules.below(package)}
    assert len(refused) > 400
    assert {name: refusal for name, refusal in refused.items() if refusal is not None} == {}


def test_the_platforms_of_the_mix_cannot_be_imported(
    wheel: Callable[[str], Path], tmp_path: Path
) -> None:
    mix(wheel("vllm-0.11.0"), wheel("vllm-0.12.0"), tmp_path / "site")
    (tmp_path / "list.toml").write_text(
        "name='x'\n[[check]]\nkind='imports'\nnames=['from vllm.platforms import current_platform']"
    )
    report = elfaudit.verify(str(tmp_path / "site"), str(tmp_path / "list.toml"))
    (found,) = report[0].judgements
    assert found.status is CheckStatus.FAIL
    assert found.message.startswith(
        f"vllm.platforms.current_platform cannot be imported: {STALE}:10: vllm.utils has no "
    )
