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
from threading import Thread

from ..loader import ObjectStore
from ..sources import Shelf
from .one_pass import LARGE, Job, Reading, Wanted, Worker

__all__ = ["Readings", "reading_through"]

_TOLD_EACH = 0.5  # seconds between two words on what the other thread does


class _Stopped(Exception):  # noqa: N818 - nothing is wrong
    """Nobody wants any more of it."""


class Readings:
    """What is found out about the files; some may still have to be read.

    Args:
        jobs: what is wanted, by the identity of the file.
        store: where the facts of ELF files go.
        hashing: the thread for pieces of large files that this one inflates; None: this one.
        told: called with the name of each file that this thread is about to read, or waits for.
    """

    def __init__(
        self,
        jobs: dict[Hashable, Job],
        store: ObjectStore,
        hashing: Executor | None,
        told: Callable[[str], None],
    ) -> None:
        self._jobs, self._store, self._told = jobs, store, told
        self._worker = Worker(store, hashing=hashing)
        self._known: dict[Hashable, Reading] = {}
        alone = [job for job in jobs.values() if job.bytes_only]
        self._small = deque(sorted((job for job in alone if job.member.size < LARGE), key=_place))
        large = (job for job in alone if job.member.size >= LARGE)
        self._large = deque(sorted(large, key=lambda job: job.member.size))
        self._stopped = False
        self._beside = _beside(self._read_beside) if alone else None

    def begin(self) -> None:
        """Read what needs the store."""
        for job in self._jobs.values():
            if not job.bytes_only:
                self._read(job)

    def of(self, identity: Hashable) -> Reading | None:
        """What was found out about one file; None where nothing was wanted of it."""
        if identity not in self._jobs:
            return None
        if identity not in self._known:
            self.finish()
        return self._known[identity]

    def finish(self) -> None:
        """Read what is still waiting, together with the other thread; nothing once it is over."""
        if self._stopped:
            return
        while (job := _taken(self._large.pop)) is not None:
            self._read(job)
        # Small ones by two threads take longer than by one: each holds up the other.
        if self._beside is None:
            self._read_beside()
            return
        while wait((self._beside,), _TOLD_EACH).not_done:
            self._tell_of_other()
        self._beside.result()

    def stop(self) -> None:
        """Leave unread what nobody has asked for; returns when the other thread has ended."""
        self._stopped = True
        self._small.clear()
        self._large.clear()
        if self._beside is not None:
            wait((self._beside,))

    def _tell_of_other(self) -> None:
        with suppress(IndexError):  # it is at the last one
            self._told(self._small[0].member.display)

    def _read(self, job: Job) -> None:
        self._told(job.member.display)
        self._known[job.member.identity] = self._worker.read(job)

    def _read_beside(self) -> None:
        shelf = Shelf()
        worker = Worker(self._store, shelf.open, go_on=self._require_wanted)
        try:
            for waiting in (self._small, self._large):
                while (job := _taken(waiting.popleft)) is not None:
                    self._known[job.member.identity] = worker.read(job)
        except _Stopped:
            pass
        finally:
            shelf.release()

    def _require_wanted(self) -> None:
        if self._stopped:
            raise _Stopped


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
    with ThreadPoolExecutor(1) as hashing:
        readings = Readings(jobs, store, _usable(hashing), progress or _nobody)
        try:
            readings.begin()
            yield readings
        finally:
            readings.stop()


def _beside(work: Callable[[], None]) -> Future[None] | None:
    """Work in another thread, which keeps no process alive; None where there can be no other."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            done.set_exception(error)
        else:
            done.set_result(None)

    try:
        Thread(target=run, daemon=True).start()
    except RuntimeError:  # so many are there, or may be
        return None
    return done


def _usable(executor: Executor) -> Executor | None:
    try:
        executor.submit(_nothing)
    except RuntimeError:  # there can be no other thread
        return None
    return executor


def _place(job: Job) -> tuple[str, int]:
    """Where a file lies: its archive, and where in there."""
    inside = job.member.inside
    return ("", 0) if inside is None else (inside.archive.path, inside.offset)


def _taken(take: Callable[[], Job]) -> Job | None:
    """The next job; None when there is none left: the other thread takes some, too."""
    try:
        return take()
    except IndexError:
        return None


def _nobody(_: str) -> None:
    pass


def _nothing() -> None:
    pass
