"""LIEF reads every fixture, too, and must agree: a third opinion beside pyelftools and readelf."""

from __future__ import annotations

from pathlib import Path

import lief
import pytest

from elfaudit import ElfObject, read_elf

from ..conftest import PREBUILT

FILES = sorted(
    path.relative_to(PREBUILT)
    for path in PREBUILT.rglob("*")
    if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"
)


@pytest.fixture(params=FILES, ids=str)
def both(request: pytest.FixtureRequest) -> tuple[ElfObject, lief.ELF.Binary]:
    path: Path = PREBUILT / request.param
    binary = lief.ELF.parse(str(path))
    assert binary is not None
    return read_elf(path), binary


def test_the_dynamic_section(both: tuple[ElfObject, lief.ELF.Binary]) -> None:
    ours, theirs = both
    assert list(ours.needed) == list(theirs.libraries)
    shared = [e for e in theirs.dynamic_entries if isinstance(e, lief.ELF.DynamicSharedObject)]
    assert ours.soname == (shared[0].name if shared else None)
    assert ours.interp == (theirs.interpreter if theirs.has_interpreter else None)


def test_the_segments(both: tuple[ElfObject, lief.ELF.Binary]) -> None:
    ours, theirs = both
    mine = [(s.offset, s.address, s.file_size, s.memory_size, s.align) for s in ours.segments]
    assert mine == [
        (s.file_offset, s.virtual_address, s.physical_size, s.virtual_size, s.alignment)
        for s in theirs.segments
    ]


def test_the_dynamic_symbols(both: tuple[ElfObject, lief.ELF.Binary]) -> None:
    ours, theirs = both
    listed = [(symbol.name, symbol.value, symbol.size) for symbol in theirs.dynamic_symbols]
    assert [(symbol.name, symbol.value, symbol.size) for symbol in ours.symbols] == listed
