"""What became of checklists: text for people, JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from ..findings import Severity
from ..findings.checks import CheckStatus, Judgement
from .columns import ruled_table
from .jsontext import SCHEMA_VERSION, dump
from .style import Style, clean, wrap

__all__ = ["Verified", "verification_document", "verification_text"]

_LOOKS = {
    CheckStatus.PASS: ("green",),
    CheckStatus.FAIL: ("red", "bold"),
    CheckStatus.SKIP: ("dim",),
    CheckStatus.UNDECIDED: ("yellow",),
    CheckStatus.ERROR: ("red", "bold"),
}
_TOLD = {
    CheckStatus.FAIL: "failed",
    CheckStatus.ERROR: "could not be judged",
    CheckStatus.UNDECIDED: "undecided",
    CheckStatus.SKIP: "skipped",
}
_STATUS = max(len(each.value) for each in CheckStatus)
_MOST = 6
_WIDEST_TABLE = 120


class Verified(Protocol):
    """The judgements of one checklist on one build."""

    @property
    def build(self) -> str:
        """How the user names the build."""

    @property
    def checklist(self) -> str:
        """The name of the checklist."""

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """One for each check."""


def verification_text(reports: Sequence[Verified], style: Style) -> str:
    """The tally of each build, then its checks; several builds of one checklist as a table."""
    parts = [_sheet(each, style) for each in reports]
    table = _table(reports, style)
    return "\n\n".join(part for part in (table, *parts) if part)


def _sheet(report: Verified, style: Style) -> str:
    lines = [_tally(report, style)]
    for each in report.judgements:
        bad = each.status in (CheckStatus.FAIL, CheckStatus.ERROR, CheckStatus.UNDECIDED)
        if style.quiet and not bad:
            continue
        if each.status is CheckStatus.SKIP and not style.verbose and not each.applies:
            continue
        lines += _lines(each, style, full=bad or style.verbose)
    return "\n".join(lines)


def _tally(report: Verified, style: Style) -> str:
    counts = Counter(each.status for each in report.judgements)
    judged = sum(counts[s] for s in CheckStatus) - counts[CheckStatus.SKIP]
    parts = [f"{counts[CheckStatus.PASS]}/{judged} passed" if judged else "nothing was judged"]
    parts += [f"{counts[s]} {word}" for s, word in _TOLD.items() if counts[s]]
    worst = next(
        (s for s in (CheckStatus.FAIL, CheckStatus.ERROR, CheckStatus.UNDECIDED) if counts[s]), None
    )
    text = ", ".join(parts)
    looks = _LOOKS[worst] if worst is not None else ("green", "bold")
    return f"{clean(report.build)} ({clean(report.checklist)}): {style.paint(text, *looks)}"


def _lines(each: Judgement, style: Style, *, full: bool) -> Iterator[str]:
    status = style.paint(f"{each.status.value:<{_STATUS}}", *_LOOKS[each.status])
    indent = " " * (_STATUS + 4)
    weight = f" [{each.check.severity.name.lower()}]" if _is_minor(each) else ""
    yield wrap(
        f"{clean(each.check.title)}{weight}: {style.words(each.message)}",
        style.columns, indent=indent, first=f"  {status}  ",
    )  # fmt: skip
    if not full:
        return
    shown = each.evidence if style.verbose else each.evidence[:_MOST]
    for line in shown:
        yield style.paint(
            wrap(style.words(line), style.columns, indent=f"{indent}  ", first=f"{indent}- "), "dim"
        )
    if len(shown) < len(each.evidence):
        yield style.paint(
            f"{indent}- and {len(each.evidence) - len(shown):,} more (--verbose)", "dim"
        )
    for line in each.advice.splitlines()[:_MOST]:
        yield f"{indent}{style.paint('fix:', 'cyan')} {clean(line)}"


def _is_minor(judgement: Judgement) -> bool:
    """Whether a check failed that does not fail the build by default."""
    return judgement.status is CheckStatus.FAIL and judgement.check.severity < Severity.ERROR


def _table(reports: Sequence[Verified], style: Style) -> str:
    """Checks in rows, builds in columns; empty for one build."""
    lists: dict[tuple[str, ...], list[Verified]] = {}
    for each in reports:
        key = (each.checklist, *(one.check.id for one in each.judgements))
        lists.setdefault(key, []).append(each)
    return "\n\n".join(_table_of(some, style) for some in lists.values() if len(some) > 1)


def _table_of(reports: Sequence[Verified], style: Style) -> str:
    """One checklist; builds whose names are too long for columns are numbered."""
    names = [clean(each.build) for each in reports]
    rows = [
        [clean(one[0].check.title), *(_cell(each, style) for each in one)]
        for one in zip(*(each.judgements for each in reports), strict=True)
    ]
    widest = max(len(row[0]) for row in rows)
    legend = ""
    if widest + sum(len(name) + 2 for name in names) > min(style.columns, _WIDEST_TABLE):
        numbers = [f"({number})" for number in range(1, len(names) + 1)]
        legend = "\n".join(map(" ".join, zip(numbers, names, strict=True))) + "\n\n"
        names = numbers
    tallies = ["", *(_passed(each) for each in reports)]
    heads = [clean(reports[0].checklist), *names]
    return legend + ruled_table([*rows, tallies], heads)


def _passed(report: Verified) -> str:
    """``7/9``: how many of the checks that were made passed."""
    made = [each for each in report.judgements if each.status is not CheckStatus.SKIP]
    return f"{sum(each.status is CheckStatus.PASS for each in made)}/{len(made)}"


def _cell(judgement: Judgement, style: Style) -> str:
    return style.paint(judgement.status.value, *_LOOKS[judgement.status])


def verification_document(reports: Sequence[Verified]) -> str:
    """The output of ``verify`` as JSON."""
    rows = [
        {
            "build": each.build,
            "checklist": each.checklist,
            "tally": {
                status.value.lower(): sum(one.status is status for one in each.judgements)
                for status in CheckStatus
            },
            "checks": [_row(one) for one in each.judgements],
        }
        for each in reports
    ]
    return dump({"schema_version": SCHEMA_VERSION, "reports": rows}, indent=1) + "\n"


def _row(judgement: Judgement) -> dict[str, object]:
    check = judgement.check
    return {
        "id": check.id,
        "kind": check.kind,
        "title": check.title,
        "severity": check.severity.name.lower(),
        "status": judgement.status.value,
        "message": judgement.message,
        "evidence": list(judgement.evidence),
        "advice": judgement.advice or None,
    }
