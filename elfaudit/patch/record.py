"""RECORD, the list of a distribution's files, with the rows of some files put right.

Source: the binary distribution format (packaging.python.org), "The .dist-info directory", and
PEP 376: rows of path, ``sha256=`` with the digest in URL-safe base64 without padding, and size.
"""

from __future__ import annotations

import csv
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import PatchError

__all__ = ["Digest", "put_right", "rows_of"]


@dataclass(frozen=True, slots=True)
class Digest:
    """What RECORD says of a file.

    Attributes:
        sha256: of its bytes.
        size: how many those are.
    """

    sha256: bytes
    size: int

    def __str__(self) -> str:
        """The last two columns."""
        digest = urlsafe_b64encode(self.sha256).rstrip(b"=").decode("ascii")
        return f"sha256={digest},{self.size}"


def rows_of(text: str) -> dict[str, tuple[str, str]]:
    """Path to (hash, size) of every row, as written."""
    return {row[0]: (row[1], row[2]) for row in csv.reader(text.splitlines()) if len(row) == 3}


def put_right(name: str, text: str, files: Mapping[str, Digest]) -> str:
    """RECORD with other digests for some files; every other character stays as it is.

    Args:
        name: how the user names the distribution.
        text: RECORD.
        files: path to what the file is now.

    Raises:
        PatchError: a file has no row.
    """
    lines = text.splitlines(keepends=True)
    left = set(files)
    for number, line in enumerate(lines):
        body = line.rstrip("\r\n")
        row = next(csv.reader([body]), [])
        if len(row) == 3 and row[0] in files:
            path = body.rsplit(",", 2)[0]
            lines[number] = f"{path},{files[row[0]]}{line[len(body) :]}"
            left.discard(row[0])
    if left:
        missing = ", ".join(sorted(left))
        raise PatchError(name, f"RECORD has no row for {missing}: it does not describe the files")
    return "".join(lines)
