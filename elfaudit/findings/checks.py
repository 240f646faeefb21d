"""What a checklist is made of, and what becomes of each check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .model import Severity

__all__ = ["Check", "CheckStatus", "Condition", "Judgement", "Runner"]


class CheckStatus(Enum):
    """What became of a check."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    SKIP = "SKIP"  # it does not apply here; the message says why
    UNDECIDED = "UNDECIDED"  # the bytes do not say
    ERROR = "ERROR"  # the check itself, or what it needs, cannot be read


@dataclass(frozen=True, slots=True)
class Condition:
    """When a check applies: only to some versions of a distribution that is there.

    Attributes:
        distribution: the name of the project.
        version: a version specifier (PEP 440); None: whichever it is.
    """

    distribution: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a checklist.

    Attributes:
        id: its name; unique in the checklist.
        kind: what it asks (``needed``, ``record`` …).
        title: what it is about, in words; the id where none is given.
        severity: how much it matters when it fails.
        parameters: what its kind takes, the variables filled in.
        requires: ids of checks that must have passed.
        when: where it applies; None: everywhere.
        advice: what to do when it fails; empty: what the kind says.
        precondition: whether others hang on it: where it does not hold, it is skipped with them.
        problem: why it cannot be judged as it is written (``check[3].match: …``); None if it can.
        unset: variables it needs that have no value.
    """

    id: str
    kind: str
    title: str
    severity: Severity = Severity.ERROR
    parameters: Mapping[str, object] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    when: Condition | None = None
    advice: str = ""
    precondition: bool = False
    problem: str | None = None
    unset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one check.

    Attributes:
        check: the check.
        status: PASS, FAIL, SKIP, UNDECIDED or ERROR.
        message: one sentence: what is so, or why it cannot be said.
        evidence: what it is concluded from, one sentence each.
        advice: what to do about it, as a sentence or a command; empty where there is nothing.
        applies: whether the check is for what is there; False where it is for another version of
            it, or for what is not there, and nobody need hear of it.
    """

    check: Check
    status: CheckStatus
    message: str
    evidence: tuple[str, ...] = ()
    advice: str = ""
    applies: bool = True


@dataclass(frozen=True, slots=True)
class Runner:
    """How commands are run, where the user allows it.

    Attributes:
        python: what ``{python}`` stands for; None: the interpreter of what is audited.
        prefix: words in front of every command (``docker run --rm IMAGE``).
    """

    python: str | None = None
    prefix: tuple[str, ...] = ()
