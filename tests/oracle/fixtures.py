"""The fixtures of tests that ask the real loader; a room's ``conftest.py`` imports them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .foundry import Foundry
from .loader import build_host
from .opener import build_opener
from .workshop import Workshop, require_loader

__all__ = ["foundry", "host", "opener", "stubs", "workshop"]


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


@pytest.fixture(scope="session")
def opener(tmp_path_factory: pytest.TempPathFactory, stubs: Path) -> Path:
    """A program that opens what it is told to, one file after the other."""
    return build_opener(Workshop(tmp_path_factory.mktemp("opener").resolve(), stubs))


@pytest.fixture(scope="session")
def foundry(tmp_path_factory: pytest.TempPathFactory) -> Foundry:
    """Builds objects from assembler."""
    require_loader()
    return Foundry(tmp_path_factory.mktemp("foundry"))
