"""Which modules of a real package cannot be imported: what a stale file breaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus

from .mix import STALE, mix

pytestmark = pytest.mark.real


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
