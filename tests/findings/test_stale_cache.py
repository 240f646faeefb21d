"""Rule ``stale-cache``, with the real ldconfig before and after."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings.model import Finding
from tests.oracle import Workshop
from tests.oracle.chroot import Root

pytestmark = pytest.mark.oracle

WHO = "int who(void) { return 1; }"
ASK = "int who(void); int ask(void) { return who(); }"


@pytest.fixture
def root(workshop: Workshop) -> Root:
    root = Root(workshop)
    workshop.library("libask.so", ASK, needed=["libwho.so"])
    return root


def findings(root: Root) -> list[Finding]:
    ours = resolve(str(root.path / "libask.so"), root=str(root.path), host="/host")
    return [finding for finding in ours.findings if finding.rule == "stale-cache"]


def test_a_library_that_the_cache_does_not_know_yet(root: Root) -> None:
    root.make_cache("/opt")
    assert not findings(root)
    root.workshop.library("opt/libwho.so", WHO)
    assert root.dlopen("/libask.so").error is not None
    (finding,) = findings(root)
    assert finding.message == (
        "libwho.so: ld.so.cache does not have it; after ldconfig it is /opt/libwho.so"
    )
    assert finding.location == str(root.path / "libask.so")
    root.make_cache("/opt")
    assert root.dlopen("/libask.so").error is None
    assert not findings(root)


def test_a_library_that_moved(root: Root) -> None:
    old = root.workshop.library("opt/libwho.so", WHO)
    root.make_cache("/opt", "/new")
    (root.path / "new").mkdir()
    old.rename(root.path / "new/libwho.so")
    (finding,) = findings(root)
    assert "leads to /opt/libwho.so, which is not there; after ldconfig" in finding.message
    root.make_cache("/opt", "/new")
    assert root.dlopen("/libask.so").objects[-1] == "/new/libwho.so"
    assert not findings(root)


def test_another_library_comes_first_now(root: Root) -> None:
    root.workshop.library("opt/libwho.so", WHO)
    root.make_cache("/new", "/opt")
    root.workshop.library("new/libwho.so", WHO)
    (finding,) = findings(root)
    assert finding.message.endswith("leads to /opt/libwho.so; after ldconfig it is /new/libwho.so")
    assert root.dlopen("/libask.so").objects[-1] == "/opt/libwho.so"
    root.make_cache("/new", "/opt")
    assert root.dlopen("/libask.so").objects[-1] == "/new/libwho.so"


def test_a_directory_that_is_configured_no_longer(root: Root) -> None:
    root.workshop.library("opt/libwho.so", WHO)
    root.make_cache("/opt")
    (root.path / "etc/ld.so.conf").write_text("")
    (finding,) = findings(root)
    assert "where ldconfig no longer looks" in finding.message
    root.make_cache()
    assert root.dlopen("/libask.so").error is not None


def test_a_link_that_ldconfig_would_make(root: Root) -> None:
    root.make_cache("/opt")
    root.workshop.library("opt/libwho-1.so", WHO, soname="libwho.so")
    (finding,) = findings(root)
    assert finding.message.endswith("after ldconfig it is /opt/libwho.so")


def test_no_cache_and_none_needed(root: Root) -> None:
    root.workshop.library(f"usr/lib/{root.triplet}/libwho.so", WHO)
    assert root.dlopen("/libask.so").error is None
    assert not findings(root)


def test_found_by_other_means(root: Root, tmp_path: Path) -> None:
    """What the cache says of a library that nobody looked up in it does not matter."""
    root.workshop.library("own/libwho.so", WHO)
    root.workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="/own")
    root.make_cache("/opt")
    root.workshop.library("opt/libwho.so", WHO)
    assert not findings(root)
