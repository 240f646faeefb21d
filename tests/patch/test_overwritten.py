"""A stream with some bytes exchanged, judged by a ``bytearray``."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.elf import reader as reader_module
from elfaudit.elf.reader import Reader
from elfaudit.patch.compose import Write
from elfaudit.patch.overwritten import OverwrittenStream

_WRITES = st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=20)), max_size=5)


def _model(old: bytes, size: int, writes: list[tuple[int, bytes]], kept: int | None) -> bytes:
    data = bytearray(old if kept is None else old[:kept])[:size]
    data += bytes(size - len(data))
    for offset, new in writes:
        for n, byte in enumerate(new):
            if offset + n < size:
                data[offset + n] = byte
    return bytes(data)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.binary(max_size=50), st.integers(0, 80), _WRITES, st.none() | st.integers(0, 50),
    st.lists(st.tuples(st.integers(0, 90), st.integers(-1, 90)), max_size=5),
)  # fmt: skip
def test_it_reads_as_written(
    old: bytes,
    size: int,
    writes: list[tuple[int, bytes]],
    kept: int | None,
    reads: list[tuple[int, int]],
) -> None:
    kept = None if kept is None else min(kept, len(old))
    stream = OverwrittenStream(
        Reader(io.BytesIO(old), "file"), size, [Write(*each) for each in writes], kept
    )
    expected = io.BytesIO(_model(old, size, writes, kept))
    assert stream.read() == expected.read()
    assert stream.seek(0, os.SEEK_END) == expected.seek(0, os.SEEK_END)
    for position, length in reads:
        assert stream.seek(position) == expected.seek(position)
        assert stream.read(length) == expected.read(length)
        assert stream.seek(0, os.SEEK_CUR) == expected.seek(0, os.SEEK_CUR)
    assert stream.seek(-999, os.SEEK_END) == 0


def test_a_read_of_more_than_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader gives one table's worth at a time."""
    monkeypatch.setattr(reader_module, "MAX_TABLE", 7)
    stream = OverwrittenStream(Reader(io.BytesIO(bytes(range(50))), "file"), 50, [Write(9, b"x")])
    assert stream.read() == bytes(range(9)) + b"x" + bytes(range(10, 50))
