"""The rules over one case, and the verdict that follows from them."""

from __future__ import annotations

from ..loader import Cause, Failure, Libc
from .case import Case
from .model import Finding, Severity, Verdict
from .registry import DEFAULT, RULES, Selection

__all__ = ["diagnose", "first_error", "verdict"]

_UNDECIDING = frozenset(("external-library", "undecided-object", "undecided-symbol"))


def diagnose(case: Case, selection: Selection = DEFAULT) -> tuple[Finding, ...]:
    """The findings of every rule; what stops the loader first comes first.

    The others follow in the order in which the loader would complain. Rules that are not selected
    are only asked where the verdict, or what is said of the first error, hangs on them: what is not
    to be told is for the caller to leave out.
    """
    asked = (rule for rule in RULES if rule.name in selection or rule.name in _ALWAYS)
    findings = [finding for rule in asked for finding in rule.check(case)]
    findings.sort(key=lambda finding: not _is_of(finding, case.failure))
    if case.failure is not None and not (findings and _is_of(findings[0], case.failure)):
        findings.insert(0, _plain(case.failure))
    return tuple(findings)


def _plain(failure: Failure) -> Finding:
    """The loader's words alone, for what no rule has more to say about."""
    rule = _RULES_OF[failure.cause][0]
    return Finding(rule, Severity.ERROR, failure.entry.display, failure.message)


def verdict(case: Case, findings: tuple[Finding, ...]) -> Verdict:
    """LOADS unless something stops the loader; UNDECIDED if only something unknown could."""
    if case.failure is not None:
        return Verdict.FAILS
    if case.damaged and case.link_map.libc is not Libc.MUSL:
        return Verdict.FAILS
    if any(finding.rule in _UNDECIDING for finding in findings):
        return Verdict.UNDECIDED
    return Verdict.LOADS


def first_error(case: Case) -> str | None:
    """The message of the loader; of an object that cannot be read, why it cannot."""
    if case.failure is not None:
        return case.failure.message
    if case.link_map.libc is Libc.MUSL:
        return None  # its loader looks at little of a file, and never complains of a table
    return next((str(error) for error in case.damaged.values()), None)


_RULES_OF = {
    Cause.FILE: ("refused-object", "missing-library"),
    Cause.STACK: ("executable-stack",),
    Cause.VERSION: ("version-not-found",),
    Cause.ISA_LEVEL: ("isa-level",),
    Cause.SYMBOL: ("unresolved-symbol",),
    Cause.STATIC_TLS: ("static-tls",),
    Cause.RELOCATION: ("refused-object",),
    Cause.DAMAGE: ("refused-object",),
}
_ALWAYS = _UNDECIDING.union(*_RULES_OF.values())


def _is_of(finding: Finding, failure: Failure | None) -> bool:
    """Whether a finding is about what stops the loader first."""
    if failure is None or finding.rule not in _RULES_OF[failure.cause]:
        return False
    if failure.symbol is not None:
        name = failure.symbol.partition("\0")[0]
        return finding.location == failure.entry.display and name in finding.symbols
    return finding.message == failure.message
