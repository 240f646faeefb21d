"""The RPATH or RUNPATH of the file asked about, element by element."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..loader import LinkMapEntry, Outcome
from .case import Case

__all__ = ["elements", "found_in", "listed", "shortened", "tag_of"]

_MOST_TOLD = 12
_LONGEST = 300  # characters


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


def _led_to(case: Case) -> dict[str, LinkMapEntry]:
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


def found_in(case: Case, directories: Iterable[str]) -> tuple[str, ...]:
    """What of the process is found in each of some elements, as evidence."""
    found = _led_to(case)
    users = [(element, found.get(element.rstrip("/"))) for element in directories]
    evidence = tuple(f"{entry.name} is found in {element}" for element, entry in users if entry)
    return evidence or ("nothing is found there",)


def listed(names: Sequence[str]) -> str:
    """Some names of many, for a sentence."""
    more = f" and {len(names) - _MOST_TOLD:,} more" if len(names) > _MOST_TOLD else ""
    return ", ".join(map(shortened, names[:_MOST_TOLD])) + more


def shortened(text: str) -> str:
    """A text that a hostile file may have made megabytes long, for a sentence."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
