"""``patch-needed``: what a file lists is changed, in a file, a wheel or a directory, and proven."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ElfAuditError, RequestError
from ..findings import Applicability, Edit, FilePatch, Finding
from ..patch.edits import AddNeeded, AddRunpath, PatchEdit
from ..patch.planning import Plan, plan, plan_undo
from ..patch.wheel import Wheel, WheelChange, read_wheel
from ..sources import FileSource, FolderSource, WheelSource, open_source, split_address
from ..stream import ByteStream
from .members import matching
from .patch_jobs import FileJob, Job, Planner, WheelJob

if TYPE_CHECKING:
    from ..elf import ElfObject
    from .patch_checks import Checks

__all__ = ["PatchPlan", "PatchResult", "apply_patch", "plan_fixes", "plan_patch", "undo_patch"]


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """What :func:`apply_patch` would do; nothing is written yet.

    Attributes:
        target: what is patched, as it was given.
        files: each ELF file of it.
        needed: whether anything would change.
    """

    target: str
    files: tuple[FilePatch, ...]
    needed: bool
    _jobs: tuple[Job, ...] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PatchResult:
    """What was written.

    Attributes:
        plan: what was planned.
        paths: the files or the wheel that were written, or need not be; in the order of the plan.
        backups: where what was there before was kept.
    """

    plan: PatchPlan
    paths: tuple[str, ...]
    backups: tuple[str, ...]


def plan_patch(
    target: str | os.PathLike[str],
    edits: Iterable[PatchEdit | Edit],
    *,
    members: Iterable[str] = (),
    root: str | None = "/",
    providers: Iterable[str] = (),
    force: bool = False,
    check: bool = True,
    build_tag: str | None = None,
    local_version: str | None = None,
    drop_signature: bool = False,
) -> PatchPlan:
    """Plan changes of what ELF files list; nothing is written.

    Args:
        target: a shared object or an executable, ``wheel::member``, a wheel, or a directory.
        edits: what to change, in order: :class:`AddNeeded` and the like, or the edits of a
            :class:`Fix`.
        members: which files of a wheel or a directory: paths, patterns or SONAMEs.
        root: the directory that is ``/`` for the process; libraries are looked for there.
        providers: files, directories or wheels that have, or will have, the libraries listed.
        force: list a name though the library is there by another one only.
        check: whether names are looked for, and the file is resolved as it is and as it will be.
        build_tag: gives a wheel this build tag, and so another name.
        local_version: put behind the version of a wheel, likewise.
        drop_signature: take a signature of RECORD away, which would be wrong.

    Raises:
        PatchError: an edit cannot be made, or not safely; or RECORD is wrong already.
        SourceError, ElfFormatError: something cannot be read, or is no sound ELF file.
        RequestError: no file is named, or none of that name is there.
    """
    wanted = tuple(map(_patch_edit, edits))
    if not wanted:
        raise RequestError("say what to change")
    providers = tuple(providers)
    target, patterns = _members_of(os.fspath(target), members)
    checks = _checks(target, root, providers, force=force) if check else None
    planner = _Planner(lambda _: wanted, checks)
    jobs = _jobs(target, patterns, planner, build_tag, local_version, drop_signature=drop_signature)
    return _plan(target, jobs, planner)


def plan_fixes(
    findings: Iterable[Finding],
    *,
    unsafe: bool = False,
    root: str | None = "/",
    drop_signature: bool = False,
) -> tuple[PatchPlan, ...]:
    """Plan the repairs that findings suggest: of each the first one that changes a file.

    Args:
        findings: of any number of files; each file or wheel is changed once for all of them.
        unsafe: whether those that ask for a look first (``Applicability.UNSAFE``) are made, too.
        root: as for :func:`plan_patch`.
        drop_signature: likewise.

    Raises:
        PatchError, SourceError, ElfFormatError: as :func:`plan_patch`.
    """
    wanted: dict[str, dict[str, dict[PatchEdit, None]]] = {}
    for edit in _repairs(findings, unsafe=unsafe):
        container, inside = split_address(edit.target)
        if inside is not None and not container.endswith((".whl", ".zip")):
            container, inside = edit.target.replace("::", "/"), None
        name = container if inside is None else f"{container}::{inside}"
        wanted.setdefault(container, {}).setdefault(name, {})[_patch_edit(edit)] = None
    plans: list[PatchPlan] = []
    for target, files in wanted.items():
        edits = {name: tuple(some) for name, some in files.items()}
        planner = _Planner(edits.__getitem__, _checks(target, root, (), force=False))
        members = [name.partition("::")[2] for name in files if name != target]
        jobs = _jobs(target, members, planner, None, None, drop_signature=drop_signature)
        plans.append(_plan(target, jobs, planner))
    return tuple(plans)


def _repairs(findings: Iterable[Finding], *, unsafe: bool) -> Iterator[Edit]:
    """The edits of the first repair of each finding that changes a file and may be made."""
    allowed = {Applicability.SAFE, Applicability.UNSAFE} if unsafe else {Applicability.SAFE}
    for finding in findings:
        fixes = (fix for fix in finding.fixes if fix.edits and fix.applicability in allowed)
        fix = next(fixes, None)
        yield from fix.edits if fix is not None else ()


def undo_patch(
    target: str | os.PathLike[str],
    *,
    members: Iterable[str] = (),
    drop_signature: bool = False,
) -> PatchPlan:
    """Plan the way back to what files were before they were first patched, bit for bit.

    Args:
        target: as for :func:`plan_patch`.
        members: likewise.
        drop_signature: likewise.

    Raises:
        PatchError: a file carries no way back: it was not patched, or changed since (by ``strip``).
        SourceError, ElfFormatError: something cannot be read, or is no sound ELF file.
        RequestError: no file is named, or none of that name is there.
    """
    target, patterns = _members_of(os.fspath(target), members)
    planner = _Undoing()
    return _plan(
        target, _jobs(target, patterns, planner, None, None, drop_signature=drop_signature), planner
    )


def apply_patch(
    patch: PatchPlan,
    *,
    output: str | None = None,
    backup: str | None = None,
    keep_times: bool = False,
) -> PatchResult:
    """Carry out a plan: write beside the old file, read again, compare, and only then replace it.

    Args:
        patch: what to do.
        output: the file to write, or the directory to write into; None: the old file itself, or for
            a wheel that gets another name, beside it.
        backup: what is put behind the name of a file that is replaced to keep it (``.orig``).
        keep_times: whether new files have the times of the old ones.

    Raises:
        PatchError: the result is not what it was to be; that file is as it was.
        SourceError: something cannot be read or written; that file is as it was.
        RequestError: several files were to be written to one.
    """
    if output is not None and len(patch._jobs) > 1:
        raise RequestError(
            f"{patch.target}: several files are changed in place, not written to one"
        )
    targets = [job.target(output) for job in patch._jobs]
    backups: list[str] = []
    for job, target in zip(patch._jobs, targets, strict=True):
        kept = None
        if backup is not None and job.is_needed and os.path.lexists(target):
            kept = target + backup
            backups.append(kept)
        job.apply(target, kept, keep_times=keep_times)
    return PatchResult(patch, tuple(targets), tuple(backups))


def _patch_edit(edit: PatchEdit | Edit) -> PatchEdit:
    """An edit of a fix as one that can be carried out.

    Raises:
        RequestError: there is none of its kind.
    """
    if not isinstance(edit, Edit):
        return edit
    match edit.kind:
        case "add-needed":
            return AddNeeded(edit.value)
        case "add-runpath":
            return AddRunpath(edit.value)
    raise RequestError(f"{edit.kind}: there is no such edit")


def _members_of(target: str, members: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The file, wheel or directory, and what is meant of it."""
    container, inside = split_address(target)
    patterns = (members,) if isinstance(members, str) else tuple(members)
    return container, patterns if inside is None else (inside, *patterns)


def _checks(target: str, root: str | None, providers: Sequence[str], *, force: bool) -> Checks:
    from .patch_checks import Checks  # noqa: PLC0415  brings the loader, 150 ms

    return Checks(target, root, providers, force=force)


class _Planner:
    """Plans edits of any number of files.

    Args:
        edits_of: what is to be done to a file, by its name.
        checks: where libraries are looked for; None: nowhere.
    """

    def __init__(
        self, edits_of: Callable[[str], Sequence[PatchEdit]], checks: Checks | None
    ) -> None:
        self._edits_of = edits_of
        self.checks = checks

    def __call__(self, stream: ByteStream, name: str) -> Plan:
        edits = self._edits_of(name)
        if self.checks is not None:
            edits = self.checks.named(name, edits, stream)
        return plan(stream, name, edits)


class _Undoing:
    """Plans the way back of any number of files; nothing is looked for."""

    checks = None

    def __call__(self, stream: ByteStream, name: str) -> Plan:
        return plan_undo(stream, name)


def _jobs(
    target: str,
    patterns: Sequence[str],
    planner: Planner,
    build_tag: str | None,
    local_version: str | None,
    *,
    drop_signature: bool,
) -> tuple[Job, ...]:
    source = open_source(target)
    if not isinstance(source, WheelSource) and (build_tag or local_version):
        raise RequestError(f"{target}: only a wheel has a build tag or a version of its own")
    if isinstance(source, FileSource):
        if patterns:
            raise RequestError(f"{target}: is a file, and has no {patterns[0]} in it")
        return (FileJob.of(target, planner),)
    if not patterns:
        raise RequestError(f"{target}: holds many files; say which: --member 'PATTERN'")
    names = matching(source, patterns)
    if isinstance(source, FolderSource):
        return tuple(FileJob.of(os.path.join(target, name), planner) for name in names)
    wheel: Wheel = read_wheel(target)
    members = [wheel.plan(name, planner) for name in names]
    change = WheelChange.of(
        wheel, members, build_tag=build_tag, local_version=local_version,
        drop_signature=drop_signature,
    )  # fmt: skip
    return (WheelJob(change),)


def _plan(target: str, jobs: tuple[Job, ...], planner: _Planner | _Undoing) -> PatchPlan:
    plans = [each for job in jobs for each in job.plans]
    checks = planner.checks
    changed = checks.changed(plans) if checks is not None else {}
    files = tuple(_told(each, changed, checks) for each in plans)
    return PatchPlan(target, files, any(job.is_needed for job in jobs), jobs)


def _told(each: Plan, changed: Mapping[Hashable, ElfObject], checks: Checks | None) -> FilePatch:
    """One file of a plan for whoever asks."""
    effects, notes = None, () if checks is None else checks.notes.get(each.name, ())
    if checks is not None and each.is_needed:
        try:
            effects = checks.effects(each.name, changed)
        except ElfAuditError as error:
            notes = (*notes, f"what becomes of its process cannot be told: {error}")
    return FilePatch(
        each.name,
        each.is_needed,
        each.change.told,
        each.how,
        notes,
        each.image.size,
        each.size,
        sum(len(write.data) for write in each.writes),
        effects,
    )
