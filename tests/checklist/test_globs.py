"""Patterns, judged by bash's globstar where both have the notion."""

# ruff: noqa: E501 - checks are read best as one line each

from __future__ import annotations

import random
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from elfaudit.checklist.globs import matches_name, path_pattern
from elfaudit.errors import ChecklistError

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


def _fits(pattern: str, text: str) -> bool:
    """By trying everything: what the words about patterns mean, one sign after the other."""
    tokens = re.findall(r"(?:(?<=/)|(?<![^/]))\*\*/|\*\*|.", pattern)
    tokens = tokens if "/" in pattern else ["**/", *tokens]

    @cache
    def fits(token: int, at: int) -> bool:
        if token == len(tokens):
            return at == len(text)
        kind = tokens[token]
        if kind == "**":
            return any(fits(token + 1, end) for end in range(at, len(text) + 1))
        if kind == "**/":
            ends = (end for end in range(at, len(text)) if text[end] == "/")
            return fits(token + 1, at) or any(fits(token + 1, end + 1) for end in ends)
        if kind == "*":
            part = (text + "/").index("/", at)
            return any(fits(token + 1, end) for end in range(at, part + 1))
        same = at < len(text) and (text[at] == kind or (kind == "?" and text[at] != "/"))
        return same and fits(token + 1, at + 1)

    return fits(0, 0)


def test_patterns_and_paths_at_random() -> None:
    chance = random.Random(5)
    pieces = ["a", "b", "/", "*", "**", "**/", "?", "*"]
    for _ in range(20_000):
        joined = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 8)))
        pattern = re.sub(r"\*{3,}", "**", joined)
        text = "".join(chance.choice("aab/") for _ in range(chance.randint(0, 9)))
        found = path_pattern(pattern).fullmatch(text) is not None
        assert found is _fits(pattern, text), (pattern, text)


def test_many_stars_take_no_time() -> None:
    """A search that tries every split of a long name would not end."""
    for pattern in ("**a" * 9 + "b", "*a" * 9 + "b/x", "**/a*" * 9 + "b", "**a*" * 20 + "b"):
        for text in ("a" * 4000, "a/" * 2000):
            assert path_pattern(pattern).fullmatch(text) is None
            assert not matches_name(text, pattern)


@pytest.mark.parametrize("pattern", ["[z-a]", "x/[b-a]*"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ChecklistError, match="is no pattern"):
        path_pattern(pattern)


def test_a_name_without_a_slash_is_the_last_part() -> None:
    assert path_pattern("a.so").fullmatch("b/c/a.so")
    assert not path_pattern("a.so").fullmatch("b/xa.so")


def test_a_star_of_a_name_goes_over_slashes() -> None:
    assert matches_name("/opt/rocm-7.1/lib", "/opt/*/lib")
    assert matches_name("$ORIGIN/../lib", "$ORIGIN*")
    assert matches_name("", "")
    assert not matches_name("x", "")
