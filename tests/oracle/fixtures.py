"""The fixtures of tests that ask the real loader; a room's ``conftest.py`` imports them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .loader import build_host
from .workshop import Workshop, require_loader

__all__ = ["host", "stubs", "workshop"]


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for the libraries that only lend their names."""
    require_loader()
    return tmp_path_factory.mktemp("stubs")


@pytest.fixture
def workshop(tmp_path: Path, stubs: Path) -> Workshop:
    """Builds files below the test's own directory."""
    return Workshop(tmp_path.resolve(), stubs)


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory, stubs: Path) -> Path:
    """A program that does nothing but ``dlopen`` what it is told to."""
    return build_host(Workshop(tmp_path_factory.mktemp("host").resolve(), stubs))
