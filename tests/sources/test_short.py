"""Short members in memory, judged by :class:`io.BytesIO`."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elfaudit.errors import SourceError
from elfaudit.sources.short import ShortStream

CONTENT = bytes(range(256))


@given(
    st.lists(
        st.tuples(
            st.integers(-300, 300),
            st.sampled_from([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]),
            st.integers(-1, 300),
            st.booleans(),
        )
    )
)
def test_reads_as_a_file_in_memory(steps: list[tuple[int, int, int, bool]]) -> None:
    stream, expected = ShortStream(CONTENT, lambda: CONTENT, "x"), io.BytesIO(CONTENT)
    for offset, whence, size, release in steps:
        at = expected.tell() if whence == os.SEEK_CUR else 0
        at = len(CONTENT) if whence == os.SEEK_END else at
        expected.seek(max(at + offset, 0))
        assert stream.seek(offset, whence) == expected.tell()
        assert stream.read(size) == expected.read(size)
        if release:
            stream.release()


def test_what_cannot_be_read_again_is_said() -> None:
    stream = ShortStream(CONTENT, lambda: None, "x.whl::a")
    assert stream.read(1) == CONTENT[:1]
    stream.release()
    with pytest.raises(SourceError, match=r"^x\.whl::a: cannot be read any more"):
        stream.read(1)
