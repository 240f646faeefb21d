"""What is prepared once for any number of subjects: the files, the catalogue, the environments."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from ..elf import ElfObject
from ..errors import ElfAuditError, RequestError, SourceError
from ..findings import Catalogue
from ..loader import (
    Asked,
    Libc,
    LinkMapEntry,
    Loader,
    LoaderEnvironment,
    ObjectStore,
    libc_of,
    loaders_in,
)
from ..loader.environment import host_hwcaps, host_platform, running_interpreter
from ..loader.identity import Abi
from ..loader.lookup import SymbolIndex
from ..loader.python import (
    extension_version,
    find_interpreter,
    is_extension_name,
    refers_to_python,
)
from ..loader.verify import guessed_abi
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
from .paths import Paths, current_directory
from .places import places_of
from .subject import TEXT_SUFFIXES, Subject, Target, is_library_name
from .surroundings import Surroundings

__all__ = ["Session"]


class Session:
    """The surroundings of a resolve, shared by all its subjects.

    Args:
        targets: what the user asks about (``path``, ``wheel::member``, wheels, directories).
        surroundings: the root, the program, what else is in the process.
        store: what was read before; by default nothing.

    Raises:
        SourceError: a target, the root or a place cannot be opened.
        RequestError: the host is not there.
    """

    def __init__(
        self,
        targets: Sequence[str],
        surroundings: Surroundings,
        store: ObjectStore | None = None,
    ) -> None:
        self.store = ObjectStore() if store is None else store
        self._root = TreeSource(surroundings.root) if surroundings.root is not None else None
        self._overlay = Overlay(self._root, {})
        self._paths = Paths(self._root, self._overlay)
        self._unopened: list[SourceError] = []
        self._met: list[Subject] = []
        self._coming = self._subjects()
        opened = self._open_targets(targets)
        self._preload = tuple(map(self._name_in_process, surroundings.preload))
        self._library_path = surroundings.library_path
        self._dlopens = tuple(
            replace(each, name=self._name_in_process(each.name)) for each in surroundings.dlopens
        )
        self._libc, self._mode = surroundings.libc, surroundings.mode
        self._opens = surroundings.opens
        host = surroundings.host
        self._given_host = host if host not in ("auto", "none") else None
        self._host = host if host in ("auto", "none") else self._path_of_program(host)
        if host not in ("auto", "none"):
            self._require_program(host)
        self._loaders: dict[tuple[str | None, Libc], Loader] = {}
        self._targets = self._with_searched(opened)
        named = tuple(each for each in self._targets if each.source is not self._overlay)
        places = places_of(named, surroundings.with_, self._root, self._paths)
        self.catalogue = Catalogue(places, self.store)

    def _require_program(self, host: str) -> None:
        """Refuse a host that is not there, or that nobody can run as a program."""
        member = self._overlay.find(self._host)
        if member is None:
            raise RequestError(f"{host}: there is no such program to be the host")
        try:
            self.store.read(member).require_loadable()
        except ElfAuditError as error:
            raise RequestError(f"{host} cannot be the host: {error}") from error

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

    def loader(self, subject: Subject, elf: ElfObject) -> tuple[Loader, bool]:
        """The loader for the process that would load a subject; whether that process is Python.

        Raises:
            ElfFormatError: the symbol, version or relocation tables of the file are damaged.
            RequestError: the host is of another machine.
        """
        libc = self._libc or libc_of(elf)
        index = self.store.index(subject.member.identity, elf, libc)
        python = not elf.is_program and (bool(self._dlopens) or self._is_python(subject, index))
        program = self._program(subject, elf, python=python)
        if program is not None:
            program = self._paths.real(program)
            libc = self._libc or libc_of(elf, self._read(program))
        return self._loader(program, libc), python

    def loader_of_refused(self, subject: Subject) -> tuple[Loader, ElfObject | None]:
        """The loader for the process that would be handed a file whose own facts do not count.

        Returns:
            The loader, and the program of its process, if one is known.
        """
        program = None
        if self._host not in ("auto", "none"):
            program = self._paths.real(self._host)
        elif (
            self._host == "auto"
            and self._root is not None
            and (self._dlopens or is_extension_name(subject.member.path))
        ):
            abi = guessed_abi(subject.member)
            version = extension_version(subject.member.path)
            found = (p for p in self._interpreters(version) if self._is_of(p, abi))
            program = next(map(self._paths.real, found), None)
        main = self._read(program) if program is not None else None
        libc = self._libc or (libc_of(main) if main is not None else Libc.GLIBC)
        return self._loader(program, libc), main

    def _is_of(self, program: str, abi: Abi | None) -> bool:
        found = self._read(program)
        return found is not None and Abi.of(found) == abi

    def _loader(self, program: str | None, libc: Libc) -> Loader:
        """The loader for processes of one program."""
        if (program, libc) not in self._loaders:
            environment = LoaderEnvironment(
                self._overlay,
                main_program=program,
                started_as=self._started_as if program is not None else None,
                preload=self._preload,
                library_path=self._library_path,
                hwcaps=host_hwcaps() if self._paths.is_this_machine else None,
                platform=host_platform() if self._paths.is_this_machine else None,
                directory=current_directory() if self._paths.is_this_machine else "/",
                dlopens=self._dlopens,
                mode=self._mode,
                libc=libc,
            )
            self._loaders[program, libc] = Loader(environment, self.store)
        return self._loaders[program, libc]

    @property
    def _started_as(self) -> str | None:
        """How the program on the command line is started; None: by its path."""
        return self._paths.asked(self._given_host).written if self._given_host else None

    def started(self, subject: Subject, elf: ElfObject) -> Member:
        """The file of a subject as the loader sees it.

        A program's ``$ORIGIN`` is the directory of the file that the kernel started, all symbolic
        links followed (``_dl_get_origin``); a library's is that of the path it was found by.
        """
        if not elf.is_program:
            return subject.member
        return replace(subject.member, path=self._paths.real(subject.member.path))

    @staticmethod
    def _is_python(subject: Subject, index: SymbolIndex) -> bool:
        return (
            subject.container.endswith(".whl")
            or is_extension_name(subject.member.path)
            or refers_to_python(index.references)
        )

    def _program(self, subject: Subject, elf: ElfObject, *, python: bool) -> str | None:
        """Path of the main program of the process, or None where it is the subject or unknown."""
        started = elf.is_program and not self._opens
        if started or self._host == "none":
            return None
        if self._host != "auto":
            if not self._runs(self._host, elf):
                of = f"of the machine and the C library of {subject.name}"
                raise RequestError(f"{self._host} is not {of}")
            return self._host
        if not python or self._root is None:
            return None
        version = extension_version(subject.member.path) or extension_version(subject.container)
        return next((p for p in self._interpreters(version) if self._runs(p, elf)), None)

    def _runs(self, program: str, elf: ElfObject) -> bool:
        """Whether a program of the process is of the machine of a file, and of its C library."""
        found = self._read(program)
        if found is None or (found.machine, found.layout) != (elf.machine, elf.layout):
            return False
        return (self._libc or libc_of(elf, found)) is libc_of(found)

    def _read(self, program: str) -> ElfObject | None:
        """The facts of a program of the process; None if it is none (a wrapper script, say)."""
        member = self._overlay.find(program)
        try:
            return self.store.read(member) if member is not None else None
        except ElfAuditError:
            return None

    def _interpreters(self, version: str | None) -> Iterator[str]:
        if self._paths.is_this_machine:
            running = running_interpreter()
            if running is not None and version in (None, running[0]):
                yield running[1]
        if self._root is not None:
            found = find_interpreter(self._root, version)
            if found is not None:
                yield found

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
        for model, program, libc in self._models():
            entry = self._loader(program, libc).find(name, model)
            if entry.path is not None and not entry.missing:
                origin = entry.steps[-1].origin if entry.steps else entry.origin
                asked = Asked(entry.written, name, origin, entry.steps)
                root = "" if self._root is None or "::" in entry.path else self._root.root
                given = root.rstrip("/") + entry.path
                return Target(given, self._overlay, "", entry.path, asked)
        return None

    def _models(self) -> Iterator[tuple[ElfObject, str | None, Libc]]:
        """What a process may be like: a file of its machine, its program, its C library."""
        program = self._host if self._given_host is not None else None
        if program is None and self._dlopens and self._host == "auto":
            program = next(self._interpreters(None), None)
        running = running_interpreter() if self._paths.is_this_machine else None
        model = self._read(program or (running[1] if running else ""))
        if model is not None:
            real = self._paths.real(program) if program is not None else None
            yield model, real, self._libc or libc_of(model)
        for path, libc in loaders_in(self._overlay) if program is None else ():
            loader = self._read(path)
            if loader is not None and libc is (self._libc or libc):
                yield loader, None, libc

    def _open_target(self, given: str) -> Target:
        container, inside = split_address(given)
        source = open_source(container)
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
