"""Sound files that are out of the ordinary: musl takes them, and so it is said, without a doubt.

A file of which nobody can tell what becomes of it is *in doubt*: that must stay for what no linker
makes. Each of these is as linkers make it, or as hardened systems have it.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import SegmentType, read_elf
from elfaudit.findings import Verdict
from elfaudit.loader.environment import Dlopen
from tests.oracle import Workshop
from tests.oracle.edit import patch
from tests.oracle.musl import build_musl_host, require_musl
from tests.oracle.musl_prediction import judge_musl

pytestmark = pytest.mark.oracle

CODE = "int ask(void) { return 7; }"
# The code has pages of its own, as musl-gcc lays them out; it must be so where nobody may read it.
APART = ("-Wl,-z,separate-code",)
WIDE = (*APART, "-Wl,-z,max-page-size=0x400000")
LARGE = "__thread char large[32 << 20]; char *where(void) { return large; }"
EXECUTE, READ_AND_EXECUTE = 1, 5


@pytest.fixture(autouse=True)
def _musl() -> None:
    require_musl()


def only_executed(path: Path) -> None:
    """Take the right to read it from the code of a file (``ld -z execute-only`` of other ports)."""
    segments = read_elf(path).segments
    loads = [(row, s) for row, s in enumerate(segments) if s.type == SegmentType.LOAD]
    (row,) = [row for row, load in loads if load.flags == READ_AND_EXECUTE]
    patch(path, 64 + 56 * row + 4, struct.pack("<I", EXECUTE))


def require_decided(host: Path, library: Path) -> None:
    """Both take the library, call its function, and nothing about it is in doubt."""
    real, ours = judge_musl(host, Dlopen(str(library)), probes=["ask"])
    assert real.start == ()
    assert real.errors == (None,)
    assert real.probes == {"ask": 7}
    assert (ours.error, ours.doubt) == (None, None)
    assert resolve(str(library), host=str(host)).verdict is Verdict.LOADS


class TestALibrary:
    """Opened by a usual program."""

    def test_with_megabytes_of_tls(self, workshop: Workshop, musl_host: Path) -> None:
        made = workshop.library("libask.so", CODE + LARGE)
        (block,) = [s for s in read_elf(made).segments if s.type == SegmentType.TLS]
        assert block.memory_size >= 32 << 20
        require_decided(musl_host, made)

    def test_with_code_that_nobody_may_read(self, workshop: Workshop, musl_host: Path) -> None:
        made = workshop.library("libask.so", CODE, flags=APART)
        only_executed(made)
        require_decided(musl_host, made)

    def test_for_large_pages(self, workshop: Workshop, musl_host: Path) -> None:
        made = workshop.library("libask.so", CODE + " int data = 3;", flags=WIDE)
        aligned = {s.align for s in read_elf(made).segments if s.type == SegmentType.LOAD}
        assert aligned == {0x400000}
        require_decided(musl_host, made)


class TestAProgram:
    """That opens a usual library."""

    def test_with_megabytes_of_tls(self, workshop: Workshop) -> None:
        host = build_musl_host(workshop, code=LARGE)
        require_decided(host, workshop.library("libask.so", CODE))

    def test_with_code_that_nobody_may_read(self, workshop: Workshop) -> None:
        host = build_musl_host(workshop, flags=APART)
        only_executed(host)
        require_decided(host, workshop.library("libask.so", CODE))

    def test_for_large_pages(self, workshop: Workshop) -> None:
        host = build_musl_host(workshop, flags=WIDE)
        require_decided(host, workshop.library("libask.so", CODE))


def test_tables_that_nobody_may_read_are_still_in_doubt(
    workshop: Workshop, musl_host: Path
) -> None:
    """The loader reads the symbols of a library: whether it can hangs on the CPU."""
    made = workshop.library("libask.so", CODE)
    only_executed(made)
    assert resolve(str(made), host=str(musl_host)).verdict is Verdict.UNDECIDED
