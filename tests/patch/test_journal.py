"""The way back at the end of a file: taken when it is whole, and never when it lies."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.elf.reader import Reader
from elfaudit.errors import ElfAuditError, PatchError
from elfaudit.patch.compose import Rewrite, Write
from elfaudit.patch.edits import AddNeeded, SetRunpath
from elfaudit.patch.journal import read_journal, with_journal

from .outside import said
from .patching import X86, copied, nothing_is_left_over, patched, planned, undone

_MARK = b"elfaudit-undo\0\0\1"


def _reader(data: bytes) -> Reader:
    return Reader(io.BytesIO(data), "file")


def _written(old: bytes, rewrite: Rewrite) -> bytes:
    data = bytearray(old) + bytes(rewrite.size - len(old))
    for write in rewrite.writes:
        data[write.offset : write.offset + len(write.data)] = write.data
    return bytes(data)


Places = list[tuple[int, bytes]]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 9), st.binary(min_size=1, max_size=9)), max_size=6),
)
def test_what_was_overwritten_comes_back(old: bytes, gaps: Places) -> None:
    writes, end = [], 0
    for gap, data in gaps:
        writes.append(Write(end + gap, data))
        end += gap + len(data)
    size = max(end, len(old))
    rewrite = with_journal(Rewrite(size, tuple(writes)), _reader(old))
    new = _written(old, rewrite)
    assert len(new) == rewrite.size
    journal = read_journal(_reader(new))
    assert journal is not None
    back = bytearray(new[: journal.size])
    for write in journal.writes:
        back[write.offset : write.offset + len(write.data)] = write.data
    assert bytes(back) == old


def test_what_was_written_since_closes_the_way_back(tmp_path: Path) -> None:
    """Each byte that was written, and each of the trailer, changed on its own."""
    path = copied(X86, tmp_path)
    first = path.read_bytes()
    plan = patched(path, AddNeeded("libnew.so"))
    data = path.read_bytes()
    places = [at for each in plan.writes for at in range(each.offset, each.offset + len(each.data))]
    for at in places:
        changed = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        assert read_journal(_reader(changed)) is None, at
    # What was not written to is as it is now, then too.
    text = data.replace(b"\0.text\0", b"\0.texu\0", 1)
    assert text != data
    path.write_bytes(text)
    undone(path)
    assert path.read_bytes() == first.replace(b"\0.text\0", b"\0.texu\0", 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\0",
        lambda data: data[:-1],
        lambda data: data + b"another file at the end",
    ],
)
def test_what_does_not_end_with_it_has_no_way_back(change: object, tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    patched(path, AddNeeded("libnew.so"))
    assert callable(change)
    path.write_bytes(change(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(PatchError, match="carries no way back") as caught:
        undone(path)
    assert str(path) in str(caught.value)
    # It is patched as it is; what follows the file stays in front of what is new.
    patched(path, AddNeeded("libmore.so"))
    assert said(path).needed == ["libdep.so.1", "libnew.so", "libmore.so"]
    undone(path)
    assert path.read_bytes() == before


def test_strip_takes_the_way_back(tmp_path: Path) -> None:
    strip = shutil.which("strip")
    if strip is None:
        pytest.skip("strip (binutils) is not installed")
    path = copied(X86, tmp_path)
    patched(path, AddNeeded("libnew.so"))
    subprocess.run([strip, path], check=True)
    with pytest.raises(PatchError, match="carries no way back"):
        undone(path)
    assert said(path).needed == ["libdep.so.1", "libnew.so"]


def test_a_file_that_was_never_patched_has_none(tmp_path: Path) -> None:
    with pytest.raises(PatchError, match="was not patched by elfaudit, or was changed since"):
        undone(copied(X86, tmp_path))


def _trailer(size: int, places: Sequence[tuple[int, bytes, int, int]], count: int) -> bytes:
    body = struct.pack(">QI", size, count)
    for offset, before, checksum, length in places:
        body += struct.pack(">QI", offset, len(before)) + before
        body += struct.pack(">II", checksum, length)
    return body + struct.pack(">IQ16s", zlib.crc32(body), len(body), _MARK)


def _place(data: bytes, offset: int, before: bytes, length: int) -> tuple[int, bytes, int, int]:
    """A place whose checksum is right."""
    return offset, before, zlib.crc32(data[offset : offset + length]), length


_DATA = bytes(range(256))

_LIES: dict[str, bytes] = {
    "a first size of the largest number": _trailer(2**64 - 1, [], 0),
    "a first size beyond the file": _trailer(257, [], 0),
    "more places than there are": _trailer(256, [_place(_DATA, 0, b"a", 1)], 2),
    "four billion places": _trailer(256, [], 2**32 - 1),
    "fewer places than there are": _trailer(256, [_place(_DATA, 0, b"a", 1)], 0),
    "a place far away": _trailer(256, [(2**64 - 1, b"a", 0, 0)], 1),
    "old bytes beyond the first size": _trailer(10, [_place(_DATA, 9, b"ab", 2)], 1),
    "a length of four billion": _trailer(256, [(0, b"a", 0, 2**32 - 1)], 1),
    "two places, one over the other": _trailer(
        256, [_place(_DATA, 0, b"aaaa", 4), _place(_DATA, 3, b"b", 1)], 2
    ),
    "two places, old bytes over each other": _trailer(
        256, [_place(_DATA, 0, b"aaaa", 1), _place(_DATA, 2, b"b", 1)], 2
    ),
    "places in no order": _trailer(256, [_place(_DATA, 9, b"a", 1), _place(_DATA, 2, b"b", 1)], 2),
    "a place in the trailer": _trailer(256, [(256, b"", zlib.crc32(b"\0"), 1)], 1),
    "a wrong checksum": _trailer(256, [(0, b"a", 1, 1)], 1),
    "no body": struct.pack(">IQ16s", 0, 0, _MARK),
    "a body of the largest number": struct.pack(">IQ16s", 0, 2**64 - 1, _MARK),
    "a body longer than the file": struct.pack(">IQ16s", 0, 300, _MARK),
    "a mark alone": _MARK,
}


@pytest.mark.parametrize("lie", _LIES)
def test_a_way_back_that_lies_is_none(lie: str) -> None:
    assert read_journal(_reader(_DATA + _LIES[lie])) is None


def test_the_lies_would_be_believed_if_they_were_true() -> None:
    true = _trailer(200, [_place(_DATA, 0, b"aa", 2), _place(_DATA, 2, b"", 250)], 2)
    journal = read_journal(_reader(_DATA + true))
    assert journal is not None
    assert (journal.size, journal.writes) == (200, (Write(0, b"aa"),))


def _attempts(path: Path) -> tuple[Callable[[], object], ...]:
    return (lambda: undone(path)), (lambda: planned(path, AddNeeded("libnew.so")))


def test_a_way_back_to_something_else(tmp_path: Path) -> None:
    """Sound in itself, but what it leads to is no file that can be patched, or another one."""
    path = copied(X86, tmp_path)
    data = path.read_bytes()
    for size, before in ((0, b""), (100, b""), (len(data), b"\0\0\0\0"), (len(data), b"\x7fELG")):
        places = [_place(data, 0, before, 4)] if before else []
        path.write_bytes(data + _trailer(size, places, len(places)))
        whole = path.read_bytes()
        for attempt in _attempts(path):
            with pytest.raises(ElfAuditError) as caught:
                attempt()
            assert str(caught.value).startswith(str(path))
            assert path.read_bytes() == whole
    # Fewer requirements of versions than now: none of our patches does that.
    at = data.rindex(b"\xff\xff\xff\x6f\0\0\0\0\1\0\0\0\0\0\0\0")  # DT_VERNEEDNUM, 1
    places = [_place(data, at + 8, b"\0", 1)]
    path.write_bytes(data + _trailer(len(data), places, 1))
    for attempt in _attempts(path):
        with pytest.raises(PatchError, match="is not what was made of the file"):
            attempt()


def test_hostile_ways_back_cost_little(tmp_path: Path) -> None:
    """Tens of thousands of places, each of all of the file: read once, if at all."""
    path = tmp_path / "file"
    size = 256 << 20
    places = [(0, b"", 0, size)] * 50_000
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(_trailer(size, places, len(places)))
    with path.open("rb") as stream:
        tracemalloc.start()
        try:
            assert read_journal(Reader(stream, "file")) is None
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 32 << 20


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_trailers(data: st.DataObject) -> None:
    """Whatever stands there: a journal or none, and no other exception."""
    true = _trailer(200, [_place(_DATA, 0, b"aa", 2), _place(_DATA, 9, b"", 3)], 2)
    raw = bytearray(_DATA + true)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(256, len(raw) - 17))] = data.draw(st.integers(0, 255))
    body = len(true) - 28
    if data.draw(st.booleans()):  # with a checksum that is right again
        raw[256 + body : 260 + body] = zlib.crc32(raw[256 : 256 + body]).to_bytes(4, "big")
    journal = read_journal(_reader(bytes(raw)))
    if journal is not None:
        assert journal.size <= 256
        for write in journal.writes:
            assert write.offset + len(write.data) <= journal.size


def test_growth_does_not_add_up(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    patched(path, SetRunpath("/a/directory/of/some/length/0"))
    size = path.stat().st_size
    for number in range(1, 10):
        patched(path, SetRunpath(f"/a/directory/of/some/length/{number}"))
        assert path.stat().st_size == size
    assert nothing_is_left_over(tmp_path)
