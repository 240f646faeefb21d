"""Regular expressions of checklists: they may come from anywhere, so each has a time limit."""

from __future__ import annotations

import time

import regex

from ..errors import ChecklistError

__all__ = ["Pattern"]

_SECONDS = 10.0


class Pattern:
    """A regular expression that gives up after ten seconds of all its searches together.

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
        except (regex.error, RecursionError, OverflowError, MemoryError) as error:
            problem = f"{text[:80]!r} is not a regular expression: {error}"
            raise ChecklistError("", parameter, problem) from error

    def finds(self, text: str) -> bool:
        """Whether it is found anywhere in a text.

        Raises:
            ChecklistError: its time is over.
        """
        start = time.monotonic()
        try:
            return self._pattern.search(text, timeout=max(self._left, 0.001)) is not None
        except TimeoutError as error:
            problem = f"{self.text[:80]!r} takes more than {_SECONDS:.0f} seconds: it backtracks"
            raise ChecklistError("", self._parameter, problem) from error
        finally:
            self._left -= time.monotonic() - start
