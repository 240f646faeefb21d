"""Running the command: in this process, or as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from elfaudit.cli import cli

CHECKOUT = Path(__file__).resolve().parents[2]
WHEEL = "torch-2.9.1+rocm7.1-cp311-cp311-linux_x86_64.whl"

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    """Runs the command in this process; what it raises unexpectedly fails the test."""

    def invoke(*args: object, env: dict[str, str | None] | None = None) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in args], catch_exceptions=False, env=env)

    return invoke


@pytest.fixture
def process() -> Process:
    """Runs ``python -m elfaudit`` in a process of its own."""

    def call(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "elfaudit", *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
            env=environment(**env),
        )

    return call


def environment(**env: str) -> dict[str, str]:
    """The environment of a subprocess that finds this checkout."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), **env}


@pytest.fixture
def wheel(story: Path) -> Path:
    """The wheel of the story."""
    return story / WHEEL


@pytest.fixture
def smi(story: Path) -> Path:
    """The library that has what the story lacks."""
    return story / "root/opt/rocm/lib/librocm_smi64.so.1"
