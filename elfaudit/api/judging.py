"""The verdicts on all files of a build, as far as two builds are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..findings import Resolution
from ..findings.changed_verdicts import FileVerdict
from ..loader import Origin
from .compared_builds import ComparedBuild
from .resolving import resolve_all

__all__ = ["judgements"]

# Only verdicts are compared: to look for what is nearly a missing symbol takes as long as the rest.
_NEXT_TO_NOTHING = ("text-relocations",)


def judgements(
    build: ComparedBuild, surroundings: Mapping[str, Any], progress: Callable[[str], None] | None
) -> dict[str, FileVerdict]:
    """The verdict on each file, by its path; files that no loader takes have none.

    Args:
        build: the files.
        surroundings: the arguments of :func:`~elfaudit.api.resolving.resolve_all`.
        progress: called with the name of each file before it is looked at.

    Raises:
        RequestError: the host is not there.
    """
    paths = build.subjects()
    if build.single:
        paths[build.target] = next(iter(build.members))
    found: dict[str, FileVerdict] = {}
    results = resolve_all(
        [build.target], select=_NEXT_TO_NOTHING, progress=progress, **surroundings
    )
    for result in results:
        if not isinstance(result, Resolution) or result.subject not in paths:
            continue
        error = None if result.error is None else build.without_place(result.error)
        missing = (e.name for e in result.link_map.missing if e.origin is Origin.MISSING)
        found[paths[result.subject]] = FileVerdict(
            result.verdict, error, tuple(dict.fromkeys(map(build.without_place, missing)))
        )
    return found
