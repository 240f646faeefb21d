"""A file as a stream, judged by :meth:`io.BufferedReader.read`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elfaudit.errors import SourceError
from elfaudit.stream import FileStream

CONTENT = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stream") / "file"
    path.write_bytes(CONTENT)
    return path


@given(
    steps=st.lists(st.tuples(st.integers(0, 1100), st.integers(-1, 1100), st.booleans())),
    start=st.integers(0, 1100),
    size=st.none() | st.integers(0, 300),
)
def test_any_window_reads_as_a_slice(
    file: Path, steps: list[tuple[int, int, bool]], start: int, size: int | None
) -> None:
    plain = CONTENT[start:] if size is None else CONTENT[start : start + size]
    stream = FileStream(str(file), start=start, size=size)
    for offset, length, release in steps:
        assert stream.seek(offset) == offset
        expected = plain[offset:] if length < 0 else plain[offset : offset + length]
        assert stream.read(length) == expected
        if release:
            stream.release()
    assert stream.seek(-3, os.SEEK_END) == max(stream.size - 3, 0)
    assert stream.seek(1, os.SEEK_CUR) == max(stream.size - 3, 0) + 1


def test_a_released_stream_holds_no_descriptor(file: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    streams = [FileStream(str(file)) for _ in range(50)]
    for stream in streams:
        stream.read(10)
        stream.release()
        stream.release()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("content", [b"other", CONTENT[::-1]])
def test_a_file_that_was_exchanged_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    os.utime(path, (1, 1))
    stream = FileStream(str(path), name="shown")
    stream.release()
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"^shown: changed on disk while it was being read$"):
        stream.read(1)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r": is a directory$"):
        FileStream(str(tmp_path))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SourceError, match=r": is not a regular file$"):
        FileStream(str(tmp_path / "fifo"))
    with pytest.raises(SourceError, match=r": is not a regular file$"):
        FileStream(os.devnull)
    with pytest.raises(SourceError, match=r"absent: cannot be opened: No such file or directory$"):
        FileStream(str(tmp_path / "absent"))


def test_errors_while_reading_keep_the_words_of_the_system(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    stream = FileStream(str(file), name="shown")
    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(SourceError, match=r"^shown: cannot be read: Input/output error$"):
        stream.read(1)
