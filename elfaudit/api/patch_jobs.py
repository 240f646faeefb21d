"""One thing to patch: a file, or a wheel; planned when it is made, carried out when it is asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from ..elf.reader import Reader
from ..errors import PatchError, RequestError, SourceError
from ..patch.distribution import Owner, digest_of, owner_of, refuse_lie, write_row
from ..patch.files import carry_out
from ..patch.journal import read_journal
from ..patch.overwritten import OverwrittenStream
from ..patch.planning import Plan
from ..patch.wheel import WheelChange, carry_out_wheel
from ..patch.writing import back_up
from ..stream import ByteStream, FileStream

__all__ = ["FileJob", "Job", "Planner", "WheelJob"]

Planner = Callable[[ByteStream, str], Plan]


@dataclass(frozen=True, slots=True)
class FileJob:
    """The patch of a file on disk, and of the RECORD of the distribution that it is part of.

    Attributes:
        path: the file.
        plan: what changes.
        owner: whose file it is, or None.
        recorded: whether RECORD describes the file as it is; not so where a patch was interrupted.
    """

    path: str
    plan: Plan
    owner: Owner | None
    recorded: bool

    @classmethod
    def of(cls, path: str, planner: Planner) -> FileJob:
        """Plan the patch of a file.

        Raises:
            PatchError: RECORD says something else of it, or whatever the planner raises.
            SourceError: it, or a RECORD, cannot be read.
        """
        stream = FileStream(path)
        plan = planner(stream, path)
        owner = owner_of(os.path.realpath(path))
        recorded = owner is None or _is_recorded(owner, stream)
        stream.release()
        return cls(path, plan, owner, recorded)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """What changes, file by file."""
        return (self.plan,)

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        return self.plan.is_needed or not self.recorded

    def target(self, output: str | None) -> str:
        """Where the result goes."""
        return self.path if output is None else _inside(output, os.path.basename(self.path))

    def apply(self, target: str, backup: str | None, *, keep_times: bool) -> None:
        """Carry it out; RECORD follows the file."""
        if self.plan.is_needed or not _is_same(self.path, target):
            carry_out(self.plan, self.path, target, backup=backup, keep_times=keep_times)
        if self.owner is not None and self.is_needed and _is_same(self.path, target):
            write_row(self.owner, digest_of(FileStream(self.path)))


@dataclass(frozen=True, slots=True)
class WheelJob:
    """The patches of some members of a wheel."""

    change: WheelChange

    @property
    def plans(self) -> tuple[Plan, ...]:
        """What changes, file by file."""
        return tuple(member.plan for member in self.change.members)

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        return self.change.is_needed

    def target(self, output: str | None) -> str:
        """Where the result goes.

        Raises:
            RequestError: a file of another name than the wheel is to have.
            SourceError: the new name is taken.
        """
        path, name = self.change.wheel.path, self.change.file_name
        if output is None:
            target = os.path.join(os.path.dirname(path), name)
        else:
            target = _inside(output, name)
        if self.change.release is not None and os.path.basename(target) != name:
            raise RequestError(f"{target}: the wheel has to be called {name}")
        if os.path.lexists(target) and not _is_same(path, target) and output is None:
            raise SourceError(target, "is there already; remove it, or choose another name")
        return target

    def apply(self, target: str, backup: str | None, *, keep_times: bool) -> None:
        """Carry it out."""
        if backup is not None and _is_same(self.change.wheel.path, target):
            back_up(target, backup)
        if self.is_needed or not _is_same(self.change.wheel.path, target):
            carry_out_wheel(self.change, target, keep_times=keep_times)


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
        os.makedirs(output, exist_ok=True)
    return os.path.join(output, name) if os.path.isdir(output) else output


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
