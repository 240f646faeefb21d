"""Libraries that only other files load: judged in the processes that load them."""

from __future__ import annotations

import sysconfig
import zipfile
from pathlib import Path

import pytest

from elfaudit.api import resolve, resolve_all
from elfaudit.errors import RequestError
from elfaudit.findings import Resolution, Verdict
from elfaudit.loader import Libc
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


def test_a_wheel_for_musl(workshop: Workshop) -> None:
    """The colons of a member's path are none of its $ORIGIN."""
    workshop.library("p/libs.so", "int s(void) { return 1; }", needed=["libc.so"])
    workshop.library(
        "p/e.so", "int s(void); int e(void) { return s(); }",
        needed=["libs.so", "libc.so"], runpath="$ORIGIN/.:$ORIGIN",
    )  # fmt: skip
    path = workshop.directory / "x-1-py3-none-musllinux_1_2_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("p/libs.so", "p/e.so"):
            archive.write(workshop.directory / name, name)
    ours = {Path(r.subject).name: r for r in resolve_all([str(path)]) if isinstance(r, Resolution)}
    entry = next(e for e in ours["e.so"].link_map.entries if e.name == "libs.so")
    assert entry.label == "p/./libs.so"
    assert ours["e.so"].link_map.libc is Libc.MUSL


def test_the_way_to_open_a_library_is_one_that_there_is() -> None:
    with pytest.raises(RequestError, match="glob is no way to open a library"):
        resolve("/bin/true", dlopen=["libm.so.6:glob"])
