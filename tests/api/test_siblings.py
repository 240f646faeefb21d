"""Libraries that only other files load: judged in the processes that load them."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from elfaudit.api import resolve, resolve_all
from elfaudit.findings import Resolution, Verdict
from tests.oracle import Workshop, python_dlopen

pytestmark = pytest.mark.oracle

EXTENSION = f"pkg/_ext{sysconfig.get_config_var('EXT_SUFFIX')}"
PLUG = "int base(void); int plug(void) { return base(); }"


@pytest.fixture
def package(workshop: Workshop) -> Path:
    """An extension that loads a library and one that counts on it without listing it."""
    workshop.library("pkg/libbase.so", "int base(void) { return 1; }")
    workshop.library("pkg/libplug.so", PLUG)
    workshop.library(
        EXTENSION,
        "int plug(void); int base(void); int ask(void) { return plug() + base(); }",
        needed=["libbase.so", "libplug.so"],
        runpath="$ORIGIN",
    )
    return workshop.directory / "pkg"


def results(directory: Path) -> dict[str, Resolution]:
    found = [r for r in resolve_all([str(directory)]) if isinstance(r, Resolution)]
    return {Path(result.subject).name: result for result in found}


def test_one_that_always_loads_with_its_siblings(package: Path) -> None:
    assert python_dlopen(package / "libplug.so").error is not None
    assert python_dlopen(package / Path(EXTENSION).name).error is None
    ours = results(package)["libplug.so"]
    assert ours.verdict is Verdict.LOADS
    assert ours.error is None
    assert [Path(name).name for name in ours.within] == [Path(EXTENSION).name]
    (note,) = [f for f in ours.findings if f.rule == "loads-with-siblings"]
    assert "does not load alone" in note.message
    assert "undefined symbol: base" in note.evidence[0]


def test_one_that_is_named_is_judged_alone(package: Path) -> None:
    ours = resolve(str(package / "libplug.so"))
    assert ours.error == python_dlopen(package / "libplug.so").error
    assert ours.within == ()


def test_one_that_nobody_lists_is_judged_alone(workshop: Workshop, package: Path) -> None:
    workshop.library("pkg/libother.so", PLUG)
    ours = results(package)["libother.so"]
    assert ours.verdict is Verdict.FAILS
    assert ours.error == python_dlopen(package / "libother.so").error


def test_one_that_fails_with_one_of_its_users(workshop: Workshop, package: Path) -> None:
    second = workshop.library(
        EXTENSION.replace("_ext", "_two"), "int plug(void); int ask(void) { return plug(); }",
        needed=["libplug.so"], runpath="$ORIGIN",
    )  # fmt: skip
    assert python_dlopen(second).error is not None
    ours = results(package)
    assert ours["libplug.so"].verdict is Verdict.FAILS
    assert ours[second.name].verdict is Verdict.FAILS
    assert ours[Path(EXTENSION).name].verdict is Verdict.LOADS


def test_a_user_of_a_user(workshop: Workshop, package: Path) -> None:
    workshop.library("pkg/libdeep.so", PLUG.replace("plug", "deep"))
    workshop.library("pkg/libplug.so", PLUG, needed=["libdeep.so"], runpath="$ORIGIN")
    assert python_dlopen(package / Path(EXTENSION).name).error is None
    ours = results(package)["libdeep.so"]
    assert ours.verdict is Verdict.LOADS
    assert [Path(name).name for name in ours.within] == [Path(EXTENSION).name]
