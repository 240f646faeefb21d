"""Rule ``version-not-found``."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings import Severity
from elfaudit.loader import Loader
from tests.oracle import Workshop, dlopen
from tests.oracle.compare import judge
from tests.oracle.edit import add_dynamic_entry, dynamic_entry_offset, patch

pytestmark = pytest.mark.oracle

DT_NEEDED, DT_DEBUG, DT_RELRSZ, DT_RELR, DT_RELRENT = 1, 21, 35, 36, 37
SCRIPT = "V2 { global: f; g; local: *; };"
CODE = "int f(void) { return 1; } int g(void) { return 2; }"
ASK = "int f(void); int g(void); int ask(void) { return f() + g(); }"


def test_the_symbols_concerned(workshop: Workshop, host: Path) -> None:
    two = workshop.library("libtwo.so", CODE, script=SCRIPT)
    ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
    workshop.library("libtwo.so", CODE, script=SCRIPT.replace("V2", "V1"))
    _, ours = judge(host, ask)
    finding = ours.findings[0]
    assert (finding.rule, finding.severity) == ("version-not-found", Severity.ERROR)
    assert finding.symbols == ("f", "g")
    assert finding.evidence == ("2 symbols need it: f, g", "libtwo.so defines V up to V1")


class TestRemedies:
    """What the library found has instead, and who has what is required."""

    def asking(self, workshop: Workshop, wanted: str, had: str) -> Path:
        two = workshop.library("new/libtwo.so", CODE, script=script(wanted))
        ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
        workshop.library("libtwo.so", CODE, script=script(had))
        return ask

    def test_versions_are_numbers(self, workshop: Workshop, host: Path) -> None:
        ask = self.asking(workshop, "TWO_3.4.32", "TWO_3.4.9 TWO_3.4.30 OTHER_9 TWO_3.4.X")
        _, ours = judge(host, ask)
        finding = ours.findings[0]
        assert finding.message == ours.error
        assert finding.evidence[1] == "libtwo.so defines TWO up to TWO_3.4.30"
        assert "a system whose libtwo.so has TWO_3.4.30 at most" in finding.fixes[0].title

    def test_another_family_says_nothing(self, workshop: Workshop, host: Path) -> None:
        finding = judge(host, self.asking(workshop, "TWO_3", "OTHER_1"))[1].findings[0]
        assert finding.evidence == ("2 symbols need it: f, g",)
        assert not finding.fixes

    def test_what_it_has_is_newer(self, workshop: Workshop, host: Path) -> None:
        finding = judge(host, self.asking(workshop, "TWO_3", "TWO_5"))[1].findings[0]
        assert finding.evidence == ("2 symbols need it: f, g",)

    def test_a_newer_library_is_at_hand(self, workshop: Workshop, host: Path) -> None:
        ask = self.asking(workshop, "TWO_2", "TWO_1")
        place = str(workshop.directory / "new")
        ours = resolve(str(ask), host=str(host), with_=[place])
        (fix,) = [fix for fix in ours.findings[0].fixes if fix.command]
        assert fix.command == f"export LD_LIBRARY_PATH={place}"
        # It is good advice, unless a RUNPATH or RPATH leads to the old one first.
        assert resolve(str(ask), host=str(host), library_path=[place]).error is None
        assert dlopen(host, ask, library_path=place).error is None

    def test_an_older_one_is_no_help(self, workshop: Workshop, host: Path) -> None:
        ask = self.asking(workshop, "TWO_2", "TWO_1")
        workshop.library("old/libtwo.so", CODE, script=script("TWO_1"))
        ours = resolve(str(ask), host=str(host), with_=[str(workshop.directory / "old")])
        assert not [fix for fix in ours.findings[0].fixes if fix.command]


def script(versions: str) -> str:
    """A version script whose first version has all symbols."""
    first, *others = versions.split()
    empty = " ".join(f"{name} {{ }};" for name in others)
    return f"{first} {{ global: f; g; local: *; }}; {empty}"


def test_before_an_undefined_symbol(workshop: Workshop, host: Path) -> None:
    two = workshop.library("libtwo.so", CODE, script=SCRIPT)
    code = ASK + "int nobody(void); int more(void) { return nobody(); }"
    ask = workshop.library("libask.so", code, needed=[two], runpath="$ORIGIN")
    workshop.library("libtwo.so", CODE, script=SCRIPT.replace("V2", "V1"))
    real, ours = judge(host, ask)
    assert real.error is not None
    assert "version" in real.error
    assert {f.rule for f in ours.findings} == {"version-not-found", "unresolved-symbol"}


def test_after_a_missing_library(workshop: Workshop, host: Path) -> None:
    two = workshop.library("libtwo.so", CODE, script=SCRIPT)
    ask = workshop.library("libask.so", ASK, needed=[two, "libgone.so"], runpath="$ORIGIN")
    workshop.library("libtwo.so", CODE, script=SCRIPT.replace("V2", "V1"))
    judge(host, ask)


def test_a_name_in_two_libraries(workshop: Workshop, host: Path) -> None:
    """The version of the same name elsewhere does not count."""
    one = workshop.library("libone.so", "int f(void) { return 1; }", script="V { global: f; };")
    two = workshop.library("libtwo.so", "int g(void) { return 1; }", script="V { global: g; };")
    ask = workshop.library("libask.so", ASK, needed=[one, two], runpath="$ORIGIN")
    judge(host, ask)
    workshop.library("libtwo.so", "int g(void) { return 1; }", script="W { global: g; };")
    real, _ = judge(host, ask)
    assert real.error is not None
    assert "libtwo.so: version `V' not found" in real.error


def test_a_library_that_another_name_stands_for(workshop: Workshop, host: Path) -> None:
    """The file that a version is required from is found by SONAME, like everything."""
    two = workshop.library("libtwo.so", CODE, script=SCRIPT)
    ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN")
    two.unlink()
    pre = workshop.library("libpre.so", CODE, soname="libtwo.so", script=SCRIPT.replace("V2", "V3"))
    _, ours = judge(host, ask, preload=[pre])
    assert ours.error == f"{pre}: version `V2' not found (required by {ask})"


def test_libc_of_the_future(workshop: Workshop, host: Path) -> None:
    newer = workshop.library(
        "libc.so.6", "int f(void) { return 1; } int g(void) { return 1; }",
        script="GLIBC_9.99 { global: f; g; };",
    )  # fmt: skip
    ask = workshop.library("libask.so", ASK, needed=[newer])
    newer.unlink()
    real, _ = judge(host, ask)
    assert real.error is not None
    assert "version `GLIBC_9.99' not found" in real.error
    assert resolve(str(ask), host="none").findings[0].rule == "version-not-found"


@pytest.mark.parametrize("versioned", [True, False])
def test_relr_that_the_c_library_is_not_told_of(
    workshop: Workshop, host: Path, versioned: bool
) -> None:
    code = "int puts(const char *); int ask(void) { return puts(0); }"
    ask = workshop.library("libask.so", code, needed=["libc.so.6"], flags=["-lc"] * versioned)
    for tag, value in ((DT_RELR, 0), (DT_RELRSZ, 0), (DT_RELRENT, 8)):
        add_dynamic_entry(ask, tag, value)
    real, ours = judge(host, ask)
    message = f"{ask}: DT_RELR without GLIBC_ABI_DT_RELR dependency"
    assert real.error == (message if versioned else None)
    assert [f.rule for f in ours.findings if f.severity is Severity.ERROR] == (
        ["version-not-found"] * versioned
    )


def test_relr_was_not_checked_before_it_was_known(
    workshop: Workshop, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "int puts(const char *); int ask(void) { return puts(0); }"
    ask = workshop.library("libask.so", code, needed=["libc.so.6"], flags=["-lc"])
    for tag, value in ((DT_RELR, 0), (DT_RELRSZ, 0), (DT_RELRENT, 8)):
        add_dynamic_entry(ask, tag, value)
    monkeypatch.setattr(Loader, "glibc_version", lambda *_: (2, 35))
    ours = resolve(str(ask), host=str(host))
    assert (ours.error, ours.findings) == (None, ())


def test_a_library_that_nobody_asks_for_by_that_name(workshop: Workshop, host: Path) -> None:
    """The requirement names a library that is in the process under another name only."""
    two = workshop.library("libtwo.so", CODE, script=SCRIPT)
    ask = workshop.library("libask.so", ASK, needed=[two, "libalias.so"], runpath="$ORIGIN")
    workshop.library("libalias.so", CODE, script=SCRIPT)
    patch(ask, dynamic_entry_offset(ask, DT_NEEDED), struct.pack("<QQ", DT_DEBUG, 0))
    real = dlopen(host, ask)
    ours = resolve(str(ask), host=str(host))
    assert real.error is not None
    assert ours.error is not None
    assert "needed != NULL" in real.error
    assert ours.error.endswith(real.error)
    finding = ours.findings[0]
    assert (finding.rule, finding.message) == ("version-not-found", ours.error)
    assert "requires V2 from libtwo.so, which no object asks for" in finding.evidence[0]
