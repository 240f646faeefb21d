"""The questions of ``elfaudit resolve`` with answers of their own: ``--why``, ``--bindings``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeVar

import click

from ..errors import RequestError
from ..findings import Resolution
from ..report.bindings import binding_lines
from ..report.style import Style, clean
from ..report.why import known_names, why_report
from .output import write

__all__ = ["question_options", "write_bindings", "write_why"]

Command = TypeVar("Command", bound=Callable[..., object])
_MOST_HINTS = 3


def _pattern(_: click.Context, __: click.Parameter, given: str | None) -> re.Pattern[str] | None:
    try:
        return None if given is None else re.compile(given)
    except re.error as error:
        raise click.BadParameter(f"{given!r} is no regular expression: {error}") from error


def question_options(command: Command) -> Command:
    """``--why`` and ``--bindings``."""
    why = click.option(
        "--why",
        metavar="LIBRARY",
        help="Print every path tried for a library, in order, and what was there.",
    )
    bindings = click.option(
        "--bindings",
        is_flag=False,
        flag_value="",
        callback=_pattern,
        metavar="[REGEX]",
        help="Print which object supplies each symbol the file refers to, and which others it "
        "shadows; with --verbose of all objects of the process. Of all symbols, or of those with "
        "REGEX in their mangled names.",
    )
    return why(bindings(command))


def write_why(resolutions: Iterable[Resolution], library: str, style: Style) -> None:
    """Every path tried for a library in each process.

    Raises:
        RequestError: none of the processes has to do with it.
    """
    known: set[str] = set()
    answered = False
    for resolution in resolutions:
        known |= known_names(resolution)
        text = why_report(resolution, library, style)
        if text:
            head = f"in the process of {clean(resolution.subject)}:"
            write(f"{style.paint(head, 'dim')}\n{text}\n\n")
            answered = True
    if known and not answered:
        near = get_close_matches(library, sorted(known), n=_MOST_HINTS)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise RequestError(f"{library}: nothing in the process asks for it{hint}")


def write_bindings(
    resolutions: Iterable[Resolution], pattern: re.Pattern[str], style: Style
) -> None:
    """Who supplies what, a line for each reference."""
    for resolution in resolutions:
        for line in binding_lines(resolution, pattern, style):
            write(line + "\n")
