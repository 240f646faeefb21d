"""A planned patch carried out on a file: written beside it, proven, then put in its place."""

from __future__ import annotations

import os

from ..errors import PatchError
from ..stream import FileStream
from .planning import Plan
from .proof import prove
from .writing import backed_up, beside, copy_with, put_in_place, syncing

__all__ = ["carry_out", "copy_file"]


def carry_out(
    plan: Plan, path: str, target: str, *, backup: str | None = None, keep_times: bool = False
) -> None:
    """Write a patched file.

    Args:
        plan: what to change.
        path: the file it was made for.
        target: where the result goes; may be ``path`` itself, which is whole until the new file is.
        backup: where a copy of what was at ``target`` before goes.
        keep_times: whether the new file has the times of the old one.

    Raises:
        PatchError: the result is not what it was to be, or the file has changed since it was
            planned; nothing is changed then.
        SourceError: it cannot be read or written; nothing is changed then either.
    """
    with beside(target) as temporary:
        copy_with(path, temporary, plan.size, plan.writes, plan.kept)
        old, new = FileStream(path, name=plan.name), FileStream(temporary, name=plan.name)
        try:
            if old.size != plan.image.size:
                raise PatchError(plan.name, "has changed since the patch was planned")
            with syncing(temporary):
                prove(old, new, plan)
        finally:
            old.release()
            new.release()
        _refuse_another(plan)
        with backed_up(target, backup):
            put_in_place(temporary, target, path, keep_times=keep_times)


def copy_file(
    path: str, target: str, *, backup: str | None = None, keep_times: bool = False
) -> None:
    """Write a file as it is to another place, as safely as a changed one.

    Args:
        path: the file.
        target: where it goes.
        backup: where a copy of what was at ``target`` before goes.
        keep_times: whether the new file has the times of the old one.

    Raises:
        SourceError: it cannot be read or written.
    """
    with beside(target) as temporary:
        copy_with(path, temporary, os.path.getsize(path), (), os.path.getsize(path))
        with syncing(temporary):
            pass
        with backed_up(target, backup):
            put_in_place(temporary, target, path, keep_times=keep_times)


def _refuse_another(plan: Plan) -> None:
    """Refuse a file that is not the one that the plan was made for any more.

    Raises:
        SourceError: another one has its name, or it was written to.
    """
    plan.image.reader.release()
    plan.image.reader.read_available(0, 1)  # opened again: FileStream knows the file
