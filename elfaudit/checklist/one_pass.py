"""One file read for all checks together: its digests, texts, ELF facts and code for GPUs.

A member of an archive is inflated once: the facts of an ELF file are read while the same bytes are
hashed and searched for strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ..elf.fatbin import DeviceCode, GpuTargets, gpu_targets
from ..elf.header import read_header
from ..elf.reader import Reader
from ..elf.sections import find_sections
from ..errors import ElfAuditError
from ..loader import ObjectStore
from ..sources import Member
from ..sources.inflate import InflatedStream
from ..stream import ByteStream, release
from .observers import Hashing, HashingBeside, Search

__all__ = ["LARGE", "Job", "Reading", "Wanted", "Worker"]

LARGE = 1 << 20
"""From so many bytes on a file is worth another thread."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a check wants of one file.

    Attributes:
        member: the file.
        algorithms: the hash functions of digests of all of it, :data:`CHECKSUM` among them.
        text: bytes to search for; None: none.
        facts: whether its ELF facts are read.
        device_code: whether it is looked for code for GPUs.
    """

    member: Member
    algorithms: tuple[str, ...] = ()
    text: bytes | None = None
    facts: bool = False
    device_code: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found out about one file.

    Attributes:
        digests: by the name of the hash function.
        size: how many bytes it really has; None where not all of it was read.
        places: where the texts begin, by text; at most a million of each.
        error: why it could not be read to its end; None if it could.
        device_code: what the code for GPUs in it is for; None where that was not asked.
    """

    digests: dict[str, bytes]
    size: int | None
    places: dict[bytes, tuple[int, ...]]
    error: ElfAuditError | None = None
    device_code: GpuTargets | ElfAuditError | None = None


@dataclass(slots=True)
class Job:
    """All that is wanted of one file."""

    member: Member
    algorithms: set[str] = field(default_factory=set)
    texts: set[bytes] = field(default_factory=set)
    facts: bool = False
    device_code: bool = False

    def add(self, wanted: Wanted) -> None:
        """This, too."""
        self.algorithms.update(wanted.algorithms)
        if wanted.text is not None:
            self.texts.add(wanted.text)
        self.facts |= wanted.facts
        self.device_code |= wanted.device_code

    @property
    def bytes_only(self) -> bool:
        """Whether nothing is wanted of what the bytes mean, so that no store is needed."""
        return not self.facts and not self.device_code

    @property
    def every_byte(self) -> bool:
        """Whether it has to be read from its start to its end."""
        if self.algorithms or self.texts:
            return True
        return self.device_code and self.member.sequential


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Worker:
    """How one thread reads files.

    Attributes:
        store: where ELF facts go; not touched where only bytes are wanted.
        opened: opens a file.
        hashing: the thread to hash large files in; None: this one.
        go_on: called before each piece of a file; what it raises ends the reading.
    """

    store: ObjectStore
    opened: Callable[[Member], ByteStream] = lambda member: member.open()
    hashing: Executor | None = None
    go_on: Callable[[], None] = _nothing

    def read(self, job: Job) -> Reading:
        """Read a file once for all that is wanted of it."""
        return _Pass(job, self).run() if job.every_byte else _looked_at(job, self.store)


def _looked_at(job: Job, store: ObjectStore) -> Reading:
    """A file of which a few places are enough."""
    with suppress(ElfAuditError):  # whoever asks for the facts is told
        store.read(job.member)
    found: GpuTargets | ElfAuditError | None = None
    if job.device_code:
        try:
            stream = job.member.open()
            try:
                found = gpu_targets(stream, job.member.display)
            finally:
                release(stream)
        except ElfAuditError as error:
            found = error
    return Reading({}, None, {}, None, found)


class _Pass:
    """One file from its start to its end, for all that is wanted of it."""

    def __init__(self, job: Job, worker: Worker) -> None:
        self._job, self._worker = job, worker
        self._search = Search(job.texts) if job.texts else None
        self._digester = _digester(job, worker.hashing)
        self._code = DeviceCode(job.member.size) if job.device_code else None
        self._seen = 0

    def run(self) -> Reading:
        error: ElfAuditError | None = None
        code: GpuTargets | ElfAuditError | None = None
        with self._digester:
            try:
                code = self._through()
            except ElfAuditError as problem:
                error = code = problem
        places = {} if self._search is None else self._search.places()
        return Reading(self._digester.digests(), self._seen, places, error, code)

    def _observe(self, piece: bytes) -> None:
        self._worker.go_on()
        self._digester.update(piece)
        if self._code is not None:
            self._code.feed(self._seen, piece)
        if self._search is not None:
            self._search.update(piece)
        self._seen += len(piece)

    def _through(self) -> GpuTargets | ElfAuditError | None:
        """Show all bytes to the observers, and the facts to the store."""
        job = self._job
        stream = self._worker.opened(job.member)
        held = _Held(stream)
        try:
            if job.bytes_only or not isinstance(stream, InflatedStream):
                for piece in _pieces(stream):
                    self._observe(piece)
                self._read_facts(held)
            else:
                stream.observe(self._observe)
                self._read_facts(held)
                stream.exhaust()
            return self._device_code(held)
        finally:
            held.let_go()

    def _read_facts(self, stream: ByteStream) -> None:
        if self._job.facts:
            with suppress(ElfAuditError):  # whoever asks for the facts is told
                self._worker.store.read(replace(self._job.member, open=lambda: stream))

    def _device_code(self, stream: ByteStream) -> GpuTargets | ElfAuditError | None:
        """What is known of the code for GPUs, when all bytes are seen."""
        if self._code is None:
            return None
        self._code.end()
        name = self._job.member.display
        try:
            reader = Reader(stream, name)
            return self._code.targets(name, find_sections(reader, read_header(reader)))
        except ElfAuditError as error:  # no ELF file: its bytes are read all the same
            return error


def _pieces(stream: ByteStream) -> Iterator[bytes]:
    if isinstance(stream, InflatedStream):
        return stream.pieces()
    return iter(lambda: stream.read(_CHUNK), b"")


class _Held:
    """A stream that is not released before its pass is over, whatever its reader thinks."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._held = True

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def release(self) -> None:
        if not self._held:
            release(self._stream)

    def let_go(self) -> None:
        self._held = False
        release(self._stream)


def _digester(job: Job, hashing: Executor | None) -> Hashing:
    if hashing is not None and job.algorithms and job.member.size >= LARGE:
        return HashingBeside(job.algorithms, hashing)
    return Hashing(job.algorithms)
