"""A deflated member as a stream, judged by the plain bytes."""

from __future__ import annotations

import importlib
import os
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.errors import WheelError
from elfaudit.sources import inflate
from elfaudit.stream import FileStream

from .archives import raw_deflate

PLAIN = b"".join(b"%d and %d\n" % (i, i * i) for i in range(40_000)) + os.urandom(30_000)


@pytest.fixture(scope="module", params=["isal", "zlib"])
def module(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The module with the inflater of each kind."""
    if request.param == "zlib":
        kept = {name: sys.modules.pop(name) for name in list(sys.modules) if "isal" in name}
        sys.modules["isal"] = None  # type: ignore[assignment]
        try:
            yield importlib.reload(inflate)
        finally:
            del sys.modules["isal"]
            sys.modules.update(kept)
            importlib.reload(inflate)
    else:
        pytest.importorskip("isal")
        yield inflate


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inflate") / "packed"
    path.write_bytes(raw_deflate(PLAIN))
    return path


_STEPS = st.lists(
    st.tuples(st.integers(0, len(PLAIN) + 10), st.integers(-1, 100_000)), min_size=1, max_size=8
)


@settings(max_examples=60)
@given(
    steps=_STEPS,
    head=st.sampled_from([0, 1, 5000, 1 << 30]),
    recent=st.sampled_from([1, 9000, 2**22]),
)
def test_any_seek_and_read_gives_the_plain_bytes(
    module: ModuleType, packed: Path, steps: list[tuple[int, int]], head: int, recent: int
) -> None:
    if recent == 1:
        steps = steps[:1]  # a byte a block: slow, and one is enough
        steps = [(min(at, 3000), min(max(size, 0), 50)) for at, size in steps]
    stream = module.InflatedStream(
        FileStream(str(packed)), len(PLAIN), "x", head=head, recent=recent
    )
    for offset, size in steps:
        assert stream.seek(offset) == offset
        expected = PLAIN[offset:] if size < 0 else PLAIN[offset : offset + size]
        assert stream.read(size) == expected
        assert stream.seek(0, os.SEEK_CUR) == offset + len(expected)


def test_seeking_from_the_end(module: ModuleType, packed: Path) -> None:
    stream = module.InflatedStream(FileStream(str(packed)), len(PLAIN), "x")
    assert stream.seek(-5, os.SEEK_END) == len(PLAIN) - 5
    assert stream.read() == PLAIN[-5:]
    assert stream.seek(-(10**9), os.SEEK_CUR) == 0


def test_a_released_stream_reads_on(module: ModuleType, packed: Path) -> None:
    stream = module.InflatedStream(FileStream(str(packed)), len(PLAIN), "x", head=100)
    stream.read(1000)
    stream.release()
    assert stream.read(10) == PLAIN[1000:1010]


def test_memory_is_bounded_while_going_forward(tmp_path: Path, module: ModuleType) -> None:
    plain_size = 128 << 20
    (tmp_path / "zeros").write_bytes(raw_deflate(bytes(plain_size), 1))
    tracemalloc.start()
    try:
        stream = module.InflatedStream(
            FileStream(str(tmp_path / "zeros")), plain_size, "x", head=1 << 20, recent=2 << 20
        )
        while stream.read(1 << 20):
            pass
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_all_pieces_are_the_plain_bytes_and_none_is_kept(
    tmp_path: Path, module: ModuleType, packed: Path
) -> None:
    stream = module.InflatedStream(FileStream(str(packed)), len(PLAIN), "x", recent=2000)
    stream.seek(len(PLAIN) // 2)
    stream.read(10)
    assert b"".join(stream.pieces()) == PLAIN
    assert stream.read(10) == PLAIN[len(PLAIN) // 2 + 10 :][:10]
    (tmp_path / "zeros").write_bytes(raw_deflate(bytes(64 << 20), 1))
    tracemalloc.start()
    try:
        stream = module.InflatedStream(FileStream(str(tmp_path / "zeros")), 64 << 20, "x")
        assert sum(map(len, stream.pieces())) == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 16 << 20  # less than the head alone
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [len(PLAIN) - 1, len(PLAIN) + 1])
def test_a_wrong_size_is_an_error_in_pieces(module: ModuleType, packed: Path, size: int) -> None:
    stream = module.InflatedStream(FileStream(str(packed)), size, "x.whl::a")
    with pytest.raises(WheelError, match=r"^x\.whl::a: (is longer than|ends after) "):
        list(stream.pieces())


@pytest.mark.parametrize("size", [len(PLAIN) - 1, len(PLAIN) + 1, 4096])
@pytest.mark.parametrize("recent", [8192, 4 << 20])
def test_what_was_wrong_stays_wrong(
    module: ModuleType, packed: Path, size: int, recent: int
) -> None:
    """Read again, on from there or from the start, observed or in pieces: never as if sound."""
    told = r"^x\.whl::a: (is longer than|ends after) "
    stream = module.InflatedStream(FileStream(str(packed)), size, "x.whl::a", recent=recent)
    seen: list[bytes] = []
    stream.observe(seen.append)
    for _ in range(3):
        with suppress(WheelError):
            stream.seek(0)
            assert stream.read() == PLAIN[:size]  # the rest was not asked for
        with pytest.raises(WheelError, match=told):
            stream.exhaust()
    assert PLAIN.startswith(b"".join(seen))
    with pytest.raises(WheelError, match=told):
        list(stream.pieces())
    stream.release()
    with pytest.raises(WheelError, match=told):
        stream.exhaust()


@pytest.mark.parametrize("more", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_what_is_longer_by_little_than_whole_blocks(
    tmp_path: Path, module: ModuleType, blocks: int, more: int
) -> None:
    """The decompressor may have taken in all there is, and keep the rest to itself."""
    size = blocks * (2 << 20)
    (tmp_path / "x").write_bytes(raw_deflate(b"ab" * (size // 2) + b"c" * more))
    stream = module.InflatedStream(FileStream(str(tmp_path / "x")), size, "x.whl::a")
    with pytest.raises(WheelError, match="is longer than"):
        list(stream.pieces())
    stream = module.InflatedStream(FileStream(str(tmp_path / "x")), size, "x.whl::a")
    for _ in range(2):
        with pytest.raises(WheelError, match="is longer than"):
            stream.exhaust()


@pytest.mark.parametrize("size", [len(PLAIN) - 1, len(PLAIN) + 1])
def test_a_wrong_size_is_an_error(module: ModuleType, packed: Path, size: int) -> None:
    stream = module.InflatedStream(FileStream(str(packed)), size, "x.whl::a")
    with pytest.raises(WheelError, match=r"^x\.whl::a: (is longer than|ends after) "):
        stream.read()


def test_damage_says_how_far_it_came(tmp_path: Path, module: ModuleType, packed: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    (tmp_path / "x").write_bytes(data)
    stream = module.InflatedStream(
        FileStream(str(tmp_path / "x")), len(PLAIN), "x.whl::a", recent=9000
    )
    assert stream.read(5000) == PLAIN[:5000]
    with pytest.raises(WheelError, match=r"^x\.whl::a: cannot be inflated past 0x[0-9a-f]{3,}: "):
        stream.read()


def test_a_member_read_back_and_forth_is_given_up(tmp_path: Path) -> None:
    """Each way back inflates from the start again: a few are needed, thousands are an attack."""
    data = bytes(range(256)) * 4096
    packed = tmp_path / "packed"
    packed.write_bytes(raw_deflate(data))
    stream = inflate.InflatedStream(FileStream(str(packed)), len(data), "x", head=1024, recent=4096)

    def back_and_forth() -> None:
        for offset in (len(data) - 1, len(data) // 2) * 1000:
            stream.seek(offset)
            stream.read(1)

    with pytest.raises(WheelError, match="read back and forth"):
        back_and_forth()
    stream.release()
    stream.seek(5)
    assert stream.read(1) == b"\x05"
