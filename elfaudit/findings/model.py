"""What a judgement is made of: the types every report speaks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the loader is no small thing to import, and nothing here asks it
    from ..loader import Bindings, LinkMap, LinkMapEntry

__all__ = [
    "Applicability",
    "Edit",
    "Finding",
    "Fix",
    "Resolution",
    "Severity",
    "Verdict",
]


class Severity(IntEnum):
    """How much a finding matters; comparable."""

    NOTE = 1
    WARNING = 2
    ERROR = 3


class Applicability(Enum):
    """How a fix may be used: SAFE by a program, UNSAFE after a look, DISPLAY_ONLY never."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    DISPLAY_ONLY = "display-only"


class Verdict(Enum):
    """What the loader would do with a file."""

    LOADS = "LOADS"
    FAILS = "FAILS"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to one file: ``kind`` is ``add-needed`` or ``add-runpath``."""

    kind: str
    target: str
    value: str


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to repair a finding.

    Attributes:
        title: what it does, a clause.
        command: what to type, or None.
        edits: the same for a program; empty where no file would change.
        applicability: how far it can be trusted.
    """

    title: str
    command: str | None
    edits: tuple[Edit, ...]
    applicability: Applicability


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is, or may be, wrong.

    Attributes:
        rule: its rule's name.
        severity: how much it matters.
        location: the file it is about, as the user can name it.
        message: one sentence, in the loader's own words where the loader has any.
        evidence: what it is concluded from, one sentence each.
        fixes: ways to repair it, the best one first.
        symbols: the (mangled) symbols concerned, none left out.
    """

    rule: str
    severity: Severity
    location: str
    message: str
    evidence: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """What would happen to one file, and why.

    Attributes:
        subject: the file, as the user can name it.
        verdict: LOADS, FAILS or UNDECIDED.
        error: the message the loader would print first; None unless the verdict is FAILS.
        host: the program whose process it is, or None: the subject is the program itself.
        link_map: the objects of the process.
        bindings: what every reference binds to.
        findings: everything found, in the order in which the loader would complain.
        within: the files in whose processes it was judged, because it does not load alone and
            nothing else lists it; empty for what is judged by itself.
    """

    subject: str
    verdict: Verdict
    error: str | None
    host: LinkMapEntry | None
    link_map: LinkMap
    bindings: Bindings
    findings: tuple[Finding, ...]
    within: tuple[str, ...] = ()
