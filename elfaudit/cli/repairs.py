"""``elfaudit resolve --fix``: the repairs that are suggested, made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..api.patching import apply_patch, plan_fixes
from ..api.resolving import resolve_all
from ..findings import Finding, Resolution, Selection
from ..report.patch import Outcome
from .output import Progress

__all__ = ["repaired"]


def repaired(
    targets: Sequence[str],
    inputs: dict[str, Any],
    progress: Progress,
    selection: Selection,
    *,
    unsafe: bool,
) -> list[Outcome]:
    """Make the repairs that resolving some targets suggests.

    Args:
        targets: files, wheels, directories.
        inputs: the process, as :func:`resolve_all` takes it.
        progress: is told of each file.
        selection: the rules whose findings count.
        unsafe: whether repairs that ask for a look first are made, too.

    Raises:
        ElfAuditError: a target cannot be read, or a repair not be made.
    """
    found = _findings(targets, inputs, progress, selection)
    made: list[Outcome] = []
    for plan in plan_fixes(found, unsafe=unsafe, root=inputs["root"]):
        result = apply_patch(plan)
        made.append(Outcome(plan.target, plan.files, plan.needed, result.paths))
    progress.clear()
    return made


def _findings(
    targets: Sequence[str], inputs: dict[str, Any], progress: Progress, selection: Selection
) -> Iterator[Finding]:
    for result in resolve_all(targets, progress=progress, **inputs):
        if isinstance(result, Resolution):
            yield from (each for each in result.findings if each.rule in selection)
