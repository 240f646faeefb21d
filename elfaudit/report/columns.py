"""Columns of text, as wide as what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["plain_table", "ruled_table"]


def plain_table(rows: Iterable[Sequence[str]], headers: Sequence[str] = ()) -> str:
    """Rows in columns, below their headers if there are any; nothing is taken for a number."""
    return _table(rows, headers, "plain")


def ruled_table(rows: Iterable[Sequence[str]], headers: Sequence[str]) -> str:
    """The same with a line below the headers."""
    return _table(rows, headers, "simple")


def _table(rows: Iterable[Sequence[str]], headers: Sequence[str], form: str) -> str:
    from tabulate import tabulate  # noqa: PLC0415  20 ms that a report without a table saves

    return tabulate(rows, headers=headers, tablefmt=form, disable_numparse=True)
