"""A file of this machine as a member of a source."""

from __future__ import annotations

import os
import stat

from ..stream import FileStream
from .model import Member
from .other import NoFile, no_file_of_error, no_file_of_status

__all__ = ["look_on_disk"]

_MAY_RUN = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def look_on_disk(host: str, path: str, display: str, *, follow_link: bool) -> Member | NoFile:
    """The regular file at a path of this machine, or what is there instead.

    Args:
        host: where it is.
        path: what it is called in its source.
        display: how the user names it.
        follow_link: whether a symbolic link there is followed.
    """
    try:
        status = os.stat(host, follow_symlinks=follow_link)
    except (OSError, ValueError) as error:
        return no_file_of_error(error)
    other = no_file_of_status(status)
    if other is not None:
        return other
    return Member(
        path,
        display,
        (status.st_dev, status.st_ino),
        status.st_size,
        sequential=False,
        open=lambda: FileStream(host, name=display),
        executable=bool(status.st_mode & _MAY_RUN),
    )
