"""The benchmark's table, without a benchmark: no test here takes or judges a time."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from .bench import main, measure, run_pair, table, with_others, write_between_markers
from .pair import Command, Pair, Row, Run


def _pair(**bounds: float) -> Pair:
    ours, theirs = Command("ours | one", ("true",)), Command("theirs", ("true",))
    return Pair("a", "what", ours, theirs, "≥ 3 times as fast", **bounds)


def _row(seconds: tuple[float, ...], **bounds: float) -> Row:
    ours = [Run(1.0, 0.9, 50_000_000) for _ in seconds]
    return Row(_pair(**bounds), ours, [Run(s, s, 20_000_000) for s in seconds])


@pytest.mark.parametrize(
    ("bounds", "met"),
    [
        ({"least": 3.0}, True),
        ({"least": 4.1}, False),
        ({"most_wall": 0.5}, False),
        ({"most_peak": 60e6}, True),
        ({"most_peak": 40e6}, False),
    ],
)
def test_a_row_is_judged_by_its_medians(bounds: dict[str, float], met: bool) -> None:
    assert _row((3.0, 9.0, 4.0), **bounds).met is met


def test_the_table_says_how_many_times_as_fast_or_as_slow() -> None:
    fast, slow = table([_row((3.0, 9.0, 4.0))]), table([_row((0.5, 0.25, 0.5))])
    assert "4.0 times as fast (3.0 to 9.0)" in fast
    assert "`ours \\| one`<br>1.00 s (1.00 s to 1.00 s), CPU 900 ms, 50 MB" in fast
    assert "2.0 times the time (2.0 to 4.0)" in slow


def test_a_row_without_its_tool_says_so() -> None:
    missing = Command("none", ("/nonexistent/tool",))
    row = run_pair(Pair("b", "what", Command("true", ("true",)), missing, "fast"), 2)
    assert "not measured: tool is not installed" in table([row])


def test_a_process_is_measured_with_its_children_and_may_not_fail() -> None:
    run = measure(Command("spawn", ("sh", "-c", "true; exit 3"), (3,)))
    assert run.peak > 0
    with pytest.raises(RuntimeError, match="failing: exit 4: no"):
        measure(Command("failing", ("sh", "-c", "echo no >&2; exit 4")))


def test_rows_that_were_not_measured_stay_where_they_were() -> None:
    old = table([_row((3.0,)), replace(_row((3.0,)), pair=replace(_pair(), key="c"))])
    new = table([replace(_row((9.0,)), pair=replace(_pair(), key="b"))])
    lines = with_others(new, old).splitlines()
    assert [line[2] for line in lines if re.match(r"\| [a-z] \|", line)] == [*"abc"]
    assert "9.0 times" in lines[-2]
    assert with_others(new, new) == new


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n", encoding="utf-8")
    write_between_markers(document, "new")
    assert document.read_text(encoding="utf-8") == (
        "before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter\n"
    )
    document.write_text("no place", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no <!-- bench -->"):
        write_between_markers(document, "new")


def test_a_page_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="cannot be read"):
        main(["--write", str(tmp_path / "none.md")])


def test_the_page_has_a_place_for_the_table(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
    copy = tmp_path / "performance.md"
    copy.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    write_between_markers(copy, "| new |")
    assert "| new |" in copy.read_text(encoding="utf-8")
