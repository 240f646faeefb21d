"""The same facts out of other readers: pyelftools by section headers, GNU readelf and nm by text.

Our reader goes by program headers and hash tables only, so a mistake it makes is not one it shares
with these.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import (
    ENUM_D_TAG,
    ENUM_E_MACHINE,
    ENUM_E_TYPE,
    ENUM_P_TYPE_BASE,
    ENUM_ST_INFO_BIND,
    ENUM_ST_INFO_TYPE,
    ENUM_ST_SHNDX,
    ENUM_ST_VISIBILITY,
)
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection, GNUVerSymSection
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from tests.conftest import PREBUILT

SHF_ALLOC = 2


def fixture_names() -> list[str]:
    """Every ELF file among the fixtures, by its path below ``prebuilt``."""
    return [
        path.relative_to(PREBUILT).as_posix()
        for path in sorted(PREBUILT.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"
    ]


every_fixture = pytest.mark.parametrize("name", fixture_names())
# pyelftools needs section headers for what it is asked here.
every_fixture_with_sections = pytest.mark.parametrize(
    "name", [name for name in fixture_names() if "nosections" not in name]
)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file as pyelftools sees it."""
    with path.open("rb") as file:
        yield ELFFile(file)


def number(value: int | str, names: Mapping[str, int]) -> int:
    """The number that pyelftools has given a name."""
    return value if isinstance(value, int) else int(names[value])


def segments(elf: Any) -> list[tuple[int, int, int, int, int, int, int]]:
    """The program headers, in the order of our ``Segment``."""
    return [
        (
            number(s["p_type"], _P_TYPES),
            s["p_flags"],
            s["p_offset"],
            s["p_vaddr"],
            s["p_filesz"],
            s["p_memsz"],
            s["p_align"],
        )
        for s in elf.iter_segments()
    ]


_P_TYPES: dict[str, int] = {
    **ENUM_P_TYPE_BASE,
    "PT_ARM_EXIDX": 0x70000001,
    "PT_RISCV_ATTRIBUTES": 0x70000003,
    "PT_AARCH64_ARCHEXT": 0x70000000,
}


def header(elf: Any) -> tuple[int, bool, int, int, int, int, int, int]:
    """Bits, little, OSABI, type, machine, flags, entry, number of program headers."""
    return (
        elf.elfclass,
        elf.little_endian,
        _osabi(elf),
        number(elf["e_type"], ENUM_E_TYPE),
        number(elf["e_machine"], ENUM_E_MACHINE),
        elf["e_flags"],
        elf["e_entry"],
        elf.num_segments(),
    )


def _osabi(elf: Any) -> int:
    elf.stream.seek(7)
    return int(elf.stream.read(1)[0])


def dynamic_entries(elf: Any) -> list[tuple[int, int]]:
    """(tag, value) up to ``DT_NULL``, that one left out."""
    for segment in elf.iter_segments("PT_DYNAMIC"):
        return [
            (number(tag.entry.d_tag, ENUM_D_TAG), tag.entry.d_val)
            for tag in segment.iter_tags()
            if tag.entry.d_tag != "DT_NULL"
        ]
    return []


def dynamic_strings(elf: Any, tag: str) -> list[str]:
    """The strings of all entries with a tag that pyelftools resolves (``DT_NEEDED`` …)."""
    for segment in elf.iter_segments("PT_DYNAMIC"):
        return [getattr(t, tag[3:].lower()) for t in segment.iter_tags(tag)]
    return []


Row = tuple[str, int, int, int, int, int, int]


def symbols(elf: Any) -> list[Row]:
    """``.dynsym``: name, binding, type, visibility, section, value, size."""
    section = elf.get_section_by_name(".dynsym")
    if not isinstance(section, SymbolTableSection):
        return []
    return [
        (
            s.name,
            number(s["st_info"]["bind"], _BINDINGS),
            number(s["st_info"]["type"], _TYPES),
            number(s["st_other"]["visibility"], ENUM_ST_VISIBILITY),
            number(s["st_shndx"], ENUM_ST_SHNDX),
            s["st_value"],
            s["st_size"],
        )
        for s in section.iter_symbols()
    ]


_BINDINGS: dict[str, int] = {**ENUM_ST_INFO_BIND, "STB_LOOS": 10, "STB_GNU_UNIQUE": 10}
_TYPES: dict[str, int] = {**ENUM_ST_INFO_TYPE, "STT_LOOS": 10, "STT_GNU_IFUNC": 10}


def version_needs(elf: Any) -> list[tuple[str, str, int, int]]:
    """Library, version, flags, ``vna_other``."""
    return [
        (str(need.name), aux.name, aux["vna_flags"], aux["vna_other"])
        for section in elf.iter_sections()
        if isinstance(section, GNUVerNeedSection)
        for need, auxiliaries in section.iter_versions()
        for aux in auxiliaries
    ]


def version_definitions(elf: Any) -> list[tuple[int, int, list[str]]]:
    """``vd_ndx``, ``vd_flags``, names."""
    return [
        (definition["vd_ndx"], definition["vd_flags"], [aux.name for aux in auxiliaries])
        for section in elf.iter_sections()
        if isinstance(section, GNUVerDefSection)
        for definition, auxiliaries in section.iter_versions()
    ]


def version_indices(elf: Any) -> list[int] | None:
    """``DT_VERSYM`` of every symbol."""
    for section in elf.iter_sections():
        if isinstance(section, GNUVerSymSection):
            names = {"VER_NDX_LOCAL": 0, "VER_NDX_GLOBAL": 1}
            return [number(symbol["ndx"], names) for symbol in section.iter_symbols()]
    return None


Pairs = set[tuple[int, int]]


def relocations(elf: Any) -> tuple[Pairs, Pairs]:
    """(symbol, type) of the eager and of the lazy tables, told apart by ``DT_JMPREL``."""
    entries = dict(dynamic_entries(elf))
    eager: Pairs = set()
    lazy: Pairs = set()
    for section in elf.iter_sections():
        if isinstance(section, RelocationSection) and section["sh_flags"] & SHF_ALLOC:
            found = lazy if section["sh_addr"] == entries.get(0x17) else eager
            found |= {
                (r["r_info_sym"], r["r_info_type"])
                for r in section.iter_relocations()
                if r["r_info_sym"]
            }
    return eager, lazy


def text(*command: str | Path) -> str:
    """What a tool prints; the test is skipped where the tool does not know the machine."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "not recognized" in done.stderr:
        pytest.skip(f"{command[0]} here does not know the machine of {command[-1]}")
    return done.stdout


def readelf_symbols(readelf: str, path: Path) -> list[str]:
    """``name@version`` of every dynamic symbol, in the order of the table."""
    rows = re.findall(
        r"^ +\d+: [0-9a-f]+ +\S+ (?:\w+|<.*?>: \d+) +\w+ +\w+ +(?:\[.*?\] +)?\w+ ?(.*)$",
        text(readelf, "--dyn-syms", "-W", path),
        re.MULTILINE,
    )
    return [re.sub(r" \(\d+\)$", "", row.strip()) for row in rows]


def nm_exports(nm: str, path: Path) -> list[str]:
    """``name@version`` of every symbol ``nm -D --defined-only`` prints."""
    lines = text(nm, "-D", "--defined-only", path).splitlines()
    return [line.split(" ", 2)[2] for line in lines]
