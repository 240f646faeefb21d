"""One file through all tools: add, load, add again, take back, strip, load."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .build import MARKERS
from .judge import STRIPS, Judge, Sample, complaints, needed, relro_holds_dynamic
from .tools import Ours, Tool

__all__ = ["Baseline", "Outcome", "Verdict", "judged"]

_WHOLE = "ok"
_LINTERS = ("readelf", "eu-elflint")


@dataclass
class Outcome:
    """What became of a file with one tool. A step is ``ok``, or says what went wrong.

    Attributes:
        add: the first library. ``refused: …`` if the tool said so, ``broken: …`` if it did not.
        again: the second one; None if it was not tried.
        back: both taken away again. From ours the old file is expected, bit for bit; from the
            others one that loads and lists what it listed.
        strips: the patched file stripped by each tool that the unpatched one survives.
        relro_lost: whether the dynamic section was made read-only, and is not any more.
        complaints: which checkers have something to say that they did not say before.
        growth: in bytes, after the first library.
    """

    add: str
    again: str | None = None
    back: str | None = None
    strips: dict[str, str] = field(default_factory=dict)
    relro_lost: bool = False
    complaints: dict[str, list[str]] = field(default_factory=dict)
    growth: int = 0


@dataclass
class Baseline:
    """The file before: why it does not load (None if it does), and which strips it survives."""

    problem: str | None
    strips: dict[str, str] = field(default_factory=dict)


@dataclass
class Verdict:
    """All about one file."""

    name: str
    group: str
    kind: str
    baseline: Baseline
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def judged(sample: Sample, judge: Judge, tools: Iterable[Tool], directory: Path) -> Verdict:
    """Put one file through all tools.

    Args:
        sample: the file.
        judge: of that file.
        tools: what edits it.
        directory: an empty one to work in.
    """
    baseline = Baseline(judge.problem(sample.path))
    verdict = Verdict(sample.name, sample.group, sample.kind, baseline)
    if baseline.problem is not None:
        return verdict
    for how in STRIPS if sample.kind != "static" else ():
        stripped = directory / f"before-{how}-{sample.path.name}"
        problem = judge.strip(how, sample.path, stripped) or judge.problem(stripped)
        baseline.strips[how] = problem or _WHOLE
    before = {each: complaints(sample.path, each, sample.machine) for each in _LINTERS}
    for tool in tools:
        place = directory / tool.name.replace(" ", "-")
        place.mkdir()
        case = _Case(sample, judge, tool, place)
        outcome = case.run([how for how, end in baseline.strips.items() if end == _WHOLE])
        verdict.outcomes[tool.name] = outcome
        if outcome.add == _WHOLE:
            outcome.complaints = _new_complaints(case.first, sample, before)
    return verdict


class _Case:
    """One file with one tool."""

    def __init__(self, sample: Sample, judge: Judge, tool: Tool, directory: Path) -> None:
        self._sample, self._judge, self._tool = sample, judge, tool
        self._directory = directory
        self.first = directory / sample.path.name

    def run(self, strips: Iterable[str]) -> Outcome:
        sample, first = self._sample, self.first
        outcome = Outcome(self._added(sample.path, first, MARKERS[:1]))
        if outcome.add != _WHOLE or sample.kind == "static":
            return outcome
        outcome.growth = first.stat().st_size - sample.path.stat().st_size
        outcome.relro_lost = bool(relro_holds_dynamic(sample.path)) and (
            relro_holds_dynamic(first) is False
        )
        second = self._directory / f"again-{first.name}"
        outcome.again = self._added(first, second, MARKERS)
        if outcome.again == _WHOLE:
            outcome.back = self._taken_back(second)
        for how in strips:
            stripped = self._directory / f"{how}-{first.name}"
            problem = self._judge.strip(how, first, stripped)
            problem = problem or self._judge.problem(stripped, MARKERS[:1])
            outcome.strips[how] = problem or _WHOLE
        return outcome

    def _added(self, source: Path, target: Path, markers: tuple[str, ...]) -> str:
        """Add the last of some libraries; all of them are then expected in the process."""
        problem = self._tool.add(source, target, markers[-1])
        if problem is not None:
            return f"refused: {problem}"
        if not target.exists():
            return "broken: nothing was written"
        problem = self._judge.problem(target, markers)
        return _WHOLE if problem is None else f"broken: {problem}"

    def _taken_back(self, second: Path) -> str:
        back = self._directory / f"back-{self.first.name}"
        if isinstance(self._tool, Ours):
            problem = self._tool.undo(second, back)
            if problem is not None:
                return f"refused: {problem}"
            if not filecmp.cmp(self._sample.path, back, shallow=False):
                return "broken: other bytes than before"
            problem = self._tool.remove(second, back, MARKERS)
            if problem is not None:
                return f"refused: {problem}"
            same = filecmp.cmp(self._sample.path, back, shallow=False)
            return _WHOLE if same else "broken: removing both gives other bytes than before"
        problem = self._tool.remove(second, back, MARKERS)
        if problem is not None:
            return f"refused: {problem}"
        problem = self._judge.problem(back) if back.exists() else "nothing was written"
        if problem is None and needed(back) != needed(self._sample.path):
            problem = "other libraries are listed than before"
        return _WHOLE if problem is None else f"broken: {problem}"


def _new_complaints(
    path: Path, sample: Sample, before: Mapping[str, Mapping[str, int] | None]
) -> dict[str, list[str]]:
    found = {}
    for checker, old in before.items():
        new = complaints(path, checker, sample.machine)
        if old is not None and new is not None:
            found[checker] = sorted(each for each in new if new[each] > old.get(each, 0))
    return found
