"""Fixtures that hand out fetched files, or skip the test and say why there are none."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from . import fetch


@pytest.fixture(scope="session")
def wheel() -> Callable[[str], Path]:
    """From the name of a wheel to its path; the test is skipped where it cannot be had."""
    return lambda name: had(fetch.wheel, name)


@pytest.fixture(scope="session")
def debian() -> Callable[[str], Path]:
    """From the name of a Debian package to the root of its files; likewise."""
    return lambda name: had(fetch.debian, name)


class Unpack(Protocol):
    """Unpacks a wheel, or one member of it, and returns the directory."""

    def __call__(self, name: str, member: str | None = None, /) -> Path: ...


@pytest.fixture
def unpacked(wheel: Callable[[str], Path], tmp_path: Path) -> Iterator[Unpack]:
    """From the name of a wheel to a directory of its files, for the readers that need files.

    They are gone after the test: a wheel unpacks to gigabytes, and pytest keeps what it made.
    """

    def unpack(name: str, member: str | None = None, /) -> Path:
        directory = tmp_path / name
        with zipfile.ZipFile(wheel(name)) as archive:
            archive.extractall(directory, None if member is None else [member])
        return directory

    yield unpack
    shutil.rmtree(tmp_path, ignore_errors=True)


def had(fetched: Callable[[str], Path], name: str) -> Path:
    """What a function of ``fetch`` gives; the test is skipped where that is nothing."""
    try:
        return fetched(name)
    except fetch.Unavailable as reason:
        pytest.skip(str(reason))
