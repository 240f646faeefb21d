"""The distribution that an installed file belongs to, and its RECORD.

Source: "Recording installed projects" (packaging.python.org): RECORD lists every file by its path
relative to the directory that holds the ``.dist-info`` directory.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import PatchError, SourceError
from ..stream import ByteStream
from .record import Digest, put_right, rows_of
from .writing import beside, put_in_place

__all__ = ["Owner", "digest_of", "owner_of", "refuse_lie", "write_row"]

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


def owner_of(path: str) -> Owner | None:
    """The distribution whose RECORD lists a file, or None.

    Raises:
        SourceError: a RECORD near it cannot be read.
    """
    place = os.path.abspath(path)
    directory = os.path.dirname(place)
    while True:
        for record in sorted(glob.glob(os.path.join(glob.escape(directory), "*.dist-info/RECORD"))):
            listed, text = os.path.relpath(place, directory), _text(record)
            row = rows_of(text, (listed,)).get(listed)
            if row is not None:
                return Owner(record, listed, *row)
        if directory == os.path.dirname(directory):
            return None
        directory = os.path.dirname(directory)


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
    sha256, size = hashlib.sha256(), 0
    stream.seek(0)
    for chunk in _chunks(stream):
        sha256.update(chunk)
        size += len(chunk)
    return Digest(sha256.digest(), size)


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
