"""``diff``: what changed between two builds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..elf import ElfObject
from ..errors import RequestError, SourceError
from ..findings.changed_verdicts import FileVerdict, changed_verdict, verdict_of_new
from ..findings.changes import (
    Aspect,
    BuildChange,
    Difference,
    FileDifference,
    OtherFile,
    OtherFiles,
)
from ..findings.compare import (
    added,
    changed_link,
    compare_files,
    removed,
    renamed,
    unreadable,
    worst,
)
from ..findings.pairing import Candidate, pair
from ..sources import Member
from .compared_builds import (
    ComparedBuild,
    checksum_of,
    is_elf,
    open_build,
    read_build_file,
    same_bytes,
)
from .differing_distributions import PublicNames, distribution_changes, module_changes
from .judging import judgements

__all__ = ["diff"]

Progress = Callable[[str], None]


def diff(
    old: str,
    new: str,
    *,
    root: str | None = "/",
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
        old: a file, a wheel, a directory, or ``archive::member``.
        new: the same of the other build; a wheel and a directory can be compared.
        root: as for :func:`~elfaudit.api.resolving.resolve`, like the next six: both are resolved
            in the same surroundings, and their verdicts compared.
        with_: likewise.
        host: likewise.
        preload: likewise.
        library_path: likewise.
        dlopen: likewise.
        libc: likewise.
        public_names: gives, for one of the two, the public names of each Python module of which all
            are known; by default they are read out of the text of those modules that changed.
        progress: called with the name of each file before it is looked at.

    Returns:
        The changes, file by file. Files are matched by path, and where that is another one by their
        bytes, by SONAME, or by name without version and hash. What is the same is not decoded. A
        file that cannot be read on one side is a change, not an error.

    Raises:
        SourceError: one of the two cannot be opened.
        RequestError: a single file was to be compared with many, neither file is ELF, or the host
            is not there.

    Source of the rules: glibc ``elf/dl-lookup.c`` (which references are answered),
    ``elf/dl-version.c``; PEP 3149; "Core metadata specifications" (packaging.python.org).
    """
    before, after = open_build(old), open_build(new)
    if before.single is not after.single:
        one, many = (old, new) if before.single else (new, old)
        raise RequestError(f"{one} is one file, {many} holds many: name one of them, {many}::PATH")
    files = _sorted_files(before, after, progress or _silent)
    rows = {(row.old, row.new): row for row in files.compared(progress or _silent)}
    if rows:
        given = {
            "root": root, "with_": tuple(with_), "host": host, "preload": tuple(preload),
            "library_path": tuple(library_path), "dlopen": tuple(dlopen), "libc": libc,
        }  # fmt: skip
        was, now = (judgements(build, given, progress) for build in (before, after))
        _judge(rows, files.same, was, now)
    changes: list[BuildChange] = []
    if not before.single:
        changes += distribution_changes(before, after)
        changes += _links(before, after)
        changes += module_changes(before, after, public_names)
    problems = (*before.problems, *after.problems, *files.problems)
    ordered = sorted(rows.values(), key=_order)
    return Difference(
        old, new, worst(iter(changes)), tuple(ordered), files.others(), len(files.same),
        tuple(dict.fromkeys(problems)),
    )  # fmt: skip


def _order(row: FileDifference) -> tuple[tuple[int, bool], str]:
    """The worst first."""
    return min((change.rank for change in row.changes), default=(0, True)), row.name


def _silent(_: str) -> None:
    pass


@dataclass(slots=True)
class _Files:
    """The files of both sides, sorted by what is to be done with them; pairs are of paths."""

    before: ComparedBuild
    after: ComparedBuild
    same: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    come: list[str] = field(default_factory=list)
    rest: list[tuple[str | None, str | None]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def compared(self, progress: Progress) -> Iterator[FileDifference]:
        """The ELF files that are not what they were, their verdicts aside."""
        for was, now in self.changed:
            progress(self.after.members[now].display)
            yield self._row(was, now, self._compare(was, now))
        for was, now in self.moved:
            progress(self.after.members[now].display)
            same = _same_or_unreadable(self.before.members[was], self.after.members[now])
            changes = () if same else self._compare(was, now)
            yield self._row(was, now, (renamed(was, now), *changes))
        yield from (self._row(path, None, (removed(path),)) for path in self.gone)
        yield from (self._row(None, path, (added(path),)) for path in self.come)

    def others(self) -> OtherFiles:
        """The files that are no ELF files."""
        files = [
            OtherFile(
                now or was or "",
                self.before.members[was].size if was is not None else None,
                self.after.members[now].size if now is not None else None,
            )
            for was, now in self.rest
        ]
        return OtherFiles(
            tuple(each for each in files if each.old_size is None),
            tuple(each for each in files if each.new_size is None),
            tuple(each for each in files if None not in (each.old_size, each.new_size)),
        )

    def _row(
        self, was: str | None, now: str | None, changes: Iterable[BuildChange]
    ) -> FileDifference:
        return FileDifference(
            was,
            now,
            None if was is None else self.before.members[was].size,
            None if now is None else self.after.members[now].size,
            worst(iter(changes)),
        )

    def _compare(self, was: str, now: str) -> tuple[BuildChange, ...]:
        old = read_build_file(self.before.members[was])
        new = read_build_file(self.after.members[now])
        problem = unreadable(*(each if isinstance(each, str) else None for each in (old, new)))
        if problem is not None:
            return (problem,)
        assert isinstance(old, ElfObject)  # noqa: S101 - what is unreadable was told
        assert isinstance(new, ElfObject)  # noqa: S101
        try:
            return tuple(compare_files(old, new, was, now))
        finally:
            old.release()
            new.release()


def _sorted_files(before: ComparedBuild, after: ComparedBuild, progress: Progress) -> _Files:
    files = _Files(before, after)
    old_keys, new_keys = before.keys(), after.keys()
    for key, was in old_keys.items():
        now = new_keys.get(key)
        if now is None:
            kind = files.gone if _elf(before, was, files.problems) else None
            files.rest.append((was, None)) if kind is None else kind.append(was)
            continue
        if _same_or_unreadable(before.members[was], after.members[now]):
            files.same.append((was, now))
            continue
        progress(after.members[now].display)
        elf = [_elf(before, was, files.problems), _elf(after, now, files.problems)]
        (files.changed if any(elf) else files.rest).append((was, now))
    for key, now in new_keys.items():
        if key not in old_keys:
            if _elf(after, now, files.problems):
                files.come.append(now)
            else:
                files.rest.append((None, now))
    if before.single and not files.same and not files.changed:
        raise RequestError(f"{before.target} and {after.target}: neither is an ELF file")
    _find_moved(files)
    return files


def _elf(build: ComparedBuild, path: str, problems: list[str]) -> bool:
    try:
        return is_elf(build.members[path])
    except SourceError as error:
        problems.append(str(error))
        return False


def _same_or_unreadable(old: Member, new: Member) -> bool:
    """Whether they are the same; those of which one cannot be read are not, and why is told."""
    try:
        return same_bytes(old, new)
    except SourceError:
        return False


def _find_moved(files: _Files) -> None:
    """Take those that only have another name from the files that are gone and those that come."""
    if not files.gone or not files.come:
        return
    old = [files.before.members[path] for path in files.gone]
    new = [files.after.members[path] for path in files.come]
    sizes = {member.size for member in old} & {member.size for member in new}
    pairs = pair(
        [_candidate(path, each, sizes) for path, each in zip(files.gone, old, strict=True)],
        [_candidate(path, each, sizes) for path, each in zip(files.come, new, strict=True)],
    )
    files.moved += [(was.path, now.path) for was, now in pairs]
    for was, now in files.moved:
        files.gone.remove(was)
        files.come.remove(now)


def _candidate(path: str, member: Member, sizes: set[int]) -> Candidate:
    content = None
    if member.size in sizes:
        try:
            content = (member.size, checksum_of(member))
        except SourceError:
            content = None
    elf = read_build_file(member)
    if isinstance(elf, str):
        return Candidate(path, None, content)
    soname = elf.soname
    elf.release()
    return Candidate(path, soname, content)


def _judge(
    rows: dict[tuple[str | None, str | None], FileDifference],
    same: Sequence[tuple[str, str]],
    was: Mapping[str, FileVerdict],
    now: Mapping[str, FileVerdict],
) -> None:
    """Put what changed of the verdicts into the rows; files that are the same may get one."""
    for (old, new), row in list(rows.items()):
        if new is None:
            continue
        told = (
            verdict_of_new(now.get(new))
            if old is None
            else changed_verdict(was.get(old), now.get(new))
        )
        known = any(change.aspect is Aspect.UNREADABLE for change in row.changes)
        changes = [] if known else list(told)
        rows[old, new] = replace(row, changes=worst(iter((*changes, *row.changes))))
    for old, new in same:
        changes = list(changed_verdict(was.get(old), now.get(new)))
        if changes:
            rows[old, new] = FileDifference(old, new, None, None, tuple(changes))


def _links(before: ComparedBuild, after: ComparedBuild) -> Iterator[BuildChange]:
    """Links by which a library is found: what leads to it must be there, whoever it is."""
    gone = sorted(p for p in before.links if ".so" in p and not _has(after, p))
    come = sorted(p for p in after.links if ".so" in p and not _has(before, p))
    yield from changed_link(gone, come)


def _has(build: ComparedBuild, path: str) -> bool:
    return path in build.members or path in build.links
