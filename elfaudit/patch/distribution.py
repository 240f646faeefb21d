"""The distribution that an installed file belongs to, and its RECORD.

Source: "Recording installed projects" (packaging.python.org): RECORD lists every file by its path
relative to the directory that holds the ``.dist-info`` directory.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import PatchError, SourceError
from ..stream import ByteStream
from .record import Digest, put_right, rows_of
from .writing import beside, put_in_place

__all__ = ["Owner", "digest_of", "owners_of", "refuse_lie", "write_row"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose file it is.

    Attributes:
        record: the path of RECORD.
        path: the file's path as RECORD has it.
        hash, size: what RECORD says of it, as written; both may be empty.
    """

    record: str
    path: str
    hash: str
    size: str

    def describes(self, digest: Digest) -> bool:
        """Whether RECORD says that of the file; what it leaves open, is not wrong.

        Of the hash functions it may name only sha256 is checked, which pip writes.
        """
        hash_, _, size = str(digest).partition(",")
        right = self.hash == hash_ or not self.hash.startswith("sha256=")
        return right and self.size in ("", size)


# Where a directory that holds a file has RECORDs that may list it: modules lie beside them,
# programs in the ``bin`` of a prefix.
_PLACES = ("", "lib*/python3*/site-packages/", "lib*/python3*/dist-packages/")


def owners_of(path: str) -> tuple[Owner, ...]:
    """The rows of RECORDs that list a file: by the name that it has, and by a link to it.

    Args:
        path: the file, or a link to it.

    Raises:
        SourceError: a RECORD near it cannot be read.
    """
    names = dict.fromkeys((os.path.realpath(path), _really_in(path)))
    found = (_owner_of(name) for name in names)
    return tuple(dict.fromkeys(owner for owner in found if owner is not None))


def _really_in(path: str) -> str:
    """A path without links but perhaps the file itself."""
    directory, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(directory), name)


def _owner_of(place: str) -> Owner | None:
    directory = os.path.dirname(place)
    while True:
        for record in _records(directory):
            root = os.path.dirname(os.path.dirname(record))
            listed, text = os.path.relpath(place, root), _text(record)
            row = rows_of(text, (listed,)).get(listed)
            if row is not None:
                return Owner(record, listed, *row)
        if directory == os.path.dirname(directory):
            return None
        directory = os.path.dirname(directory)


def _records(directory: str) -> Iterator[str]:
    for place in _PLACES:
        pattern = os.path.join(glob.escape(directory), place, "*.dist-info", "RECORD")
        yield from sorted(glob.glob(pattern))


def write_row(owner: Owner, digest: Digest) -> None:
    """Put RECORD right for one file; it is written beside the old one and renamed over it.

    Raises:
        PatchError: the file has no row any more.
        SourceError: it cannot be read or written.
    """
    text = put_right(owner.record, _text(owner.record), {owner.path: digest})
    with beside(owner.record) as temporary:
        with open(temporary, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(temporary, owner.record, owner.record)


def digest_of(stream: ByteStream) -> Digest:
    """What RECORD would say of some bytes.

    Raises:
        SourceError: they cannot be read.
    """
    stream.seek(0)
    return Digest.over(_chunks(stream))


def _chunks(stream: ByteStream) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _text(record: str) -> str:
    try:
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError as error:
        raise SourceError(record, f"cannot be read: {error.strerror or error}") from error


def refuse_lie(owner: Owner, digest: Digest) -> None:
    """Refuse a RECORD that does not describe the file as it is.

    Raises:
        PatchError: it says something else.
    """
    if not owner.describes(digest):
        raise PatchError(
            owner.record,
            f"says {owner.hash},{owner.size} of {owner.path}, which is {digest}: the file was "
            "changed behind its back; install the distribution again, or correct RECORD",
        )
