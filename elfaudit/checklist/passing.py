"""Every file read once, for all checks together.

A check says what it wants of which files before any is read. A member of an archive is inflated
once: the facts of an ELF file are read while the same bytes are hashed and searched for strings.
Hashing a large file is another thread's work; inflating and hashing both let other threads run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
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
from .observers import CHECKSUM, Hashing, Search, ThreadedHashing

__all__ = ["CHECKSUM", "Reading", "Wanted", "read_through"]

_CHUNK = 1 << 20
_LARGE = 1 << 20  # from here on a second thread is worth its start


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a check wants of one file.

    Attributes:
        member: the file.
        algorithm: the hash function of a digest of all of it, or :data:`CHECKSUM`; None: no digest.
        text: bytes to search for; None: none.
        facts: whether its ELF facts are read.
        device_code: whether it is looked for code for GPUs.
    """

    member: Member
    algorithm: str | None = None
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
class _Job:
    """All that is wanted of one file."""

    member: Member
    algorithms: set[str] = field(default_factory=set)
    texts: set[bytes] = field(default_factory=set)
    facts: bool = False
    device_code: bool = False

    def add(self, wanted: Wanted) -> None:
        self.algorithms |= set() if wanted.algorithm is None else {wanted.algorithm}
        self.texts |= set() if wanted.text is None else {wanted.text}
        self.facts |= wanted.facts
        self.device_code |= wanted.device_code

    @property
    def every_byte(self) -> bool:
        """Whether it has to be read from its start to its end."""
        if self.algorithms or self.texts:
            return True
        return self.device_code and self.member.sequential


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
        jobs.setdefault(each.member.identity, _Job(each.member)).add(each)
    readings: dict[Hashable, Reading] = {}
    for identity, job in jobs.items():
        if progress is not None:
            progress(job.member.display)
        readings[identity] = _Pass(job, store).run() if job.every_byte else _looked_at(job, store)
    return readings


def _looked_at(job: _Job, store: ObjectStore) -> Reading:
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

    def __init__(self, job: _Job, store: ObjectStore) -> None:
        self._job, self._store = job, store
        self._search = Search(job.texts)
        self._hashing = _hashing(job)
        self._code = DeviceCode(job.member.size) if job.device_code else None

    def run(self) -> Reading:
        error: ElfAuditError | None = None
        code: GpuTargets | ElfAuditError | None = None
        with self._hashing:
            try:
                code = self._through()
            except ElfAuditError as problem:
                error = code = problem
        search = self._search
        return Reading(self._hashing.digests(), search.end, search.places(), error, code)

    def _observe(self, piece: bytes) -> None:
        self._hashing.update(piece)
        if self._code is not None:
            self._code.feed(self._search.end, piece)
        self._search.update(piece)

    def _through(self) -> GpuTargets | ElfAuditError | None:
        """Show all bytes to the observers, and the facts to the store."""
        job = self._job
        stream = job.member.open()
        if not isinstance(stream, InflatedStream):
            try:
                for piece in _pieces(stream):
                    self._observe(piece)
                if job.facts:
                    self._read_facts(job.member)
                return self._device_code(stream)
            finally:
                release(stream)
        stream.observe(self._observe)
        held = _Held(stream)
        try:
            if job.facts:
                self._read_facts(replace(job.member, open=lambda: held))
            stream.exhaust()
            return self._device_code(held)
        finally:
            held.let_go()

    def _read_facts(self, member: Member) -> None:
        with suppress(ElfAuditError):  # whoever asks for the facts is told
            self._store.read(member)

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
    while piece := stream.read(_CHUNK):
        yield piece


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


def _hashing(job: _Job) -> Hashing:
    if job.algorithms and job.member.size >= _LARGE:
        return ThreadedHashing(job.algorithms)
    return Hashing(job.algorithms)
