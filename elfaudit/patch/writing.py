"""Files written beside the old one, and put in its place once they are known to be right.

The old file is whole until the new one is, and is on the disk: written, synced, renamed over it,
and then the directory synced (rename(2): an existing file is replaced atomically).
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from ..errors import SourceError
from .compose import Write
from .copying import copy_range, write_all

__all__ = ["backed_up", "beside", "copy_with", "put_in_place", "syncing"]

_LONGEST_START = 100  # bytes; a name has 255 at most


@contextmanager
def beside(path: str) -> Iterator[str]:
    """A name in the directory of a file for what may take its place; removed if it does not.

    Raises:
        SourceError: nothing can be written there, or what was written cannot be kept.
    """
    directory, name = os.path.split(os.path.realpath(path))
    start = os.fsdecode(os.fsencode(name)[:_LONGEST_START])
    temporary = os.path.join(directory, f".{start}.{secrets.token_hex(6)}.elfaudit")
    try:
        yield temporary
    except OSError as error:
        raise SourceError(path, f"cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it is not there, mostly: renamed, or never made
            os.unlink(temporary)


def copy_with(source: str, target: str, size: int, writes: Iterable[Write], kept: int) -> None:
    """Write a copy of a file with some places changed; it is not synced yet.

    The kernel copies: where the file system can, both share their blocks.

    Args:
        source: the file to copy.
        target: where to, which must not be there yet.
        size: of the new file, in bytes.
        writes: what is different.
        kept: how many bytes of the old file it begins with.

    Raises:
        OSError: as the system says; what was written so far is left.
    """
    with open(source, "rb") as old, open(target, "xb", buffering=0) as new:
        copy_range(old.fileno(), 0, new.fileno(), 0, min(kept, size))
        os.ftruncate(new.fileno(), size)
        for write in writes:
            write_all(new.fileno(), write.data, write.offset)


@contextmanager
def syncing(path: str) -> Iterator[None]:
    """Bring a file to the disk while something else is done; at the end it is there.

    Raises:
        OSError: as fsync(2) says.
    """
    with open(path, "rb") as file, ThreadPoolExecutor(1) as pool:
        synced = pool.submit(os.fsync, file.fileno())
        yield
        synced.result()


def put_in_place(temporary: str, path: str, like: str, *, keep_times: bool = False) -> None:
    """Give a new file mode and attributes of an old one, and the name of one.

    Where it takes the place of the old one it takes its owner, too; elsewhere it belongs to whoever
    writes it, as a copy does, and does not run as somebody else.

    Args:
        temporary: the new file.
        path: the name it gets; a link is followed.
        like: the file whose owner, mode and extended attributes it takes.
        keep_times: whether it takes its times as well.

    Raises:
        OSError: as the system says; then the old file is still there.
    """
    target = os.path.realpath(path)
    status = os.stat(like)
    own = os.stat(temporary)
    others = (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid)
    in_place = os.path.realpath(like) == target
    if others and in_place:
        os.chown(temporary, status.st_uid, status.st_gid)
    shutil.copystat(like, temporary)
    if in_place:
        _refuse_loss(like, temporary)
    elif others:
        os.chmod(temporary, stat.S_IMODE(status.st_mode) & ~(stat.S_ISUID | stat.S_ISGID))
    if not keep_times:
        os.utime(temporary)
    os.replace(temporary, target)
    _sync(os.path.dirname(target) or ".")


@contextmanager
def backed_up(path: str, backup: str | None) -> Iterator[None]:
    """Keep what is at a place under another name, unless what takes that place fails.

    Args:
        path: the place; there may be nothing yet.
        backup: the other name; None if none is wanted.

    Raises:
        SourceError: the other name is taken, or cannot be written.
    """
    if backup is None or not os.path.lexists(path):
        yield
        return
    if os.path.lexists(backup):
        raise SourceError(backup, "is there already, and no backup is written over it")
    try:
        shutil.copy2(path, backup)
        _sync(backup)
        _sync(os.path.dirname(backup) or ".")
    except OSError as error:
        with suppress(OSError):
            os.unlink(backup)  # a part of one is none
        raise SourceError(backup, f"cannot be written: {error.strerror or error}") from error
    try:
        yield
    except BaseException:
        with suppress(OSError):
            os.unlink(backup)
        raise


def _sync(path: str) -> None:
    """Bring a file, or the names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_loss(old: str, new: str) -> None:
    """Refuse to lose an extended attribute: of copystat(3py) nobody hears that it could not.

    Raises:
        OSError: one of the old file is not on the new one.
    """
    lost = {*os.listxattr(old)}.difference(os.listxattr(new))
    if lost:
        raise OSError(errno.EPERM, f"its attribute {min(lost)} cannot be kept")
