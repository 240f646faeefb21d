"""Which file of the new build is which of the old one, where the paths do not say it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from .stems import library_stem

__all__ = ["Candidate", "pair"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ELF file without one of its path on the other side.

    Attributes:
        path: where it is.
        soname: ``DT_SONAME``; None where it has none or cannot be read.
        content: equal for files of the same bytes; None where nobody knows.
    """

    path: str
    soname: str | None = None
    content: Hashable = None


def pair(old: Iterable[Candidate], new: Iterable[Candidate]) -> list[tuple[Candidate, Candidate]]:
    """The files that are the same one under two names.

    By content, then by what the name is apart from hash and version, then by SONAME; in the same
    directory first. Where several would fit none is taken: a wrong pair says more that is not so
    than two lines, one for the file that is gone and one for the new one.
    """
    left, right = list(old), list(new)
    pairs: list[tuple[Candidate, Candidate]] = []
    for key in _KEYS:
        found = _unique(left, right, key)
        pairs += found
        taken_old, taken_new = {a.path for a, _ in found}, {b.path for _, b in found}
        left = [each for each in left if each.path not in taken_old]
        right = [each for each in right if each.path not in taken_new]
    return pairs


def _unique(
    old: Sequence[Candidate], new: Sequence[Candidate], key: Callable[[Candidate], Hashable]
) -> list[tuple[Candidate, Candidate]]:
    """The pairs of which a key has one file on either side."""
    sides: list[dict[Hashable, list[Candidate]]] = [{}, {}]
    for side, candidates in zip(sides, (old, new), strict=True):
        for candidate in candidates:
            if (value := key(candidate)) is not None:
                side.setdefault(value, []).append(candidate)
    return [
        (files[0], others[0])
        for value, files in sides[0].items()
        if len(files) == 1 and len(others := sides[1].get(value, [])) == 1
    ]


def _by_folder_and_soname(each: Candidate) -> Hashable:
    return each.soname and (posixpath.dirname(each.path), each.soname)


def _by_folder_and_stem(each: Candidate) -> Hashable:
    # A wheel has its copied libraries in NAME.libs, whose NAME may change with the wheel's.
    return posixpath.dirname(each.path), library_stem(each.path)


_KEYS: tuple[Callable[[Candidate], Hashable], ...] = (
    lambda each: each.content and (posixpath.basename(each.path), each.content),
    lambda each: each.content,
    _by_folder_and_soname,
    _by_folder_and_stem,
    lambda each: each.soname,
    lambda each: library_stem(each.path),
)
