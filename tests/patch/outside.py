"""What readers that are not ours say of a file: pyelftools, GNU readelf, LIEF."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lief
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import NoteSection

from tests.elf import judge

lief.logging.disable()

_MOVING = (".dynamic", ".dynstr", ".symtab")
_PT_GNU_STACK = 0x6474E551


@dataclass(frozen=True)
class Said:
    """What pyelftools finds in the dynamic section.

    Attributes:
        texts: (tag, text) of the entries that are strings, in order.
        required: the libraries of the version requirements.
        execstack: whether the stack is to be executable; None if nothing is said.
    """

    texts: tuple[tuple[str, str], ...]
    required: tuple[str, ...]
    execstack: bool | None

    def all(self, tag: str) -> list[str]:
        """The texts of a tag."""
        return [text for each, text in self.texts if each == tag]

    @property
    def needed(self) -> list[str]:
        return self.all("DT_NEEDED")

    @property
    def soname(self) -> list[str]:
        return self.all("DT_SONAME")

    @property
    def rpath(self) -> list[str]:
        return self.all("DT_RPATH")

    @property
    def runpath(self) -> list[str]:
        return self.all("DT_RUNPATH")


_TEXTS = ("DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH")


def said(path: Path) -> Said:
    """What pyelftools makes of a file."""
    with judge.opened(path) as elf:
        (dynamic,) = elf.iter_segments("PT_DYNAMIC")
        texts = tuple(
            (tag.entry.d_tag, getattr(tag, tag.entry.d_tag[3:].lower()))
            for tag in dynamic.iter_tags()
            if tag.entry.d_tag in _TEXTS
        )
        required = tuple(dict.fromkeys(each[0] for each in judge.version_needs(elf)))
        stacks = [s["p_flags"] for s in elf.iter_segments() if _is_stack(s)]
    return Said(texts, required, bool(stacks[-1] & 1) if stacks else None)


def _is_stack(segment: Any) -> bool:
    return segment["p_type"] in {"PT_GNU_STACK", _PT_GNU_STACK}


def facts(path: Path) -> dict[str, Any]:
    """What no edit may change, by the section headers, or where there are none by the segments."""
    with judge.opened(path) as elf:
        (dynamic,) = elf.iter_segments("PT_DYNAMIC")
        tables = dynamic.get_relocation_tables()
        found: dict[str, Any] = {
            "header": judge.header(elf)[:-1],
            "entries": _numbers(elf),
            "relocations": {
                name: [tuple(sorted(r.entry.items())) for r in table.iter_relocations()]
                for name, table in tables.items()
            },
            "symbols": judge.symbols(elf)
            or [(s.name, *s.entry["st_info"].values()) for s in _by_address(elf, dynamic)],
            "versions": judge.version_indices(elf),
            "definitions": judge.version_definitions(elf),
            "requirements": [each[1:] for each in judge.version_needs(elf)],
            "tls": [s.data() for s in elf.iter_segments("PT_TLS")],
            "interp": [s.data() for s in elf.iter_segments("PT_INTERP")],
            "sections": [],
            "notes": [],
        }
        for section in elf.iter_sections():
            kind = section["sh_type"]
            fixed = section.name not in _MOVING and section.name != ".gnu.version_r"
            body = section.data() if fixed and kind != "SHT_NOBITS" else b""
            found["sections"].append((section.name, kind, section["sh_flags"], body))
            if isinstance(section, NoteSection):
                found["notes"] += [(n["n_name"], n["n_type"]) for n in section.iter_notes()]
            if isinstance(section, RelocationSection):
                found["relocations"][section.name] = [
                    tuple(sorted(r.entry.items())) for r in section.iter_relocations()
                ]
        found["symtab"] = _symtab(elf)
    return found


def _by_address(elf: Any, dynamic: Any) -> list[Any]:
    """The symbols, where no section has them and a hash table counts them."""
    entries = dict(judge.dynamic_entries(elf))
    return list(dynamic.iter_symbols()) if 4 in entries else []


def _numbers(elf: Any) -> list[tuple[int, int]]:
    """The entries of the dynamic section that are neither texts, nor addresses, nor their size."""
    return [
        (tag, value)
        for tag, value in judge.dynamic_entries(elf)
        if tag not in _BY_PLACE and not 0x6FFFFE00 <= tag < 0x6FFFFF00
    ]


# Strings, their size, and what is found through tables that may move: DT_HASH, DT_SYMTAB, DT_VER…
_BY_PLACE = (1, 4, 5, 6, 10, 14, 15, 29, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE)


def _symtab(elf: Any) -> list[tuple[object, ...]]:
    """``.symtab`` without the values of symbols of sections that may move."""
    table = elf.get_section_by_name(".symtab")
    if table is None:
        return []
    return [
        (s.name, s["st_info"]["bind"], s["st_info"]["type"], s["st_shndx"], s["st_size"])
        + ((s["st_value"],) if s["st_info"]["type"] in {"STT_FUNC", "STT_TLS"} else ())
        for s in table.iter_symbols()
    ]


def readelf_texts(readelf: str, path: Path) -> dict[str, list[str]]:
    """The texts of the dynamic section as GNU ``readelf`` prints them."""
    done = subprocess.run([readelf, "-dW", path], capture_output=True, check=True)
    found: dict[str, list[str]] = {}
    for line in done.stdout.decode("utf-8", "surrogateescape").splitlines():
        match = re.search(r"\((NEEDED|SONAME|RPATH|RUNPATH)\).*?\[(.*)\]$", line)
        if match:
            found.setdefault(f"DT_{match[1]}", []).append(match[2])
    return found


def readelf_warnings(readelf: str, path: Path) -> list[str]:
    """What GNU ``readelf`` complains about."""
    done = subprocess.run([readelf, "-aW", path], capture_output=True, text=True, check=False)
    lines = [line.replace(str(path), "") for line in done.stderr.splitlines()]
    return [re.sub(r"0x[0-9a-f]+|\d+", "N", line) for line in lines]


def lief_needed(path: Path) -> list[str]:
    """``DT_NEEDED`` as LIEF reads it."""
    binary = lief.ELF.parse(str(path))
    assert isinstance(binary, lief.ELF.Binary)
    return [str(each) for each in binary.libraries]
