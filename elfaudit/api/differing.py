"""``diff``: what changed between two builds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from ..elf import ElfObject
from ..errors import RequestError
from ..findings.changed_verdicts import FileVerdict, changed_verdict, verdict_of_new
from ..findings.changes import Aspect, BuildChange, Difference, FileDifference
from ..findings.compare import worst
from ..sources import TreeSource
from .archives import unpacking_of
from .compared_builds import ComparedBuild, open_build
from .compared_bytes import read_build_file
from .compared_files import ComparedFiles, sorted_files
from .compared_links import compare_links
from .differing_distributions import PublicNames, distribution_changes, module_changes
from .judging import judgements
from .moved_exports import with_moved_exports

__all__ = ["diff"]

Progress = Callable[[str], None]
_Rows = dict[tuple[str | None, str | None], FileDifference]


def diff(
    old: str,
    new: str,
    *,
    root: str | None = "/",
    old_root: str | None = None,
    new_root: str | None = None,
    with_: Iterable[str] = (),
    host: str = "auto",
    preload: Iterable[str] = (),
    library_path: Iterable[str] = (),
    dlopen: Iterable[str] = (),
    libc: str = "auto",
    public_names: PublicNames | None = None,
    progress: Progress | None = None,
) -> Difference:
    """Say what changed between two builds, and what it does to those who use the old one.

    Args:
        old: a file, a wheel, a directory (of wheels only: those), or ``archive::member``.
        new: the same of the other build; a wheel and a directory can be compared.
        root: as for :func:`~elfaudit.api.resolving.resolve`. Where it is this machine's, and what
            is compared is itself the root of a file system, each of the two is its own.
        old_root: the root of the old build alone; None: as said.
        new_root: that of the new one.
        with_: as for :func:`~elfaudit.api.resolving.resolve`, like the next five: both are resolved
            in the same surroundings, and their verdicts compared.
        host: likewise.
        preload: likewise.
        library_path: likewise.
        dlopen: likewise.
        libc: likewise.
        public_names: gives, for one of the two, the public names of each Python module of which all
            are known; by default they are read out of the text of those modules that changed.
        progress: called with the name of each file before it is looked at.

    Returns:
        The changes, file by file. Files are matched by path, and where that is another one by the
        links that led to them, by their bytes, by SONAME, or by name without version and hash. What
        is the same is not decoded. A file of many that cannot be read on one side is a change, not
        an error.

    Raises:
        SourceError: one of the two cannot be opened.
        RequestError: nothing can be compared: a single file with many, a file that is no ELF file
            or cannot be read, a directory without files; or the host is not there.

    Source of the rules: glibc ``elf/dl-lookup.c`` (which references are answered),
    ``elf/dl-version.c``; PEP 3149; "Core metadata specifications" (packaging.python.org).
    """
    before = open_build(old, root if old_root is None else old_root)
    after = open_build(new, root if new_root is None else new_root)
    for side in (before, after):
        _ = side.root and TreeSource(side.root)  # is there, though nothing may have to be resolved
    _require_alike(before, after)
    files = sorted_files(before, after, progress or _silent)
    changes = list(compare_links(files))
    rows: _Rows = {(row.old, row.new): row for row in files.compared(progress or _silent)}
    _require_something_read(files, rows)
    with_moved_exports(rows, after)
    if rows or changes or before.root != after.root:
        given = {
            "with_": tuple(with_), "host": host, "preload": tuple(preload),
            "library_path": tuple(library_path), "dlopen": tuple(dlopen), "libc": libc,
        }  # fmt: skip
        was, now = (judgements(build, given, progress) for build in (before, after))
        _judge(rows, files, was, now)
    if not before.single:
        changes = [*distribution_changes(before, after), *changes, *files.changes()]
        changes += module_changes(before, after, public_names)
    problems = (*before.problems, *after.problems, *files.problems)
    return Difference(
        old, new, worst(iter(changes)), tuple(sorted(rows.values(), key=_order)),
        files.others(), len(files.same), tuple(dict.fromkeys(problems)),
    )  # fmt: skip


def _require_alike(before: ComparedBuild, after: ComparedBuild) -> None:
    """Refuse what cannot be compared: nothing found would be no news of no change."""
    if before.single is not after.single:
        one, many = (before, after) if before.single else (after, before)
        unpacking = unpacking_of(one)
        if unpacking is not None:
            raise RequestError(unpacking)
        raise RequestError(
            f"{one.target} is one file, {many.target} holds many: name one of them, "
            f"{many.target}::PATH"
        )
    if bool(before.prefixes) is not bool(after.prefixes):
        _refuse_many_wheels(before, after)
    if not before.single:
        return
    sides = [(each, next(iter(each.members.values()))) for each in (before, after)]
    if sides[0][1].identity == sides[1][1].identity:
        return
    found = [read_build_file(member) for _, member in sides]
    for each in found:
        if isinstance(each, ElfObject):
            each.release()
    if not isinstance(found[0], str):
        return
    unpacking = unpacking_of(before) or unpacking_of(after)
    if unpacking is not None:
        raise RequestError(unpacking)
    if isinstance(found[1], str) and not _is_same(before, after):
        raise RequestError(
            f"{before.target} and {after.target}: neither is an ELF file that can be read, so "
            f"nothing was compared: {found[0]}"
        )
    if not isinstance(found[1], str):
        raise RequestError(f"nothing was compared: {found[0]}")


def _refuse_many_wheels(before: ComparedBuild, after: ComparedBuild) -> None:
    """One wheel and several: of which one it is the other build is for the user to say."""
    many, one = (before, after) if before.prefixes else (after, before)
    (target,) = one.targets
    if target.endswith(".whl"):
        project = os.path.basename(target).partition("-")[0].lower()
        alike = [
            each for each in many.targets if os.path.basename(each).lower().startswith(project)
        ]
        raise RequestError(
            f"{many.target} holds {len(many.targets)} wheels, {one.target} is one: name one of "
            f"them, {(alike or many.targets)[0]}"
        )


def _require_something_read(files: ComparedFiles, rows: _Rows) -> None:
    """Refuse an old build of which no file could be read."""
    if files.same or any(was is not None for was, _ in files.rest):
        return
    problems = [
        next((each.old for each in row.changes if each.aspect is Aspect.UNREADABLE), None)
        for row in rows.values()
        if row.old is not None
    ]
    if problems and None not in problems:
        raise RequestError(f"nothing was compared: {problems[0]}")


def _is_same(before: ComparedBuild, after: ComparedBuild) -> bool:
    files = ComparedFiles(before, after)
    return files.state(next(iter(before.members)), next(iter(after.members)))


def _order(row: FileDifference) -> tuple[tuple[int, bool], str]:
    """The worst first."""
    return min((change.rank for change in row.changes), default=(0, True)), row.name


def _silent(_: str) -> None:
    pass


def _judge(
    rows: _Rows,
    files: ComparedFiles,
    was: Mapping[str, FileVerdict],
    now: Mapping[str, FileVerdict],
) -> None:
    """Put what changed of the verdicts into the rows; files that are the same may get one."""
    for (old, new), row in list(rows.items()):
        if new is not None:
            rows[old, new] = replace(row, changes=worst(_told(row, was, now)))
    for old, new in files.same:
        changes = tuple(changed_verdict(was.get(old), now.get(new)))
        if changes and (old, new) not in rows:
            rows[old, new] = FileDifference(old, new, None, None, changes)


def _told(
    row: FileDifference,
    was: Mapping[str, FileVerdict],
    now: Mapping[str, FileVerdict],
) -> Iterator[BuildChange]:
    """The changes of a row with those of its verdict, which a link has none of."""
    if row.old is None:
        return chain(verdict_of_new(now.get(row.new or "")), row.changes)
    if any(change.aspect is Aspect.UNREADABLE for change in row.changes):
        return iter(row.changes)
    return chain(changed_verdict(was.get(row.old), now.get(row.new or "")), row.changes)
