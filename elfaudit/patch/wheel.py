"""A wheel with some members patched: planned from the archive, written beside it, proven.

Only the changed members, RECORD and what a new name changes are written anew; all else is copied
as it lies there. Source: the binary distribution format (packaging.python.org).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import PatchError, WheelError
from ..stream import ByteStream
from .archive import Archive, read_archive, read_entry
from .distribution import Owner, digest_of, refuse_lie
from .planning import Plan
from .proof import prove
from .proof.archive import prove_archive
from .record import Digest, put_right, rows_of
from .splice import Replacement, write_archive
from .unpacked import Unpacked, Window
from .writing import backed_up, beside, put_in_place

if TYPE_CHECKING:
    from .release import Release

__all__ = ["MemberPlan", "Wheel", "WheelChange", "carry_out_wheel", "read_wheel"]

_CHUNK = 1 << 20
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
_LARGEST_TEXT = 64 << 20


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """The patch of one member.

    Attributes:
        number: its place in the archive's directory.
        old: its bytes.
        plan: what changes.
    """

    number: int
    old: Window
    plan: Plan


class Wheel:
    """A wheel, or another zip archive, that is to be patched; made by :func:`read_wheel`.

    Attributes:
        path: the archive.
        archive: its directory.
        dist_info: the name of its ``.dist-info`` directory; None for an archive that is no wheel.
    """

    def __init__(self, path: str, archive: Archive, dist_info: str | None) -> None:
        self.path = path
        self.archive = archive
        self.dist_info = dist_info
        self._numbers = {each.name: n for n, each in enumerate(archive.entries)}
        self._unpacked = Unpacked(os.path.dirname(path), path)
        if len(self._numbers) != len(archive.entries):
            names = [each.name for each in archive.entries]
            twice = next(name for name in names if names.count(name) > 1)
            raise WheelError(f"{path}::{twice}", "is there twice, and nobody knows which counts")

    @property
    def names(self) -> tuple[str, ...]:
        """The files in it, in the order of the directory."""
        return tuple(name for name in self._numbers if not name.endswith("/"))

    def number(self, name: str) -> int:
        """The place of a member in the archive's directory."""
        return self._numbers[name]

    def plan(self, name: str, planner: Callable[[ByteStream, str], Plan]) -> MemberPlan:
        """Plan the patch of one member.

        Args:
            name: the member.
            planner: makes the plan from its bytes and the name to call it by.

        Raises:
            WheelError: it cannot be read.
            ElfAuditError: whatever the planner raises.
        """
        if name not in self._numbers:
            raise WheelError(f"{self.path}::{name}", "is called otherwise in the directory")
        window = self._unpacked.append(self._chunks(name))
        plan = planner(window, f"{self.path}::{name}")
        return MemberPlan(self._numbers[name], window, plan)

    def text(self, name: str) -> bytes:
        """The bytes of a small member.

        Raises:
            WheelError: it is not there, cannot be read, or is not small.
        """
        if name not in self._numbers:
            raise WheelError(self.path, f"has no {name}")
        if self.archive.entries[self._numbers[name]].size > _LARGEST_TEXT:
            raise WheelError(f"{self.path}::{name}", "is larger than any real one")
        return b"".join(self._chunks(name))

    def digest(self, name: str) -> Digest:
        """What RECORD would say of a member.

        Raises:
            WheelError: it cannot be read.
        """
        return Digest.over(self._chunks(name))

    def patched(self, member: MemberPlan) -> Window:
        """The bytes that a member is to have, proven.

        Raises:
            PatchError: they are not what they were to be.
            SourceError: they cannot be written.
        """
        plan = member.plan
        new = self._unpacked.append_copy(member.old, plan.size, plan.writes, plan.kept)
        prove(member.old, new, plan)
        return new

    def _chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a member, whose checksum must be right."""
        return read_entry(self.archive, self.archive.entries[self._numbers[name]])


def read_wheel(path: str) -> Wheel:
    """Read the directory of a wheel.

    Raises:
        WheelError: it is no sound archive, or is named ``.whl`` and has no RECORD.
        SourceError: it cannot be read.
    """
    try:
        archive = read_archive(path)
    except OSError as error:
        raise WheelError(path, f"cannot be read: {error.strerror or error}") from error
    heads = (each.name.partition("/") for each in archive.entries)
    found = {head for head, _, rest in heads if head.endswith(".dist-info") and rest == "RECORD"}
    if len(found) > 1:
        raise WheelError(path, f"has several RECORDs: in {' and in '.join(sorted(found))}")
    if not found and path.endswith(".whl"):
        raise WheelError(path, "has no RECORD, and nobody could install it")
    return Wheel(path, archive, next(iter(found), None))


@dataclass(frozen=True, slots=True)
class WheelChange:
    """What changes about a wheel.

    Attributes:
        wheel: the old one.
        members: the patches of its members; those that are not needed, too.
        file_name: of the new one.
        release: what its name changes in it, or None.
        texts: members that get other bytes, which are known already.
        dropped: members that are left out.
    """

    wheel: Wheel
    members: tuple[MemberPlan, ...]
    file_name: str
    release: Release | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        wheel: Wheel,
        members: Sequence[MemberPlan],
        *,
        build_tag: str | None = None,
        local_version: str | None = None,
        drop_signature: bool = False,
    ) -> WheelChange:
        """Plan a wheel around the patches of some members.

        Args:
            wheel: the old one.
            members: the patches.
            build_tag: the build tag of the new one.
            local_version: what is put behind its version.
            drop_signature: whether a signature of RECORD, which would be wrong, may go.

        Raises:
            PatchError: it is signed, its RECORD is wrong already, or it cannot have that name.
            WheelError: what has to be read of it cannot be read.
        """
        name = os.path.basename(wheel.path)
        if wheel.dist_info is None:
            if build_tag is not None or local_version is not None:
                raise PatchError(wheel.path, "is no wheel: it has neither build tag nor version")
            return cls(wheel, tuple(members), name)
        entries = wheel.archive.entries
        _refuse_lies(wheel, {entries[m.number].name: digest_of(m.old) for m in members})
        signatures = [f"{wheel.dist_info}/{each}" for each in _SIGNATURES]
        dropped = tuple(each for each in signatures if each in wheel.names)
        renamed = build_tag is not None or local_version is not None
        if not renamed and not any(each.plan.is_needed for each in members):
            return cls(wheel, tuple(members), name)
        if dropped and not drop_signature:
            raise PatchError(
                wheel.path,
                f"is signed ({', '.join(dropped)}), and no signature survives a change: "
                "--drop-signature takes it away",
            )
        if not renamed:
            return cls(wheel, tuple(members), name, None, {}, dropped)
        paths = [f"{wheel.dist_info}/{each}" for each in ("METADATA", "WHEEL")]
        from .release import released  # noqa: PLC0415  brings packaging, 20 ms

        release = released(
            name, wheel.dist_info, wheel.text(paths[0]), wheel.text(paths[1]), build_tag,
            local_version,
        )  # fmt: skip
        new = zip(paths, (release.metadata, release.wheel), strict=True)
        texts = {path: data for path, data in new if data is not None}
        _refuse_lies(wheel, {path: wheel.digest(path) for path in texts})
        return cls(wheel, tuple(members), release.file_name, release, texts, dropped)

    @property
    def is_needed(self) -> bool:
        """Whether the wheel would change at all."""
        return any(each.plan.is_needed for each in self.members) or self.release is not None

    def renamed(self, path: str) -> str:
        """The path that a file of the wheel has afterwards."""
        return path if self.release is None else self.release.renamed(path)


def carry_out_wheel(
    change: WheelChange, target: str, *, backup: str | None = None, keep_times: bool = False
) -> None:
    """Write the changed wheel.

    Args:
        change: what changes.
        target: where it goes; may be the old wheel, which is whole until the new one is.
        backup: where a copy of what was at ``target`` before goes.
        keep_times: whether the new file has the times of the old one.

    Raises:
        PatchError: the result is not what it was to be; nothing is changed then.
        SourceError: it cannot be read or written; nothing is changed then either.
    """
    wheel = change.wheel
    needed = [each for each in change.members if each.plan.is_needed]
    patched = {each.number: wheel.patched(each) for each in needed}
    digests = {number: digest_of(window) for number, window in patched.items()}
    texts = dict(change.texts)
    if wheel.dist_info is not None:
        texts[f"{wheel.dist_info}/RECORD"] = _record(change, digests)
    digests.update((wheel.number(name), Digest.of(data)) for name, data in texts.items())
    dropped = frozenset(map(wheel.number, change.dropped))
    names = {
        number: change.renamed(entry.name)
        for number, entry in enumerate(wheel.archive.entries)
        if number not in dropped
    }
    with beside(target) as temporary:
        write_archive(wheel.archive, temporary, _replacements(change, patched, texts), dropped)
        prove_archive(wheel.archive, temporary, names, digests)
        with backed_up(target, backup):
            put_in_place(temporary, target, wheel.path, keep_times=keep_times)


def _replacements(
    change: WheelChange, patched: Mapping[int, Window], texts: Mapping[str, bytes]
) -> dict[int, Replacement]:
    """What becomes of the members that do not stay as they are, by their numbers."""
    found: dict[int, Replacement] = {}
    for number, entry in enumerate(change.wheel.archive.entries):
        name = None
        if change.release is not None and change.renamed(entry.name) != entry.name:
            name = change.release.new.encode() + entry.raw_name[len(change.release.old.encode()) :]
        if number in patched:
            window = patched[number]
            found[number] = Replacement(_Again(window), window.size, name)
        elif entry.name in texts:
            data = texts[entry.name]
            found[number] = Replacement(_Again(data), len(data), name)
        elif name is not None:
            found[number] = Replacement(name=name)
    return found


@dataclass(frozen=True, slots=True)
class _Again:
    """Some bytes, piece by piece, as often as they are asked for."""

    source: Window | bytes

    def __call__(self) -> Iterator[bytes]:
        if isinstance(self.source, bytes):
            yield self.source
            return
        self.source.seek(0)
        while chunk := self.source.read(_CHUNK):
            yield chunk


def _refuse_lies(wheel: Wheel, files: Mapping[str, Digest]) -> None:
    """Refuse a RECORD that does not describe the members that change."""
    rows = rows_of(_decoded(wheel.text(f"{wheel.dist_info}/RECORD")), files)
    where = f"{wheel.path}::{wheel.dist_info}/RECORD"
    for name, digest in files.items():
        if name not in rows:
            raise PatchError(where, f"has no row for {name}: it does not describe the wheel")
        refuse_lie(Owner(where, name, *rows[name]), digest)


def _record(change: WheelChange, digests: Mapping[int, Digest]) -> bytes:
    wheel = change.wheel
    files = {wheel.archive.entries[number].name: digest for number, digest in digests.items()}
    for name, data in change.texts.items():
        files[name] = Digest.of(data)
    old = _decoded(wheel.text(f"{wheel.dist_info}/RECORD"))
    renamed = None if change.release is None else change.release.renamed
    text = put_right(wheel.path, old, files, renamed, change.dropped)
    return text.encode("utf-8", "surrogateescape")


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
