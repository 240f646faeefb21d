"""The ABI of a file, by its header."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.loader.machines import machine_of
from tests.elf.forge import forge


@pytest.mark.parametrize(
    ("folder", "name", "triplet", "wide"),
    [
        ("x86_64", "x86_64", "x86_64-linux-gnu", True),
        ("i386", "i686", "i386-linux-gnu", False),
        ("aarch64", "aarch64", "aarch64-linux-gnu", True),
        ("armhf", "armv7l", "arm-linux-gnueabihf", False),
        ("riscv64", "riscv64", "riscv64-linux-gnu", True),
        ("s390x", "s390x", "s390x-linux-gnu", True),
        ("ppc64le", "ppc64le", "powerpc64le-linux-gnu", True),
    ],
)
def test_machines(prebuilt: Path, folder: str, name: str, triplet: str, *, wide: bool) -> None:
    program = read_elf(prebuilt / "machines" / folder / "demo")
    machine = machine_of(program)
    assert (machine.name, machine.triplet, machine.wide) == (name, triplet, wide)
    assert program.interp in (None, machine.interpreter)


def test_a_machine_that_is_not_listed(tmp_path: Path) -> None:
    raw = bytearray(forge([], {}))
    raw[18:20] = (0xF7F7).to_bytes(2, "little")
    (tmp_path / "libx.so").write_bytes(raw)
    machine = machine_of(read_elf(tmp_path / "libx.so"))
    assert (machine.name, machine.triplet, machine.cache_flags) == ("machine-63479", "", ())
