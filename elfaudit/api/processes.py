"""The process that a file is loaded into: whose program it is, and by whose rules it loads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from ..elf import ElfObject
from ..errors import ElfAuditError, RequestError
from ..loader import (
    AnyProgram,
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
from .paths import Paths, current_directory
from .subject import Subject
from .surroundings import Surroundings

__all__ = ["Processes"]

_Program = str | AnyProgram | None


class Processes:
    """The processes of one session, a loader for each program and C library.

    Args:
        surroundings: the program, what else is in the process; every path as the process has it.
        started_as: how a program that was named is started; None: none was, or by its path.
        paths: the paths of the root, and the files.
        store: what was read before.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        started_as: str | None,
        paths: Paths,
        store: ObjectStore,
    ) -> None:
        self._inputs = surroundings
        self._libc, self._host = surroundings.libc, surroundings.host
        self._started_as = started_as
        self._root, self._files = paths.root, paths.files
        self._paths, self._store = paths, store
        self._loaders: dict[tuple[_Program, Libc], Loader] = {}

    @property
    def _is_given(self) -> bool:
        """Whether the program was named."""
        return self._host not in ("auto", "none")

    def require_program(self, given: str) -> None:
        """Refuse a program that is not there, or that nobody can run as one.

        Raises:
            RequestError: it is such a one; ``given`` is how the user named it.
        """
        member = self._files.find(self._host)
        if member is None:
            raise RequestError(f"{given}: there is no such program to be the host")
        try:
            self._store.read(member).require_loadable()
        except ElfAuditError as error:
            raise RequestError(f"{given} cannot be the host: {error}") from error

    def loader(self, subject: Subject, elf: ElfObject) -> tuple[Loader, bool]:
        """The loader for the process that would load a subject; whether that process is Python.

        Raises:
            ElfFormatError: the symbol, version or relocation tables of the file are damaged.
            RequestError: the host is of another machine.
        """
        libc = self._libc or libc_of(elf)
        index = self._store.index(subject.member.identity, elf, libc)
        python = not elf.is_program and (_is_python(subject, index) or self._opens_python)
        program = self._program(subject, elf, python=python)
        if isinstance(program, str):
            program = self._paths.real(program)
            libc = self._libc or libc_of(elf, self._read(program))
        return self._loader(program, libc), python

    def loader_of_refused(self, subject: Subject) -> tuple[Loader, ElfObject | None]:
        """The loader for the process that would be handed a file whose own facts do not count.

        Returns:
            The loader, and the program of its process, if one is known.
        """
        program = None
        if self._is_given:
            program = self._paths.real(self._host)
        elif (
            self._host == "auto"
            and self._root is not None
            and (is_extension_name(subject.member.path) or self._opens_python)
        ):
            abi = guessed_abi(subject.member)
            version = extension_version(subject.member.path)
            found = (p for p in self._interpreters(version) if self._is_of(p, abi))
            program = next(map(self._paths.real, found), None)
        main = self._read(program) if program is not None else None
        libc = self._libc or (libc_of(main) if main is not None else Libc.GLIBC)
        return self._loader(program, libc), main

    @cached_property
    def _opens_python(self) -> bool:
        """Whether something that the process opens before is made for Python."""
        return any(self._is_for_python(dlopen.name) for dlopen in self._inputs.dlopens)

    def _is_for_python(self, name: str) -> bool:
        if is_extension_name(name) or "/" not in name:
            return is_extension_name(name)
        member, elf = self._files.find(name), self._read(name)
        if member is None or elf is None:
            return False
        try:
            return refers_to_python(self._store.index(member.identity, elf).references)
        except ElfAuditError:
            return False

    def search(self, name: str) -> LinkMapEntry | None:
        """The library of a name in the process, or in the root where no program is known."""
        for model, program, libc in self._models():
            entry = self._loader(program, libc).find(name, model)
            if entry.path is not None and not entry.missing:
                return entry
        return None

    def _models(self) -> Iterator[tuple[ElfObject, _Program, Libc]]:
        """What a process may be like: a file of its machine, its program, its C library."""
        program = self._host if self._is_given else None
        if program is None and self._host == "auto" and self._opens_python:
            program = next(self._interpreters(None), None)
        running = running_interpreter() if self._paths.is_this_machine else None
        model = self._read(program or (running[1] if running else ""))
        supposed = None if self._host == "none" else AnyProgram.PLAIN
        if model is not None:
            real = self._paths.real(program) if program is not None else supposed
            yield model, real, self._libc or libc_of(model)
        for path, libc in loaders_in(self._files) if program is None else ():
            loader = self._read(path)
            if loader is not None and libc is (self._libc or libc):
                yield loader, supposed, libc

    def _loader(self, program: _Program, libc: Libc) -> Loader:
        """The loader for processes of one program."""
        if (program, libc) not in self._loaders:
            inputs, here = self._inputs, self._paths.is_this_machine
            environment = LoaderEnvironment(
                self._files,
                main_program=program,
                started_as=self._started_as if isinstance(program, str) else None,
                preload=tuple(filter(None, inputs.preload)),  # as ld.so passes over them
                library_path=inputs.library_path,
                hwcaps=host_hwcaps() if here else None,
                platform=host_platform() if here else None,
                directory=current_directory() if here else "/",
                dlopens=inputs.dlopens,
                mode=inputs.mode,
                libc=libc,
            )
            self._loaders[program, libc] = Loader(environment, self._store)
        return self._loaders[program, libc]

    def _program(self, subject: Subject, elf: ElfObject, *, python: bool) -> _Program:
        """The main program of the process; None where it is the subject, or taken to be it."""
        started = elf.is_program and not self._inputs.opens
        if started or self._host == "none":
            return None
        if self._is_given:
            if not self._runs(self._host, elf):
                of = f"of the machine and the C library of {subject.name}"
                raise RequestError(f"{self._host} is not {of}")
            return self._host
        if not python or self._root is None:
            return AnyProgram.PLAIN
        version = extension_version(subject.member.path) or extension_version(subject.container)
        found = (p for p in self._interpreters(version) if self._runs(p, elf))
        return next(found, AnyProgram.PLAIN)

    def _runs(self, program: str, elf: ElfObject) -> bool:
        """Whether a program of the process is of the machine of a file, and of its C library."""
        found = self._read(program)
        if found is None or (found.machine, found.layout) != (elf.machine, elf.layout):
            return False
        return (self._libc or libc_of(elf, found)) is libc_of(found)

    def _is_of(self, program: str, abi: Abi | None) -> bool:
        found = self._read(program)
        return found is not None and Abi.of(found) == abi

    def _read(self, program: str) -> ElfObject | None:
        """The facts of a program of the process; None if it is none (a wrapper script, say)."""
        member = self._files.find(program)
        try:
            return self._store.read(member) if member is not None else None
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


def _is_python(subject: Subject, index: SymbolIndex) -> bool:
    return (
        subject.container.endswith(".whl")
        or is_extension_name(subject.member.path)
        or refers_to_python(index.references)
    )
