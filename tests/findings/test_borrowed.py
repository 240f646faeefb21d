"""Rules ``transitive-only``, ``preload-only`` and ``duplicate-definition``."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings import Resolution
from tests.oracle import Workshop, python_dlopen

pytestmark = pytest.mark.oracle

F = "int f(void) { return 1; }"
ASK = "int f(void); int ask(void) { return f(); }"


def rules(resolution: Resolution) -> list[str]:
    return [finding.rule for finding in resolution.findings]


def test_the_library_in_between_is_named(workshop: Workshop) -> None:
    deep = workshop.library("libdeep.so", F)
    workshop.library("libmid.so", needed=["libdeep.so"], runpath="$ORIGIN")
    ask = workshop.library("libask.so", ASK, needed=["libmid.so"], runpath="$ORIGIN")
    ours = resolve(str(ask), root=None)
    assert rules(ours) == ["transitive-only"]
    assert "only through libmid.so" in ours.findings[0].message
    # The warning is true: without the dependency in between the symbol is gone.
    workshop.library("libmid.so", runpath="$ORIGIN")
    assert python_dlopen(ask).error == f"{ask}: undefined symbol: f"
    # And so is the advice.
    edit = ours.findings[0].fixes[0].edits[0]
    assert edit.value == deep.name
    ask = workshop.library("libask.so", ASK, needed=["libmid.so", edit.value], runpath="$ORIGIN")
    assert python_dlopen(ask).error is None


def test_what_is_listed_is_no_accident_even_if_another_comes_first(workshop: Workshop) -> None:
    workshop.library("libdeep.so", F)
    workshop.library("libmid.so", needed=["libdeep.so"], runpath="$ORIGIN")
    ask = workshop.library("libask.so", ASK, needed=["libmid.so", "libdeep.so"], runpath="$ORIGIN")
    assert not rules(resolve(str(ask), root=None))


def test_what_the_object_has_itself_is_no_accident(workshop: Workshop) -> None:
    workshop.library("libdeep.so", F)
    workshop.library("libmid.so", needed=["libdeep.so"], runpath="$ORIGIN")
    ask = workshop.library("libask.so", F + ASK, needed=["libmid.so"], runpath="$ORIGIN")
    assert not rules(resolve(str(ask), root=None))


def test_weak_references_are_not_meant_to_be_listed(workshop: Workshop) -> None:
    code = "__attribute__((weak)) int f(void); int ask(void) { return f ? f() : 0; }"
    workshop.library("libdeep.so", F)
    workshop.library("libmid.so", needed=["libdeep.so"], runpath="$ORIGIN")
    ask = workshop.library("libask.so", code, needed=["libmid.so"], runpath="$ORIGIN")
    assert not rules(resolve(str(ask), root=None))


def test_versions_apart_are_no_duplicates(workshop: Workshop) -> None:
    one = workshop.library("libone.so", F, script="V1 { global: f; };")
    workshop.library("libtwo.so", F, script="V2 { global: f; };")
    ask = workshop.library("libask.so", ASK, needed=[one, "libtwo.so"], runpath="$ORIGIN")
    assert not rules(resolve(str(ask), root=None))


def test_weak_definitions_are_no_duplicates(workshop: Workshop) -> None:
    weak = f"__attribute__((weak)) {F}"
    workshop.library("libone.so", weak)
    workshop.library("libtwo.so", weak)
    ask = workshop.library("libask.so", ASK, needed=["libone.so", "libtwo.so"], runpath="$ORIGIN")
    assert not rules(resolve(str(ask), root=None))


def test_duplicates_that_nobody_here_uses_are_none(workshop: Workshop) -> None:
    workshop.library("libone.so", F)
    workshop.library("libtwo.so", F)
    ask = workshop.library("libask.so", needed=["libone.so", "libtwo.so"], runpath="$ORIGIN")
    assert not rules(resolve(str(ask), root=None))


def test_three_of_a_kind(workshop: Workshop) -> None:
    names = ["libone.so", "libtwo.so", "libthree.so"]
    for name in names:
        workshop.library(name, F)
    ask = workshop.library("libask.so", ASK, needed=names, runpath="$ORIGIN")
    (finding,) = resolve(str(ask), root=None).findings
    assert "by libone.so and by libtwo.so, libthree.so: libone.so wins" in finding.message


@pytest.mark.parametrize(
    "name",
    [
        "libcurl.so.4",
        "libxml2.so.2",
        "libssl.so.3",
        "libstdc++.so.6",
        "libz.so.1",
        "libicui18n.so.72",
    ],
)
def test_healthy_libraries_of_the_system(name: str) -> None:
    path = Path("/usr/lib/x86_64-linux-gnu") / name
    if not path.exists():
        pytest.skip(f"{path} is not installed")
    ours = resolve(str(path))
    assert ours.error is None
    assert rules(ours) == []


def test_a_library_that_is_only_named_like_the_loader(workshop: Workshop) -> None:
    workshop.library("ldb.so", F)
    workshop.library("libmid.so", needed=["ldb.so"], runpath="$ORIGIN")
    ask = workshop.library("libask.so", ASK, needed=["libmid.so"], runpath="$ORIGIN")
    assert rules(resolve(str(ask), root=None)) == ["transitive-only"]
