"""One file in detail, many in a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from elfaudit.findings import Severity, Verdict
from elfaudit.report.rows import FileRow, LibraryRow, Tally, unreadable
from elfaudit.report.style import Style
from elfaudit.report.table import file_report, many_report, tally_line

from .builders import FIX, finding, row

STYLE = Style(80)


def tally(rows: Sequence[FileRow], passed: int = 0) -> Tally:
    verdicts = [row.verdict for row in rows]
    loads, fails, undecided = (verdicts.count(verdict) for verdict in Verdict)
    return Tally(loads, fails, undecided, verdicts.count(None), passed)


ERROR = "a.so: undefined symbol: x"


def test_a_clean_file_is_one_line() -> None:
    assert file_report(row(), STYLE) == "LOADS  /lib/a.so"
    assert file_report(row(), replace(STYLE, quiet=True)) == ""


def test_a_failing_file_begins_with_the_loaders_words() -> None:
    wrong = finding(ERROR, evidence=("libx.so.1 exports x",), fixes=(FIX,))
    text = file_report(row("/lib/a.so", Verdict.FAILS, wrong, error=ERROR), STYLE)
    assert text.splitlines() == [
        f"FAILS  {ERROR}",
        "       when /lib/a.so is loaded",
        "       libx.so.1 exports x",
        "  fix: add libx.so.1 to DT_NEEDED of a.so",
        "         patch a.so",
    ]


def test_the_rest_follows_after_the_fix() -> None:
    wrong = finding(ERROR, fixes=(FIX,))
    warned = finding("it works by accident", rule="r", severity=Severity.WARNING)
    other = finding("y is odd", rule="r", severity=Severity.NOTE, location="/lib/b.so")
    text = file_report(
        row("/lib/a.so", Verdict.FAILS, warned, wrong, other, error=ERROR, host="/bin/python"),
        STYLE,
    )
    lines = text.splitlines()
    assert lines[0] == f"FAILS  {ERROR}"
    assert lines[-3:] == [
        "warning  it works by accident",
        "note  /lib/b.so: y is odd",
        "host:  /bin/python is the main program",
    ]


def test_colour_marks_verdict_and_commands() -> None:
    wrong = finding(ERROR, fixes=(FIX,))
    text = file_report(row("/lib/a.so", Verdict.FAILS, wrong, error=ERROR), Style(80, colour=True))
    assert text.startswith("\x1b[31;1mFAILS\x1b[0m  \x1b[1ma.so")
    assert "\x1b[1mpatch a.so\x1b[0m" in text


def test_demangled_names_keep_the_mangled_one_at_hand() -> None:
    name = "_ZN4c10d5Store3getEv"
    wrong = finding(f"a.so: undefined symbol: {name}", symbols=(name,))
    text = file_report(
        row("/lib/a.so", Verdict.FAILS, wrong, error=wrong.message), Style(80, demangle=True)
    )
    assert text.startswith("FAILS  a.so: undefined symbol: c10d::Store::get()\n")
    assert f"mangled: {name}" in text


def test_symbols_of_one_file_that_nobody_has_are_told_together() -> None:
    evidence = ("no library looked at exports it",)
    several = [
        finding(f"a.so: undefined symbol: {name}", symbols=(name,), evidence=evidence)
        for name in "xyz"
    ]
    text = many_report(
        [row("/lib/a.so", Verdict.FAILS, *several, error=several[0].message), row("/lib/b.so")],
        Tally(1, 1),
        STYLE,
    )
    assert "error  a.so: undefined symbol: x (and 2 more)\n" in text
    assert "symbols: x, y, z" in text


def test_a_message_is_never_taken_apart() -> None:
    place = "/d (and e: of f"
    several = [
        finding(
            f"{place}/a.so: undefined symbol: {name}", location=f"{place}/a.so", symbols=(name,)
        )
        for name in "xy"
    ]
    one = row(f"{place}/a.so", Verdict.LOADS, *several)
    text = many_report([one, row("/lib/b.so")], Tally(2), Style(200))
    assert f"error  {place}/a.so: undefined symbol: x (and 1 more)\n" in text


def test_findings_that_tell_of_more_than_a_symbol_stay_apart() -> None:
    versions = [
        finding(f"libc.so.6: version `{v}' not found", rule="version-not-found", symbols=("f",))
        for v in ("V1", "V2")
    ]
    grouped = [finding(f"a.so: undefined symbol: {n} (and 1 more)", symbols=(n, "z")) for n in "xy"]
    rows = [row("/lib/a.so", Verdict.FAILS, *versions, *grouped), row("/lib/b.so")]
    text = many_report(rows, tally(rows), Style(200))
    assert "version `V1' not found\n" in text
    assert "version `V2' not found\n" in text
    assert "undefined symbol: x (and 1 more)\n" in text
    assert "undefined symbol: y (and 1 more)\n" in text


def test_what_could_not_be_read_is_named_once() -> None:
    named = unreadable("w.whl::d/e.so", "w.whl::d/e.so: e_phoff: lies")
    assert named.error == "w.whl::d/e.so: e_phoff: lies"
    assert unreadable("w.whl::d/e.so", "lies").error == "w.whl::d/e.so: lies"
    assert unreadable("d: x/e.so", "/s/d: x/e.so: lies").error == "/s/d: x/e.so: lies"


def test_many_symbols_are_listed_only_on_request() -> None:
    names = tuple(f"symbol_{number}" for number in range(40))
    wrong = finding(ERROR, symbols=names)
    one = row("/lib/a.so", Verdict.FAILS, wrong, error=ERROR)
    assert "symbol_7 and 32 more" in " ".join(file_report(one, STYLE).split())
    assert "symbol_39" in file_report(one, replace(STYLE, verbose=True))


def test_what_is_outside_is_told_in_the_headline() -> None:
    outside = [
        finding(
            f"lib{name}.so: is not in what is audited; taken to come from elsewhere",
            rule="external-library",
            severity=Severity.WARNING,
        )
        for name in ("c", "m")
    ]
    names = ("libc.so", "libm.so")
    text = file_report(row("/lib/a.so", Verdict.UNDECIDED, *outside, outside=names), Style(200))
    assert text == (
        "UNDECIDED  /lib/a.so: libc.so, libm.so are not in what is audited (--root, --with)"
    )
    odd = row("/lib/a.so", Verdict.UNDECIDED, outside[0], outside=("a: b.so",))
    assert "a.so: a: b.so is not in" in file_report(odd, Style(200))
    nothing = file_report(row("/lib/a.so", Verdict.UNDECIDED), Style(200))
    assert nothing == "UNDECIDED  /lib/a.so"


def test_failing_files_come_first_and_their_cause_before_them() -> None:
    wrong = finding("w.whl: b.so: undefined symbol: x", location="w.whl::b.so")
    rows = [
        row("w.whl::a.so", Verdict.FAILS, wrong, error="b.so: undefined symbol: x"),
        row("w.whl::b.so", Verdict.FAILS, wrong, error="b.so: undefined symbol: x"),
        row("w.whl::c.so"),
        row("w.whl::d.so", Verdict.UNDECIDED),
        unreadable("w.whl::e.so", "w.whl::e.so: e_phoff at offset 0x20: lies"),
    ]
    lines = many_report(rows, tally(rows, 3), STYLE).splitlines()
    assert [line.split() for line in lines[:5]] == [
        ["FAILS", "b.so:", "undefined", "symbol:", "x"],
        ["FAILS", "a.so:", "b.so:", "undefined", "symbol:", "x"],
        ["UNREADABLE", "e.so:", "e_phoff", "at", "offset", "0x20:", "lies"],
        ["UNDECIDED", "d.so"],
        ["LOADS", "c.so"],
    ]
    assert " ".join(lines[-2:]).startswith(
        "5 files in w.whl: 1 loads, 2 fail, 1 undecided, 1 unreadable; 3 other files are "
    )


def test_the_same_finding_of_many_files_is_told_once() -> None:
    same = finding("libx.so.1: cannot open shared object file: No such file or directory")
    rows = [
        row(
            f"/lib/{n}.so",
            Verdict.FAILS,
            replace(same, location=f"/lib/{n}.so"),
            error=same.message,
        )
        for n in range(40)
    ]
    text = many_report(rows, tally(rows), STYLE)
    assert text.count("error  ") == 1
    assert "also: 1.so, 2.so, 3.so, 4.so, 5.so, 6.so and 33 more (40 files)" in text
    assert "39.so" in many_report(rows, tally(rows), replace(STYLE, verbose=True)).split("error")[1]
    assert text.endswith("40 files in /lib: 0 load, 40 fail, 0 undecided")


def test_many_clean_files_are_only_counted() -> None:
    rows = [row(f"/lib/{n}.so") for n in range(60)]
    text = many_report(rows, tally(rows), STYLE)
    assert text.startswith("LOADS  60 more files without findings (--verbose lists them)\n")
    assert "LOADS  59.so" in many_report(rows, tally(rows), replace(STYLE, verbose=True))
    assert many_report(rows, tally(rows), replace(STYLE, quiet=True)) == ""


def test_files_with_findings_say_how_many() -> None:
    warned = finding("odd", severity=Severity.WARNING)
    noted = finding("fine", severity=Severity.NOTE)
    rows = [row("/lib/a.so", Verdict.LOADS, warned), row("/lib/b.so", Verdict.LOADS, noted)]
    lines = many_report(rows, tally(rows), STYLE).splitlines()
    assert lines[:2] == ["LOADS  a.so (1 warning)", "LOADS  b.so (with notes)"]


def test_the_tally_counts() -> None:
    total = Tally(38, 2, 1, passed=12203)
    assert tally_line(total, Style(200)) == (
        "41 files: 38 load, 2 fail, 1 undecided; "
        "12,203 other files are no ELF files or not loadable"
    )
    one = tally_line(Tally(0, 1, passed=1), Style(200))
    assert (
        one == "1 file: 0 load, 1 fails, 0 undecided; 1 other file is no ELF file or not loadable"
    )


LIBRARIES = (
    LibraryRow("libx.so.1", "/srv/some/long/way/down/libx.so.1", "ld.so.cache", missing=False),
    LibraryRow("liby.so.1", None, "not found", missing=True),
)


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (60, "  library    file                               found by"),
        (40, "  library    file [found by]"),
    ],
)
def test_the_table_of_libraries_fits(width: int, header: str) -> None:
    text = file_report(row(libraries=LIBRARIES), Style(width))
    table = text.partition("\n\n")[2].splitlines()
    assert all(len(line) <= width for line in table)
    assert table[0] == header
    assert "libx.so.1" in table[1]
    assert "not found" in text
    assert "\x1b[31m-\x1b[0m" in file_report(row(libraries=LIBRARIES), Style(width, colour=True))


def test_assumed_names_are_told() -> None:
    names = tuple(f"Py{n}" for n in range(5))
    text = file_report(row(assumed=names), STYLE)
    assert "assumed: 5 names of the Python interpreter (Py0, Py1, Py2 and 2 more)" in text
    assert "Py4" in file_report(row(assumed=names), replace(STYLE, verbose=True))
    assert "assumed" not in file_report(
        row("/lib/a.so", Verdict.LOADS, finding(), assumed=names), replace(STYLE, quiet=True)
    )


def test_many_files_with_notes_only_are_folded_too() -> None:
    note = finding("RUNPATH has /opt/x", rule="rpath-absolute", severity=Severity.NOTE)
    rows = [row(f"/lib/{number}.so", Verdict.LOADS, note) for number in range(60)]
    text = many_report(rows, tally(rows), STYLE)
    assert text.startswith("LOADS  60 more files without warnings (--verbose lists them)\n")
    assert text.count("RUNPATH has /opt/x") == 1
    assert "(60 files)" in text


def test_a_finding_about_something_else_is_not_put_under_the_headline() -> None:
    """As when the rule of what stops the loader is ignored."""
    other = finding("b.so: undefined symbol: y", evidence=("liby.so exports y",))
    lines = file_report(row("/lib/a.so", Verdict.FAILS, other, error=ERROR), STYLE).splitlines()
    assert lines[0] == f"FAILS  {ERROR}"
    assert lines[1] == "error  b.so: undefined symbol: y"
    assert "liby.so exports y" in lines[2]
