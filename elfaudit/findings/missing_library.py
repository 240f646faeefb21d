"""Rule ``missing-library``: a NEEDED library that the loader does not find.

What it is: a name in DT_NEEDED, and no file for it on any path the loader searches.

Why it matters: the loader stops at the first such name; nothing of the program or extension runs.

How it is decided: the search order of glibc is replayed; every path tried is kept. In a root that
has no dynamic loader of its own (a wheel alone, a partial tree) absence proves nothing: then the
library is called external, and what it might supply is undecided.

Fix: put the library's directory on the RUNPATH or the LD_LIBRARY_PATH, or install what has it.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Sequence

from ..loader import LinkMapEntry, Origin, Outcome
from ..loader.failure import absence_message
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .providers import Provider
from .repairs import add_needed

__all__ = ["check"]

_MOST_DIRECTORIES = 12


def check(case: Case) -> Iterator[Finding]:
    """One finding per name that was not found; preloads that were not are only warned of."""
    missing = case.link_map.missing
    users = _users(case) if missing else {}
    for entry in missing:
        external = entry.origin is Origin.EXTERNAL
        found = case.catalogue.named(entry.name, case.model)
        yield Finding(
            "external-library" if external else "missing-library",
            Severity.WARNING if external else Severity.ERROR,
            entry.loader.display if entry.loader else entry.name,
            _message(entry, external=external),
            tuple(_evidence(entry, users.get(entry, []), found)),
            tuple(_fixes(case, entry, found)),
        )
    for entry in case.link_map.ignored_preloads:
        yield Finding(
            "ignored-preload",
            Severity.WARNING,
            entry.name,
            f"object '{entry.name}' from LD_PRELOAD cannot be preloaded "
            "(cannot open shared object file): ignored.",
        )


def _message(entry: LinkMapEntry, *, external: bool) -> str:
    if external:
        return f"{entry.name}: is not in what is audited; taken to come from elsewhere"
    return absence_message(entry)


def _users(case: Case) -> dict[LinkMapEntry, list[str]]:
    """Who lists each entry."""
    users: dict[LinkMapEntry, list[str]] = {}
    for entry, edges in case.link_map.edges.items():
        for other in edges:
            users.setdefault(other, []).append(entry.label)
    return users


def _evidence(entry: LinkMapEntry, users: list[str], found: Sequence[Provider]) -> Iterator[str]:
    if users:
        more = f" and {len(users) - 3} more" if len(users) > 3 else ""
        yield f"needed by {', '.join(users[:3])}{more}"
    directories = list(dict.fromkeys(posixpath.dirname(step.path) for step in entry.steps))
    if directories:
        shown = ", ".join(directories[:_MOST_DIRECTORIES])
        left = len(directories) - _MOST_DIRECTORIES
        more = f" and {left} more" if left > 0 else ""
        yield f"looked in {shown}{more}"
    if not found and entry.origin is Origin.MISSING:
        yield "no library of that name is near; name more places to look with --with PATH"
    for provider in found:
        yield f"it is there as {provider.member.display}, where the loader does not look"
    for step in entry.steps:
        if step.outcome not in (Outcome.ABSENT, Outcome.FOUND):
            yield f"{step.path}: {step.outcome.value}" + (
                f" ({step.detail})" if step.detail else ""
            )


def _fixes(case: Case, entry: LinkMapEntry, found: Sequence[Provider]) -> Iterator[Fix]:
    """How to let the loader find the first of the libraries that have the name."""
    if entry.loader is None:
        return
    for provider in found[:1]:
        yield add_needed(case, entry.loader, entry.name, provider.path, provider.member.identity)
        if "::" not in provider.path:
            yield Fix(
                "or, without changing a file, tell the loader where it is",
                f"export LD_LIBRARY_PATH={shlex.quote(posixpath.dirname(provider.path))}",
                (),
                Applicability.DISPLAY_ONLY,
            )
