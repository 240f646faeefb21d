"""Regular expressions of checklists: they may come from anywhere, so each has a time limit."""

from __future__ import annotations

import time

import regex

from ..errors import ChecklistError

__all__ = ["Pattern"]

_SECONDS = 10.0
_SECONDS_PER_BYTE = 1 / (50 << 20)  # what is searched at a fiftieth of the speed of a grep


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
        return self._search(self._pattern, text, 0) is not None

    def first_line(self, text: str, start: int = 0) -> int | None:
        """Where in a text of many lines the first line begins in which it is found; None: nowhere.

        A match that goes over the end of a line is none; the line it begins in is tried by itself.

        Raises:
            ChecklistError: as :meth:`finds`.
        """
        while start < len(text):
            at = self._search(self._lines, text, start)
            if at is None:
                return None
            begin = text.rfind("\n", 0, at) + 1
            end = text.find("\n", begin)
            end = len(text) if end < 0 else end
            if self.finds(text[begin:end]):
                return begin
            start = end + 1
        return None

    def _search(self, pattern: regex.Pattern[str], text: str, start: int) -> int | None:
        before = time.monotonic()
        self._left += (len(text) - start) * _SECONDS_PER_BYTE
        try:
            found = pattern.search(text, start, timeout=max(self._left, 0.001))
        except TimeoutError as error:
            problem = f"{self.text[:80]!r} takes more than {_SECONDS:.0f} seconds: it backtracks"
            raise ChecklistError("", self._parameter, problem) from error
        finally:
            self._left -= time.monotonic() - before
        return None if found is None else int(found.start())
