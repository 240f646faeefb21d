"""The only place that writes to the terminal, and the only one that asks what kind it is."""

from __future__ import annotations

import os
import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

from ..errors import ElfAuditError
from ..report.style import Style, clean, shorten_path

__all__ = ["Progress", "complain", "printable", "terminal_style", "told", "write"]

_UNLIMITED = 10_000  # into a file or a pipe nothing is broken or shortened
_INTERVAL = 0.1
_CLEAR = "\r\x1b[K"


def write(text: str) -> None:
    """Write to standard output; characters that its encoding does not have are escaped."""
    sys.stdout.write(printable(text, sys.stdout))


def told(error: ElfAuditError) -> str:
    """What an error says, and what was added to it."""
    return "; ".join([str(error), *getattr(error, "__notes__", ())])


def complain(text: str) -> None:
    """Write one line about what could not be done to standard error."""
    sys.stderr.write(printable(f"elfaudit: {text}\n", sys.stderr))


def printable(text: str, stream: TextIO) -> str:
    """``text`` as far as the encoding of ``stream`` goes, the rest with backslashes."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def terminal_style(*, demangle: bool = False, quiet: bool = False, verbose: bool = False) -> Style:
    """How to lay out for standard output.

    The width is ``COLUMNS``, else that of the terminal. Colour only on a terminal, and not if
    ``NO_COLOR`` has any value but the empty one (no-color.org).
    """
    terminal = sys.stdout.isatty()
    width = _UNLIMITED
    if terminal or os.environ.get("COLUMNS", "").isdigit():
        width = shutil.get_terminal_size().columns
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(width, colour, demangle=demangle, quiet=quiet, verbose=verbose)


class Progress:
    """One line on standard error that says what is being done; gone when it is left.

    Nothing is written unless standard error is a terminal.
    """

    def __init__(self) -> None:
        self._active = sys.stderr.isatty()
        self._width = shutil.get_terminal_size().columns if self._active else 0
        self._count = 0
        self._next = 0.0
        self._shown = False

    def __call__(self, name: str) -> None:
        """Say that ``name`` is looked at now."""
        self._count += 1
        if not self._active or time.monotonic() < self._next:
            return
        head = f"{self._count:,}  "
        room = self._width - len(head) - 1
        text = shorten_path(clean(name.partition("::")[2] or name), room)[:room]
        sys.stderr.write(printable(f"{_CLEAR}{head}{text}", sys.stderr))
        sys.stderr.flush()
        self._shown = True
        self._next = time.monotonic() + _INTERVAL

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.clear()
