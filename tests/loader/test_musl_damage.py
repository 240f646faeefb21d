"""Damaged files under musl's rules: byte by byte, what the real loader makes of each.

Where the loader crashes it has not answered, and neither need we; where we say that it cannot be
told, anything goes. What is said otherwise has to be the loader's own words.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.errors import ElfAuditError
from elfaudit.loader.environment import Dlopen
from tests.oracle import Workshop
from tests.oracle.musl import musl_program, require_musl
from tests.oracle.musl_damage import (
    CRASHED,
    Damage,
    ask_each,
    build_asker,
    damaged,
    damages,
    patched,
)
from tests.oracle.musl_prediction import predict

pytestmark = pytest.mark.oracle

_EVERY = 11  # of two thousand damages
_CODE = """
__thread int mine = 3; int big[3000]; int data = 7; extern int other(void); int *where = &data;
extern int third; int *far = &third;
int give(void) { return mine + data + big[5] + other(); }
"""
_OTHER = "int other(void) { return 1; } int third = 4;"


@pytest.fixture(autouse=True)
def _musl() -> None:
    require_musl()


def library(workshop: Workshop) -> bytes:
    """A library with a bit of everything, which needs another one."""
    workshop.library("libother.so", _OTHER)
    runpath = str(workshop.directory)
    built = workshop.library("libwhole.so", _CODE, needed=["libother.so"], runpath=runpath)
    return built.read_bytes()


def judged(ours: str | None, doubt: str | None, real: str | None) -> str:
    """How one of ours stands beside the loader's: the same, told less, or wrong."""
    if real == CRASHED or (ours is None and doubt is not None):
        return "untold"
    return "same" if ours == real else f"{real} / {ours}"


def compared(asker: Path, name: str, folder: Path, each: list[Damage]) -> Counter[str]:
    """The damaged files, each opened under one name where it lies."""
    places = damaged(folder, "libx.so", each)
    seen: Counter[str] = Counter()
    for (place, damage), real in zip(places.items(), ask_each(asker, name, [*places]), strict=True):
        ours = predict(asker, Dlopen(name), cwd=place)
        word = judged(ours.error, ours.doubt, real)
        seen[
            word if word in ("same", "untold") else f"{damage.field} {damage.value:#x}: {word}"
        ] += 1
    return seen


class TestEveryField:
    """Each field of the headers and of the dynamic section, with values that hurt."""

    @pytest.mark.parametrize("opened", [True, False])
    def test_of_a_library(self, workshop: Workshop, opened: bool) -> None:
        each = list(damages(library(workshop)))[opened::_EVERY]
        asks = "extern int give(void); int ask(void) { return give(); }"
        ask = workshop.library("libask.so", asks, needed=["libx.so"], runpath=".")
        name = "./libx.so" if opened else str(ask)
        seen = compared(build_asker(workshop), name, workshop.directory / "each", each)
        assert set(seen) <= {"same", "untold"}
        assert seen["same"] > len(each) // 2

    def test_of_a_program(self, workshop: Workshop) -> None:
        other = workshop.library("libother.so", _OTHER)
        code = _CODE + "int main(void) { return 0; }"
        flags = [f"-Wl,-rpath,{workshop.directory}"]
        program = musl_program(workshop, "program", code, needed=[other], flags=flags)
        each = list(damages(program.read_bytes()))[:: 2 * _EVERY]
        same = 0
        for place, damage in damaged(workshop.directory / "each", "program", each).items():
            (place / "program").chmod(0o755)
            real = started(place / "program")
            try:
                read_elf(place / "program").require_loadable()
                ours = predict(place / "program")
            except ElfAuditError:
                continue  # there is no verdict on what cannot be read
            word = judged(ours.error, ours.doubt, real)
            assert word in ("same", "untold"), (damage.field, hex(damage.value))
            same += word == "same"
        assert same > len(each) // 3


def started(program: Path) -> str | None:
    """The first line of what the loader says of a program."""
    try:
        done = subprocess.run([program], capture_output=True, timeout=20, check=False)
    except OSError:
        return "not started"
    if done.returncode < 0:
        return CRASHED
    lines = done.stderr.decode("utf-8", "surrogateescape").splitlines()
    return lines[0] if done.returncode == 127 and lines else None


_EXEC, _NOMEM = "Exec format error", "Out of memory"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("EI_MAG0", 0, None),
        ("EI_CLASS", 0, None),
        ("EI_CLASS", 1, None),
        ("EI_DATA", 2, None),
        ("EI_VERSION", 0, None),
        ("EI_OSABI", 255, None),
        ("e_version", 0, None),
        ("e_machine", 3, None),
        ("[0:0x1].p_align", 3, None),
        ("e_type", 1, _EXEC),
        ("e_phnum", 0, _EXEC),
        ("e_phoff", (1 << 64) - 4096, "Invalid argument"),
        ("[2:0x2].p_type", 1, _EXEC),
        ("[2:0x2].p_filesz", 0, None),
        ("[2:0x2].p_vaddr", 0, _EXEC),
        ("[0:0x1].p_memsz", 1 << 63, _NOMEM),
        ("[0:0x1].p_offset", 1 << 62, _NOMEM),
        ("[1:0x1].p_offset", 1 << 63, "Value too large for data type"),
        ("[1:0x1].p_vaddr", 1 << 63, _NOMEM),
    ],
)
def test_what_is_looked_at(workshop: Workshop, field: str, value: int, words: str | None) -> None:
    """One by one what musl minds and what it does not; the real loader agrees."""
    raw = library(workshop)
    message = f"Error loading shared library ./libx.so: {words}" if words else None
    (place,) = damaged(workshop.directory / "one", "libx.so", [patched(raw, field, value)])
    asker = build_asker(workshop)
    ours = predict(asker, Dlopen("./libx.so"), cwd=place)
    assert (ours.error, ours.doubt) == (message, None)
    assert ask_each(asker, "./libx.so", [place]) == [message]


@pytest.mark.parametrize("count", [0, 1, 2, 1 << 20])
def test_a_count_that_musl_does_not_read(workshop: Workshop, count: int) -> None:
    """DT_RELACOUNT: glibc passes over so many rows, musl relocates them all."""
    code = "int data; int *one = &data, *two = &data; extern int gone; int *far = &gone;"
    hidden = "static int own; int *three = &own, *four = &own;"
    raw = workshop.library("libcount.so", code + hidden).read_bytes()
    damage = patched(raw, "dynamic 0x6ffffff9.d_val", count)
    (place,) = damaged(workshop.directory / "one", "libx.so", [damage])
    asker = build_asker(workshop)
    ours = predict(asker, Dlopen("./libx.so"), cwd=place)
    (real,) = ask_each(asker, "./libx.so", [place])
    assert real == "Error relocating ./libx.so: gone: symbol not found"
    assert (ours.error, ours.doubt is None) in ((real, True), (None, False))
    assert (ours.error == real) == (count <= 2)
