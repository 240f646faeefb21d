"""The verdicts on all files of a build, as far as two builds are compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..findings import Resolution, Verdict
from ..findings.changed_verdicts import FileVerdict
from ..findings.changes import some
from ..loader import Origin, Status
from .compared_builds import ComparedBuild
from .resolving import resolve_all

__all__ = ["judgements"]

# Only verdicts are compared: to look for what is nearly a missing symbol takes as long as the rest.
_NEXT_TO_NOTHING = ("text-relocations",)
_OPEN = (Status.UNRESOLVED, Status.UNDECIDED)


def judgements(
    build: ComparedBuild, surroundings: Mapping[str, Any], progress: Callable[[str], None] | None
) -> dict[str, FileVerdict]:
    """The verdict on each file, by its path; files that no loader takes have none.

    Args:
        build: the files.
        surroundings: the arguments of :func:`~elfaudit.api.resolving.resolve_all` but the root,
            which is that of the build.
        progress: called with the name of each file before it is looked at.

    Raises:
        RequestError: the host is not there.
    """
    paths = build.subjects()
    found: dict[str, FileVerdict] = {}
    results = resolve_all(
        build.targets, root=build.root, select=_NEXT_TO_NOTHING, progress=progress, **surroundings
    )
    for result in results:
        if isinstance(result, Resolution) and result.subject in paths:
            path = paths[result.subject]
            found[path] = _judgement(build, result, path)
    return found


def _judgement(build: ComparedBuild, result: Resolution, path: str) -> FileVerdict:
    error = None if result.error is None else build.without_place(result.error)
    missing = [e.name for e in result.link_map.missing if e.origin is Origin.MISSING]
    return FileVerdict(
        result.verdict,
        error,
        tuple(dict.fromkeys(map(build.without_place, missing))),
        None if error is None else _without_name(error, path),
        _doubt(result) if result.verdict is Verdict.UNDECIDED else None,
        _unresolved(result),
    )


def _without_name(error: str, path: str) -> str:
    """The loader's message without the file that it is about, whatever its path or name."""
    names = "|".join(map(re.escape, dict.fromkeys((path, path.rpartition("::")[2]))))
    return re.sub(rf"(?<![\w./-])/?(?:{names})(?![\w.-])", "", error)


def _doubt(result: Resolution) -> str | None:
    """Why the verdict is UNDECIDED: what is outside of what is audited, or cannot be told."""
    entries = result.link_map.entries
    external = [each.name for each in entries if each.origin is Origin.EXTERNAL]
    if external:
        verb = "is" if len(external) == 1 else "are"
        return f"{some(external)} {verb} not in what is audited"
    doubt = next((f"{each.label}: {each.doubt}" for each in entries if each.doubt), None)
    if doubt is not None:
        return doubt
    untold = dict.fromkeys(
        each.name for each in result.bindings.open_references() if each.status is Status.UNDECIDED
    )
    return f"cannot be told who supplies {some(list(untold))}" if untold else None


def _unresolved(result: Resolution) -> frozenset[str]:
    """The names of what the file itself needs and nobody supplies, in what is wholly known."""
    if any(each.origin is Origin.EXTERNAL for each in result.link_map.missing):
        return frozenset()
    subject = result.link_map.subject
    return frozenset(
        each.name
        for each in result.bindings.open_references()
        if each.reference is subject and each.status in _OPEN
    )
