"""Exports that are there and yet not found, or not the same variable: programs say what is so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from elfaudit import Aspect, BuildChange, ChangeSeverity, read_elf
from elfaudit.findings.changed_exports import without_moved
from elfaudit.findings.changes import ChangedItem
from elfaudit.findings.compare import compare_files
from tests.oracle.workshop import Workshop

BREAKING, NOTABLE = ChangeSeverity.BREAKING, ChangeSeverity.NOTABLE
TWO = "V_1 { global: g; local: *; }; V_2 { global: f; } V_1;"


def compared(old: Path, new: Path) -> dict[Aspect, BuildChange]:
    found = compare_files(read_elf(old), read_elf(new), "libv.so.1", "libv.so.1")
    return {change.aspect: change for change in found}


def has_f(library: Path) -> bool:
    """Whether dlsym finds it."""
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).f"
    done = subprocess.run(
        [sys.executable, "-c", code, library], capture_output=True, text=True, check=False
    )
    assert not done.returncode or "undefined symbol: f" in done.stderr
    return not done.returncode


@pytest.mark.oracle
def test_a_default_version_that_is_hidden_now(workshop: Workshop) -> None:
    old = workshop.library("old/libv.so.1", "int f(void){return 1;} int g(void){return 2;}",
                           script=TWO)  # fmt: skip
    code = '__asm__(".symver h, f@V_2"); int h(void){return 1;} int g(void){return 2;}'
    new = workshop.library("new/libv.so.1", code, script=TWO)
    assert (has_f(old), has_f(new)) == (True, False)
    change = compared(old, new)[Aspect.DEFAULT_VERSION]
    assert change.severity is BREAKING
    assert change.items == (ChangedItem("f", "V_2", "V_2", None),)
    assert Aspect.EXPORTS_LOST not in compared(old, new)
    back = compared(new, old).get(Aspect.DEFAULT_VERSION)
    assert back is None or back.severity is not BREAKING


@pytest.mark.oracle
@pytest.mark.parametrize("versions", [False, True])
def test_all_versions_are_gone(workshop: Workshop, *, versions: bool) -> None:
    """Without DT_VERSYM glibc's loader ends the process; with one of something else it warns."""
    body = "int f(void){return 0;} int g(void){return 2;}"
    old = workshop.library("old/libv.so.1", body, script=TWO)
    base = workshop.library("old/libw.so.1", "int w(void){return 0;}", script="W_1 { w; };")
    uses = "int w(void); int x(void) { return w(); }" if versions else ""
    new = workshop.library(
        "new/libv.so.1", f"{body} {uses}", needed=[base] if versions else (),
        runpath=str(base.parent),
    )  # fmt: skip
    program = workshop.program(
        "prog", "int f(void); int main(void) { return f(); }", flags=[str(old)]
    )
    runs = [
        subprocess.run([program], env={"LD_LIBRARY_PATH": str(each.parent)}, check=False,
                       capture_output=True, text=True)
        for each in (old, new)
    ]  # fmt: skip
    assert runs[0].returncode == 0
    lost = compared(old, new)[Aspect.VERSIONS_LOST]
    assert (lost.severity is BREAKING) is (runs[1].returncode != 0)
    assert versions is (runs[1].returncode == 0)
    if not versions:
        assert "Inconsistency detected by ld.so" in runs[1].stderr


@pytest.mark.oracle
def test_a_variable_that_is_protected_now(workshop: Workshop) -> None:
    """The program has a copy of it, which the library does not look at any more."""
    code = "{} int v = 42; void set(void) {{ v = 1; }}"
    old = workshop.library("old/libv.so.1", code.format(""))
    new = workshop.library("new/libv.so.1", code.format('__attribute__((visibility("protected")))'))
    main = "extern int v; void set(void); int main(void) { set(); return v; }"
    program = workshop.program("prog", main, flags=["-no-pie", "-fno-pie", str(old)])
    codes = [
        subprocess.run(
            [program], env={"LD_LIBRARY_PATH": str(each.parent)}, check=False, capture_output=True
        ).returncode
        for each in (old, new)
    ]
    assert codes[0] == 1
    assert codes[1] != 1
    change = compared(old, new)[Aspect.VISIBILITY]
    assert change.severity is BREAKING
    assert change.items == (ChangedItem("v", None, "DEFAULT", "PROTECTED"),)


def test_what_is_most_likely_asked_for_stands_first(workshop: Workshop) -> None:
    names = ("_ZTI1a", "_Z1bv", "zeta", "alpha")
    code = "".join(f"int {name}(void) {{ return 1; }}\n" for name in names)
    old = workshop.library("old/libv.so.1", code)
    new = workshop.library("new/libv.so.1")
    change = compared(old, new)[Aspect.EXPORTS_LOST]
    assert [each.name for each in change.items] == ["alpha", "zeta", "_Z1bv", "_ZTI1a"]


def test_what_moved_is_told_apart() -> None:
    items = (ChangedItem("f"), ChangedItem("g"), ChangedItem("h", "V_1"))
    lost = BuildChange(Aspect.EXPORTS_LOST, BREAKING, "no longer exports 3 symbols", items)
    gone, moved = without_moved(lost, {"g": "libg.so.1", "h": "libg.so.1"})
    assert [each.name for each in gone.items] == ["f", "h"]
    assert (moved.aspect, moved.severity) == (Aspect.EXPORTS_MOVED, NOTABLE)
    assert moved.items == (ChangedItem("g", None, None, "libg.so.1"),)
    assert list(without_moved(lost, {})) == [lost]
