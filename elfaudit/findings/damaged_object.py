"""Rule ``damaged-object``: an object of the process whose symbol tables cannot be read.

What it is: a library that is found and has sound headers, but whose symbol, version, hash or
relocation tables contradict the specification.

Why it matters: what it defines and what it asks for is unknown; the loader may crash on it.

Fix: build or copy the file again.
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .model import Finding, Severity

__all__ = ["check"]


def check(case: Case) -> Iterator[Finding]:
    """One finding per damaged object."""
    for entry, error in case.damaged.items():
        yield Finding("damaged-object", Severity.ERROR, entry.display, str(error))
