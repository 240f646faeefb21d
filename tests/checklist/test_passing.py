"""Files read by several threads: what each finds out, and what becomes of errors."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from elfaudit.checklist.observers import Hashing, HashingBeside
from elfaudit.checklist.one_pass import Job, Reading, Wanted, Worker
from elfaudit.checklist.passing import Readings, reading_through
from elfaudit.loader import ObjectStore
from elfaudit.sources import Member, inflate, zip_member
from elfaudit.sources.wheel import WheelSource


@pytest.fixture
def members(tmp_path: Path) -> list[Member]:
    """Small and large members, random and repeated."""
    content = random.Random(3)
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for row in range(300):
            size = (2 << 20) + row if row % 60 == 0 else row * 37
            out.writestr(f"{row:03}", content.randbytes(size // 4) * 4)
    source = WheelSource(str(path))
    found = [source.find(name) for name in source.names()]
    assert len(found) == 300
    return [each for each in found if each is not None]


def _wanted(members: list[Member]) -> list[Wanted]:
    return [Wanted(member, ("sha256",)) for member in members]


def test_every_digest_whoever_made_it(members: list[Member]) -> None:
    told: list[tuple[str, int]] = []

    def tell(name: str) -> None:
        told.append((name, threading.get_ident()))

    with reading_through(_wanted(members), ObjectStore(), tell) as readings:
        found = [readings.of(member.identity) for member in members]
    inside = members[0].inside
    assert inside is not None
    with zipfile.ZipFile(inside.archive.path) as expected:
        for member, reading in zip(members, found, strict=True):
            assert reading is not None
            data = expected.read(member.path[1:])
            assert reading.digests == {"sha256": hashlib.sha256(data).digest()}
            assert reading.size == len(data)
            assert reading.error is None
    assert {thread for _, thread in told} == {threading.get_ident()}  # no other thread calls


def test_what_nobody_asks_for_is_left_unread(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other thread is in the middle of a file when nobody wants any more, and goes on later."""
    begun, ending = threading.Event(), threading.Event()
    read: list[str] = []
    whole, stop = Worker.read, Readings.stop

    def held(self: Worker, job: Job) -> Reading:
        begun.set()
        ending.wait(60)
        read.append(job.member.path)
        return whole(self, job)

    def stopping(self: Readings) -> None:
        threading.Timer(0.1, ending.set).start()
        stop(self)

    monkeypatch.setattr(Worker, "read", held)
    monkeypatch.setattr(Readings, "stop", stopping)
    with reading_through(_wanted(members), ObjectStore()) as readings:
        assert begun.wait(60)
        assert readings.of("nothing was wanted of it") is None
    assert len(read) == 1
    with pytest.raises(KeyError):  # and is not taken for something of which nothing was wanted
        readings.of(members[-1].identity)


def test_files_without_a_byte_are_left_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as out:
        for number in range(50):
            out.writestr(f"{number}", b"")
    source = WheelSource(str(tmp_path / "x.whl"))
    empty = [member for name in source.names() if (member := source.find(name))]
    test_what_nobody_asks_for_is_left_unread(empty, monkeypatch)


def test_a_large_file_is_left_in_its_middle(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []
    begun, ending = threading.Event(), threading.Event()
    update, stop = Hashing.update, Readings.stop

    def slow(self: Hashing, piece: bytes) -> None:
        begun.set()
        ending.wait(60)
        pieces.append(len(piece))
        update(self, piece)

    def stopping(self: Readings) -> None:
        threading.Timer(0.1, ending.set).start()
        stop(self)

    monkeypatch.setattr(Hashing, "update", slow)
    monkeypatch.setattr(Readings, "stop", stopping)
    monkeypatch.setattr(inflate, "_BLOCK", 64 << 10)
    largest = max(members, key=lambda member: member.size)
    with reading_through([Wanted(largest, ("sha256",))], ObjectStore()):
        assert begun.wait(60)
    assert pieces == [64 << 10]


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("here", [False, True])
def test_an_error_of_either_thread_reaches_who_asks(
    members: list[Member], monkeypatch: pytest.MonkeyPatch, error: type[BaseException], here: bool
) -> None:
    main, whole = threading.get_ident(), Worker.read

    def failing(self: Worker, job: Job) -> Reading:
        if (threading.get_ident() == main) is here:
            raise error
        return whole(self, job)

    monkeypatch.setattr(Worker, "read", failing)
    with pytest.raises(error), reading_through(_wanted(members), ObjectStore()) as readings:
        readings.finish()


def test_where_there_can_be_no_other_thread(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with reading_through(_wanted(members), ObjectStore()) as readings:
        found = [readings.of(member.identity) for member in members]
    assert [each.size for each in found if each] == [member.size for member in members]


def test_small_files_are_read_in_the_order_of_the_archive(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    whole = Worker.read

    def noted(self: Worker, job: Job) -> Reading:
        if job.member.size < 1 << 20:
            read.append(job.member.path)
        return whole(self, job)

    monkeypatch.setattr(Worker, "read", noted)
    shuffled = random.Random(4).sample(members, len(members))
    with reading_through(_wanted(shuffled), ObjectStore()) as readings:
        readings.finish()
    assert read == sorted(read)
    assert len(read) == 295


def test_few_pieces_wait_to_be_hashed() -> None:
    waiting: list[Future[None]] = []

    class Slow(Executor):
        def submit(self, fn: Any, /, *args: Any, **_: Any) -> Future[Any]:
            done: Future[Any] = Future()
            waiting.append(done)
            done.add_done_callback(lambda _: fn(*args))
            return done

    hashing = HashingBeside(["sha256"], Slow())
    for _ in range(8):
        hashing.update(b"piece")
    threading.Timer(0.1, lambda: waiting[0].set_result(None)).start()
    hashing.update(b"piece")  # waits for the first
    assert waiting[0].done()
    for each in waiting[1:]:
        each.set_result(None)
    with hashing:
        pass
    assert hashing.digests()["sha256"] == hashlib.sha256(b"piece" * 9).digest()


def test_a_short_library_is_inflated_once(
    prebuilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For its hash, a text and its ELF facts together."""
    data = (prebuilt / "shapes/libdep.so.1").read_bytes()
    assert len(data) < 64 << 10
    with zipfile.ZipFile(tmp_path / "x.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("libdep.so.1", data)
    inflated: list[int] = []

    def counted(packed: bytes, size: int) -> bytes | None:
        inflated.append(size)
        return inflate.inflated(packed, size)

    monkeypatch.setattr(zip_member, "inflated", counted)
    member = WheelSource(str(tmp_path / "x.whl")).find("/libdep.so.1")
    assert member is not None
    store = ObjectStore()
    wanted = [Wanted(member, ("sha256",)), Wanted(member, facts=True), Wanted(member, text=b"dep_")]
    with reading_through(wanted, store) as readings:
        reading = readings.of(member.identity)
    assert reading is not None
    assert reading.digests["sha256"] == hashlib.sha256(data).digest()
    assert reading.places[b"dep_"][0] == data.index(b"dep_")
    assert store.read(member).soname == "libdep.so.1"
    assert inflated == [len(data)]


def _run(limit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = f'ulimit -n {limit}; exec "$0" -m elfaudit verify "$@"'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_checks_of_more_files_than_may_be_open(prebuilt: Path, tmp_path: Path) -> None:
    """The last few are kept for the next checks; all others are closed."""
    content = (prebuilt / "shapes/libdep.so.1").read_bytes()
    rows = ['name = "many"']
    for number in range(60):
        (tmp_path / f"lib{number}.so").write_bytes(content)
        rows.append(f'[[check]]\nkind = "symbols"\nfile = "lib{number}.so"\nmin = 1')
    (tmp_path / "many.toml").write_text("\n".join(rows))
    done = _run(24, str(tmp_path), "-c", f"{tmp_path}/many.toml")
    assert "60/60 passed" in done.stdout, done.stderr
    assert done.returncode == 0


def test_more_builds_than_files_may_be_open(prebuilt: Path, tmp_path: Path) -> None:
    content = (prebuilt / "shapes/libdep.so.1").read_bytes()
    for number in range(60):
        (tmp_path / f"b{number}").mkdir()
        (tmp_path / f"b{number}/libdep.so.1").write_bytes(content)
    (tmp_path / "one.toml").write_text(
        'name = "one"\n[[check]]\nkind = "symbols"\nfile = "**/*.so*"\nmin = 1\n'
    )
    builds = [f"{tmp_path}/b{number}" for number in range(60)]
    done = _run(40, *builds, "-c", f"{tmp_path}/one.toml", "--format", "json")
    statuses = [
        check["status"] for each in json.loads(done.stdout)["reports"] for check in each["checks"]
    ]
    assert statuses == ["PASS"] * 60, done.stderr
