"""The RPATH or RUNPATH of the file asked about, element by element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..loader import LinkMapEntry, Outcome
from .case import Case

__all__ = ["elements", "led_to", "listed", "tag_of"]

_MOST_TOLD = 12


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


def led_to(case: Case) -> dict[str, LinkMapEntry]:
    """Directories, those above them included, to the first library that was found in them."""
    found: dict[str, LinkMapEntry] = {}
    for entry in case.link_map.entries:
        for step in entry.steps:
            if step.outcome is Outcome.FOUND:
                directory = step.path.rpartition("/")[0]
                while directory and directory not in found:
                    found[directory] = entry
                    directory = directory.rpartition("/")[0]
    return found


def listed(names: Sequence[str]) -> str:
    """Some names of many, for a sentence."""
    more = f" and {len(names) - _MOST_TOLD:,} more" if len(names) > _MOST_TOLD else ""
    return ", ".join(names[:_MOST_TOLD]) + more
