"""Every ELF member of every wheel, read in place: the same facts as pyelftools, nm and readelf."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_ST_INFO_BIND, ENUM_ST_INFO_TYPE, ENUM_ST_VISIBILITY
from elftools.elf.sections import SymbolTableSection

from elfaudit.elf import ElfObject, SymbolTable, read_elf
from elfaudit.errors import NotElfError
from elfaudit.sources import open_source

from .conftest import Unpack
from .fetch import WHEELS

pytestmark = pytest.mark.real

_ALL_ROWS = 5_000  # of tables with more symbols, every so many-th row is compared
_SAMPLE = 2_000
_TAGS = ("DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH")


@pytest.mark.parametrize("name", WHEELS)
def test_the_facts_of_every_member_are_those_of_pyelftools(
    name: str, wheel: Callable[[str], Path], unpacked: Unpack
) -> None:
    directory = unpacked(name)
    compared = 0
    for member, elf in _members(wheel(name)):
        with (directory / member).open("rb") as file:
            theirs = ELFFile(file)
            dynamic = theirs.get_section_by_name(".dynamic")
            assert isinstance(dynamic, DynamicSection) == (elf.dynamic is not None), member
            assert _facts(elf) == _dynamic_facts(dynamic), member
            _compare_symbols(member, elf.symbols, theirs.get_section_by_name(".dynsym"))
        compared += 1
    assert compared


def _members(wheel: Path) -> Iterator[tuple[str, ElfObject]]:
    """Every ELF member of a wheel, read where it is."""
    source = open_source(str(wheel))
    for name in source.names():
        member = source.find(name)
        assert member is not None
        try:
            elf = read_elf(member.open(), name=member.display)
        except NotElfError:
            continue
        yield name.lstrip("/"), elf
        elf.release()


def _facts(elf: ElfObject) -> dict[str, list[str]]:
    dynamic = elf.dynamic
    if dynamic is None:
        return {tag: [] for tag in _TAGS}
    single = (dynamic.soname, dynamic.rpath, dynamic.runpath)
    values = [list(dynamic.needed), *([value] if value is not None else [] for value in single)]
    return dict(zip(_TAGS, values, strict=True))


def _dynamic_facts(dynamic: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {tag: [] for tag in _TAGS}
    for tag in dynamic.iter_tags() if dynamic is not None else ():
        if tag.entry.d_tag in found:
            name = tag.entry.d_tag.removeprefix("DT_").lower()
            found[tag.entry.d_tag].append(getattr(tag, name))
    return found


def _compare_symbols(member: str, ours: SymbolTable, section: Any) -> None:
    if not isinstance(section, SymbolTableSection):
        assert not len(ours), member
        return
    count = section.num_symbols()
    assert len(ours) == count, member
    for row in range(0, count, 1 if count <= _ALL_ROWS else count // _SAMPLE):
        symbol, theirs = ours[row], section.get_symbol(row)
        info = theirs.entry.st_info
        expected = (
            theirs.name,
            ENUM_ST_INFO_BIND[info.bind],
            ENUM_ST_INFO_TYPE[info.type],
            ENUM_ST_VISIBILITY[theirs.entry.st_other.visibility],
            theirs.entry.st_shndx != "SHN_UNDEF",
            theirs.entry.st_value,
            theirs.entry.st_size,
        )
        assert _columns(ours, row) == expected, (member, row)
        assert symbol.name == theirs.name


def _columns(ours: SymbolTable, row: int) -> tuple[str, int, int, int, bool, int, int]:
    s = ours[row]
    return s.name, s.binding, s.type, s.visibility, s.defined, s.value, s.size


_TAG = re.compile(r"\((NEEDED|SONAME|RPATH|RUNPATH)\).*?\[(.*)\]$")
_HANDFUL = [
    ("torch", "torch/lib/libtorch_cpu.so"),
    ("torch", "torch/lib/libgomp.so.1"),
    ("pyarrow", "pyarrow/libarrow_python.so"),
    ("bitsandbytes", "bitsandbytes/libbitsandbytes_rocm71.so"),
    ("onnxruntime-rocm", "onnxruntime/capi/libonnxruntime_providers_rocm.so"),
    ("torch-scatter-rocm", "torch_scatter/_scatter_cuda.so"),
]


@pytest.fixture
def tools(nm: str, readelf: str) -> tuple[str, str]:
    """Both of binutils' readers."""
    return nm, readelf


@pytest.mark.parametrize(("name", "stem"), _HANDFUL)
def test_a_handful_has_the_symbols_of_nm_and_the_tags_of_readelf(
    name: str,
    stem: str,
    wheel: Callable[[str], Path],
    unpacked: Unpack,
    tools: tuple[str, str],
) -> None:
    nm, readelf = tools
    member, elf = next((m, e) for m, e in _members(wheel(name)) if m.startswith(stem))
    path = unpacked(name, member) / member
    printed = _output(nm, "-D", path)
    theirs = sorted(line.split(maxsplit=2)[-1].split()[-1] for line in printed)
    assert sorted(str(s) for s in list(elf.symbols)[1:] if s.type != 3) == theirs
    undefined = sorted(line.split()[-1] for line in printed if line.split()[0] in ("U", "w", "v"))
    assert sorted(map(str, elf.symbols.undefined())) == undefined
    tags = (_TAG.search(line) for line in _output(readelf, "-dW", path))
    expected = sorted(tag.groups() for tag in tags if tag is not None)
    facts = _facts(elf)
    assert sorted((t.removeprefix("DT_"), v) for t, vs in facts.items() for v in vs) == expected


def _output(tool: str, option: str, path: Path) -> list[str]:
    done = subprocess.run(
        [tool, option, str(path)],
        env={"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()
