"""Bytes from one file to another: by the kernel where it can, which may share them between both."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

__all__ = ["copy_range", "write_all"]

_CHUNK = 8 << 20
_NO_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)


def copy_range(source: int, begin: int, target: int, place: int, size: int) -> None:
    """Copy a range of one file behind what another has (copy_file_range(2), else read and write).

    What is a hole in the one becomes one in the other.

    Args:
        source: descriptor of the one.
        begin: where the range begins in it.
        target: descriptor of the other.
        place: where it goes in that: its end.
        size: in bytes.

    Raises:
        OSError: as the system says; EIO where the range is not all there.
    """
    if os.fstat(source).st_size < begin + size:
        raise OSError(errno.EIO, "the file became shorter while it was copied")
    for start, end in _data(source, begin, begin + size):
        _copy(source, start, target, place + start - begin, end - start)
    if os.fstat(target).st_size < place + size:
        os.ftruncate(target, place + size)


def _data(descriptor: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a range that are no holes (lseek(2), SEEK_DATA)."""
    while begin < end:
        try:
            start = os.lseek(descriptor, begin, os.SEEK_DATA)
            stop = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # where no hole is told from data, all is data
                yield begin, end
            return
        if start < end:
            yield start, min(stop, end)
        begin = stop


def _copy(source: int, begin: int, target: int, place: int, size: int) -> None:
    done = 0
    while done < size:
        try:
            count = os.copy_file_range(source, target, size - done, begin + done, place + done)
        except OSError as error:
            if error.errno not in _NO_COPY:
                raise
            break
        if not count:
            break
        done += count
    while done < size:
        data = os.pread(source, min(_CHUNK, size - done), begin + done)
        if not data:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        write_all(target, data, place + done)
        done += len(data)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of some bytes to a place of a file.

    Raises:
        OSError: as the system says.
    """
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count
