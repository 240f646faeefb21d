"""Every file is read once, and kept open no longer than it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from elfaudit.errors import ElfFormatError, NotElfError
from elfaudit.loader import ObjectStore
from elfaudit.sources import Member, TreeSource, WheelSource
from tests.oracle.edit import dynamic_value, patch

DT_SYMTAB = 6


def member_of(source: TreeSource | WheelSource, path: str) -> Member:
    member = source.find(path)
    assert member is not None
    return member


def test_once_however_it_is_named(story: Path) -> None:
    source = TreeSource(str(story / "root"))
    store = ObjectStore()
    one = store.read(member_of(source, "/opt/rocm/lib/librocm_smi64.so.1"))
    two = store.read(member_of(source, "/opt/rocm-7.1/lib/librocm_smi64.so.1.0"))
    assert one is two
    identity = member_of(source, "/opt/rocm/lib/librocm_smi64.so.1").identity
    assert store.index(identity, one) is store.index(identity, two)


def test_an_error_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "libx.so").write_text("text")
    source, store = TreeSource(str(tmp_path)), ObjectStore()
    errors = []
    for _ in range(2):
        with pytest.raises(NotElfError) as caught:
            store.read(member_of(source, "/libx.so"))
        errors.append(caught.value)
    assert errors[0] is errors[1]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_stays_open(story: Path) -> None:
    (wheel,) = story.glob("*.whl")
    before = set(os.listdir("/proc/self/fd"))
    store = ObjectStore()
    for source in (WheelSource(str(wheel)), TreeSource(str(story / "site-packages"))):
        for name in source.names():
            if name.endswith(".so"):
                member = member_of(source, name)
                store.index(member.identity, store.read(member))
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_damaged_tables_are_decoded_once_and_nothing_stays_open(
    prebuilt: Path, tmp_path: Path
) -> None:
    raw = bytearray((prebuilt / "machines/x86_64/libdemo.so").read_bytes())
    victim = tmp_path / "libdemo.so"
    victim.write_bytes(raw)
    # The first symbol's name lies far outside the string table.
    patch(victim, dynamic_value(victim, DT_SYMTAB) + 24, b"\xff\xff\xff\x7f")
    source, store, kept = TreeSource(str(tmp_path)), ObjectStore(), []
    before = set(os.listdir("/proc/self/fd"))
    member = member_of(source, "/libdemo.so")
    for _ in range(2):
        with pytest.raises(ElfFormatError) as caught:
            store.index(member.identity, store.read(member))
        kept.append(caught.value)
    assert kept[0] is kept[1]
    assert store.known_index(member.identity) is None
    assert set(os.listdir("/proc/self/fd")) == before
