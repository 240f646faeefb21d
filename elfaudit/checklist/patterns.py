"""Regular expressions of checklists: they may come from anywhere, so each has a time limit."""

from __future__ import annotations

import re
import time

import regex

from ..errors import ChecklistError

__all__ = ["Pattern"]

_SECONDS = 10.0
_LARGEST = 1_000_000
_COUNTS = re.compile(r"\{(?:\d*,)?(\d+)\}")  # of {2}, {2,5} and {,5} the largest
_SECONDS_PER_CHARACTER = 1 / (50 << 20)  # what is searched at a fiftieth of the speed of a grep
_SECONDS_FOR_MANY_LINES = 2.0
# What looks past the end of a line, or does not give back what it took: lookaround, atomic groups,
# conditions, possessive repetition, the anchors of a whole text.
_NEEDS_ITS_LINE = re.compile(r"\(\?(?![:Pais])|[*+?}]\+|\\[AZzGKXR]|\(\*")


def _size_of(text: str) -> int:
    """How large an expression is once what it repeats is written out; an upper bound of it."""
    size = len(text)
    for count in _COUNTS.findall(text):
        size *= max(int(count[:9] or 1), 1)
    return size


class Pattern:
    """A regular expression that gives up when all its searches together take too long.

    That is ten seconds, and one for every 50 MB that are searched.

    Args:
        text: as :mod:`re` and the ``regex`` package take it.
        parameter: which parameter of the check it is, for messages.

    Raises:
        ChecklistError: it is no regular expression.
    """

    def __init__(self, text: str, parameter: str) -> None:
        self.text, self._parameter = text, parameter
        self._left = _SECONDS
        self._for_many_lines = 0.0 if _NEEDS_ITS_LINE.search(text) else _SECONDS_FOR_MANY_LINES
        if _size_of(text) > _LARGEST:
            problem = f"{text[:80]!r} is too long, or repeats too much, to be searched for"
            raise ChecklistError("", parameter, problem)
        try:
            self._pattern = regex.compile(text)
            self._lines = regex.compile(text, regex.MULTILINE)
        except (regex.error, RecursionError, OverflowError, MemoryError) as error:
            problem = f"{text[:80]!r} is not a regular expression: {error}"
            raise ChecklistError("", parameter, problem) from error

    def finds(self, text: str) -> bool:
        """Whether it is found anywhere in a text.

        Raises:
            ChecklistError: its time is over.
        """
        self._left += len(text) * _SECONDS_PER_CHARACTER
        return self._in_line(text)

    def finds_in_lines(self, text: str) -> bool:
        """The same, where ``^`` and ``$`` are the ends of lines.

        Raises:
            ChecklistError: its time is over.
        """
        self._left += len(text) * _SECONDS_PER_CHARACTER
        return self._searched(self._lines, text)

    def first_line(self, text: str, start: int = 0) -> int | None:
        """Where in a text of many lines the first line begins in which it is found; None: nowhere.

        Each line counts by itself. Where a search of all of them at once can only find more, that
        comes first, as it is a hundred times as fast.

        Raises:
            ChecklistError: as :meth:`finds`.
        """
        self._left += (len(text) - start) * _SECONDS_PER_CHARACTER
        while start < len(text):
            at = self._in_lines(text, start) if self._for_many_lines > 0 else start
            if at is None or at == len(text):  # there is no line behind the last newline
                return None
            begin = text.rfind("\n", 0, at) + 1
            end = text.find("\n", begin)
            end = len(text) if end < 0 else end
            if self._in_line(text[begin:end]):
                return begin
            start = end + 1
        return None

    def _in_line(self, text: str) -> bool:
        return self._searched(self._pattern, text)

    def _searched(self, pattern: regex.Pattern[str], text: str) -> bool:
        before = time.monotonic()
        try:
            return pattern.search(text, timeout=max(self._left, 0.001)) is not None
        except TimeoutError as error:
            problem = f"{self.text[:80]!r} takes more than {_SECONDS:.0f} seconds: it backtracks"
            raise ChecklistError("", self._parameter, problem) from error
        finally:
            self._left -= time.monotonic() - before

    def _in_lines(self, text: str, start: int) -> int | None:
        """Where something is found that may go over the ends of lines; None: nowhere."""
        before = time.monotonic()
        found = None
        try:
            found = self._lines.search(text, start, timeout=self._for_many_lines)
        except TimeoutError:
            return start
        finally:
            # One that runs from line to line (`A[^=]*B`) is soon of no help any more.
            taken = time.monotonic() - before
            reached = len(text) if found is None else found.end()
            self._for_many_lines -= max(taken - (reached - start) * _SECONDS_PER_CHARACTER, 0)
            self._left -= taken
        return None if found is None else int(found.start())
