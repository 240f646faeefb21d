"""``min``, ``max`` and ``exact``: how many there must be."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import ChecklistError
from ...findings.checks import Check

__all__ = ["AMOUNT", "amount_told", "amount_wrong"]

_COUNT = {"type": "integer", "minimum": 0}
AMOUNT: Mapping[str, Mapping[str, object]] = {"min": _COUNT, "max": _COUNT, "exact": _COUNT}


def amount_wrong(check: Check, count: int) -> str:
    """What is wrong with an amount, a clause; empty if nothing is. By default one is asked for.

    Raises:
        ChecklistError: no amount can be right.
    """
    exact, least, most = (check.parameters.get(key) for key in ("exact", "min", "max"))
    if isinstance(least, int) and isinstance(most, int) and least > most:
        raise ChecklistError("", "min", f"{least:,} is more than max, {most:,}: nothing is both")
    if isinstance(exact, int) and count != exact:
        return f"instead of the {exact:,} asked for"
    if least is None and most is None and exact is None:
        least = 1
    if isinstance(least, int) and count < least:
        return f"fewer than the {least:,} asked for"
    if isinstance(most, int) and count > most:
        return f"more than the {most:,} asked for"
    return ""


def amount_told(check: Check) -> str:
    """What is asked for, in brackets."""
    parts = [
        f"{word} {check.parameters[key]:,}"
        for key, word in (("exact", "exactly"), ("min", "at least"), ("max", "at most"))
        if key in check.parameters
    ]
    return f" ({', '.join(parts)} asked for)" if parts else ""
