"""RECORD, the list of a distribution's files, with the rows of some files put right.

Source: the binary distribution format (packaging.python.org), "The .dist-info directory", and
PEP 376: rows of path, ``sha256=`` with the digest in URL-safe base64 without padding, and size.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
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

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """What RECORD says of some bytes."""
        return cls(hashlib.sha256(data).digest(), len(data))

    @classmethod
    def over(cls, chunks: Iterable[bytes]) -> Digest:
        """What RECORD says of bytes that come piece by piece."""
        sha256, size = hashlib.sha256(), 0
        for chunk in chunks:
            sha256.update(chunk)
            size += len(chunk)
        return cls(sha256.digest(), size)

    def __str__(self) -> str:
        """The last two columns."""
        digest = urlsafe_b64encode(self.sha256).rstrip(b"=").decode("ascii")
        return f"sha256={digest},{self.size}"


def rows_of(text: str, paths: Collection[str]) -> dict[str, tuple[str, str]]:
    """Path to (hash, size) of the rows of some files, as written."""
    found = (_row(line) for line in _lines(text) if _may_be_of(line, paths))
    return {row[0]: (row[1], row[2]) for row in found if row[0] in paths}


def _lines(text: str) -> list[str]:
    """Lines with their ends; unlike ``splitlines`` nothing but line ends ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _may_be_of(line: str, paths: Collection[str]) -> bool:
    """Whether a row is to be looked at: most of thousands are not."""
    return line.startswith('"') or line.partition(",")[0] in paths


def _row(line: str) -> list[str]:
    """The columns of a row; three empty ones if it is none."""
    try:
        row = next(csv.reader([line.rstrip("\r\n")]), [])
    except csv.Error:
        row = []
    return row if len(row) == 3 else [""] * 3


def put_right(
    name: str,
    text: str,
    files: Mapping[str, Digest],
    renamed: Callable[[str], str] | None = None,
    dropped: Collection[str] = (),
) -> str:
    """RECORD with other digests for some files; every other character stays as it is.

    Args:
        name: how the user names the distribution.
        text: RECORD.
        files: path to what the file is now.
        renamed: gives the path that a file has afterwards; None: the one it has.
        dropped: paths of files that are no more.

    Raises:
        PatchError: a file has no row.
    """
    left, named = set(files), {*files, *dropped}
    lines: list[str] = []
    for line in _lines(text):
        if renamed is None and not _may_be_of(line, named):
            lines.append(line)
            continue
        body, row = line.rstrip("\r\n"), _row(line)
        if not row[0]:
            lines.append(line)
        elif row[0] not in dropped:
            lines.append(_put_right(row, body, files, renamed) + line[len(body) :])
            left.discard(row[0])
    if left:
        missing = ", ".join(sorted(left))
        raise PatchError(name, f"RECORD has no row for {missing}: it does not describe the files")
    return "".join(lines)


def _put_right(
    row: list[str], body: str, files: Mapping[str, Digest], renamed: Callable[[str], str] | None
) -> str:
    """One row; a path keeps its quotes unless it becomes another one."""
    path, columns = body.rsplit(",", 2)[0], f"{row[1]},{row[2]}"
    new = row[0] if renamed is None else renamed(row[0])
    if new != row[0]:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="").writerow([new])
        path = buffer.getvalue()
    elif row[0] not in files:
        return body
    if row[0] in files:  # a column that is empty asks for nothing
        right = str(files[row[0]]).split(",")
        columns = ",".join(now if old else "" for old, now in zip(row[1:], right, strict=True))
    return f"{path},{columns}"
