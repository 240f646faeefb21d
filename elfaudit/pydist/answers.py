"""The answers to questions about modules: whether a name is there, what else there is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .surface import Grade

__all__ = [
    "Answer", "ImportAudit", "ImportFinding", "Inventory", "Literal", "Presence", "Refusal",
    "missing",
]  # fmt: skip


class Presence(Enum):
    """Whether something is there."""

    PRESENT = "present"
    ABSENT = "absent"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a module, or a name of one, can be imported.

    Attributes:
        status: whether it can.
        reason: why it cannot be said; or how a name that is there comes about, if oddly.
        homes: for a name that is absent, the modules of the package that define it, nearest first.
    """

    status: Presence
    reason: str = ""
    homes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportFinding:
    """An import that does not find what it names, or of which that cannot be said.

    Attributes:
        file, line: where it is, relative to the import root.
        module: what it imports from, in full.
        name: what it imports; None for the module itself.
        grade: when it is carried out.
        status: ABSENT or UNDECIDED.
        reason, homes: as of :class:`Answer`.
    """

    file: str
    line: int
    module: str
    name: str | None
    grade: Grade
    status: Presence
    reason: str
    homes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportAudit:
    """The imports that a package makes from itself.

    Attributes:
        findings: those that are not PRESENT, by file and line.
        imports: how many names were looked at.
        modules: of how many modules.
        unread: the modules written in Python that could not be looked into, and why.
    """

    findings: tuple[ImportFinding, ...]
    imports: int
    modules: int
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """The public names of a module.

    Attributes:
        names: those without an underscore in front.
        complete: whether there are no others.
    """

    names: frozenset[str]
    complete: bool


@dataclass(frozen=True, slots=True)
class Literal:
    """The value of a constant of a module.

    Attributes:
        status: PRESENT with a value; ABSENT; UNDECIDED where it is computed.
        value: the value.
        reason: why there is none.
    """

    status: Presence
    value: object = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a module cannot be imported.

    Attributes:
        file, line: the statement that fails, relative to the import root.
        problem: what is wrong with it, a clause.
        is_sure: False where a newer Python may accept what this one does not parse.
    """

    file: str
    line: int
    problem: str
    is_sure: bool = True

    @property
    def place(self) -> str:
        """File, line and what is wrong there."""
        return (
            f"{self.file}:{self.line}: {self.problem}"
            if self.line
            else (f"{self.file}: {self.problem}")
        )


def missing(module: str, name: str | None, answer: Answer) -> str:
    """What is not there, a clause, and where it is instead.

    Args:
        module: of which it was asked.
        name: what was asked for; None for the module itself.
        answer: that it is absent, or cannot be decided.
    """
    where = f"; it is in {' and '.join(answer.homes[:2])}" if answer.homes else ""
    if name is None:
        return f"there is no module {module}{where}"
    if name == "*":
        return f"from {module} import * fails, as {answer.reason}{where}"
    return f"{module} has no {name}{where}"
