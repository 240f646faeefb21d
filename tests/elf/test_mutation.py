"""Whatever the bytes are: facts or an ElfAuditError, no other exception, in bounded memory.

The stream fails the test when it is asked for more than the file has.
"""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elfaudit.elf import DynamicTag, ElfObject, SegmentType, read_elf
from elfaudit.errors import ElfAuditError, ElfFormatError
from tests.conftest import PREBUILT

from . import judge
from .counting import CountingStream
from .forge import forge, strings_and_symbols, symbol, sysv_table

T = DynamicTag
FILES = {name: (PREBUILT / name).read_bytes() for name in judge.fixture_names()}
EXTREMES = (
    *(0, 1, 2, 3, 7, 8, 15, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1),
    *(2**40, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1),
)


def _find_all(elf: ElfObject) -> None:
    table = elf.symbols
    for row in range(len(table)):
        try:
            name = table[row].name
        except ElfAuditError:
            continue
        table.find(name)
    table.find("no such name")


QUESTIONS: tuple[Callable[[ElfObject], object], ...] = (
    lambda elf: (elf.kind, elf.is_program, elf.stack, elf.tls, elf.relro, elf.interp, repr(elf)),
    lambda elf: elf.dynamic and (elf.dynamic.symbolic, elf.dynamic.bind_now, repr(elf.dynamic)),
    lambda elf: elf.dynamic and elf.dynamic.text_relocations,
    lambda elf: [segment.permissions for segment in elf.segments],
    lambda elf: elf.require_loadable(),
    lambda elf: elf.notes,
    lambda elf: (elf.build_id, elf.properties, elf.dlopen_notes),
    lambda elf: elf.relocations.symbols(),
    lambda elf: elf.versions.definitions,
    lambda elf: [str(symbol) for symbol in elf.symbols],
    lambda elf: elf.symbols.names,
    lambda elf: list(elf.symbols.exports()),
    lambda elf: list(elf.symbols.undefined()),
    _find_all,
    lambda elf: elf.release(),
)


def interrogate(data: bytes, **shape: bytes | int) -> list[ElfAuditError]:
    """Ask everything; returns the errors, each of which must be one sentence that says where."""
    stream = CountingStream(data, **shape)  # type: ignore[arg-type]
    errors: list[ElfAuditError] = []
    try:
        elf = read_elf(stream, name="x.so")
    except ElfAuditError as error:
        return [_checked(error, stream.size)]
    for question in QUESTIONS:
        try:
            question(elf)
        except ElfAuditError as error:
            errors.append(_checked(error, stream.size))
    return errors


def _checked(error: ElfAuditError, size: int) -> ElfAuditError:
    assert str(error).startswith("x.so: ")
    assert "\n" not in str(error)
    if isinstance(error, ElfFormatError):
        assert error.field
        assert error.offset >= 0
    return error


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_sound_file_answers_everything(name: str) -> None:
    errors = interrogate(FILES[name])
    assert len(errors) == (0 if read_elf(CountingStream(FILES[name])).dynamic else 1)


@pytest.mark.parametrize("name", ["shapes/libdemo-nosections.so", "machines/i386/demo"])
def test_truncated_at_every_byte(name: str) -> None:
    for end in range(len(FILES[name])):
        interrogate(FILES[name][:end])


@given(st.sampled_from(sorted(FILES)), st.data())
def test_truncated_anywhere(name: str, data: st.DataObject) -> None:
    interrogate(FILES[name][: data.draw(st.integers(0, len(FILES[name])))])


_FIELDS = {8: "Q", 4: "I", 2: "H", 1: "B"}


def _interesting(name: str) -> list[tuple[int, int]]:
    """(offset, size) of the fields everything else hangs on."""
    elf = read_elf(CountingStream(FILES[name]))
    word = elf.layout.word_size
    places = [(at, 1) for at in range(4, 16)] + [(16, 2), (18, 2), (24 + word, word)]
    places += [(at, 2) for at in range(24 + 3 * word + 4, 24 + 3 * word + 16, 2)]
    size = elf.layout.segment.size
    for row in range(len(elf.segments)):
        start = elf.header.segment_offset + row * size
        places += [(start, 4), (start + 4, 4)]
        places += [(at, word) for at in range(start + 8, start + size - 3, word)]
    if elf.dynamic is not None:
        places += [*_dynamic_places(elf)]
    return [(at, size) for at, size in places if at + size <= len(FILES[name])]


def _dynamic_places(elf: ElfObject) -> Iterator[tuple[int, int]]:
    word = elf.layout.word_size
    dynamic = elf.dynamic
    assert dynamic is not None
    for row in range(len(dynamic.entries) + 1):
        start = dynamic.offset + row * 2 * word
        yield from ((start, word), (start + word, word))
    for tag in (T.HASH, T.GNU_HASH, T.VERNEED, T.VERDEF, T.VERSYM, T.SYMTAB, T.RELA, T.REL):
        if dynamic.value(tag) is not None:
            start, _ = dynamic.locate(tag, elf._addresses)
            yield from ((start + at, 4) for at in range(0, 64, 4))
            yield from ((start + at, 2) for at in range(0, 48, 2))
    for segment in elf.segments:
        if segment.type == SegmentType.NOTE:
            yield from ((segment.offset + at, 4) for at in range(0, segment.file_size, 4))


PLACES = {name: _interesting(name) for name in sorted(FILES)}


@settings(max_examples=1000)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_fields_overwritten_with_extreme_numbers(name: str, data: st.DataObject) -> None:
    content = bytearray(FILES[name])
    order = "<" if content[5] == 1 else ">"
    for at, size in data.draw(st.lists(st.sampled_from(PLACES[name]), min_size=1, max_size=4)):
        number = data.draw(st.sampled_from(EXTREMES) | st.integers(0, len(content)))
        struct.pack_into(f"{order}{_FIELDS[size]}", content, at, number & (1 << 8 * size) - 1)
    interrogate(bytes(content))


@pytest.mark.parametrize(
    "name", ["shapes/libdemo-gnu.so", "machines/i386/libdemo.so", "machines/s390x/libdep.so.1"]
)
@pytest.mark.parametrize("number", [0, 1, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**64 - 1])
def test_every_field_overwritten_with_an_extreme_number(name: str, number: int) -> None:
    order = "<" if FILES[name][5] == 1 else ">"
    for at, size in PLACES[name]:
        content = bytearray(FILES[name])
        struct.pack_into(f"{order}{_FIELDS[size]}", content, at, number & (1 << 8 * size) - 1)
        interrogate(bytes(content))


@settings(max_examples=300)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_bits_flipped(name: str, data: st.DataObject) -> None:
    content = bytearray(FILES[name])
    where = st.integers(0, 8 * len(content) - 1)
    for bit in data.draw(st.lists(where, min_size=1, max_size=30)):
        content[bit // 8] ^= 1 << bit % 8
    interrogate(bytes(content))


@settings(max_examples=300)
@given(st.sampled_from(sorted(FILES)), st.sampled_from(sorted(FILES)), st.data())
def test_files_spliced(one: str, other: str, data: st.DataObject) -> None:
    first, second = FILES[one], FILES[other]
    cut = data.draw(st.integers(0, len(first)))
    resume = data.draw(st.integers(0, len(second)) | st.just(min(cut, len(second))))
    interrogate(first[:cut] + second[resume:])


@given(st.binary(max_size=2000))
@example(b"")
def test_noise_behind_a_sound_identification(noise: bytes) -> None:
    interrogate(noise)
    interrogate(b"\x7fELF\x02\x01\x01" + noise)
    interrogate(b"\x7fELF\x01\x02\x01" + noise)


# What no random change would find


def _memory(data: bytes, **shape: bytes | int) -> tuple[list[ElfAuditError], int]:
    """The errors, and the highest memory use in bytes."""
    tracemalloc.start()
    try:
        errors = interrogate(data, **shape)
        return errors, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_sparse_file_of_terabytes_is_refused_table_by_table() -> None:
    size = 1 << 42
    data = bytearray(FILES["shapes/libdemo-gnu.so"])
    elf = read_elf(CountingStream(bytes(data)))
    assert elf.dynamic is not None
    for row, segment in enumerate(elf.segments):
        if segment.type != SegmentType.LOAD:
            start = elf.header.segment_offset + 56 * row
            struct.pack_into("<QQ", data, start + 32, size, size)
    for tag in (T.STRSZ, T.RELASZ, T.PLTRELSZ):
        struct.pack_into("<Q", data, elf.dynamic.where(tag) + 8, size - size % 24)
    errors, peak = _memory(bytes(data), gap=size)
    fields = {error.field for error in errors if isinstance(error, ElfFormatError)}
    assert fields == {"PT_NOTE", "DT_RELA", "DT_STRSZ"}
    assert all("more than" in str(error) for error in errors)
    assert peak < 64 << 20


def test_millions_of_symbols_are_refused() -> None:
    head = struct.pack("<II", 0, (1 << 21) + 1)
    data = strings_and_symbols(b"\0", [], (T.HASH, head))
    errors, peak = _memory(data, gap=1 << 40)
    assert "2097153 symbols are more than any real file has" in str(errors[0])
    assert peak < 64 << 20


def test_a_dynamic_section_of_millions_of_entries_is_refused() -> None:
    errors, peak = _memory(forge([(0x6FFFFE00, 0)] * 200_000, {}))
    assert "no DT_NULL after 6" in str(errors[0])
    assert peak < 64 << 20


def test_a_dynamic_section_without_an_end_says_so() -> None:
    errors = interrogate(forge([(0x6FFFFE00, 0)], {}, null=False))
    assert "dynamic section at offset 0xc0: no DT_NULL after 1 entries" in str(errors[0])


def test_thousands_of_needed_that_share_one_long_string_are_refused() -> None:
    strings = b"x" * 500_000 + b"\0"
    entries: list[tuple[int, int | str]] = [(T.STRTAB, "strings"), (T.STRSZ, len(strings))]
    entries += [(T.NEEDED, index) for index in range(1000)]
    errors, peak = _memory(forge(entries, {"strings": strings}))
    assert "the strings are too long" in str(errors[0])
    assert peak < 64 << 20


def test_names_that_share_one_long_string_are_refused() -> None:
    """Two megabytes of file, forty gigabytes of names."""
    count = 40_000
    strings = b"\0" + b"x" * 1_000_000 + b"\0"
    symbols = [symbol(1 + row) for row in range(count)]
    table = sysv_table([0], [0] * (count + 1))
    elf = read_elf(CountingStream(strings_and_symbols(strings, symbols, (T.HASH, table))))
    tracemalloc.start()
    try:
        with pytest.raises(ElfFormatError, match=r"the names overlap"):
            _ = elf.symbols.names
        assert tracemalloc.get_traced_memory()[1] < 512 << 20
    finally:
        tracemalloc.stop()


def test_millions_of_different_relocations_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elfaudit.elf.relocations._MAX_PAIRS", 1000)
    rows = b"".join(struct.pack("<QQq", 0, row << 32 | 1, 0) for row in range(1, 2000))
    data = forge([(T.RELA, "rows"), (T.RELASZ, len(rows))], {"rows": rows})
    errors = interrogate(data)
    assert "more than 1000 different references" in str(errors[0])


def test_of_thousands_of_dynamic_segments_one_is_read() -> None:
    entries = struct.pack("<qQ", 0x6FFFFE00, 0) * 1000 + bytes(16)
    segments = [(SegmentType.DYNAMIC, "entries")] * 2000
    stream = CountingStream(forge([], {"entries": entries}, segments=segments))
    elf = read_elf(stream)
    assert elf.dynamic is not None
    assert len(elf.dynamic.entries) == 1000
    assert stream.bytes_read < 4096 + 2002 * 56 + len(entries) + 4096
