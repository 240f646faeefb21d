"""Regular expressions on texts of many lines, judged by grep and by the clock of a process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from elfaudit.checklist import patterns
from elfaudit.checklist.patterns import Pattern
from elfaudit.errors import ChecklistError

_TEXT = """foo
bar
USE_ROCM      : ON
 USE_ROCM
= OFF
foo bar
last foo
"""


@pytest.mark.parametrize("pattern", [
    "foo", "^foo$", r"foo(?!\s*bar)", r"foo\s+bar", r"USE_ROCM\s*[:=]\s*ON", r"USE_ROCM[^=]*OFF",
    r"(?<!last )foo", r"(?<=\s)foo", r"[^a-z]+$", r"bar\W", r"\bbar\b", r"(?i)use_rocm\s*=", "o$",
    r"(?>fo+)o", "fo++", "^$", r"\w+\s\w+", r"(?:foo|bar)\s*(?:bar|USE)", "nothing", r"\Abar\Z",
])  # fmt: skip
def test_lines_as_grep_finds_them(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "log").write_text(_TEXT)
    command = ["grep", "-nP", pattern, str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wanted = [int(line.partition(":")[0]) for line in done.stdout.splitlines()]
    asked, found, start = Pattern(pattern, "must"), [], 0
    while (at := asked.first_line(_TEXT, start)) is not None:
        found.append(_TEXT.count("\n", 0, at) + 1)
        start = _TEXT.index("\n", at) + 1
    assert found == wanted


def test_one_that_runs_from_line_to_line_is_tried_in_each() -> None:
    """Of all lines at once it would take quadratic time."""
    text = "checking USE_ROCM in here\n" * 20_000
    asked = Pattern("USE_ROCM[^=]*OFF", "must")
    for _ in range(5):
        assert asked.first_line(text) is None
    assert asked.first_line(text + "USE_ROCM is OFF\n") == len(text)


@pytest.mark.parametrize("text", ["(((a?){1000}){1000}){4}", "a" * 2_000_000, "(a{999}){1,9999}"])
def test_what_is_too_large_to_be_compiled(text: str) -> None:
    with pytest.raises(ChecklistError, match="too long, or repeats too much"):
        Pattern(text, "must")


def test_time_is_not_saved_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is looked at again and again does not pay for a pattern that explodes."""
    monkeypatch.setattr(patterns, "_SECONDS", 0.5)
    asked = Pattern(r"x\s*y|(a|aa)+$", "must")
    text = "x\n" * 100_000 + "y\n"
    assert asked.first_line(text) is None
    with pytest.raises(ChecklistError, match="it backtracks"):
        asked.first_line("a" * 60 + "b\n")
