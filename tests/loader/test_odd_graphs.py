"""What random graphs and real files once found to differ: the smallest example of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import resolve
from tests.oracle import Workshop, trace
from tests.oracle.assembly import Define, Kind, Refer, Way
from tests.oracle.compare import answer_of, differing_bindings, judge
from tests.oracle.foundry import Foundry, Part, needed_stub

pytestmark = pytest.mark.oracle

ASK = "int f(void); int ask(void) { return f(); }"


def test_a_search_without_a_try(workshop: Workshop, host: Path) -> None:
    flags = ["-Wl,-z,nodefaultlib"]
    judge(host, workshop.library("libask.so", needed=["libgone.so"], flags=flags))


@pytest.mark.parametrize("element", ["a", ""])
def test_a_message_about_a_relative_path(workshop: Workshop, host: Path, element: str) -> None:
    folder = workshop.library(f"{element or '.'}/libwho.so", ASK).parent
    assert folder.exists()
    ask = workshop.library("libask.so", needed=["libwho.so"])
    judge(host, ask, library_path=f"/nowhere:{element}", cwd=workshop.directory)


def test_the_turn_of_a_filtee(workshop: Workshop, host: Path) -> None:
    flags = ["-Wl,-F,libnofiltee.so"]
    judge(host, workshop.library("libask.so", needed=["libgone.so"], flags=flags))


def test_a_filtee_that_was_preloaded(workshop: Workshop, host: Path) -> None:
    pre = workshop.library("libpre.so", "int f(void) { return 1; }")
    workshop.library("libwho.so", flags=["-Wl,-F,libpre.so"])
    ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN")
    judge(host, ask, preload=[pre])


def test_a_unique_symbol_of_two_versions(tmp_path: Path, foundry: Foundry) -> None:
    here = tmp_path.resolve()
    refers = (Refer("f", Way.WORD),)
    first = Define("f", Kind.UNIQUE, "V1")
    foundry.build(here, Part("libone.so", "libone.so", (first,), refers, ("V1",)))
    second = Part(
        "libtwo.so",
        "libtwo.so",
        (Define("f", Kind.UNIQUE, "V2"),),
        refers,
        ("V1", "V2"),
        (needed_stub("libone.so"),),
        runpath="$ORIGIN",
    )
    two = foundry.build(here, second)
    real, ours = trace(two), answer_of(resolve(str(two), host="none"))
    assert not differing_bindings(real, ours)
