"""The text of a difference: what is told, what is summed up, and what is left for --verbose."""

from __future__ import annotations

from elfaudit.findings import (
    Aspect,
    BuildChange,
    ChangedItem,
    ChangeSeverity,
    Difference,
    FileDifference,
    OtherFile,
    OtherFiles,
)
from elfaudit.report.difference import difference_text, gist
from elfaudit.report.style import Style

BREAKING, NOTABLE, HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)
WIDE = Style(width=200)


def change(
    aspect: Aspect, severity: ChangeSeverity, message: str, *items: ChangedItem
) -> BuildChange:
    return BuildChange(aspect, severity, message, items)


def changed(path: str, *changes: BuildChange) -> FileDifference:
    return FileDifference(path, path, 1000, 1200, changes)


def of(*files: FileDifference, **more: object) -> Difference:
    return Difference("a/old.whl", "b/new.whl", files=files, **more)  # type: ignore[arg-type]


def test_the_gist_is_one_line() -> None:
    lost = change(Aspect.EXPORTS_LOST, BREAKING, "no longer exports 3 symbols")
    fails = change(Aspect.VERDICT, BREAKING, "LOADS before, FAILS now: no")
    told = of(changed("p/x.so", lost), changed("p/y.so", fails, lost))
    assert gist(told, WIDE) == (
        "old.whl → new.whl: 3 breaking changes: y.so LOADS before, FAILS now: no; "
        "x.so no longer exports 3 symbols; and 1 more"
    )
    note = change(Aspect.RPATH, NOTABLE, "its RPATH is x")
    assert gist(of(changed("p/x.so", note)), WIDE) == (
        "old.whl → new.whl: no breaking changes, 1 notable change; 1 ELF file differs"
    )
    assert gist(of(), WIDE) == "old.whl → new.whl: no differences"
    names = of(changes=(change(Aspect.NAMES_LOST, BREAKING, "has 1 public name no more"),))
    assert gist(names, WIDE).endswith(": 1 breaking change: has 1 public name no more")


def test_what_is_compared_is_told_apart() -> None:
    same = Difference("a/x.whl", "b/x.whl")
    assert gist(same, WIDE) == "a/x.whl → b/x.whl: no differences"


def test_items_are_told_as_what_they_are() -> None:
    file = changed(
        "p/x.so",
        change(Aspect.OBJECT_SIZE, BREAKING, "sizes", ChangedItem("t", "V", "4000", "8")),
        change(Aspect.VERSION_NEEDED, NOTABLE, "needs", ChangedItem("f", "V_2", None, "libv.so")),
        change(Aspect.DEFAULT_VERSION, NOTABLE, "default", ChangedItem("g", "V_2", "V_1", "V_2")),
        change(Aspect.EXPORT_TYPE, NOTABLE, "type", ChangedItem("h", None, "OBJECT", "FUNC")),
        change(Aspect.NEEDED_ADDED, NOTABLE, "needs liba.so now", ChangedItem("liba.so")),
        change(Aspect.COPIES_LOST, NOTABLE, "copies", ChangedItem("_ZSt1fv")),
    )
    lines = [line.strip() for line in difference_text(of(file), WIDE).splitlines()]
    assert "t@V: 4,000 → 8 bytes" in lines
    assert "f@V_2 (libv.so)" in lines
    assert "g: V_1 → V_2" in lines
    assert "h: OBJECT → FUNC" in lines
    assert "liba.so" not in lines
    assert "_ZSt1fv" not in lines
    assert "p/x.so  (1,000 → 1,200 bytes)" in lines
    verbose = difference_text(of(file), Style(width=200, verbose=True))
    assert "_ZSt1fv" in verbose


def test_requirements_are_told_as_they_are_written() -> None:
    items = (
        ChangedItem("a", None, "a>1", "a>2"),
        ChangedItem("b", None, None, "b"),
        ChangedItem("c", None, "c", None),
    )
    text = difference_text(
        of(changes=(change(Aspect.REQUIREMENTS, NOTABLE, "d has 3", *items),)), WIDE
    )
    for line in ("a>2 (before a>1)", "b is new", "c is gone"):
        assert f"  {line}\n" in f"{text}\n"


def test_files_are_summed_up() -> None:
    note = change(Aspect.RPATH, NOTABLE, "its RPATH is x")
    fine = change(Aspect.EXPORTS_GAINED, HARMLESS, "exports 1 more symbol", ChangedItem("f"))
    alike = [changed(f"p/a{n}.so", note) for n in range(7)]
    unlike = [changed(f"p/b{n}.so", change(Aspect.SONAME, NOTABLE, f"is {n}")) for n in range(20)]
    quiet = [changed(f"p/c{n}.so", fine) for n in range(3)]
    told = of(*alike, *unlike, *quiet, changed("p/d.so"))
    text = difference_text(told, WIDE)
    assert "p/a3.so, p/a4.so and 2 more (--verbose)" in text
    assert "9 more ELF files with notable changes (--verbose)" in text
    assert "4 ELF files with harmless changes only: c0.so, c1.so, c2.so, d.so" in text
    verbose = difference_text(told, Style(width=200, verbose=True))
    assert "--verbose" not in verbose
    assert all(f"p/b{n}.so" in verbose for n in range(20))
    assert "code or data only" in verbose
    assert difference_text(told, Style(width=200, quiet=True)).count("\n") < 3


def test_other_files_and_problems_are_counted() -> None:
    files = tuple(OtherFile(f"p/{n}.py", None, 10) for n in range(5))
    gone = (OtherFile("p/x.txt", 7, None),)
    told = of(others=OtherFiles(files, gone, ()), problems=("x\x1b: cannot be listed",))
    text = difference_text(told, WIDE)
    assert "5 other files added (+50 bytes): p/0.py, p/1.py, p/2.py and 2 more" in text
    assert "1 other file removed (-7 bytes): p/x.txt" in text
    assert "note: x\\x1b: cannot be listed" in text


def test_long_names_are_cut_unless_all_is_wanted() -> None:
    name = "x" * 500
    file = changed("p/x.so", change(Aspect.EXPORTS_LOST, BREAKING, "lost", ChangedItem(name)))
    assert name not in difference_text(of(file), WIDE)
    assert "x…" in difference_text(of(file), Style(width=80))
    assert name in difference_text(of(file), Style(width=80, verbose=True))
