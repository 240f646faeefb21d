"""The RPATH or RUNPATH of the file asked about, element by element."""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import LinkMapEntry, Outcome
from .case import Case

__all__ = ["elements", "leads_to", "tag_of"]


def tag_of(case: Case) -> str:
    """``RUNPATH`` or ``RPATH``: of an object that has both the second is not looked at."""
    dynamic = case.model.dynamic
    return "RUNPATH" if dynamic is not None and dynamic.runpath is not None else "RPATH"


def elements(case: Case) -> Iterator[str]:
    """The elements as written."""
    dynamic = case.model.dynamic
    if dynamic is not None:
        paths = dynamic.runpath if dynamic.runpath is not None else dynamic.rpath
        yield from (paths.split(":") if paths is not None else ())


def leads_to(case: Case, element: str) -> LinkMapEntry | None:
    """A library of the process that was found in the directory, or None."""
    directory = element.rstrip("/")
    for entry in case.link_map.entries:
        for step in entry.steps:
            if step.outcome is Outcome.FOUND and step.path.startswith(f"{directory}/"):
                return entry
    return None
