"""What every test may ask for: the prebuilt fixtures, and the tools that judge them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

PREBUILT = Path(__file__).resolve().parent.parent / "fixtures" / "prebuilt"


@pytest.fixture(scope="session")
def prebuilt() -> Path:
    """The directory of the prebuilt fixtures (``fixtures/README.md`` says what is in it)."""
    return PREBUILT


@pytest.fixture(scope="session")
def story(prebuilt: Path) -> Path:
    """The fixture of a ``libtorch_hip.so`` that does not list ``librocm_smi64.so.1``."""
    return prebuilt / "story"


@pytest.fixture(scope="session")
def readelf() -> str:
    """The path of GNU ``readelf``; the test is skipped without it."""
    return _tool("readelf")


@pytest.fixture(scope="session")
def nm() -> str:
    """The path of GNU ``nm``; the test is skipped without it."""
    return _tool("nm")


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} (binutils) is not installed")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what compiles and downloads last: a broken reader should be told first."""
    items.sort(key=lambda item: bool(item.get_closest_marker("real")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With ``ELFAUDIT_REQUIRED`` set, as in CI, only tests of fetched files and mounts may skip."""
    report = yield
    optional = item.get_closest_marker("real") or item.get_closest_marker("mount")
    required = os.environ.get("ELFAUDIT_REQUIRED") and not optional
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"must not skip here: {report.longrepr}"
    return report
