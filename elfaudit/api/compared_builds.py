"""One of two builds that are compared: its files by path, and what else leads to them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from ..errors import RequestError, SourceError
from ..sources import (
    HOST,
    FileSource,
    FolderSource,
    Member,
    NoFile,
    Obstacle,
    Source,
    TreeSource,
    open_source,
    split_address,
)
from .build_targets import is_root, wheels_in

__all__ = ["ComparedBuild", "open_build", "paired_keys"]

# foo-1.2.dist-info is the directory of foo, whatever the version.
_VERSIONED = re.compile(r"(?P<name>[^/-]+)-[^/-]+(?P<kind>\.(?:dist-info|data)/)")
# What is below these is installed beside the modules ("Binary distribution format").
_INSTALLED = re.compile(r"(?P<wheel>^|::)[^/:]+\.data/(?:purelib|platlib)/")
_IN_WHEEL = "::"
_CACHED = "/__pycache__/"


@dataclass(frozen=True, slots=True)
class ComparedBuild:
    """The files of one side.

    Attributes:
        target: what was named.
        members: each file, by its path in there; a file that was named itself by its own name, a
            file of one wheel of several with the wheel's project and ``::`` in front.
        links: what each symbolic link leads to, by their paths: a file of these, or None.
        folders: symbolic links to directories.
        single: whether it is one file that was named itself.
        problems: what cannot be looked at, one sentence each.
        targets: what it consists of: the target, or the wheels of a directory that holds them only.
        root: what is ``/`` for its processes.
        look: what is at a path, links followed; None: nothing but what is listed.
        paths: the path of each file by its identity.
        leading: the links that lead to each file.
        prefixes: what stands in front of the paths of each wheel of several.
    """

    target: str
    members: Mapping[str, Member]
    links: Mapping[str, str | None] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    single: bool = False
    problems: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    root: str | None = "/"
    look: Callable[[str], Member | NoFile] | None = field(default=None, repr=False)
    paths: Mapping[Hashable, str] = field(default_factory=dict, repr=False)
    leading: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    prefixes: Mapping[str, str] = field(default_factory=dict)

    def reached(self, path: str) -> str | None:
        """The path of the file that a path leads to, be it through links; or None."""
        if path in self.members:
            return path
        if path in self.links or self.look is None:
            return self.links.get(path)
        found = self.look(f"/{path}")
        return self.paths.get(found.identity) if isinstance(found, Member) else None

    def has_folder(self, path: str) -> bool:
        """Whether there is a directory at a path, be it through links."""
        found = None if self.look is None else self.look(f"/{path}")
        return isinstance(found, NoFile) and found.kind is Obstacle.DIRECTORY

    def member(self, path: str) -> Member:
        """The file that a path leads to."""
        reached = self.reached(path)
        return self.members[path if reached is None else reached]

    def names_of(self, path: str) -> tuple[str, ...]:
        """The paths that lead to a file, its own first."""
        return path, *self.leading.get(path, ())

    def subjects(self) -> dict[str, str]:
        """The path of each file by the name by which it can be asked for."""
        found = {member.display: path for path, member in self.members.items()}
        if self.single:
            found[self.target] = next(iter(self.members))
        return found

    @property
    def interpreters(self) -> frozenset[str]:
        """The Pythons that wheels are for by their file names; empty for anything else."""
        found: set[str] = set()
        for target in self.targets:
            try:
                tags = parse_wheel_filename(os.path.basename(target))[3]
            except (InvalidWheelFilename, ValueError):
                return frozenset()
            found |= {f"{tag.interpreter}-{tag.abi}" for tag in tags}
        return frozenset(found)

    def without_place(self, text: str) -> str:
        """A sentence without the directory or archive, which are others on the other side."""
        for target in dict.fromkeys((*self.targets, self.target)):
            text = _without_place(text, split_address(target)[0])
        return text


def _without_place(text: str, container: str) -> str:
    folder = container if os.path.isdir(container) else os.path.dirname(container)
    if not folder:
        return text.replace(f"{container}::", "")
    for place in dict.fromkeys((folder, os.path.abspath(folder), os.path.realpath(folder))):
        prefix = f"{place.rstrip('/')}/"
        text = re.sub(rf"(?:{re.escape(HOST)})?(?<![\w./-]){re.escape(prefix)}", "", text)
    return text.replace(f"{os.path.basename(container)}::", "")


def open_build(target: str, root: str | None = "/") -> ComparedBuild:
    """The files of a target: a file, a wheel, a directory, or one member of those.

    Args:
        target: what was named.
        root: what is ``/`` for its processes. Where it is this machine's and the target itself is
            the root of a file system, that is.

    Raises:
        SourceError: there is no such file, or it cannot be opened.
        RequestError: there is nothing in it.
    """
    wheels = wheels_in(target)
    if len(wheels) > 1:
        return _opened_wheels(target, wheels, root)
    container, inside = split_address(wheels[0])
    source = open_source(container)
    if isinstance(source, FileSource):
        if inside is not None:
            raise SourceError(container, f"is a file, not an archive: it has no {inside!r} in it")
        return _single(target, os.path.basename(container), source.member, root)
    if inside is not None:
        member = source.find(f"/{inside}")
        if member is None:
            raise SourceError(target, "there is no such file in it")
        return _single(target, os.path.basename(inside), member, root)
    own_root = (
        target if root == "/" and isinstance(source, FolderSource) and is_root(target) else ""
    )
    inner: Source = TreeSource(container) if own_root else source
    build = _listed(target, source, inner.look, own_root or root, container)
    if not build.members:
        raise RequestError(f"{target}: there is no file in it, so nothing was compared")
    return build


def _single(target: str, name: str, member: Member, root: str | None) -> ComparedBuild:
    return ComparedBuild(target, {name: member}, single=True, targets=(target,), root=root)


def _listed(
    target: str,
    source: Source,
    look: Callable[[str], Member | NoFile],
    root: str | None,
    container: str,
) -> ComparedBuild:
    members: dict[str, Member] = {}
    for path in source.names():
        if _CACHED in path:
            continue  # made of what is beside it
        member = None if source.is_link(path) else source.find(path)
        if member is not None:
            members[path.lstrip("/")] = member
    paths = {member.identity: path for path, member in reversed(members.items())}
    links: dict[str, str | None] = {}
    folders: set[str] = set()
    for link in source.links if isinstance(source, FolderSource) else ():
        path, found = link.lstrip("/"), look(link)
        if isinstance(found, NoFile):
            if found.kind is Obstacle.DIRECTORY:
                folders.add(path)
            else:
                links[path] = None
        elif found.identity in paths:
            links[path] = paths[found.identity]
        else:  # a file of elsewhere, which is of the build by this name only
            members[path], paths[found.identity] = found, path
    leading: dict[str, list[str]] = {}
    for path, end in links.items():
        if end is not None:
            leading.setdefault(end, []).append(path)
    return ComparedBuild(
        target, members, links, frozenset(folders), problems=tuple(map(str, source.problems)),
        targets=(container,), root=root, look=look, paths=paths,
        leading=leading,
    )  # fmt: skip


def _opened_wheels(target: str, wheels: Sequence[str], root: str | None) -> ComparedBuild:
    """Several wheels, each for itself: its files stand below the name of its project."""
    members: dict[str, Member] = {}
    problems: list[str] = []
    prefixes = {
        wheel: f"{label}{_IN_WHEEL}" for label, wheel in zip(_labels(wheels), wheels, strict=True)
    }
    for wheel, prefix in prefixes.items():
        source = open_source(wheel)
        for path in source.names():
            member = source.find(path)
            if member is not None:
                members[f"{prefix}{path.lstrip('/')}"] = member
        problems += map(str, source.problems)
    return ComparedBuild(
        target, members, problems=tuple(problems), targets=tuple(wheels), root=root,
        prefixes=prefixes,
    )  # fmt: skip


def _labels(wheels: Sequence[str]) -> list[str]:
    """What each wheel is called in every version: its project, with the tags where it has more."""
    stems = [os.path.basename(each).removesuffix(".whl").split("-") for each in wheels]
    projects = [re.sub(r"[-_.]+", "-", stem[0]).lower() for stem in stems]
    count = Counter(projects)
    return [
        project if count[project] == 1 else "-".join((project, *stem[2:]))
        for project, stem in zip(projects, stems, strict=True)
    ]


def paired_keys(before: ComparedBuild, after: ComparedBuild) -> tuple[dict[str, str], ...]:
    """The path of each file of both sides, by what it is called in every version of the build.

    Where one of them holds two versions of a distribution, files of those are called by their
    paths: one of the two was left behind.
    """
    if before.single:
        return {"": next(iter(before.members))}, {"": next(iter(after.members))}
    sides: list[dict[str, set[str]]] = [{}, {}]
    for side, build in zip(sides, (before, after), strict=True):
        for path in build.members:
            if match := _VERSIONED.search(path):
                side.setdefault(_key(path[: match.end()]), set()).add(path[: match.end()])
    several = {key for side in sides for key, places in side.items() if len(places) > 1}
    return tuple(
        {_key_beside(path, several): path for path in build.members} for build in (before, after)
    )


def _key(path: str) -> str:
    return _VERSIONED.sub(r"\g<name>\g<kind>", path)


def _key_beside(path: str, several: set[str]) -> str:
    match = _VERSIONED.search(path)
    if match is None:
        return path
    if _INSTALLED.match(path):
        return _INSTALLED.sub(r"\g<wheel>", path)
    return path if _key(path[: match.end()]) in several else _key(path)
