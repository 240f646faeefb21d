"""Bounded random access, judged by slices of the bytes themselves."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elfaudit.elf.reader import MAX_TABLE, Reader
from elfaudit.errors import ElfFormatError, SourceError

from .counting import CountingStream

_RANGES = st.lists(st.tuples(st.integers(-1, 13_000), st.integers(-1, 3000)), min_size=1)


@given(st.integers(0, 12_000), _RANGES)
def test_what_is_read_is_what_is_there(size: int, ranges: list[tuple[int, int]]) -> None:
    data = bytes(i * 7 & 0xFF for i in range(size))
    reader = Reader(CountingStream(data), "x")
    for offset, length in ranges:
        if min(offset, length) >= 0 and offset + length <= size:
            assert reader.read(offset, length, "field") == data[offset : offset + length]
        else:
            with pytest.raises(ElfFormatError, match=r"^x: field at offset "):
                reader.read(offset, length, "field")
        if offset >= 0 and length >= 0:
            assert reader.read_available(offset, length) == data[offset : offset + length]


def test_small_reads_next_to_each_other_cost_one_read_of_the_stream() -> None:
    stream = CountingStream(bytes(100_000))
    reader = Reader(stream, "x")
    for offset in range(50_000, 53_000, 16):
        reader.read(offset, 16, "row")
        reader.read(16, 4, "header")
    assert len(stream.ranges) <= 3


def test_a_table_larger_than_any_real_one_is_refused_before_it_is_read() -> None:
    stream = CountingStream(b"", gap=1 << 40)
    with pytest.raises(ElfFormatError, match=r"is more than any real table has"):
        Reader(stream, "x").read(0, MAX_TABLE + 1, "DT_STRSZ")
    assert stream.ranges == []


@given(st.binary(max_size=6000), st.integers(0, 6000), st.integers(0, 6000))
def test_a_string_ends_at_its_nul_or_is_an_error(data: bytes, offset: int, end: int) -> None:
    data = data.replace(b"\0\0", b"x") * 3
    reader = Reader(io.BytesIO(data), "x")
    stop = data.find(b"\0", offset, end)
    if stop >= 0:
        assert reader.string(offset, end, "DT_NEEDED") == data[offset:stop]
    else:
        with pytest.raises(ElfFormatError, match=r"the string has no end"):
            reader.string(offset, end, "DT_NEEDED")


def test_a_long_string_is_read_in_growing_steps() -> None:
    data = b"x" * 500_000 + b"\0"
    assert Reader(io.BytesIO(data), "x").string(0, len(data), "DT_RPATH") == data[:-1]
    with pytest.raises(ElfFormatError, match=r"the string has no end"):
        Reader(CountingStream(b"x" * (2 << 20)), "x").string(0, 2 << 20, "DT_RPATH")


class _Raw(io.BytesIO):
    """A raw stream may give less than it was asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 3))


class _Short(io.BytesIO):
    """A stream whose end moved since its length was asked."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return super().seek(offset, whence) + (50 if whence == os.SEEK_END else 0)


class _Broken(io.BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


class _Unseekable(io.BytesIO):
    def seek(self, _offset: int, _whence: int = os.SEEK_SET, /) -> int:
        raise io.UnsupportedOperation("seek")


def test_short_reads_are_completed() -> None:
    assert Reader(_Raw(b"0123456789"), "x").read(1, 8, "field") == b"12345678"


@pytest.mark.parametrize("size", [60, 1100])
def test_a_file_that_ends_early_says_where(size: int) -> None:
    stream = _Short(bytes(size - 20))
    with pytest.raises(
        ElfFormatError, match=rf"at offset {size - 20:#x}: the file ends here, 20 b"
    ):
        Reader(stream, "x").read(0, size, "field")


def test_errors_of_the_operating_system_keep_their_words() -> None:
    with pytest.raises(SourceError, match=r"^x: cannot be read: Input/output error$"):
        Reader(_Broken(b"1234"), "x").read(0, 4, "field")
    with pytest.raises(SourceError, match=r"^x: cannot be read: seek$"):
        Reader(_Unseekable(b""), "x")
