"""All rules over one case, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import (
    damaged_object,
    missing_library,
    refused_object,
    scope_accidents,
    unresolved_symbol,
    version_not_found,
)
from .case import Case
from .model import Finding, Severity, Verdict

__all__ = ["diagnose", "first_error", "verdict"]

# In the order in which the loader would complain: file, version, symbol; then what it never says.
_RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    refused_object.check,
    missing_library.check,
    damaged_object.check,
    version_not_found.check,
    unresolved_symbol.check,
    scope_accidents.check,
)

_UNDECIDING = frozenset(("external-library", "undecided-symbol"))


def diagnose(case: Case) -> tuple[Finding, ...]:
    """The findings of every rule, in the order in which the loader would complain."""
    return tuple(finding for rule in _RULES for finding in rule(case))


def verdict(findings: tuple[Finding, ...]) -> Verdict:
    """LOADS unless something stops the loader; UNDECIDED if only something unknown could."""
    if any(finding.severity is Severity.ERROR for finding in findings):
        return Verdict.FAILS
    if any(finding.rule in _UNDECIDING for finding in findings):
        return Verdict.UNDECIDED
    return Verdict.LOADS


def first_error(findings: tuple[Finding, ...]) -> str | None:
    """The message the loader would print, from the first finding that stops it."""
    for finding in findings:
        if finding.severity is Severity.ERROR:
            return finding.message.partition(" (and ")[0]
    return None
