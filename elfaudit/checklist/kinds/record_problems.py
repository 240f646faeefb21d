"""What can be wrong with a file of a RECORD, told once for all files with which it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = ["Problem", "Sort", "sentences"]


class Sort(Enum):
    """The sorts of what is wrong, the worst first: how one is told, and how several are."""

    SIZE = ("{path} has {detail}", "{count} files have another size, as {path}: {detail}")
    CONTENT = (
        "{path} is not the file that RECORD describes: {detail}",
        "{count} files are not those that RECORD describes, as {path}: {detail}",
    )
    CHECKSUM = (
        "{path} has another checksum than the archive states: not to be installed",
        "{count} files have another checksum than the archive states, as {path}: not installable",
    )
    UNREADABLE = (
        "{path} cannot be read: {detail}",
        "{count} files cannot be read, as {path}: {detail}",
    )
    MISSING = (
        "{path} is listed and not there",
        "{count} files are listed and not there, as {path}",
    )
    UNLISTED = (
        "{path} is in the wheel and not in RECORD",
        "{count} files are in the wheel and not in RECORD, as {path}",
    )
    FOREIGN = (
        "{path} is in the package of {detail}, which does not list it",
        "{count} files are in packages that do not list them, as {path} in that of {detail}",
    )
    TWICE = ("{path} is listed twice", "{count} files are listed twice, as {path}")
    UNHASHED = (
        "{path} is listed without a hash",
        "{count} files are listed without a hash, as {path}",
    )
    WEAK = (
        "{path} is hashed with {detail}, which is not permitted in a wheel",
        "{count} files are hashed with what is not permitted in a wheel, as {path} with {detail}",
    )
    ROW = (
        "the row of {path} {detail}",
        "{count} rows cannot be used, as the one of {path}, which {detail}",
    )
    WHOLE = ("{detail}", "{detail}")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong.

    Attributes:
        sort: what it is.
        path: the file; empty where it is none.
        detail: what its sort does not say.
        project: whose it is, as pip takes it; empty where that is not known.
        of_build: whether it lies deeper than RECORD: a new one would not mend it.
    """

    sort: Sort
    path: str = ""
    detail: str = ""
    project: str = ""
    of_build: bool = False

    @property
    def sentence(self) -> str:
        """What is wrong with the one file."""
        return self.sort.value[0].format(path=self.path, detail=self.detail)


def sentences(problems: Iterable[Problem]) -> Iterator[tuple[str, list[str]]]:
    """One sentence for each sort of problem, and what it sums up, where it does."""
    sorts: dict[Sort, list[Problem]] = {sort: [] for sort in Sort}
    for problem in problems:
        sorts[problem.sort].append(problem)
    for sort, some in sorts.items():
        if len(some) > 1 and sort is not Sort.WHOLE:
            first = some[0]
            told = sort.value[1].format(
                count=f"{len(some):,}", path=first.path, detail=first.detail
            )
            yield told, [each.sentence for each in some]
        else:
            yield from ((each.sentence, []) for each in some)
