"""The table of what became of the corpus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from .cycle import Outcome, Verdict
from .judge import STRIPS

__all__ = ["failures", "tables"]

_OK = "ok"


def tables(verdicts: Sequence[Verdict], skipped: Iterable[tuple[str, str]]) -> str:
    """Everything as Markdown: a table for what was built, one for real files, what was left out."""
    parts = []
    for group, title in (("built", "Built"), ("real", "Real")):
        found = [each for each in verdicts if each.group == group and each.kind != "static"]
        loading = [each for each in found if each.baseline.problem is None]
        if loading:
            parts.append(_table(f"{title}, n={len(loading)}", loading))
    parts += _of_static([each for each in verdicts if each.kind == "static"])
    parts.append(_left_out(verdicts, skipped))
    return "\n\n".join(part for part in parts if part)


def failures(verdicts: Iterable[Verdict], tool: str) -> list[str]:
    """What went wrong with one tool: a line each."""
    found = []
    for each in verdicts:
        outcome = each.outcomes.get(tool)
        if outcome is None or (each.kind == "static" and outcome.add.startswith("refused")):
            continue
        steps = {"add": outcome.add, "again": outcome.again, "back": outcome.back}
        steps |= outcome.strips
        wrong = [f"{step}: {end}" for step, end in steps.items() if end not in (_OK, None)]
        found += [f"{each.name}: {end}" for end in wrong]
    return found


def _table(title: str, verdicts: Sequence[Verdict]) -> str:
    tools = list(dict.fromkeys(name for each in verdicts for name in each.outcomes))
    columns = [
        [each.outcomes[tool] for each in verdicts if tool in each.outcomes] for tool in tools
    ]
    rows: list[tuple[str, Callable[[Sequence[Outcome]], str]]] = [
        ("add: loads, with the library", lambda column: str(len(_added(column)))),
        ("error reported", lambda column: _count(column, "refused")),
        ("**broken file written, no error**", lambda column: _count(column, "broken")),
        ("second add", lambda column: _share([each.again for each in _added(column)])),
        ("both taken back*", lambda column: _share([each.back for each in _twice(column)])),
        *((f"broken by {how}†", _stripped(how)) for how in STRIPS),
        ("dynamic section no longer RELRO", _relro),
        ("files with new readelf warnings", _complaining("readelf")),
        ("files with new eu-elflint errors", _complaining("eu-elflint")),
        ("growth in bytes, median / largest", _growth),
    ]
    lines = [f"| {title} | {' | '.join(tools)} |", "| --- |" + " ---: |" * len(tools)]
    lines += [f"| {name} | {' | '.join(map(tell, columns))} |" for name, tell in rows]
    return "\n".join(lines)


def _added(column: Iterable[Outcome]) -> list[Outcome]:
    return [each for each in column if each.add == _OK]


def _twice(column: Iterable[Outcome]) -> list[Outcome]:
    return [each for each in _added(column) if each.again == _OK]


def _count(column: Iterable[Outcome], how: str) -> str:
    return str(sum(each.add.startswith(how) for each in column))


def _share(steps: Sequence[str | None]) -> str:
    return f"{sum(each == _OK for each in steps)}/{len(steps)}"


def _stripped(how: str) -> Callable[[Sequence[Outcome]], str]:
    def tell(column: Sequence[Outcome]) -> str:
        steps = [each.strips[how] for each in _added(column) if how in each.strips]
        return f"{sum(each != _OK for each in steps)}/{len(steps)}"

    return tell


def _relro(column: Sequence[Outcome]) -> str:
    return str(sum(each.relro_lost for each in column))


def _complaining(checker: str) -> Callable[[Sequence[Outcome]], str]:
    return lambda column: str(sum(bool(each.complaints.get(checker)) for each in column))


def _growth(column: Sequence[Outcome]) -> str:
    sizes = [each.growth for each in _added(column)]
    return f"{median(sizes):.0f} / {max(sizes)}" if sizes else "-"


def _of_static(verdicts: Sequence[Verdict]) -> list[str]:
    """What is done with programs that no loader loads libraries for."""
    loading = [each for each in verdicts if each.baseline.problem is None]
    if not loading:
        return []
    tools = list(dict.fromkeys(name for each in loading for name in each.outcomes))
    column = {tool: [each.outcomes[tool].add for each in loading] for tool in tools}
    rows = (
        ("refused", "refused"),
        ("written, runs, loads nothing", _OK),
        ("written, does not run", "broken"),
    )
    title = f"| Static PIE, n={len(loading)} | {' | '.join(tools)} |"
    lines = [title, "| --- |" + " ---: |" * len(tools)]
    lines += [
        f"| {name} | {' | '.join(_beginning(column[tool], how) for tool in tools)} |"
        for name, how in rows
    ]
    return ["\n".join(lines)]


def _beginning(ends: Iterable[str], how: str) -> str:
    return str(sum(end.startswith(how) for end in ends))


def _left_out(verdicts: Iterable[Verdict], skipped: Iterable[tuple[str, str]]) -> str:
    """Which files do not count, and why: by reason, with one of each."""
    reasons: Counter[str] = Counter()
    example: dict[str, str] = {}
    unloadable = [
        (each.name, f"does not load unpatched: {each.baseline.problem}")
        for each in verdicts
        if each.baseline.problem is not None
    ]
    for name, told in (*skipped, *unloadable):
        reason = _in_general(told)
        reasons[reason] += 1
        example.setdefault(reason, name)
    if not reasons:
        return ""
    lines = ["| left out | files | for example |", "| --- | ---: | --- |"]
    lines += [
        f"| {reason.replace('|', '/')} | {count} | {example[reason]} |"
        for reason, count in reasons.most_common()
    ]
    return "\n".join(lines)


def _in_general(reason: str) -> str:
    """A reason without what only one file has in it."""
    for pattern, text in _IN_GENERAL:
        reason = re.sub(pattern, text, reason)
    return reason[:120]


_IN_GENERAL = (
    (r"exit \d+: .*(undefined symbol): .*", r"\1: its host has it, or another library"),
    (r"exit \d+: (?!file\.so)\S+: (cannot open shared object file).*", "a library is not here"),
    (r"exit \d+: file\.so: ", ""),
    (r"/\S*/", ""),
    (r":\([^)]*\)", ""),
    (r"\S*crt1\.o", "crt1.o"),
)
