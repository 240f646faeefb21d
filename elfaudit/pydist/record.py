"""RECORD, the list of a distribution's files with what their bytes should be.

Source: "Recording installed projects" and "Binary distribution format" (packaging.python.org): CSV
rows of path, ``algorithm=`` with the digest in URL-safe base64 without padding, and size. A RECORD
does not say anything of itself and its signatures, and a row may leave hash and size empty.
"""

from __future__ import annotations

import csv
import hashlib
import io
from binascii import a2b_base64
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

__all__ = ["RecordRow", "blank_line", "is_unhashed", "read_record"]

_MOST_DIGITS = 20
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One row.

    Attributes:
        path: as written: relative to what holds the ``.dist-info`` directory, or absolute.
        algorithm: the name of the hash function for :mod:`hashlib`; None where the row has no hash.
        digest: the digest; None where the row has none, or one that cannot be used.
        size: in bytes; None where the row has none.
        problem: why the row cannot be used as it is, a clause; None if it can.
    """

    path: str
    algorithm: str | None
    digest: bytes | None
    size: int | None
    problem: str | None = None


def is_unhashed(path: str) -> bool:
    """Whether a file need not have a hash: RECORD itself and its signatures, and what is compiled.

    Source: PEP 376 and the binary distribution format, "Signed wheel files".
    """
    folder, _, name = path.rpartition("/")
    record = folder.endswith(".dist-info") and name in _UNHASHED
    return record or path.endswith(".pyc")


def read_record(text: str) -> tuple[RecordRow, ...]:
    """All rows, in order; a line that is none is a row with a problem."""
    rows: list[RecordRow] = []
    reader = csv.reader(io.StringIO(text, newline=""))
    while True:
        try:
            columns = next(reader)
        except StopIteration:
            return tuple(rows)
        except csv.Error as error:
            rows.append(_broken(f"line {reader.line_num}", f"is no row: {error}"))
            continue
        if any(columns):
            rows.append(_row(columns, reader.line_num))


def blank_line(text: str) -> int:
    """The number of the first line of a RECORD that is blank, which is no row; 0 without one."""
    lines = text.splitlines()
    if "" not in lines:
        return 0
    reader = csv.reader(lines)  # as pip reads it: a field may hold blank lines
    with suppress(csv.Error):
        for columns in reader:
            if not columns:
                return reader.line_num
    return 0


def _row(columns: list[str], line: int) -> RecordRow:
    if len(columns) != 3 or not columns[0]:
        return _broken(columns[0] or f"line {line}", f"has {len(columns)} columns instead of 3")
    path, hash_, size_text = columns
    size, problem = _size(size_text)
    if not hash_:
        return RecordRow(path, None, None, size, problem)
    algorithm, equals, text = hash_.partition("=")
    size_of_digest = _digest_size(algorithm)
    if not equals or size_of_digest is None:
        return RecordRow(path, None, None, size, f"has an unknown kind of hash: {algorithm[:40]!r}")
    digest = _decoded(text)
    if digest is None or len(digest) != size_of_digest:
        return RecordRow(path, algorithm, None, size, f"has a hash that is no {algorithm}")
    return RecordRow(path, algorithm, digest, size, problem)


def _size(text: str) -> tuple[int | None, str | None]:
    """The size of a row, and what is wrong with it."""
    if not text:
        return None, None
    if len(text) > _MOST_DIGITS:
        return None, f"has a size of more than {_MOST_DIGITS} digits"
    if not (text.isascii() and text.isdigit()):
        return None, f"has a size that is no number: {text!r}"
    return int(text), None


@cache
def _digest_size(algorithm: str) -> int | None:
    """The length of its digests; None of what hashlib does not have on every platform, or here.

    None, too, of those whose digests may have any length.
    """
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        return None
    try:
        return hashlib.new(algorithm, usedforsecurity=False).digest_size
    except ValueError:  # the policy of the machine forbids it
        return None


def _broken(path: str, problem: str) -> RecordRow:
    return RecordRow(path, None, None, None, problem)


def _decoded(text: str) -> bytes | None:
    try:
        return a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
    except ValueError:  # binascii.Error among them
        return None
