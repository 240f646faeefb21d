"""The repairs that findings suggest: each file or wheel is changed once for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from ..errors import ElfAuditError, PatchError
from ..findings import Applicability, Edit, Finding
from ..patch.edits import PatchEdit
from ..sources import split_address
from .patching import PatchPlan, patch_edit, plan_many

__all__ = ["each_fix", "plan_fixes"]


def plan_fixes(
    findings: Iterable[Finding],
    *,
    unsafe: bool = False,
    root: str | None = "/",
    providers: Iterable[str] = (),
    drop_signature: bool = False,
) -> tuple[PatchPlan, ...]:
    """Plan the repairs that findings suggest: of each the first one that changes a file.

    Args:
        findings: of any number of files; each file or wheel is changed once for all of them.
        unsafe: whether those that ask for a look first (``Applicability.UNSAFE``) are made, too.
        root: as for :func:`plan_patch`.
        providers: likewise.
        drop_signature: likewise.

    Raises:
        PatchError: as :func:`plan_patch`; or a file of another root has to be changed, which has
            the name of one of this machine.
        SourceError, ElfFormatError: as :func:`plan_patch`.
    """
    plans: list[PatchPlan] = []
    for plan in each_fix(
        findings, unsafe=unsafe, root=root, providers=tuple(providers),
        drop_signature=drop_signature,
    ):  # fmt: skip
        if isinstance(plan, ElfAuditError):
            raise plan
        plans.append(plan)
    return tuple(plans)


def each_fix(
    findings: Iterable[Finding],
    *,
    unsafe: bool,
    root: str | None,
    providers: Sequence[str] = (),
    drop_signature: bool = False,
) -> Iterator[PatchPlan | ElfAuditError]:
    """The same one by one; where a file cannot be repaired, why."""
    wanted: dict[str, dict[str, dict[PatchEdit, None]]] = {}
    refused: dict[str, ElfAuditError] = {}
    for edit in _repairs(findings, unsafe=unsafe):
        if _is_of_root(edit.target, root):
            why = f"is a file of {root}: name it as {os.path.join(root or '', edit.target[1:])}"
            refused[edit.target] = PatchError(edit.target, why)
            continue
        container, inside = split_address(edit.target)
        if inside is not None and os.path.isdir(container):
            container, inside = os.path.join(container, inside), None
        name = container if inside is None else f"{container}::{inside}"
        wanted.setdefault(container, {}).setdefault(name, {})[patch_edit(edit)] = None
    yield from refused.values()
    for target, files in wanted.items():
        edits = {name: tuple(some) for name, some in files.items()}
        try:
            plan = plan_many(
                target, edits, root=root, providers=providers, drop_signature=drop_signature
            )
        except ElfAuditError as error:
            yield error
        else:
            yield plan


def _is_of_root(target: str, root: str | None) -> bool:
    """Whether a path is one of another root, and would be that of another file here."""
    elsewhere = root is not None and os.path.realpath(root) != "/"
    return elsewhere and target.startswith("/") and os.path.lexists(f"{root}{target}")


def _repairs(findings: Iterable[Finding], *, unsafe: bool) -> Iterator[Edit]:
    """The edits of the first repair of each finding that changes a file and may be made."""
    allowed = {Applicability.SAFE, Applicability.UNSAFE} if unsafe else {Applicability.SAFE}
    for finding in findings:
        fixes = (fix for fix in finding.fixes if fix.edits and fix.applicability in allowed)
        fix = next(fixes, None)
        yield from fix.edits if fix is not None else ()
