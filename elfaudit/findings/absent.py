"""What is told of a library that was not found, missing or external."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from ..loader import LinkMapEntry, Origin, Outcome
from .case import Case
from .model import Applicability, Finding, Fix
from .providers import Place, Provider
from .repairs import add_needed
from .rule import Rule

__all__ = ["MOST_NEAR", "absence", "users_of"]

MOST_NEAR = 256  # missing libraries of one process for which others are looked at
_MOST_DIRECTORIES = 12
_MOST_RELATIVES = 3
_SUFFIX = re.compile(r"\.so(?P<version>\..*)?$")


def absence(
    case: Case, entry: LinkMapEntry, rule: Rule, message: str, users: list[str], *, near: bool
) -> Finding:
    """The finding about one library: where it was looked for, how to supply it.

    ``near`` if what is like it is wanted too, which takes a while.
    """
    asker = case.link_map.asker(entry)
    found = case.catalogue.named(entry.name, case.model) if near else []
    relatives = tuple(_relatives(case, entry)) if near and not found else ()
    return Finding(
        rule.name,
        rule.severity,
        asker.display if asker is not None else entry.name,
        message,
        tuple(_evidence(entry, users, found, relatives)),
        tuple(_fixes(case, entry, found)),
    )


def users_of(case: Case) -> dict[LinkMapEntry, list[str]]:
    """Who lists each entry."""
    users: dict[LinkMapEntry, list[str]] = {}
    for entry, edges in case.link_map.edges.items():
        for other in edges:
            users.setdefault(other, []).append(entry.label)
    return users


def _relatives(case: Case, entry: LinkMapEntry) -> Iterator[Provider]:
    """Libraries that are called the same but for the version behind ``.so``."""
    paths = (posixpath.dirname(step.path) for step in entry.steps)
    searched = dict.fromkeys(path for path in paths if path.startswith("/") or "::" in path)
    place = Place(case.files, tuple(searched)) if case.files is not None else None
    seen: set[str] = set()
    for provider in case.catalogue.same_stem(entry.name, case.model, place):
        if provider.soname not in seen:
            seen.add(provider.soname)
            yield provider


def _evidence(
    entry: LinkMapEntry, users: list[str], found: Sequence[Provider], relatives: Sequence[Provider]
) -> Iterator[str]:
    if users:
        more = f" and {len(users) - 3} more" if len(users) > 3 else ""
        yield f"needed by {', '.join(users[:3])}{more}"
    searched = dict.fromkeys(posixpath.dirname(step.path) for step in entry.steps)
    directories = [directory or "the current directory" for directory in searched]
    if directories:
        shown = ", ".join(directories[:_MOST_DIRECTORIES])
        left = len(directories) - _MOST_DIRECTORIES
        more = f" and {left} more" if left > 0 else ""
        yield f"looked in {shown}{more}"
    if not found and not relatives and entry.origin is Origin.MISSING:
        yield "no library of that name is near; name more places to look with --with PATH"
    for provider in found:
        yield f"it is there as {provider.member.display}, where the loader does not look"
    for provider in relatives[:_MOST_RELATIVES]:
        yield _likeness(entry.name, provider)
    for step in entry.steps:
        if step.outcome not in (Outcome.ABSENT, Outcome.FOUND):
            yield f"{step.path}: {step.outcome.value}" + (
                f" ({step.detail})" if step.detail else ""
            )


def _likeness(name: str, provider: Provider) -> str:
    """What a library of the same stem has to do with the one that is missing."""
    wanted, theirs = _SUFFIX.search(name), _SUFFIX.search(provider.soname)
    directory = posixpath.dirname(provider.path)
    if provider.soname == name:
        return (
            f"{provider.member.display} has that SONAME, but no file beside it has the name: "
            f"ldconfig -n {directory or '.'} makes the link"
        )
    where = f"{provider.soname} is there ({provider.member.display})"
    if wanted is not None and wanted["version"] is None:
        return (
            f"{where}, but not {name}: that is the name for the linker (it comes with the "
            "development package), and a library that has no SONAME, or lost it, is asked for so"
        )
    if theirs is not None and theirs["version"] is None:
        return f"{where}, without a version: whether it is {name} cannot be told from its name"
    return f"{where}, need {name}: another ABI version, a symlink will not do"


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
