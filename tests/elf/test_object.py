"""What kind of file it is, what its segments ask for, and that nothing is read before its time."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from elfaudit.elf import (
    DynamicTag,
    ElfObject,
    FileType,
    Kind,
    SegmentType,
    Stack,
    Tls,
    read_elf,
)
from elfaudit.errors import ElfFormatError, NotLoadableError, SourceError

from . import judge
from .counting import CountingStream
from .forge import forge, symbol, sysv_table


@pytest.mark.parametrize(
    ("name", "kind", "program"),
    [
        ("shapes/libdemo-gnu.so", Kind.SHARED_OBJECT, False),
        ("machines/s390x/demo", Kind.PIE, True),
        ("shapes/fixed-exe", Kind.EXECUTABLE, True),
        ("shapes/static-exe", Kind.STATIC_EXECUTABLE, True),
        ("shapes/relocatable.o", Kind.RELOCATABLE, False),
    ],
)
def test_kinds(prebuilt: Path, name: str, kind: Kind, program: bool) -> None:
    elf = read_elf(prebuilt / name)
    assert (elf.kind, elf.is_program) == (kind, program)
    assert kind.value in repr(elf)


def _typed(prebuilt: Path, name: str, kind: int) -> ElfObject:
    data = bytearray((prebuilt / name).read_bytes())
    struct.pack_into("<H", data, 16, kind)
    return read_elf(io.BytesIO(bytes(data)), name="x")


@pytest.mark.parametrize(
    ("kind", "expected"), [(FileType.CORE, Kind.CORE), (0xFE00, Kind.OTHER), (0, Kind.OTHER)]
)
def test_other_types_of_file_are_no_food_for_a_loader(
    prebuilt: Path, kind: int, expected: Kind
) -> None:
    elf = _typed(prebuilt, "shapes/libdemo-gnu.so", kind)
    assert elf.kind is expected
    with pytest.raises(
        NotLoadableError, match=rf"^x: is a {expected.value}, which no loader takes"
    ):
        elf.require_loadable()


def test_a_pie_without_the_flag_is_known_by_its_interpreter(prebuilt: Path) -> None:
    data = bytearray((prebuilt / "machines/x86_64/demo").read_bytes())
    dynamic = read_elf(io.BytesIO(bytes(data))).dynamic
    assert dynamic is not None
    struct.pack_into("<qQ", data, dynamic.where(DynamicTag.FLAGS_1), DynamicTag.FLAGS_1, 0)
    assert read_elf(io.BytesIO(bytes(data))).kind is Kind.PIE


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shapes/relocatable.o", "is a relocatable object (ET_REL): link it first"),
        ("shapes/static-exe", "is statically linked"),
    ],
)
def test_what_no_loader_takes_is_refused_politely(prebuilt: Path, name: str, words: str) -> None:
    elf = read_elf(prebuilt / name)
    with pytest.raises(NotLoadableError, match=re.escape(f"{prebuilt / name}: {words}")):
        elf.require_loadable()
    assert (elf.soname, elf.needed, len(elf.symbols), elf.versions.needs) == (None, (), 0, ())
    assert elf.relocations.symbols() == frozenset()
    assert elf.symbols.names == []


def test_a_library_without_a_dynamic_section_is_refused_politely(prebuilt: Path) -> None:
    with pytest.raises(NotLoadableError, match=r"has no dynamic section"):
        _typed(prebuilt, "shapes/static-exe", FileType.DYN).require_loadable()


def test_a_loadable_file_gives_its_dynamic_section(prebuilt: Path) -> None:
    elf = read_elf(prebuilt / "shapes/libdemo-gnu.so")
    assert elf.require_loadable() is elf.dynamic


@judge.every_fixture
def test_interp_tls_stack_and_relro_are_what_pyelftools_reads(prebuilt: Path, name: str) -> None:
    elf = read_elf(prebuilt / name)
    with judge.opened(prebuilt / name) as other:
        by_type: dict[str, Any] = {s["p_type"]: s for s in other.iter_segments()}
        interp = by_type.get("PT_INTERP")
        assert elf.interp == (interp.get_interp_name() if interp else None)
        tls = by_type.get("PT_TLS")
        expected = Tls(tls["p_memsz"], tls["p_filesz"], tls["p_align"]) if tls else None
        assert elf.tls == expected
        stack = by_type.get("PT_GNU_STACK")
        executable = {0: Stack.NOT_EXECUTABLE, 1: Stack.EXECUTABLE}
        assert elf.stack is (executable[stack["p_flags"] & 1] if stack else Stack.UNSTATED)
        relro = by_type.get("PT_GNU_RELRO")
        found = (elf.relro.address, elf.relro.memory_size) if elf.relro else None
        assert found == ((relro["p_vaddr"], relro["p_memsz"]) if relro else None)


@judge.every_fixture
def test_interp_is_what_readelf_prints(prebuilt: Path, readelf: str, name: str) -> None:
    printed = judge.text(readelf, "-lW", prebuilt / name)
    found = re.findall(r"program interpreter: (.*)\]", printed)
    assert [read_elf(prebuilt / name).interp] == (found or [None])


def test_an_executable_stack_is_seen(prebuilt: Path) -> None:
    assert read_elf(prebuilt / "shapes/libdemo-execstack.so").stack is Stack.EXECUTABLE


@pytest.mark.parametrize(
    ("content", "interp"), [(b"/lib/ld.so\0", "/lib/ld.so"), (b"\0", ""), (b"", None)]
)
def test_an_interp_may_be_empty(content: bytes, interp: str | None) -> None:
    data = forge([], {"interp": content}, segments=[(SegmentType.INTERP, "interp")])
    assert read_elf(io.BytesIO(data)).interp == interp


def test_of_several_interps_the_first_counts_and_of_several_dynamics_the_last() -> None:
    """The kernel's load_elf_binary and glibc's _dl_map_object_from_fd."""
    second = struct.pack("<qQqQqQ", DynamicTag.NEEDED, 1, 0, 0, 0, 0)
    data = forge(
        [(DynamicTag.STRTAB, "strings"), (DynamicTag.NEEDED, 1)],
        {"a": b"/a\0", "b": b"/b\0", "strings": b"\0x\0", "dynamic": second},
        segments=[
            (SegmentType.INTERP, "a"),
            (SegmentType.INTERP, "b"),
            (SegmentType.DYNAMIC, "dynamic"),
        ],
    )
    with pytest.raises(ElfFormatError, match=r"string table of 0x0 bytes"):
        read_elf(io.BytesIO(data))
    data = forge([], {"a": b"/a\0", "b": b"/b\0"}, segments=[(3, "a"), (3, "b")])
    assert read_elf(io.BytesIO(data)).interp == "/a"


def test_asking_what_is_needed_decodes_no_symbol(prebuilt: Path) -> None:
    stream = CountingStream((prebuilt / "shapes/libdemo-gnu.so").read_bytes())
    elf = read_elf(stream)
    assert elf.needed == ("libdep.so.1",)
    assert not {"symbols", "versions", "relocations", "notes", "_dynsym"} & elf.__dict__.keys()


def _large(*, hash_table: bool) -> tuple[CountingStream, dict[str, tuple[int, int]]]:
    """A file with 100,000 symbols and a megabyte of relocations, and where these are."""
    count = 100_000
    strings = b"\0" + b"name\0" * count + b"libx.so\0"
    symbols = symbol(0, info=0, section=0) + b"".join(
        symbol(1 + 5 * row, section=0) for row in range(count)
    )
    rows = b"".join(struct.pack("<QQq", 0, row << 32 | 6, 0) for row in range(1, count + 1))
    blobs = {"strings": strings, "symbols": symbols, "rows": rows}
    entries: list[tuple[int, int | str]] = [
        (DynamicTag.STRTAB, "strings"),
        (DynamicTag.STRSZ, len(strings)),
        (DynamicTag.SYMTAB, "symbols"),
        (DynamicTag.RELA, "rows"),
        (DynamicTag.RELASZ, len(rows)),
        (DynamicTag.NEEDED, len(strings) - 8),
    ]
    if hash_table:
        blobs["hash"] = sysv_table([0], [0] * (count + 1))
        entries.append((DynamicTag.HASH, "hash"))
    data = forge(entries, blobs)
    places = {
        name: (data.index(blob), data.index(blob) + len(blob)) for name, blob in blobs.items()
    }
    return CountingStream(data), places


def _inside(stream: CountingStream, place: tuple[int, int]) -> bool:
    """Whether the table was read; a page that only reaches into it does not count."""
    start, end = place
    return stream.touched(start + 4096, end - 4096)


def test_headers_and_needed_cost_a_few_pages() -> None:
    stream, places = _large(hash_table=True)
    assert read_elf(stream).needed == ("libx.so",)
    assert stream.bytes_read < 20_000
    assert not _inside(stream, places["rows"])


def test_symbols_read_no_relocations_where_the_hash_table_tells_the_count() -> None:
    stream, places = _large(hash_table=True)
    assert len(read_elf(stream).symbols) == 100_001
    assert not _inside(stream, places["rows"])


def test_without_a_hash_table_the_relocations_tell_the_count() -> None:
    stream, places = _large(hash_table=False)
    assert len(read_elf(stream).symbols) == 100_001
    assert _inside(stream, places["rows"])


def test_released_facts_are_read_again(prebuilt: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes((prebuilt / "shapes/libdemo-gnu.so").read_bytes())
    elf = read_elf(path)
    names, found = elf.symbols.names, elf.symbols.find("demo_call")
    elf.release()
    assert "symbols" not in elf.__dict__
    assert (elf.symbols.names, elf.symbols.find("demo_call")) == (names, found)
    elf.release()
    path.write_bytes(b"something else")
    with pytest.raises(SourceError, match=r"changed on disk while it was being read"):
        _ = elf.symbols


def test_a_stream_that_cannot_be_released_stays_open(prebuilt: Path) -> None:
    elf = read_elf(io.BytesIO((prebuilt / "shapes/libdemo-gnu.so").read_bytes()))
    elf.release()
    assert elf.symbols.find("demo_call")


def test_the_name_in_messages_may_be_given(prebuilt: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(ElfFormatError, match=r"^other: e_ident at offset 0x0: the file is empty$"):
        read_elf(tmp_path / "x", name="other")
    with (tmp_path / "x").open("rb") as file, pytest.raises(ElfFormatError, match=r"/x: e_ident"):
        read_elf(file)
    with pytest.raises(ElfFormatError, match=r"^<stream>: e_ident"):
        read_elf(io.BytesIO(b""))
