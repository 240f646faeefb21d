"""What a rule is: a name, a page that explains it, and a check that finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .case import Case
from .model import Finding, Severity

__all__ = ["Rule", "found_elsewhere"]


def found_elsewhere(_: Case) -> Iterator[Finding]:
    """The check of a rule that is decided before there is a case to look at."""
    return iter(())


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: as findings and options spell it.
        severity: the worst its findings can be.
        document: the docstring of its module, Markdown; None where Python strips docstrings.
        check: yields its findings for one case.
        default: whether it is asked unless it is ignored; the others only when they are selected.
    """

    name: str
    severity: Severity
    document: str | None
    check: Callable[[Case], Iterator[Finding]]
    default: bool = True

    @property
    def summary(self) -> str:
        """What it is about, one line."""
        return (self.document or self.name).partition("\n")[0]

    @property
    def page(self) -> str:
        """Its page of the documentation, Markdown."""
        when = "" if self.default else " Only asked with `--select`."
        head, _, body = (self.document or self.name).strip().partition("\n")
        severity = f"Severity: {self.severity.name.lower()} at worst.{when}"
        return f"# {self.name}\n\n{head}\n\n{severity}\n\n{body.strip()}\n"
