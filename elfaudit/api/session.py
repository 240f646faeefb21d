"""What is prepared once for any number of subjects: the files, the catalogue, the processes."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from types import MappingProxyType

from ..elf import ElfObject
from ..errors import SourceError
from ..findings import Catalogue
from ..loader import Asked, LinkMapEntry, ObjectStore
from ..sources import (
    FileSource,
    Member,
    Overlay,
    Source,
    TreeSource,
    WheelSource,
    mount_name,
    open_source,
    split_address,
)
from .filenames import TEXT_SUFFIXES, is_library_name
from .paths import Paths
from .places import places_of
from .processes import Processes
from .subject import Subject, Target
from .surroundings import Surroundings

__all__ = ["Session"]


class Session:
    """The surroundings of a resolve, shared by all its subjects.

    Args:
        targets: what the user asks about (``path``, ``wheel::member``, wheels, directories).
        surroundings: the root, the program, what else is in the process.
        store: what was read before; by default nothing.
        sources: targets that are open already, by their names.

    Raises:
        SourceError: a target, the root or a place cannot be opened.
        RequestError: the host is not there.

    Attributes:
        store: what was read.
        processes: what the subjects are loaded into.
        catalogue: what could supply what is missing.
    """

    def __init__(
        self,
        targets: Sequence[str],
        surroundings: Surroundings,
        store: ObjectStore | None = None,
        sources: Mapping[str, Source] = MappingProxyType({}),
    ) -> None:
        self.store = ObjectStore() if store is None else store
        self._root = TreeSource(surroundings.root) if surroundings.root is not None else None
        self._overlay = Overlay(self._root, {})
        self._paths = Paths(self._root, self._overlay)
        self._sources: dict[str, Source] = dict(sources)
        self._unopened: list[SourceError] = []
        self._met: list[Subject] = []
        self._coming = self._subjects()
        opened = self._open_targets(targets)
        self.processes = self._processes(surroundings)
        self._targets = self._with_searched(opened)
        named = tuple(each for each in self._targets if each.source is not self._overlay)
        places = places_of(named, surroundings.with_, self._root, self._paths)
        self.catalogue = Catalogue(places, self.store)

    def _processes(self, given: Surroundings) -> Processes:
        """The processes with everything named as they have it."""
        named = given.host not in ("auto", "none")
        inside = replace(
            given,
            host=self._path_of_program(given.host) if named else given.host,
            preload=tuple(map(self._name_in_process, given.preload)),
            dlopens=tuple(
                replace(each, name=self._name_in_process(each.name)) for each in given.dlopens
            ),
        )
        started_as = self._paths.asked(given.host).written if named else None
        processes = Processes(inside, started_as, self._paths, self.store)
        if named:
            processes.require_program(given.host)
        return processes

    @property
    def files(self) -> Source:
        """The files as every process of the session sees them."""
        return self._overlay

    @property
    def problems(self) -> tuple[SourceError, ...]:
        """Targets that cannot be opened, and what of the others cannot be looked at.

        Complete once all :meth:`subjects` were asked for.
        """
        sources = (target.source for target in self._targets)
        return (*self._unopened, *(problem for source in sources for problem in source.problems))

    def sizes_of(self, entry: LinkMapEntry) -> Mapping[str, int]:
        """The sizes of an object's variables, by name and by key.

        Raises:
            ElfFormatError: its symbol or version tables are damaged.
        """
        return self.store.variable_sizes(entry.identity, entry.elf) if entry.elf else {}

    def subjects(self) -> Iterator[Subject]:
        """Every file asked about: those named, and all that may be ELF in archives and trees.

        A file has one name in all of that: the one it was asked about by, else that of the file
        itself, not of a link to it, in the first directory it is met in. Each is looked for once,
        however often this is asked.
        """
        for number in count():
            if number == len(self._met):
                found = next(self._coming, None)
                if found is None:
                    return
                self._met.append(found)
            yield self._met[number]

    def named(self, given: str) -> Subject:
        """One file of what was opened, as if it alone had been asked about.

        Args:
            given: its path, or ``archive::member``.

        Raises:
            SourceError: there is no such file.
        """
        target = self._open_target(given)
        if target.path is None:
            raise SourceError(given, "holds many files; name one of them")
        return self._subject(target, target.path, target.given)

    def _subjects(self) -> Iterator[Subject]:
        seen = set(self._named())
        for target in self._once():
            if target.path is not None:
                yield self._subject(target, target.path, target.given)
                continue
            for name in target.source.names():
                member = None
                if not name.endswith(TEXT_SUFFIXES):
                    member = self._overlay.find(target.base + name)
                # An empty file is no news, unless it is one that should be a library.
                worth = member is not None and (member.size or is_library_name(name))
                if member is not None and worth and member.identity not in seen:
                    seen.add(member.identity)
                    yield self._subject(target, name, target.source.label, member)

    def _named(self) -> Iterator[Hashable]:
        """The files that were asked about one by one."""
        for target in self._targets:
            member = self._overlay.find(target.base + target.path) if target.path else None
            if member is not None:
                yield member.identity

    def _once(self) -> Iterator[Target]:
        """The targets without those that are given again, by whatever way to the same path."""
        seen: set[tuple[str, str | None, Hashable]] = set()
        for target in self._targets:
            path = posixpath.normpath(target.path) if target.path else None
            member = self._overlay.find(target.base + target.path) if target.path else None
            key = (target.base, path, member.identity if member is not None else None)
            if key not in seen:  # what leads through a link and back may be another file
                seen.add(key)
                yield target

    def _subject(
        self, target: Target, path: str, given: str, member: Member | None = None
    ) -> Subject:
        """One file of a target under the name by which the user can ask for it again.

        Raises:
            SourceError: it is gone.
        """
        listed = target.path is not None
        if member is None:
            member = self._overlay.find(target.base + path)
        if member is None:
            raise SourceError(given, "there is no such file")
        wheel = isinstance(target.source, WheelSource)
        name = given if listed else member.display if wheel else given.rstrip("/") + path
        member = replace(member, display=name)
        return Subject(member, name, split_address(target.given)[0], listed, target.asked)

    def started(self, subject: Subject, elf: ElfObject) -> Member:
        """The file of a subject as the loader sees it.

        A program's ``$ORIGIN`` is the directory of the file that the kernel started, all symbolic
        links followed (``_dl_get_origin``); a library's is that of the path it was found by.
        """
        if not elf.is_program:
            return subject.member
        return replace(subject.member, path=self._paths.real(subject.member.path))

    def _open_targets(self, targets: Sequence[str]) -> tuple[Target | SourceError, ...]:
        """The targets, or why they cannot be opened."""
        opened: list[Target | SourceError] = []
        for target in targets:
            try:
                opened.append(self._open_target(target))
            except SourceError as error:
                opened.append(error)
        return tuple(opened)

    def _with_searched(self, opened: Iterable[Target | SourceError]) -> tuple[Target, ...]:
        """The targets with those that are no files here, but names of libraries; one there must be.

        Raises:
            SourceError: none can be opened.
        """
        targets: list[Target] = []
        for each in opened:
            found = each if isinstance(each, Target) else self._searched(each)
            if isinstance(found, Target):
                targets.append(found)
            else:
                self._unopened.append(found)
        if self._unopened and not targets:
            raise self._unopened[0]
        return tuple(targets)

    def _searched(self, error: SourceError) -> Target | SourceError:
        """The library that the loader finds by a name that is no file here; else the error."""
        if "/" in error.name or "::" in error.name or self._root is None:
            return error
        found = self._found(error.name)
        if found is not None:
            return found
        if not is_library_name(error.name):
            return error
        return SourceError(
            error.name, f"{error.problem}; nor does the loader find a library of that name"
        )

    def searched(self, name: str) -> Subject:
        """What ``dlopen`` of a name without a slash ends at.

        Raises:
            SourceError: the loader finds no such library; a file here does not count.
        """
        target = self._found(name)
        if target is None or target.path is None:
            here = (
                f"; the file in the current directory is ./{name}" if os.path.exists(name) else ""
            )
            raise SourceError(name, f"the loader finds no library of that name{here}")
        return self._subject(target, target.path, target.given)

    def _found(self, name: str) -> Target | None:
        """The library of that name in the process, or in the root where no program is known."""
        entry = self.processes.search(name)
        if entry is None or entry.path is None:
            return None
        origin = entry.steps[-1].origin if entry.steps else entry.origin
        asked = Asked(entry.written, name, origin, entry.steps)
        root = "" if self._root is None or "::" in entry.path else self._root.root
        given = root.rstrip("/") + entry.path
        return Target(given, self._overlay, "", entry.path, asked)

    def _open_target(self, given: str) -> Target:
        container, inside = split_address(given)
        source = self._sources.get(container)
        if source is None:
            source = self._sources[container] = open_source(container)
        if isinstance(source, FileSource):
            if inside is not None:
                why = f"is a file, not an archive: it has no {inside!r} in it"
                raise SourceError(container, why)
            path = self._paths.as_given(container)
            target = Target(given, source, "", path, self._paths.asked(container))
        else:
            if isinstance(source, WheelSource):
                base = mount_name(source)
                self._overlay.mounts[base] = source
            else:
                base = self._paths.of(container)
            target = Target(given, source, base.rstrip("/"), f"/{inside}" if inside else None)
        if target.path is not None and self._overlay.find(target.base + target.path) is None:
            raise SourceError(given, "there is no such file, or a link that leads out of the root")
        return target

    def _name_in_process(self, name: str) -> str:
        """What a process opens; a name without a slash it searches for."""
        return self._path_in_process(name) if "/" in name or "::" in name else name

    def _path_in_process(self, name: str) -> str:
        """A path as the process opens it: of the root, else of this machine.

        A member of an archive (``torch.whl::torch/_C.so``) is one of what is laid over the root.

        Raises:
            SourceError: the archive cannot be opened.
        """
        if split_address(name)[1] is not None:
            target = self._open_target(name)
            return target.base + (target.path or "")
        in_root = self._root is not None and name.startswith("/") and self._root.find(name)
        if in_root or self._paths.is_this_machine or not os.path.exists(name):
            return name  # a path that is nowhere is told
        return self._paths.of(name)

    def _path_of_program(self, name: str) -> str:
        """The same of a program, which nobody searches for here."""
        path = self._path_in_process(name)
        absolute = path.startswith("/") or "::" in path or not self._paths.is_this_machine
        return path if absolute else self._paths.as_given(path)
