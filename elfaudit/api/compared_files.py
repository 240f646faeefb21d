"""Which file of one build is which of the other, and what is to be done with each pair."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..elf import ElfObject, Kind
from ..errors import SourceError
from ..findings.changed_names import asked_names, removed, renamed
from ..findings.changes import BuildChange, FileDifference, OtherFile, OtherFiles
from ..findings.compare import (
    added,
    changed_mode,
    compare_files,
    replaced_by_script,
    unreadable,
    unreadable_files,
    worst,
)
from ..findings.pairing import Candidate, pair
from ..findings.stems import Role, role_of
from ..sources import Member
from .compared_builds import ComparedBuild, paired_keys
from .compared_bytes import checksum_of, damage, head_of, is_elf, read_build_file, same_bytes
from .filenames import is_library_name

__all__ = ["ComparedFiles", "sorted_files"]

Progress = Callable[[str], None]
Damages = tuple[str | None, str | None]
_SCRIPT = b"#!"
_INSTALLED_SCRIPT = ".data/scripts/"


@dataclass(frozen=True, slots=True)
class _Who:
    """What is known of a file that is gone or has another name."""

    role: Role
    soname: str | None = None
    loadable: bool = True


@dataclass(slots=True)
class ComparedFiles:
    """The files of both sides, sorted by what is to be done with them.

    Attributes:
        before, after: the sides.
        same: pairs of the same bytes; all pairs are of paths, which may be those of links.
        changed: pairs of which one is an ELF file.
        moved: ELF files that have another path.
        gone, come: ELF files that are on one side only.
        rest: what is no ELF file and not the same; None where it is not.
        damaged: why one of a pair, or both, cannot be read to its end.
        problems: what cannot be looked at.
    """

    before: ComparedBuild
    after: ComparedBuild
    same: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    come: list[str] = field(default_factory=list)
    rest: list[tuple[str | None, str | None]] = field(default_factory=list)
    damaged: dict[tuple[str | None, str | None], Damages] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def pairs(self) -> set[tuple[str | None, str | None]]:
        """What is compared with what, by the files themselves."""
        named = (*self.same, *self.changed, *self.moved, *self.rest)
        return {
            (
                None if was is None else self.before.reached(was),
                None if now is None else self.after.reached(now),
            )
            for was, now in named
        }

    def compared(self, progress: Progress) -> Iterator[FileDifference]:
        """The ELF files that are not what they were, their verdicts aside."""
        for was, now in self.changed:
            progress(self.after.member(now).display)
            yield self._row(was, now, self._compare(was, now))
        for was, now in self.moved:
            progress(self.after.member(now).display)
            same = self.state(was, now)
            changes = self._mode(was, now) if same else self._compare(was, now)
            yield self._row(was, now, (self._renamed(was, now), *changes))
        for was, now in self.same:
            if self._may_run_no_more(was, now) and self.is_elf(self.after, now):
                yield self._row(was, now, (changed_mode(),))
        yield from (self._row(path, None, (self._removed(path),)) for path in self.gone)
        yield from (self._row(None, path, (added(path),)) for path in self.come)

    def others(self) -> OtherFiles:
        """The files that are no ELF files."""
        files = [
            OtherFile(
                now or was or "",
                self.before.member(was).size if was is not None else None,
                self.after.member(now).size if now is not None else None,
            )
            for was, now in self.rest
        ]
        return OtherFiles(
            tuple(each for each in files if each.old_size is None),
            tuple(each for each in files if each.new_size is None),
            tuple(each for each in files if None not in (each.old_size, each.new_size)),
        )

    def changes(self) -> Iterator[BuildChange]:
        """What is to be said of files that are no ELF files, but of what the whole is worth."""
        rest = [(was, now) for was, now in self.rest if was is not None and now is not None]
        pairs = [(now, self.damaged[was, now]) for was, now in rest if (was, now) in self.damaged]
        yield from unreadable_files(pairs)
        stopped = [now for was, now in (*rest, *self.same) if self._may_run_no_more(was, now)]
        scripts = [path for path in stopped if not self.is_elf(self.after, path)]
        if scripts:
            yield changed_mode(scripts)

    def state(self, was: str, now: str) -> bool:
        """Whether two files are the same; why one of them cannot be read is kept."""
        old, new = self.before.member(was), self.after.member(now)
        try:
            return same_bytes(old, new)
        except SourceError:
            found = damage(old), damage(new)
            if any(found):
                self.damaged[was, now] = found
            return False

    def sort(self, was: str, now: str, progress: Progress) -> None:
        """Put one pair where it belongs."""
        if self.state(was, now):
            self.same.append((was, now))
            return
        progress(self.after.member(now).display)
        elf = [self.is_elf(self.before, was), self.is_elf(self.after, now)]
        (self.changed if any(elf) else self.rest).append((was, now))

    def is_elf(self, build: ComparedBuild, path: str) -> bool:
        """Whether it is an ELF file; why it cannot be told is kept."""
        try:
            return is_elf(build.member(path))
        except SourceError as error:
            self.problems.append(str(error))
            return False

    def lost_names(self, was: str, now: str, who: _Who) -> tuple[str, ...]:
        """The names by which others asked for a file, and that lead to nothing any more."""
        paths = self.before.names_of(was)
        return tuple(
            name
            for name in asked_names(paths, who.soname, who.role)
            if not any(self._found(path, now) for path in paths if _is_named(path, name))
        )

    def _found(self, path: str, now: str) -> bool:
        """Whether a path, or the same name beside the file that took its place, leads anywhere."""
        beside = posixpath.join(posixpath.dirname(now), posixpath.basename(path))
        return any(self.after.reached(each) is not None for each in (path, beside))

    def _row(
        self, was: str | None, now: str | None, changes: tuple[BuildChange, ...]
    ) -> FileDifference:
        return FileDifference(
            was,
            now,
            None if was is None else self.before.member(was).size,
            None if now is None else self.after.member(now).size,
            worst(iter(changes)),
        )

    def _renamed(self, was: str, now: str) -> BuildChange:
        who, other = _who(self.before.member(was), was), _who(self.after.member(now), now)
        told = who.soname is not None and who.soname != other.soname  # that tells it already
        lost = () if told else self.lost_names(was, now, who)
        pythons = self.before.interpreters, self.after.interpreters
        same_python = not all(pythons) or pythons[0] == pythons[1]
        return renamed(was, now, who.role, lost, same_python=same_python)

    def _removed(self, path: str) -> BuildChange:
        who = _who(self.before.member(path), path)
        paths = self.before.names_of(path)
        asked = asked_names(paths, who.soname, who.role)
        found = [
            self.after.reached(each)
            for name in asked
            for each in paths
            if _is_named(each, name) and each != path
        ]
        instead = found[0] if found and None not in found else None
        return removed(path, who.role, loadable=who.loadable, found=instead)

    def _may_run_no_more(self, was: str, now: str) -> bool:
        """Whether it is a program or script that lost its executable bit."""
        old, new = self.before.member(was), self.after.member(now)
        if not old.executable or new.executable is not False:
            return False
        if is_library_name(now) or _INSTALLED_SCRIPT in new.path:
            return False  # nobody runs the one, and pip makes the other executable
        if self._is_script(now):
            return True
        return self.is_elf(self.after, now) and _who(new, now).role is Role.PROGRAM

    def _mode(self, was: str, now: str) -> tuple[BuildChange, ...]:
        return (changed_mode(),) if self._may_run_no_more(was, now) else ()

    def _is_script(self, path: str) -> bool:
        """Whether a file of the new build begins as scripts do."""
        try:
            return head_of(self.after.member(path), len(_SCRIPT)) == _SCRIPT
        except SourceError:
            return False

    def _compare(self, was: str, now: str) -> tuple[BuildChange, ...]:
        known = self.damaged.get((was, now), (None, None))
        problem = unreadable(*known)
        if problem is not None:
            return (problem,)
        old = read_build_file(self.before.member(was))
        new = read_build_file(self.after.member(now))
        if isinstance(old, ElfObject) and old.is_program and self._is_script(now):
            return replaced_by_script(old.kind), *self._mode(was, now)
        problem = unreadable(*(each if isinstance(each, str) else None for each in (old, new)))
        if problem is not None:
            return (problem,)
        assert isinstance(old, ElfObject)  # noqa: S101 - what is unreadable was told
        assert isinstance(new, ElfObject)  # noqa: S101
        try:
            return *compare_files(old, new, was, now), *self._mode(was, now)
        finally:
            old.release()
            new.release()


def _is_named(path: str, name: str) -> bool:
    return posixpath.basename(path) == name


def _who(member: Member, path: str) -> _Who:
    elf = read_build_file(member)
    if isinstance(elf, str):
        return _Who(role_of(path, program=False))
    static = elf.kind is Kind.STATIC_EXECUTABLE and elf.dynamic is None
    module = elf.kind is Kind.RELOCATABLE and path.endswith(".ko")
    loadable = module or elf.dynamic is not None or (static and not path.endswith(".debug"))
    try:
        return _Who(role_of(path, program=elf.is_program), elf.soname, loadable)
    finally:
        elf.release()


def sorted_files(before: ComparedBuild, after: ComparedBuild, progress: Progress) -> ComparedFiles:
    """The files of both sides, each beside the one that took its place.

    By path, links followed; then by the names that led to a file; then by content, SONAME, or the
    name without version and hash.
    """
    files = ComparedFiles(before, after)
    old_keys, new_keys = paired_keys(before, after)
    for key, was in old_keys.items():
        now = new_keys.get(key)
        if now is None and not before.single and after.reached(was) is not None:
            now = was  # a link, or in a directory that is one
        if now is not None:
            files.sort(was, now, progress)
        elif files.is_elf(before, was):
            files.gone.append(was)
        else:
            files.rest.append((was, None))
    for key, now in new_keys.items():
        if key in old_keys:
            continue
        if files.is_elf(after, now):
            files.come.append(now)
        elif before.single or before.reached(now) is None:
            files.rest.append((None, now))
    _find_linked(files)
    _find_moved(files)
    files.come = [path for path in files.come if before.single or before.reached(path) is None]
    return files


def _find_linked(files: ComparedFiles) -> None:
    """Of the files that are gone, those in whose place a link, or its name, has another one."""
    come = set(files.come)
    pairs: list[tuple[str, str]] = []
    for was in files.gone:
        ends = (files.after.reached(link) for link in files.before.names_of(was)[1:])
        now = next((end for end in ends if end in come), None)
        if now is not None:
            pairs.append((was, now))
            come.discard(now)
    _move(files, pairs)


def _find_moved(files: ComparedFiles) -> None:
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
    _move(files, [(was.path, now.path) for was, now in pairs])


def _move(files: ComparedFiles, pairs: list[tuple[str, str]]) -> None:
    files.moved += pairs
    moved, taken = {was for was, _ in pairs}, {now for _, now in pairs}
    files.gone = [path for path in files.gone if path not in moved]
    files.come = [path for path in files.come if path not in taken]


def _candidate(path: str, member: Member, sizes: set[int]) -> Candidate:
    content = None
    if member.size in sizes:
        try:
            checksum = checksum_of(member) if member.checksum is None else member.checksum
            content = (member.size, checksum)
        except SourceError:
            content = None
    elf = read_build_file(member)
    if isinstance(elf, str):
        return Candidate(path, None, content)
    soname = elf.soname
    elf.release()
    return Candidate(path, soname, content)
