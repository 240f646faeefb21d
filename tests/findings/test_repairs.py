"""Repairs as commands to copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings import Applicability
from elfaudit.findings.repairs import link_option, target_of
from elfaudit.loader import LinkMapEntry, Origin
from tests.oracle import Workshop


@pytest.mark.parametrize(
    ("soname", "option"),
    [
        ("libz.so.1", "-lz"),
        ("librocm_smi64.so.1", "-lrocm_smi64"),
        ("libstdc++.so.6", "-lstdc++"),
        ("libLLVM-15.so", "-lLLVM-15"),
        ("ld-linux-x86-64.so.2", "-l:ld-linux-x86-64.so.2"),
        ("_C.so", "-l:_C.so"),
    ],
)
def test_link_options(soname: str, option: str) -> None:
    assert link_option(soname) == option


@pytest.mark.parametrize(
    ("display", "target"),
    [
        ("/usr/lib/libx.so", "/usr/lib/libx.so"),
        ("/usr/lib/a b.so", "'/usr/lib/a b.so'"),
        ("dist/x.whl::a/libx.so", "dist/x.whl --member a/libx.so"),
        ("dist/x y.whl::a/b c.so", "'dist/x y.whl' --member 'a/b c.so'"),
        ("site-packages::a/libx.so", "site-packages/a/libx.so"),
    ],
)
def test_targets(display: str, target: str) -> None:
    entry = LinkMapEntry("libx.so", "/libx.so", display, None, None, None, Origin.DIRECT)
    assert target_of(entry) == target


def test_another_library_of_the_name_stands_in_front(workshop: Workshop, host: Path) -> None:
    """A directory behind those of the RUNPATH would not be looked into: the search ends before."""
    workshop.library("a/libwho.so", "int other(void) { return 1; }")
    right = workshop.library("b/libwho.so", "int who(void) { return 1; }")
    code = "int who(void); int ask(void) { return who(); }"
    ask = workshop.library("libask.so", code, needed=["libwho.so"], runpath="$ORIGIN/a")
    found = resolve(str(ask), host=str(host), with_=[str(right.parent)])
    first = found.findings[0].fixes[0]
    assert "first: another one of that name is loaded" in first.title
    assert (first.command, first.applicability) == (None, Applicability.DISPLAY_ONLY)
