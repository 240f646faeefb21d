"""Files read by several threads: what each finds out, and what becomes of errors."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from elfaudit.checklist import passing
from elfaudit.checklist.one_pass import Job, Reading, read_file
from elfaudit.checklist.passing import Wanted, reading_through
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
    with zipfile.ZipFile(members[0].archive or "") as expected:
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
    begun, go_on = threading.Event(), threading.Event()
    read: list[str] = []

    def held(job: Job, *others: Any) -> Reading:
        begun.set()
        go_on.wait(60)
        read.append(job.member.path)
        return read_file(job, *others)

    monkeypatch.setattr(passing, "read_file", held)
    with reading_through(_wanted(members), ObjectStore()) as readings:
        assert begun.wait(60)
        assert readings.of("nothing was wanted of it") is None
        readings.stop()
        go_on.set()
    assert len(read) == 1


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ZeroDivisionError])
def test_an_error_of_either_thread_reaches_who_asks(
    members: list[Member], monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    main = threading.get_ident()
    for in_this_one in (False, True):

        def failing(job: Job, *others: Any, here: bool = in_this_one) -> Reading:
            if (threading.get_ident() == main) is here:
                raise error
            return read_file(job, *others)

        monkeypatch.setattr(passing, "read_file", failing)
        with (
            pytest.raises(error),
            reading_through(_wanted(members), ObjectStore()) as readings,
        ):
            readings.finish()


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


def test_checks_of_more_files_than_may_be_open(prebuilt: Path, tmp_path: Path) -> None:
    """The last few are kept for the next checks; all others are closed."""
    content = (prebuilt / "shapes/libdep.so.1").read_bytes()
    rows = ['name = "many"']
    for number in range(60):
        (tmp_path / f"lib{number}.so").write_bytes(content)
        rows.append(f'[[check]]\nkind = "symbols"\nfile = "lib{number}.so"\nmin = 1')
    (tmp_path / "many.toml").write_text("\n".join(rows))
    command = 'ulimit -n 24; exec "$0" -m elfaudit verify "$1" -c "$1/many.toml"'
    arguments = ["bash", "-c", command, sys.executable, str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert "60/60 passed" in done.stdout, done.stderr
    assert done.returncode == 0
