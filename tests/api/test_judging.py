"""Verdicts of two builds: what is the same failure, why a verdict is open, what nobody supplies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import elfaudit
from elfaudit import Aspect, BuildChange, ChangeSeverity
from tests.oracle.workshop import Workshop

BREAKING, NOTABLE = ChangeSeverity.BREAKING, ChangeSeverity.NOTABLE
USES = "int nowhere(void); int u(void) { return nowhere(); }"


def changes(old: Path, new: Path, **given: str | None) -> dict[Aspect, BuildChange]:
    found = elfaudit.diff(str(old), str(new), **given)  # type: ignore[arg-type]
    return {change.aspect: change for _, change in found.every()}


def test_the_same_failure_under_another_name_is_no_news(workshop: Workshop) -> None:
    now = ["-Wl,-z,now"]
    old = workshop.library("old/libu.so.1.2", USES, soname="libu.so.1", flags=now)
    new = workshop.library("new/libu.so.1.3", USES, soname="libu.so.1", flags=now)
    assert elfaudit.resolve(str(old)).verdict is elfaudit.Verdict.FAILS
    assert Aspect.VERDICT not in changes(old, new)
    assert Aspect.VERDICT not in changes(old.parent, new.parent)
    other = workshop.library("other/libu.so.1.2", USES.replace("nowhere", "elsewhere"), flags=now,
                             soname="libu.so.1")  # fmt: skip
    told = changes(old.parent, other.parent)[Aspect.VERDICT]
    assert told.message == (
        "FAILS as before, but for another reason: libu.so.1.2: undefined symbol: elsewhere"
    )


def test_why_a_verdict_is_open_is_told(workshop: Workshop) -> None:
    old = workshop.library("old/libu.so")
    new = workshop.library("new/libu.so", needed=["libabsent.so.1"])
    told = changes(old, new, root=None)[Aspect.VERDICT]
    assert told.message == ("LOADS before, UNDECIDED now: libabsent.so.1 is not in what is audited")


@pytest.mark.oracle
def test_what_fails_when_it_is_first_called(workshop: Workshop) -> None:
    """The program starts, and ends where it calls what nobody has."""
    main = "int nowhere(void); int main(int n, char **v) {{ return n > 1 ? {} : 0; }}"
    full = workshop.library("full/libn.so", "int nowhere(void) { return 1; }")
    old, new = (
        workshop.program(f"{side}/prog", main.format(call), runpath="$ORIGIN", flags=[str(full)])
        for side, call in (("old", "0"), ("new", "nowhere()"))
    )
    for side in ("old", "new"):
        workshop.library(f"{side}/libn.so")
    assert subprocess.run([new], check=False).returncode == 0
    real = subprocess.run([new, "1"], capture_output=True, text=True, check=False)
    assert "symbol lookup error" in real.stderr
    assert "undefined symbol: nowhere" in real.stderr
    told = changes(old, new)[Aspect.UNRESOLVED]
    assert told.severity is BREAKING
    assert told.message == "refers to nowhere, which nothing supplies now"
    assert Aspect.UNRESOLVED not in changes(new, old)
    assert Aspect.UNRESOLVED not in changes(new, new)


def test_what_is_missing_may_have_it(workshop: Workshop) -> None:
    old = workshop.library("old/libu.so", needed=["libabsent.so.1"])
    new = workshop.library("new/libu.so", USES, needed=["libabsent.so.1"])
    told = changes(old, new)[Aspect.UNRESOLVED]
    assert told.severity is NOTABLE
    assert [item.name for item in told.items] == ["nowhere"]


@pytest.mark.oracle
def test_what_moved_to_a_library_that_is_listed_is_still_found(
    workshop: Workshop, tmp_path: Path
) -> None:
    old = workshop.library("old/libs.so.1", "int f(void) { return 7; } int s(void) { return 1; }")
    program = workshop.program(
        "prog", "int f(void); int main(void) { return f() - 7; }",
        flags=[str(old), "-Wl,-z,now"],
    )  # fmt: skip
    moved = workshop.library("new/libg.so.1", "int f(void) { return 7; }")
    new = workshop.library("new/libs.so.1", "int s(void) { return 1; }", needed=[moved],
                           runpath="$ORIGIN")  # fmt: skip
    for library in (old, new):
        env = {"LD_LIBRARY_PATH": str(library.parent)}
        assert subprocess.run([program], env=env, check=False).returncode == 0
    found = changes(old.parent, new.parent)
    assert Aspect.EXPORTS_LOST not in found
    assert found[Aspect.EXPORTS_MOVED].severity is NOTABLE
    moved.unlink()
    workshop.library("new/libg.so.1", soname="libg.so.1")
    env = {"LD_LIBRARY_PATH": str(new.parent)}
    assert subprocess.run([program], env=env, check=False, capture_output=True).returncode
    assert changes(old.parent, new.parent)[Aspect.EXPORTS_LOST].severity is BREAKING
