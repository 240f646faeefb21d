"""What is prepared once for any number of subjects: the files, the catalogue, the environments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..elf import ElfObject
from ..errors import ElfAuditError, RequestError, SourceError
from ..findings import Catalogue, Place, library_places
from ..loader import Loader, LoaderEnvironment, ObjectStore
from ..loader.environment import host_hwcaps, host_platform, running_interpreter
from ..loader.lookup import SymbolIndex
from ..loader.python import (
    extension_version,
    find_interpreter,
    is_extension_name,
    refers_to_python,
)
from ..sources import (
    FileSource,
    Member,
    Overlay,
    Source,
    TreeSource,
    mount_name,
    open_source,
    split_address,
)

__all__ = ["Session", "Subject"]

# Never ELF, and thousands of them in a large wheel: not opened.
_TEXT_SUFFIXES = (
    ".py", ".pyi", ".pyc", ".h", ".hpp", ".hh", ".cuh", ".inl", ".inc", ".c", ".cc", ".cpp", ".cu",
    ".cmake", ".txt", ".md", ".rst", ".json", ".yaml", ".yml", ".toml", ".html", ".css", ".js",
    ".png", ".svg", ".gif", ".jpg", ".pxd", ".pyx", ".typed", ".ipynb", ".xml", ".cfg", ".ini",
    ".csv", ".ptl", ".npy", ".npz", ".gz", ".zip", ".f90", ".mod",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """One file to resolve: its member, the name to show, and what it was named as part of."""

    member: Member
    name: str
    container: str
    listed: bool  # named by the user, and not one of many in an archive or a directory


# (as given, source, prefix of its paths in the overlay, path in it or None for every file)
_Target = tuple[str, Source, str, str | None]


class Session:
    """The surroundings of a resolve, shared by all its subjects.

    Args:
        targets: what the user asks about (``path``, ``wheel::member``, wheels, directories).
        root: the directory that is ``/``, or None: nothing but the targets exists.
        with_: further places where something missing could be found.
        host: ``auto``, ``none`` or the path of the main program.
        preload: ``LD_PRELOAD``.
        library_path: ``LD_LIBRARY_PATH``.

    Raises:
        SourceError: a target, the root or a place cannot be opened.
        RequestError: the host is not there.
    """

    def __init__(
        self,
        targets: Sequence[str],
        *,
        root: str | None,
        with_: Iterable[str],
        host: str,
        preload: Iterable[str],
        library_path: Iterable[str],
    ) -> None:
        self.store = ObjectStore()
        self._root = TreeSource(root) if root is not None else None
        self._overlay = Overlay(self._root, {})
        self._targets, unopened = self._open_targets(targets)
        self._preload = tuple(self._file_in_root(name) for name in preload)
        self._library_path = tuple(library_path)
        self._host = host if host in ("auto", "none") else self._file_in_root(host)
        if host not in ("auto", "none") and self._overlay.find(self._host) is None:
            raise RequestError(f"{host}: there is no such program to be the host")
        self._loaders: dict[str | None, Loader] = {}
        self.catalogue = Catalogue(self._places(with_), self.store)
        self.problems = (*map(str, unopened), *self._overlay.problems)

    def subjects(self) -> Iterator[Subject]:
        """Every file asked about: those named, and all that may be ELF in archives and trees."""
        for target, source, prefix, path in self._targets:
            if path is not None:
                member = self._overlay.find(prefix + path)
                if member is not None:
                    yield Subject(
                        _shown(member, target), target, split_address(target)[0], listed=True
                    )
                continue
            for name in source.names():
                if name.endswith(_TEXT_SUFFIXES):
                    continue
                member = self._overlay.find(prefix + name)
                if member is not None and member.size:
                    display = member.display if "::" in prefix else target.rstrip("/") + name
                    yield Subject(_shown(member, display), display, target, listed=False)

    def loader(self, subject: Subject, elf: ElfObject, index: SymbolIndex) -> tuple[Loader, bool]:
        """The loader for the process that would load a subject; whether that process is Python."""
        python = not elf.is_program and self._is_python(subject, index)
        program = self._program(subject, elf, python=python)
        if program is not None:
            program = self._real_path(program)
        if program not in self._loaders:
            environment = LoaderEnvironment(
                self._overlay,
                main_program=program,
                preload=self._preload,
                library_path=self._library_path,
                hwcaps=host_hwcaps() if self._is_this_machine else None,
                platform=host_platform() if self._is_this_machine else None,
                directory=os.getcwd() if self._is_this_machine else "/",
            )
            self._loaders[program] = Loader(environment, self.store)
        return self._loaders[program], python

    def started(self, subject: Subject, elf: ElfObject) -> Member:
        """The file of a subject as the loader sees it.

        A program's ``$ORIGIN`` is the directory of the file that the kernel started, all symbolic
        links followed (``_dl_get_origin``); a library's is that of the path it was found by.
        """
        if not elf.is_program:
            return subject.member
        return replace(subject.member, path=self._real_path(subject.member.path))

    def _real_path(self, path: str) -> str:
        """A path of the root with all its symbolic links followed; of anything else the path."""
        if self._root is None or "::" in path:
            return path
        real = self._root.host_path(path)
        inside = self._inside_root(real) if real is not None else None
        return inside or path

    @property
    def _is_this_machine(self) -> bool:
        return self._root is not None and self._root.root == "/"

    @staticmethod
    def _is_python(subject: Subject, index: SymbolIndex) -> bool:
        return (
            subject.container.endswith(".whl")
            or is_extension_name(subject.member.path)
            or refers_to_python(index.references)
        )

    def _program(self, subject: Subject, elf: ElfObject, *, python: bool) -> str | None:
        """Path of the main program of the process, or None where it is the subject or unknown."""
        if elf.is_program or self._host == "none":
            return None
        if self._host != "auto":
            return self._host
        if not python or self._root is None:
            return None
        version = extension_version(subject.member.path) or extension_version(subject.container)
        for path in self._interpreters(version):
            member = self._overlay.find(path)
            if member is None:
                continue
            try:
                candidate = self.store.read(member)
            except ElfAuditError:
                continue  # a wrapper script, say
            if (candidate.machine, candidate.layout) == (elf.machine, elf.layout):
                return path
        return None

    def _interpreters(self, version: str | None) -> Iterator[str]:
        if self._is_this_machine:
            running = running_interpreter()
            if running is not None and version in (None, running[0]):
                yield running[1]
        if self._root is not None:
            found = find_interpreter(self._root, version)
            if found is not None:
                yield found

    def _open_targets(
        self, targets: Sequence[str]
    ) -> tuple[tuple[_Target, ...], list[SourceError]]:
        """The targets that can be opened, and why the others cannot; at least one must."""
        opened: list[_Target] = []
        errors: list[SourceError] = []
        for target in targets:
            try:
                opened.append(self._open_target(target))
            except SourceError as error:
                errors.append(error)
        if errors and not opened:
            raise errors[0]
        return tuple(opened), errors

    def _open_target(self, target: str) -> _Target:
        """(as given, source, prefix of its paths in the overlay, path in it or None for all)."""
        container, inside = split_address(target)
        source = open_source(container)
        if isinstance(source, FileSource):
            if inside is not None:
                raise SourceError(
                    container, f"is a file, not an archive: it has no {inside!r} in it"
                )
            path = self._file_in_root(container)
            prefix, separator, rest = path.partition("::")
            return target, self._overlay, f"{prefix}::" if separator else "", rest or path
        inside = None if inside is None else f"/{inside}"
        if inside is not None and source.find(inside) is None:
            raise SourceError(target, "there is no such file")
        if isinstance(source, TreeSource) and (base := self._inside_root(source.root)) is not None:
            tree = TreeSource(source.root, label=base or "/")
            return target, tree, base, inside
        prefix = mount_name(source)
        self._overlay.mounts[prefix] = source
        return target, source, prefix, inside

    def _inside_root(self, path: str) -> str | None:
        """A real path of this machine as the root has it, without a trailing slash; or None."""
        root = self._root.root.rstrip("/") if self._root is not None else None
        if root is None or not (path == root or path.startswith(f"{root}/")):
            return None
        return path[len(root) :].rstrip("/")

    def _file_in_root(self, path: str) -> str:
        """The path by which a process in the root would open a file of this machine.

        A file outside the root is reached through its directory, laid over the root.
        """
        if not os.path.exists(path):
            return path  # a library name, to be searched for, or a path in the root, or nothing
        if self._root is not None:
            if path.startswith("/") and self._root.find(path) is not None:
                return path
            absolute = os.path.abspath(path)
            if self._root.root == "/":
                return absolute
            real = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(path))
            inside = self._inside_root(real)
            if inside is not None:
                return inside
        directory = TreeSource(os.path.dirname(path) or ".", show_inside=False)
        self._overlay.mounts.setdefault(mount_name(directory), directory)
        return f"{mount_name(directory)}/{os.path.basename(path)}"

    def _places(self, with_: Iterable[str]) -> Iterator[Place]:
        """Where to look for providers, the nearest first."""
        for prefix, source in self._overlay.mounts.items():
            yield Place(source, base=prefix)
        beside: dict[str, None] = {}
        for _, source, prefix, path in self._targets:
            if source is not self._overlay and "::" not in prefix:
                yield Place(source, base=prefix)
            elif path is not None and "::" not in prefix:
                beside[os.path.dirname(path)] = None
        if self._root is not None and beside:
            yield Place(self._root, tuple(beside))
        for path in with_:
            source = open_source(path)
            if isinstance(source, TreeSource):
                yield Place(source, base=self._directory_in_root(source))
            elif isinstance(source, FileSource):
                yield Place(source)
            else:
                yield Place(source, base=mount_name(source))
        if self._root is not None:
            yield library_places(self._root)

    def _directory_in_root(self, tree: TreeSource) -> str:
        inside = self._inside_root(tree.root)
        return tree.root.rstrip("/") if inside is None else inside


def _shown(member: Member, display: str) -> Member:
    """The member under the name the user knows it by."""
    return replace(member, display=display)
