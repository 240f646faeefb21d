"""Every file read once, for all checks together, by several threads.

A check says what it wants of which files before any is read. What needs the store of ELF facts is
read first, in the thread that asks; what it inflates of large files is hashed in another. The files
of which only the bytes are wanted are read in a third, while the first checks are judged already:
first the many small ones, in the order in which they lie in an archive. Once a check asks for one
of them, the first thread helps with the large. Inflating, hashing and reading let the others run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress

from ..loader import ObjectStore
from ..sources import Member, Shelf
from ..stream import ByteStream
from .one_pass import CHECKSUM, LARGE, Job, Reading, Wanted, read_file

__all__ = ["CHECKSUM", "Reading", "Readings", "Wanted", "reading_through"]

_TOLD_EACH = 0.5  # seconds between two words on what the other thread does


class Readings:
    """What is found out about the files; some may still have to be read.

    Args:
        jobs: what is wanted, by the identity of the file.
        store: where the facts of ELF files go.
        beside: the thread for files of which only the bytes are wanted.
        hashing: the thread for pieces of large files that this one inflates.
        told: called with the name of each file that this thread is about to read, or waits for.
    """

    def __init__(
        self,
        jobs: dict[Hashable, Job],
        store: ObjectStore,
        beside: Executor,
        hashing: Executor,
        told: Callable[[str], None],
    ) -> None:
        self._jobs, self._store = jobs, store
        self._hashing, self._told = hashing, told
        self._known: dict[Hashable, Reading] = {}
        alone = [job for job in jobs.values() if job.bytes_only]
        self._small = deque(job for job in alone if job.member.size < LARGE)
        large = (job for job in alone if job.member.size >= LARGE)
        self._large = deque(sorted(large, key=lambda job: job.member.size))
        self._beside: Future[None] | None = None
        if alone:
            self._beside = beside.submit(self._read_beside)

    def begin(self) -> None:
        """Read what needs the store."""
        for job in self._jobs.values():
            if not job.bytes_only:
                self._read(job)

    def of(self, identity: Hashable) -> Reading | None:
        """What was found out about one file; None where nothing was wanted of it."""
        if identity in self._jobs and identity not in self._known:
            self.finish()
        return self._known.get(identity)

    def finish(self) -> None:
        """Read what is still waiting, together with the other thread."""
        while (job := _taken(self._large.pop)) is not None:
            self._read(job)
        # Small ones by two threads take longer than by one: each holds up the other.
        if self._beside is not None:
            while wait((self._beside,), _TOLD_EACH).not_done:
                self._tell_of_other()
            self._beside.result()

    def stop(self) -> None:
        """Leave unread what nobody has asked for."""
        self._small.clear()
        self._large.clear()

    def _tell_of_other(self) -> None:
        with suppress(IndexError):  # it is at the last one
            self._told(self._small[0].member.display)

    def _read(self, job: Job) -> None:
        self._told(job.member.display)
        self._known[job.member.identity] = read_file(job, self._store, self._hashing, _opened)

    def _read_beside(self) -> None:
        shelf = Shelf()
        try:
            for waiting in (self._small, self._large):
                while (job := _taken(waiting.popleft)) is not None:
                    self._known[job.member.identity] = read_file(job, self._store, None, shelf.open)
        finally:
            shelf.release()


@contextmanager
def reading_through(
    wanted: Iterable[Wanted], store: ObjectStore, progress: Callable[[str], None] | None = None
) -> Iterator[Readings]:
    """Read the files of which anything is wanted, each once.

    Args:
        wanted: what, of which file; in any order and with repetitions.
        store: where the facts of ELF files go; all of them are there when this begins.
        progress: called with the name of each file before it is read; only in this thread.

    Yields:
        What is found out. What is not asked for before the end is left unread.
    """
    jobs: dict[Hashable, Job] = {}
    for each in wanted:
        identity = each.member.identity
        job = jobs.get(identity)
        if job is None:
            job = jobs[identity] = Job(each.member)
        job.add(each)
    with ThreadPoolExecutor(1) as beside, ThreadPoolExecutor(1) as hashing:
        readings = Readings(jobs, store, beside, hashing, progress or _nobody)
        try:
            readings.begin()
            yield readings
        finally:
            readings.stop()


def _taken(take: Callable[[], Job]) -> Job | None:
    """The next job; None when there is none left: the other thread takes some, too."""
    try:
        return take()
    except IndexError:
        return None


def _opened(member: Member) -> ByteStream:
    return member.open()


def _nobody(_: str) -> None:
    pass
