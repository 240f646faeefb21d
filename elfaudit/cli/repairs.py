"""``elfaudit resolve --fix``: the repairs that are suggested, made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..api.fixes import each_fix
from ..api.patching import apply_patch
from ..api.resolving import resolve_all
from ..errors import ElfAuditError
from ..findings import Edit, Finding, Resolution, Selection
from ..report.patch import Outcome
from ..sources import split_address
from .output import Progress, told

__all__ = ["repaired"]


def repaired(
    targets: Sequence[str],
    inputs: dict[str, Any],
    progress: Progress,
    selection: Selection,
    *,
    unsafe: bool,
) -> tuple[list[Outcome], list[str]]:
    """Make the repairs of some targets that resolving them suggests.

    Args:
        targets: files, wheels, directories.
        inputs: the process, as :func:`resolve_all` takes it.
        progress: is told of each file.
        selection: the rules whose findings count.
        unsafe: whether repairs that ask for a look first are made, too.

    Returns:
        What was made, and why what could not be made could not.

    Raises:
        ElfAuditError: a target cannot be read.
    """
    found = _findings(targets, inputs, progress, selection)
    made: list[Outcome] = []
    refused: list[str] = []
    for plan in each_fix(found, unsafe=unsafe, root=inputs["root"], providers=inputs["with_"]):
        try:
            if isinstance(plan, ElfAuditError):
                raise plan
            result = apply_patch(plan)
        except ElfAuditError as error:
            refused.append(told(error))
        else:
            made.append(Outcome(plan.target, plan.files, plan.needed, result.paths))
    progress.clear()
    return made, refused


def _findings(
    targets: Sequence[str], inputs: dict[str, Any], progress: Progress, selection: Selection
) -> Iterator[Finding]:
    for result in resolve_all(targets, progress=progress, **inputs):
        if isinstance(result, Resolution):
            found = (each for each in result.findings if each.rule in selection)
            yield from (_of_subject(each, result.subject) for each in found)


def _of_subject(finding: Finding, subject: str) -> Finding:
    """A finding with those fixes only that change what was asked about, or its own archive.

    Nobody asked for a library of the system to be changed; and that of another root has the name
    that one of this machine has.
    """
    archive, inside = split_address(subject)
    inside = None if os.path.isdir(archive) else inside

    def is_asked(edit: Edit) -> bool:
        return edit.target == subject or (
            inside is not None and edit.target.startswith(f"{archive}::")
        )

    return replace(finding, fixes=tuple(f for f in finding.fixes if all(map(is_asked, f.edits))))
