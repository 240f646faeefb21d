"""Patterns, judged by bash's globstar where both have the notion."""

# ruff: noqa: E501 - checks are read best as one line each

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from elfaudit.checklist.globs import matches_name, path_pattern

_FILES = ("a.so", "b/a.so", "b/c/a.so.1", "b/c/[x].py", "b/.hidden", "b/c.py", "b/cc.py")


@pytest.mark.parametrize("pattern", [
    "a.so", "b/*.so", "**/*.so", "**/*.so*", "b/**/a*", "b/c?.py", "b/[cd].py", "b/[!c].py",
    "b/*", "**/c.py", "b/c/[[]x].py", "*/*/*",
])  # fmt: skip
def test_paths_as_bash_has_them(tmp_path: Path, pattern: str) -> None:
    for name in _FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    script = f'shopt -s globstar dotglob nullglob; for f in {pattern}; do [ -f "$f" ] && echo "$f"; done; true'
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    whole = path_pattern(pattern).fullmatch
    ours = {name for name in _FILES if whole(name)} if "/" in pattern else {"a.so"}
    assert ours == set(done.stdout.split("\n")) - {""}


def test_a_name_without_a_slash_is_the_last_part() -> None:
    assert path_pattern("a.so").fullmatch("b/c/a.so")
    assert not path_pattern("a.so").fullmatch("b/xa.so")


def test_a_star_of_a_name_goes_over_slashes() -> None:
    assert matches_name("/opt/rocm-7.1/lib", "/opt/*/lib")
    assert matches_name("$ORIGIN/../lib", "$ORIGIN*")
    assert matches_name("", "")
    assert not matches_name("x", "")
