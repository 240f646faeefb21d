"""Every file read once, for all checks together.

A check says what it wants of which files before any is read. A member of an archive is inflated
once: the facts of an ELF file are read while the same bytes are hashed and searched for strings.
Hashing a large file is another thread's work; inflating and hashing both let other threads run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import BoundedSemaphore, Thread
from typing import Self

from ..errors import ElfAuditError
from ..loader import ObjectStore
from ..sources import Member
from ..sources.inflate import InflatedStream
from ..stream import ByteStream

__all__ = ["Reading", "Wanted", "read_through"]

_CHUNK = 1 << 20
_LARGE = 1 << 20  # from here on a second thread is worth its start
_AHEAD = 8  # pieces that may wait for the second thread
_MOST_PLACES = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a check wants of one file.

    Attributes:
        member: the file.
        algorithm: the hash function of a digest of all of it; None: no digest.
        text: bytes to search for; None: none.
        facts: whether its ELF facts are read.
    """

    member: Member
    algorithm: str | None = None
    text: bytes | None = None
    facts: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found out about one file.

    Attributes:
        digests: by the name of the hash function.
        size: how many bytes it really has; None where not all of it was read.
        places: where the texts begin, by text; at most 1,000 of each.
        error: why it could not be read to its end; None if it could.
    """

    digests: dict[str, bytes]
    size: int | None
    places: dict[bytes, tuple[int, ...]]
    error: ElfAuditError | None = None


@dataclass(slots=True)
class _Job:
    member: Member
    algorithms: set[str]
    texts: set[bytes]
    facts: bool


def read_through(
    wanted: Iterable[Wanted], store: ObjectStore, progress: Callable[[str], None] | None = None
) -> dict[Hashable, Reading]:
    """Read the files of which anything is wanted, each once.

    Args:
        wanted: what, of which file; in any order and with repetitions.
        store: where the facts of ELF files go.
        progress: called with the name of each file before it is read.

    Returns:
        What was found out, by the identity of the file.
    """
    jobs: dict[Hashable, _Job] = {}
    for each in wanted:
        job = jobs.setdefault(each.member.identity, _Job(each.member, set(), set(), facts=False))
        job.algorithms |= set() if each.algorithm is None else {each.algorithm}
        job.texts |= set() if each.text is None else {each.text}
        job.facts |= each.facts
    readings: dict[Hashable, Reading] = {}
    for identity, job in jobs.items():
        if progress is not None:
            progress(job.member.display)
        readings[identity] = _read(job, store)
    return readings


def _read(job: _Job, store: ObjectStore) -> Reading:
    if not job.algorithms and not job.texts:
        with suppress(ElfAuditError):  # whoever asks for the facts is told
            store.read(job.member)
        return Reading({}, None, {})
    search = _Search(job.texts)
    error: ElfAuditError | None = None
    with _hashing(job) as hashing:

        def observe(piece: bytes) -> None:
            hashing.update(piece)
            search.update(piece)

        try:
            _pass(job, store, observe)
        except ElfAuditError as problem:
            error = problem
    return Reading(hashing.digests(), search.end, search.places(), error)


def _pass(job: _Job, store: ObjectStore, observe: Callable[[bytes], None]) -> None:
    """Show all bytes of a file to an observer, and its facts to the store, in one pass."""
    stream = job.member.open()
    if isinstance(stream, InflatedStream):
        stream.observe(observe)
        if job.facts:
            held = _Held(stream)
            with suppress(ElfAuditError):
                store.read(replace(job.member, open=lambda: held))
            stream.exhaust()
            held.let_go()
        else:
            stream.exhaust()
            stream.release()
        return
    for piece in _pieces(stream):
        observe(piece)
    if job.facts:
        with suppress(ElfAuditError):
            store.read(job.member)


def _pieces(stream: ByteStream) -> Iterator[bytes]:
    while piece := stream.read(_CHUNK):
        yield piece
    release = getattr(stream, "release", None)
    if release is not None:
        release()


class _Held:
    """A stream that is not released before its pass is over, whatever its reader thinks."""

    def __init__(self, stream: InflatedStream) -> None:
        self._stream = stream
        self._held = True

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def release(self) -> None:
        if not self._held:
            self._stream.release()

    def let_go(self) -> None:
        self._held = False
        self._stream.release()


class _Search:
    """Where some texts are in bytes that come piece by piece."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._texts = {text: list[int]() for text in texts if text}
        self._keep = max(map(len, self._texts), default=1) - 1
        self._tail = b""
        self.end = 0

    def update(self, piece: bytes) -> None:
        window = self._tail + piece if self._keep else piece
        start = self.end - len(self._tail)
        for text, places in self._texts.items():
            self._find(text, window, start, places)
        self.end += len(piece)
        self._tail = window[-self._keep :] if self._keep else b""

    def _find(self, text: bytes, window: bytes, start: int, places: list[int]) -> None:
        at = window.find(text)
        while at >= 0 and len(places) < _MOST_PLACES:
            if not places or places[-1] < start + at:  # a short one may lie in the tail
                places.append(start + at)
            at = window.find(text, at + 1)

    def places(self) -> dict[bytes, tuple[int, ...]]:
        return {text: tuple(places) for text, places in self._texts.items()}


class _Hashing:
    """Digests of bytes that come piece by piece, made where they come."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, piece: bytes) -> None:
        for each in self._hashes.values():
            each.update(piece)

    def digests(self) -> dict[str, bytes]:
        return {name: each.digest() for name, each in self._hashes.items()}


class _ThreadedHashing(_Hashing):
    """The same in another thread; left, all pieces are in."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        super().__init__(algorithms)
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = BoundedSemaphore(_AHEAD)
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pieces.put(None)
        self._thread.join()

    def update(self, piece: bytes) -> None:
        self._room.acquire()
        self._pieces.put(piece)

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            for each in self._hashes.values():
                each.update(piece)
            self._room.release()


def _hashing(job: _Job) -> _Hashing:
    if job.algorithms and job.member.size >= _LARGE:
        return _ThreadedHashing(job.algorithms)
    return _Hashing(job.algorithms)
