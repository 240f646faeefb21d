"""Paths that are relative to the current directory: musl tells them as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import Workshop
from tests.oracle.musl import musl_program
from tests.oracle.musl_prediction import judge_musl, predict

pytestmark = pytest.mark.oracle

_ASK = "extern int gone(void); int ask(void) { return gone(); }"


@pytest.mark.parametrize(
    "name", ["./libx.so", "libs/../libx.so", ".//libx.so", "./libs/liblink.so"]
)
def test_dlopen(workshop: Workshop, musl_host: Path, name: str) -> None:
    built = workshop.library("libx.so", needed=["libgone.so"])
    (workshop.directory / "libs").mkdir()
    (workshop.directory / "libs/liblink.so").symlink_to(built)
    _, ours = judge_musl(musl_host, name, cwd=workshop.directory)
    assert (ours.error or "").endswith(f"(needed by {name})")


def test_a_symbol_that_is_missing(workshop: Workshop, musl_host: Path) -> None:
    workshop.library("libx.so", _ASK)
    _, ours = judge_musl(musl_host, "./libx.so", cwd=workshop.directory)
    assert ours.error == "Error relocating ./libx.so: gone: symbol not found"


@pytest.mark.parametrize("path", [".", "libs", "./libs", "libs/", "gone:libs//.", "libs\n."])
def test_library_path(workshop: Workshop, musl_host: Path, path: str) -> None:
    for folder in (".", "libs"):
        workshop.library(f"{folder}/libx.so", _ASK)
    workshop.library("libtop.so", needed=["libx.so"])
    _, ours = judge_musl(musl_host, "./libtop.so", library_path=path, cwd=workshop.directory)
    assert (ours.error or "").startswith(
        f"Error relocating {path.partition('gone:')[2] or path.split(chr(10), maxsplit=1)[0]}"
    )


@pytest.mark.parametrize("runpath", ["libs", "$ORIGIN/libs", "${ORIGIN}/../here/libs"])
def test_origin_of_a_relative_path(workshop: Workshop, musl_host: Path, runpath: str) -> None:
    cwd = workshop.directory
    for folder in ("libs", "here/libs"):
        workshop.library(f"{folder}/libx.so", needed=["libgone.so"])
    workshop.library("here/libtop.so", needed=["libx.so"], runpath=runpath)
    _, ours = judge_musl(musl_host, "here/libtop.so", cwd=cwd)
    assert "(needed by " in (ours.error or "")
    assert "(needed by /" not in (ours.error or "")


def test_origin_is_handed_on(workshop: Workshop, musl_host: Path) -> None:
    """Two relative steps, and nothing missing: the loaded paths agree as well."""
    workshop.library("here/libs/liblast.so")
    workshop.library("here/libs/libx.so", needed=["liblast.so"], runpath="$ORIGIN")
    workshop.library("here/libtop.so", needed=["libx.so"], runpath="$ORIGIN/libs")
    real, _ = judge_musl(musl_host, "./here/libtop.so", cwd=workshop.directory)
    assert "./here/libs/liblast.so" in real.objects


@pytest.mark.parametrize("name", ["./libpre.so", "libs/libpre.so"])
def test_a_preload(workshop: Workshop, name: str) -> None:
    program = musl_program(workshop, "program")
    workshop.library(name, needed=["libgone.so"])
    real, ours = judge_musl(program, preload=[name], cwd=workshop.directory)
    assert real.start
    assert (ours.error or "").endswith(f"(needed by {name})")


def test_steps_are_told_as_written(workshop: Workshop, musl_host: Path) -> None:
    workshop.library("libtop.so", needed=["libgone.so"])
    ours = predict(
        musl_host, *[], preload=["./libtop.so"], library_path="libs", cwd=workshop.directory
    )
    assert ours.entry("libgone.so").steps[0].path == "libs/libgone.so"
