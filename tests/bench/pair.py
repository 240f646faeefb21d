"""What is measured: two commands that answer one question, and what came out."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

__all__ = ["Command", "Pair", "Row", "Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """One process, its waited-for children included: seconds, seconds, bytes."""

    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, how it is shown, and the exit codes that are no failure."""

    shown: str
    arguments: tuple[str, ...]
    codes: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: a question, who answers it, and what was promised.

    ``least`` is how many times as fast elfaudit must be; ``most_wall`` and ``most_peak`` bound the
    median second and the peak byte of elfaudit itself.
    """

    key: str
    question: str
    ours: Command
    theirs: Command
    target: str
    least: float = 0.0
    most_wall: float = float("inf")
    most_peak: float = float("inf")


@dataclass(slots=True)
class Row:
    """A pair and its rounds; ``reason`` says why there are none."""

    pair: Pair
    ours: list[Run] = field(default_factory=list)
    theirs: list[Run] = field(default_factory=list)
    reason: str = ""

    @property
    def speedups(self) -> list[float]:
        """How many times as fast elfaudit was, round by round."""
        return [b.wall / a.wall for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def met(self) -> bool:
        """Whether every target of the pair is met, by the medians."""
        pair = self.pair
        return (
            median(self.speedups) >= pair.least
            and median(run.wall for run in self.ours) <= pair.most_wall
            and max(run.peak for run in self.ours) <= pair.most_peak
        )
