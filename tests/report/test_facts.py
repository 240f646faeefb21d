"""Facts in words: names that are pyelftools' own, properties of the psABIs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from elftools.elf.descriptions import describe_e_machine
from elftools.elf.enums import ENUM_E_MACHINE

from elfaudit.elf import read_elf
from elfaudit.report.facts import elf_facts, machine_names, property_words
from elfaudit.report.sheet import show_document, show_sheet
from elfaudit.report.style import Style


@pytest.mark.parametrize("machine", [3, 21, 22, 40, 62, 183, 243, 258, 8, 2])
def test_machines_are_named_as_pyelftools_names_them(machine: int) -> None:
    name, description = machine_names(machine)
    assert name is not None
    assert ENUM_E_MACHINE[name] == machine
    described = describe_e_machine(name)
    assert description == (name.removeprefix("EM_") if described == "<unknown>" else described)


def test_a_machine_nobody_knows_is_a_number() -> None:
    assert machine_names(0xBEEF) == (None, "unknown machine 48879")


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (0xC0000002, "03000000", "x86 feature: IBT, SHSTK"),
        (0xC0000002, "00000000", "x86 feature: none"),
        (0xC0000002, "01000080", "x86 feature: IBT, 0x80000000"),
        (0xC0008002, "03000000", "x86 ISA needed: x86-64-baseline, x86-64-v2"),
        (0xC0010001, "0b000000", "x86 feature used: x86, x87, XMM"),
        (0xC0000002, "03", "type 0xc0000002: 03 (little-endian)"),
        (0xC0000000, "01000000", "type 0xc0000000: 01000000 (little-endian)"),
        (1, "0000100000000000", "stack size: 1,048,576 bytes"),
        (2, "", "no copy on protected"),
        (99, "", "type 0x63: no data (little-endian)"),
    ],
)
def test_properties_in_words(prebuilt: Path, kind: int, data: str, words: str) -> None:
    elf = read_elf(prebuilt / "machines/x86_64/libdemo.so")
    assert property_words(elf, kind, bytes.fromhex(data)) == words


def test_properties_depend_on_the_machine(prebuilt: Path) -> None:
    arm = read_elf(prebuilt / "machines/aarch64/libdemo.so")
    assert property_words(arm, 0xC0000000, bytes.fromhex("03000000")) == "AArch64 feature: BTI, PAC"
    mainframe = read_elf(prebuilt / "machines/s390x/libdemo.so")
    big = property_words(mainframe, 0xC0000000, bytes.fromhex("00000001"))
    assert big == "type 0xc0000000: 00000001 (big-endian)"


def test_the_sheet_says_what_readelf_says(prebuilt: Path, readelf: str) -> None:
    for machine in ("x86_64", "i386", "s390x", "ppc64le"):
        library = prebuilt / "machines" / machine / "libdemo.so"
        told = subprocess.run([readelf, "-dn", library], capture_output=True, text=True, check=True)
        facts = elf_facts(read_elf(library))
        assert f"Build ID: {facts['build_id']}" in told.stdout
        dynamic = facts["dynamic"]
        assert isinstance(dynamic, dict)
        for value in (dynamic["soname"], dynamic["runpath"], *dynamic["needed"]):
            assert f"[{value}]" in told.stdout


def test_unknown_flags_and_types_are_numbers(prebuilt: Path, tmp_path: Path) -> None:
    raw = bytearray((prebuilt / "shapes/libsymbolic.so").read_bytes())
    elf = read_elf(prebuilt / "shapes/libsymbolic.so")
    assert elf.dynamic is not None
    raw[elf.dynamic.where(30) + 15] = 0x40  # DT_FLAGS, its highest byte
    raw[16:18] = b"\x00\xfe"  # e_type: OS-specific
    changed = tmp_path / "odd.so"
    changed.write_bytes(raw)
    facts = elf_facts(read_elf(changed))
    assert facts["type"] == "0xfe00"
    dynamic = facts["dynamic"]
    assert isinstance(dynamic, dict)
    assert dynamic["flags"][-1] == f"{0x40 << 56:#x}"


def test_a_sheet_fits_its_width_and_leaves_out_what_is_not_there(prebuilt: Path) -> None:
    elf = read_elf(prebuilt / "machines/x86_64/libdemo.so")
    lines = show_sheet(elf, Style(60)).splitlines()[1:]
    assert all(len(line) <= 60 for line in lines)
    assert not any("interpreter" in line or "symbols" in line for line in lines)
    assert "\x1b[36m  soname" in show_sheet(elf, Style(60, colour=True))
    program = read_elf(prebuilt / "machines/x86_64/demo")
    assert "interpreter       /lib64/" in show_sheet(program, Style(60))


def test_a_document_counts_symbols_only_on_request(prebuilt: Path) -> None:
    elf = read_elf(prebuilt / "shapes/libdep.so.1")
    assert '"symbols": null' in show_document([elf])
    assert '"exports": ' in show_document([elf], count_symbols=True)
