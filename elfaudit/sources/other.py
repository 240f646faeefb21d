"""What may stand at a path where no regular file is, in the words of ``open`` and ``read``."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum

__all__ = ["NoFile", "Obstacle", "no_file_of_error", "no_file_of_status"]


class Obstacle(Enum):
    """Why there is no file to read; the value is the text of the error, if opening it is one."""

    ABSENT = "No such file or directory"
    DENIED = "Permission denied"
    NOT_DIRECTORY = "Not a directory"  # something on the way to it
    LOOP = "Too many levels of symbolic links"
    TOO_LONG = "File name too long"
    SOCKET = "No such device or address"
    DIRECTORY = "Is a directory"
    NULL_DEVICE = "an empty device"
    DATA_DEVICE = "a device that is never empty"
    FIFO = "a FIFO"


@dataclass(frozen=True, slots=True)
class NoFile:
    """A path where no regular file is.

    Attributes:
        kind: what is there instead.
        identity: of a directory: equal for two paths of one directory.
    """

    kind: Obstacle
    identity: Hashable = None


_KINDS = {
    errno.EACCES: Obstacle.DENIED,
    errno.EPERM: Obstacle.DENIED,
    errno.ENOTDIR: Obstacle.NOT_DIRECTORY,
    errno.ELOOP: Obstacle.LOOP,
    errno.ENAMETOOLONG: Obstacle.TOO_LONG,
}
_DATA = frozenset((5, 7, 8, 9))  # minors of /dev/zero, full, random, urandom
_MEMORY_DEVICES = 1  # their major; so is /dev/null's


def no_file_of_error(error: OSError | ValueError) -> NoFile:
    """What an ``lstat`` or ``readlink`` that failed says of the path."""
    return NoFile(_KINDS.get(getattr(error, "errno", None) or 0, Obstacle.ABSENT))


def no_file_of_status(status: os.stat_result) -> NoFile | None:
    """What there is by its mode, which nobody needs to open; None for a regular file."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return NoFile(Obstacle.DIRECTORY, (status.st_dev, status.st_ino))
    if stat.S_ISFIFO(mode):
        return NoFile(Obstacle.FIFO)
    if stat.S_ISSOCK(mode):
        return NoFile(Obstacle.SOCKET)
    device = os.major(status.st_rdev), os.minor(status.st_rdev)
    if stat.S_ISBLK(mode) or (device[0] == _MEMORY_DEVICES and device[1] in _DATA):
        return NoFile(Obstacle.DATA_DEVICE)
    return NoFile(Obstacle.NULL_DEVICE)
