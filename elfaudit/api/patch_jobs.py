"""One thing to patch: a file, or a wheel; planned when it is made, carried out when it is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..elf.reader import Reader
from ..errors import PatchError, RequestError, SourceError
from ..patch.distribution import Owner, digest_of, owners_of, refuse_lie, write_row
from ..patch.files import carry_out, copy_file
from ..patch.journal import read_journal
from ..patch.overwritten import OverwrittenStream
from ..patch.planning import Plan
from ..patch.wheel import WheelChange, carry_out_wheel, read_wheel
from ..stream import ByteStream, FileStream

__all__ = ["FileJob", "Job", "Planner", "WheelJob"]

Planner = Callable[[ByteStream, str], Plan]


@dataclass(frozen=True, slots=True)
class FileJob:
    """The patch of a file on disk, and of the RECORDs that list it.

    Attributes:
        path: the file.
        plan: what changes.
        owners: the rows that list it.
        recorded: whether they describe the file as it is; not so where a patch was interrupted.
        stamp: tells the file that was planned for from another one.
    """

    path: str
    plan: Plan
    owners: tuple[Owner, ...]
    recorded: bool
    stamp: tuple[int, ...]

    @classmethod
    def of(cls, path: str, planner: Planner) -> FileJob:
        """Plan the patch of a file.

        Raises:
            PatchError: RECORD says something else of it, or whatever the planner raises.
            SourceError: it, or a RECORD, cannot be read.
        """
        stamp = _stamp(path)
        stream = FileStream(path)
        plan = planner(stream, path)
        owners = owners_of(path)
        recorded = False not in [_is_recorded(owner, stream) for owner in owners]
        stream.release()
        return cls(path, plan, owners, recorded, stamp)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """What changes, file by file."""
        return (self.plan,)

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        return self.plan.is_needed or not self.recorded

    def writes(self, target: str) -> bool:
        """Whether there is a new file to write at a place."""
        return self.plan.is_needed or not _is_same(self.path, target)

    def target(self, output: str | None) -> str:
        """Where the result goes.

        Raises:
            SourceError: it cannot go there.
        """
        return self.path if output is None else _inside(output, os.path.basename(self.path))

    def apply(self, target: str, backup: str | None, *, keep_times: bool) -> None:
        """Carry it out; RECORD follows the file.

        Raises:
            PatchError: the file is another one by now, or the result is not right.
            SourceError: something cannot be read or written.
        """
        _require_same(self.path, self.stamp)
        if self.writes(target):
            carry_out(self.plan, self.path, target, backup=backup, keep_times=keep_times)
        if self.owners and self.is_needed and _is_same(self.path, target):
            digest = digest_of(FileStream(self.path))
            for owner in self.owners:
                write_row(owner, digest)


@dataclass(frozen=True, slots=True)
class WheelJob:
    """The patches of some members of a wheel.

    Attributes:
        change: what changes.
        stamp: tells the wheel that was planned for from another one.
    """

    change: WheelChange
    stamp: tuple[int, ...]

    @classmethod
    def of(
        cls,
        path: str,
        names: Iterable[str],
        planner: Planner,
        *,
        build_tag: str | None = None,
        local_version: str | None = None,
        drop_signature: bool = False,
    ) -> WheelJob:
        """Plan the patch of some members.

        Raises:
            PatchError: the wheel is signed, or wrong already, or whatever the planner raises.
            SourceError: it cannot be read.
        """
        stamp = _stamp(path)
        wheel = read_wheel(path)
        members = [wheel.plan(name, planner) for name in names]
        change = WheelChange.of(
            wheel, members, build_tag=build_tag, local_version=local_version,
            drop_signature=drop_signature,
        )  # fmt: skip
        return cls(change, stamp)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """What changes, file by file."""
        return tuple(member.plan for member in self.change.members)

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        return self.change.is_needed

    def writes(self, target: str) -> bool:
        """Whether there is a new file to write at a place."""
        return self.is_needed or not _is_same(self.change.wheel.path, target)

    def target(self, output: str | None) -> str:
        """Where the result goes.

        Raises:
            RequestError: a file of another name than the wheel is to have.
            SourceError: the new name is taken, or it cannot go there.
        """
        path, name = self.change.wheel.path, self.change.file_name
        if output is None:
            target = path
            if self.change.release is not None:
                target = os.path.join(os.path.dirname(path), name)
        else:
            target = _inside(output, name)
        if self.change.release is not None and os.path.basename(target) != name:
            raise RequestError(f"{target}: the wheel has to be called {name}")
        if os.path.lexists(target) and not _is_same(path, target) and output is None:
            raise SourceError(target, "is there already; remove it, or choose another name")
        return target

    def apply(self, target: str, backup: str | None, *, keep_times: bool) -> None:
        """Carry it out.

        Raises:
            PatchError: the wheel is another one by now, or the result is not right.
            SourceError: something cannot be read or written.
        """
        path = self.change.wheel.path
        _require_same(path, self.stamp)
        if self.is_needed:
            carry_out_wheel(self.change, target, backup=backup, keep_times=keep_times)
        elif self.writes(target):
            copy_file(path, target, backup=backup, keep_times=keep_times)


Job = FileJob | WheelJob


def _is_recorded(owner: Owner, stream: FileStream) -> bool:
    """Whether RECORD describes a file as it is, and not as it was before it was patched.

    Raises:
        PatchError: it describes neither.
    """
    digest = digest_of(stream)
    if owner.describes(digest):
        return True
    reader = Reader(stream, stream.name)
    journal = read_journal(reader)
    if journal is not None:
        before = OverwrittenStream(reader, journal.size, journal.writes)
        if owner.describes(digest_of(before)):
            return False
    refuse_lie(owner, digest)
    raise PatchError(owner.record, "does not describe the file")


def _inside(output: str, name: str) -> str:
    """A path, or one in it if it is a directory."""
    if output.endswith("/"):
        try:
            os.makedirs(output, exist_ok=True)
        except OSError as error:
            raise SourceError(output, f"cannot be made: {error.strerror or error}") from error
    return os.path.join(output, name) if os.path.isdir(output) else output


def _stamp(path: str) -> tuple[int, ...]:
    """What is different of two files, or of one before and after it was written to.

    Raises:
        SourceError: it is not there.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise SourceError(path, f"cannot be opened: {error.strerror or error}") from error
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _require_same(path: str, stamp: tuple[int, ...]) -> None:
    if _stamp(path) != stamp:
        raise PatchError(path, "has changed since the patch was planned")


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
