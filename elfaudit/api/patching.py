"""``patch-needed``: what a file lists is changed, in a file, a wheel or a directory, and proven."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ElfAuditError, RequestError
from ..findings import Edit, FilePatch
from ..patch.edits import AddNeeded, AddRunpath, PatchEdit
from ..patch.planning import Plan, plan, plan_undo
from ..sources import FileSource, FolderSource, WheelSource, open_source, split_address
from ..stream import ByteStream
from .members import matching
from .patch_jobs import FileJob, Job, Planner, WheelJob

if TYPE_CHECKING:
    from ..elf import ElfObject
    from .patch_checks import Checks

__all__ = [
    "PatchPlan",
    "PatchResult",
    "apply_patch",
    "patch_edit",
    "plan_many",
    "plan_patch",
    "undo_patch",
]


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
    wanted = tuple(map(patch_edit, edits))
    if not wanted:
        raise RequestError("say what to change")
    providers = (providers,) if isinstance(providers, str) else tuple(providers)
    target, patterns = _members_of(os.fspath(target), members)
    checks = _checks(target, root, providers, force=force) if check else None
    planner = _Planner(lambda _: wanted, checks)
    jobs = _jobs(target, patterns, planner, build_tag, local_version, drop_signature=drop_signature)
    return _plan(target, jobs, planner)


def plan_many(
    target: str,
    edits: Mapping[str, Sequence[PatchEdit]],
    *,
    root: str | None,
    providers: Sequence[str],
    drop_signature: bool,
) -> PatchPlan:
    """The same with other edits for each file, by the name that a plan has it under.

    Raises:
        PatchError, SourceError, ElfFormatError, RequestError: as :func:`plan_patch`.
    """
    planner = _Planner(edits.__getitem__, _checks(target, root, providers, force=False))
    members = [name.removeprefix(f"{target}::") for name in edits if name != target]
    jobs = _jobs(target, members, planner, None, None, drop_signature=drop_signature)
    return _plan(target, jobs, planner)


def patch_edit(edit: PatchEdit | Edit) -> PatchEdit:
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

    Of several files each is replaced by itself; an error of a later one has a note that names those
    that were written before.

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
    done: list[str] = []
    for job, target in zip(patch._jobs, targets, strict=True):
        kept = None
        if backup is not None and job.writes(target) and os.path.lexists(target):
            kept = target + backup
        try:
            job.apply(target, kept, keep_times=keep_times)
        except ElfAuditError as error:
            if done:
                error.add_note(f"written before that: {', '.join(done)}")
            raise
        backups += [kept] if kept is not None else []
        done += [target] if job.is_needed else []
    return PatchResult(patch, tuple(targets), tuple(backups))


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
        return tuple(FileJob.of(path, planner) for path in _files(target, names))
    job = WheelJob.of(
        target, names, planner, build_tag=build_tag, local_version=local_version,
        drop_signature=drop_signature,
    )  # fmt: skip
    return (job,)


def _files(directory: str, names: Iterable[str]) -> Iterator[str]:
    """The files of some names, each once: what a link leads to is patched by its own name."""
    paths = [os.path.join(directory, name) for name in names]
    seen: dict[str, str] = {}
    for path in sorted(paths, key=os.path.islink):
        seen.setdefault(os.path.realpath(path), path)
    yield from sorted(seen.values())


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
        each.is_needed and each.size > each.kept,
    )
