"""The program that is taken to open a library is in no list, and nothing is said of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from elfaudit.api import Process, resolve, resolve_all
from elfaudit.findings import Resolution, Verdict
from elfaudit.report.style import Style
from elfaudit.report.tree import tree_report
from elfaudit.report.why import why_report
from tests.oracle import Workshop
from tests.oracle.loader import dlopen

USES = "unsigned long strlen(const char *); unsigned long ask(char *s) { return strlen(s); }"


def test_the_tree_tells_where_the_c_library_was_found(workshop: Workshop) -> None:
    ask = resolve(str(workshop.library("libask.so", USES, needed=["libc.so.6"])))
    (line,) = [each for each in tree_report(ask, Style(200, verbose=True)).splitlines()
               if "libc.so.6" in each]  # fmt: skip
    assert line.endswith("[ld.so.cache]")


def test_who_asked_for_the_c_library(workshop: Workshop) -> None:
    path = workshop.library("libask.so", USES, needed=["libc.so.6"])
    told = why_report(resolve(str(path)), "libc.so.6", Style(200))
    assert f"asked for by {path}" in told


def test_one_that_lists_no_c_library_has_it_all_the_same(workshop: Workshop, host: Path) -> None:
    path = workshop.library("libask.so", USES)
    ours = resolve(str(path))
    assert dlopen(host, path).error is None is ours.error
    assert ours.findings == ()
    assert [entry.soname for entry in ours.link_map.own] == ["libask.so"]
    assert resolve(str(path), host="none").error == f"{path}: undefined symbol: strlen"


def test_a_c_library_that_is_not_there_is_asked_for_by_a_file(workshop: Workshop) -> None:
    path = workshop.library("libask.so", USES, needed=["libc.so.6"])
    ours = resolve(str(path), root=None)
    assert ours.verdict is Verdict.UNDECIDED
    assert {finding.location for finding in ours.findings} == {str(path)}


@pytest.mark.parametrize("code", ["int PyOS(void); int f(void) { return PyOS(); }", USES])
def test_what_was_opened_before_says_whether_it_is_a_python(workshop: Workshop, code: str) -> None:
    before = workshop.library("libbefore.so", code, flags=["-Wl,-z,lazy"])
    path = workshop.library("libask.so", USES)
    host = resolve(str(path), dlopen=[f"{before}:lazy"]).host
    assert (host is not None) == ("PyOS" in code)


def test_a_dlopen_brings_no_mathematics(workshop: Workshop, host: Path) -> None:
    code = "double sin(double); double ask(double x) { return sin(x); }"
    path = workshop.library("libask.so", code)
    process = Process()
    assert process.dlopen("libz.so.1").error is None
    assert process.dlopen(str(path)).error == dlopen(host, path).error is not None


def test_all_in_one_run_are_judged_as_each_alone(workshop: Workshop) -> None:
    """What comes before them is loaded once."""
    pre = workshop.library("libpre.so", "int x(void) { return 1; }", needed=["libm.so.6"])
    first = workshop.library("liba.so", USES, needed=["libm.so.6"], flags=["-Wl,-Bsymbolic"])
    second = workshop.library("libb.so", "int x(void); int b(void) { return x(); }")
    third = workshop.library("libc.so.9", "int y(void); int c(void) { return y(); }",
                             needed=[first.name], runpath="$ORIGIN")  # fmt: skip
    paths = [str(each) for each in (first, second, third)]
    for order in (paths, paths[::-1]):
        together = {each.subject: _said(each) for each in resolve_all(order, preload=[str(pre)])
                    if isinstance(each, Resolution)}  # fmt: skip
        assert together == {path: _said(resolve(path, preload=[str(pre)])) for path in paths}


def _said(told: Resolution) -> tuple[object, ...]:
    names = [(entry.name, entry.path) for entry in told.link_map.entries]
    bound = [
        (each.reference.path, each.name, each.provider.path if each.provider else None)
        for each in told.bindings
    ]
    return told.verdict, told.error, names, bound


class TestProviders:
    """Who is suggested does not hang on the order of the targets."""

    LACKS = "int f(void); int ask(void) { return f(); }"
    HAS = "int f(void) { return 1; }"

    def test_the_one_beside_the_file(self, workshop: Workshop) -> None:
        ask = workshop.library("b/libask.so", self.LACKS)
        near = workshop.library("b/libnear.so", self.HAS)
        far = workshop.library("a/libfar.so", self.HAS)
        for targets in ([far, near, ask], [ask, near, far], [near, far, ask]):
            told = resolve_all(list(map(str, targets)))
            fix = _fix(told, ask)
            assert "--add libnear.so" in fix

    def test_no_library_that_is_refused(self, workshop: Workshop) -> None:
        ask = workshop.library("libask.so", self.LACKS)
        bad = workshop.library("libbad.so", self.HAS)
        raw = bytearray(bad.read_bytes())
        raw[7] = 9  # EI_OSABI
        bad.write_bytes(raw)
        (finding,) = resolve(str(ask)).findings
        assert str(bad) not in "".join(finding.evidence)

    def test_not_musl_which_may_have_no_soname(self, workshop: Workshop) -> None:
        ask = workshop.library("libask.so", self.LACKS, needed=["libc.so.6"])
        workshop.library("libc.so", self.HAS, soname="")
        (finding,) = resolve(str(ask)).findings
        assert finding.fixes == ()


def _fix(told: object, path: Path) -> str:
    for each in told:  # type: ignore[attr-defined]
        if isinstance(each, Resolution) and each.subject == str(path):
            return str(each.findings[0].fixes[0].command)
    raise AssertionError


def test_a_wheel_in_one_run(workshop: Workshop, tmp_path: Path) -> None:
    """The same of members, whose plain libraries are in a Python."""
    path = workshop.library("libask.so", "int y(void); int c(void) { return y(); }")
    wheel = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for number in range(3):
            archive.write(path, f"x/lib{number}.so")
    errors = [each.error for each in resolve_all([str(wheel)]) if isinstance(each, Resolution)]
    assert errors == [f"x/lib{number}.so: undefined symbol: y" for number in range(3)]
