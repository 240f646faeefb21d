"""The musl search order: from a name asked for to the file that stands for it.

Source: ``load_library``, ``path_open``, ``fixup_rpath`` and ``map_library`` (musl
``ldso/dynlink.c``). Unlike glibc's, the search ends at the first file that can be opened, whatever
it is.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from ..elf import ElfObject
from ..errors import ElfAuditError, SourceError
from ..sources import Member, NoFile, Obstacle
from .environment import Libc, LoaderEnvironment
from .linkmap import LinkMapEntry, Origin, Outcome, SearchStep, path_label
from .musl_machines import MuslMachine, musl_machine_of
from .musl_mapping import NOT_A_LIBRARY
from .musl_verify import RefusedError, UntoldError, doubt_of_program, verified
from .searched import Found, Search
from .store import ObjectStore

__all__ = ["MuslSearcher"]

_OWN_NAMES = ("libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet.")
_NAME_MAX = 255
_BUFFER = 2 * _NAME_MAX + 2  # load_library: a path that does not fit is not tried
_ORIGIN = re.compile(r"\$ORIGIN|\$\{ORIGIN\}")
_SEPARATORS = re.compile("[:\n]+")
_DEFAULT = b"/lib:/usr/local/lib:/usr/lib"
_MOST_TEXT = 1 << 20  # of one path list
_MOST_STEPS = 1 << 16  # told of one process; of more of them only what was there
_MANY = 4096
_THE_C_LIBRARY = frozenset(("__libc_start_main", "stdin"))


@dataclass(frozen=True, slots=True)
class _SystemPath:
    """The system's directories, and what became of the file that lists them if it was not read."""

    directories: tuple[str, ...]
    unread: SearchStep | None


# What open or read says of what is no file (src/errno/__strerror.h); everything else, devices that
# are always empty or never, can be read but holds no library.
_WORDS = {
    Obstacle.ABSENT: "",
    Obstacle.DENIED: "Permission denied",
    Obstacle.NOT_DIRECTORY: "Not a directory",
    Obstacle.TOO_LONG: "Filename too long",
    Obstacle.LOOP: "Symbolic link loop",
    Obstacle.SOCKET: "No such device or address",
    Obstacle.DIRECTORY: "Is a directory",
}
_GOES_ON = frozenset((Obstacle.ABSENT, Obstacle.DENIED, Obstacle.NOT_DIRECTORY, Obstacle.TOO_LONG))
_OUTCOMES = {
    Obstacle.ABSENT: Outcome.ABSENT,
    Obstacle.NOT_DIRECTORY: Outcome.ABSENT,
    Obstacle.TOO_LONG: Outcome.ABSENT,
    Obstacle.DENIED: Outcome.UNREADABLE,
    Obstacle.LOOP: Outcome.UNREADABLE,
    Obstacle.SOCKET: Outcome.UNREADABLE,
}


class MuslSearcher:
    """Finds libraries in one environment for objects of one machine.

    Args:
        environment: the root and the paths that are set from outside.
        store: reads the candidates.
        model: an object of the machine whose loader searches (the main program or the subject).

    Attributes:
        machine: that machine.
        whole: whether the root has a loader; in one without it nothing can be said of what is not
            in it.
    """

    def __init__(
        self, environment: LoaderEnvironment, store: ObjectStore, model: ElfObject
    ) -> None:
        self._environment = environment
        self._store = store
        self._model = model
        self.machine: MuslMachine = musl_machine_of(model)
        paths = {self.machine.interpreter, model.interp or self.machine.interpreter}
        self.whole = any(environment.root.find(path) is not None for path in paths)
        self._kept = 0
        self._system: dict[str, _SystemPath] = {}
        self._lists: dict[LinkMapEntry, tuple[str, ...]] = {}
        self._there: dict[LinkMapEntry | None, tuple[str, ...]] = {}

    def begin(self) -> None:
        """Another process: its first steps are told in full again, however many there were."""
        self._kept = 0
        self._lists.clear()
        self._there.clear()

    def search(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Search:
        """Look for ``name``.

        Args:
            name: as asked for, not one of the loader's own (:meth:`is_loader`).
            requester: who asks; None for ``LD_PRELOAD`` and the command line. For a name that is
                handed to ``dlopen`` musl has the program ask.
            program: the main program, once there is one.
        """
        steps: list[SearchStep] = []
        for path, origin, declared_by in self._candidates(name, requester, program):
            found, step, goes_on = self._open(path, origin, declared_by)
            if self._kept <= _MOST_STEPS or step.outcome is not Outcome.ABSENT:
                steps.append(step)
                self._kept += 1
            if found is not None:
                return Search(found, tuple(steps))
            if step.outcome is Outcome.UNTOLD:
                return Search(None, tuple(steps), doubt=step.detail)
            if not goes_on:
                return Search(None, tuple(steps), step.detail)
        if "/" not in name and (unread := self._system_path(program).unread):
            steps.append(unread)
        return Search(None, tuple(steps))

    def started(self, path: str) -> Search:
        """The program, or the loader itself: the kernel maps them, and no loader looks at them."""
        member = self._environment.root.look(self._absolute(path))
        if isinstance(member, NoFile):
            return self.search(path, None, None)
        try:
            elf = self._store.read(member)
        except ElfAuditError:
            step = SearchStep(path, Origin.DIRECT, None, Outcome.NOT_ELF, NOT_A_LIBRARY)
            return Search(None, (step,), NOT_A_LIBRARY)
        step = SearchStep(path, Origin.DIRECT, None, Outcome.FOUND)
        return Search(Found(self._absolute(path), member, elf, Origin.DIRECT, path), (step,))

    def doubt_of_started(self, program: Found) -> str | None:
        """Why it cannot be told whether a program starts; None if it does.

        A library in its place, which the loader itself would have to map, is taken as it is.
        """
        if not program.elf.is_program:
            return None
        return doubt_of_program(program.elf, program.member, self._store)

    def is_loader(self, name: str, program: LinkMapEntry | None) -> bool:
        """Whether a name means the loader itself, which is the C library, without any search."""
        return name.startswith(_OWN_NAMES) or name == self.loader_path(program)

    def is_c_library(self, identity: Hashable, elf: ElfObject) -> bool:
        """Whether a file is a C library, musl's or glibc's: the loader takes itself instead."""
        try:
            exports = self._store.index(identity, elf, Libc.MUSL).exports
        except ElfAuditError:
            return False
        return exports.plain >= _THE_C_LIBRARY

    def loader_path(self, program: LinkMapEntry | None) -> str:
        """The path of the loader as it knows it: ``PT_INTERP`` of the program."""
        interp = program.elf.interp if program is not None and program.elf else None
        return interp if interp and "ld-musl-" in interp else self.machine.interpreter

    @staticmethod
    def origin_of(entry: LinkMapEntry, program: LinkMapEntry | None) -> str:
        """``$ORIGIN`` of an object: the directory of the path by which it was opened.

        That may be relative, but for the program, whose path the kernel tells.
        """
        written = entry.written if entry is not program else None
        return (written or entry.path or "").rpartition("/")[0]

    def _candidates(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Iterator[tuple[str, Origin, str | None]]:
        """(path, origin, declared by) in the order in which they are opened."""
        if "/" in name:
            yield name, Origin.DIRECT, None
            return
        if not name or len(_raw(name)) > _NAME_MAX:
            return
        for directory, origin, declared_by in self._directories(requester, program):
            path = f"{directory}/{name}"
            if len(_raw(path_label(path))) < _BUFFER:
                yield path, origin, declared_by

    def _worth_trying(
        self, owner: LinkMapEntry | None, directories: tuple[str, ...]
    ) -> tuple[str, ...]:
        """All directories of a path; once enough steps are told only those that are there.

        So a path of a million directories is walked through once, not for each name.
        """
        if self._kept <= _MOST_STEPS:
            return directories
        known = self._there.get(owner)
        if known is None:
            listing = self._environment.root.listing
            each = dict.fromkeys(directories)
            known = tuple(d for d in each if listing(self._absolute(d)))
            self._there[owner] = known
        return known

    def _directories(
        self, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Iterator[tuple[str, Origin, str | None]]:
        """LD_LIBRARY_PATH; the requester's path, that of whoever needed it …; the system's."""
        for element in self._environment.library_path:
            for directory in _elements(element):
                yield directory, Origin.LD_LIBRARY_PATH, None
        for owner in _needed_by(requester, program):
            dynamic = owner.elf.dynamic if owner.elf else None
            if dynamic is None:
                continue
            origin = Origin.RPATH if dynamic.runpath is None else Origin.RUNPATH
            for directory in self._worth_trying(owner, self._own_path(owner, program)):
                yield directory, origin, owner.display
        system = self._system_path(program).directories
        for directory in self._worth_trying(None, system):
            yield directory, Origin.DEFAULT, None

    def _own_path(self, owner: LinkMapEntry, program: LinkMapEntry | None) -> tuple[str, ...]:
        """The directories of an object's DT_RUNPATH, else DT_RPATH (``fixup_rpath``).

        ``$ORIGIN`` is all that musl replaces, wherever it stands; another ``$`` voids the whole.
        """
        known = self._lists.get(owner)
        if known is None:
            dynamic = owner.elf.dynamic if owner.elf else None
            origin = self.origin_of(owner, program)
            own = dynamic and (dynamic.rpath if dynamic.runpath is None else dynamic.runpath)
            if "::" in (owner.path or ""):
                # Of an archive's member: the colons of its path are ours, not the loader's.
                parts = (self._expanded(each, origin) for each in _elements(own or ""))
                known = tuple(part for part in parts if part)
            else:
                known = tuple(_elements(self._expanded(own or "", origin)))
            if len(known) > _MANY:  # nobody means it: trying a directory again finds nothing new
                known = tuple(dict.fromkeys(known))
            self._lists[owner] = known
        return known

    @staticmethod
    def _expanded(text: str, origin: str) -> str:
        if "$" not in text:
            return text
        if text.count("$") != len(_ORIGIN.findall(text)):
            return ""
        if text.count("$") * len(origin) > _MOST_TEXT:
            return ""
        return _ORIGIN.sub(lambda _: origin, text)

    def _system_path(self, program: LinkMapEntry | None) -> _SystemPath:
        """``/etc/ld-musl-ARCH.path`` beside the loader's directory; without that file the default.

        A file that is empty, or cannot be read, leaves no directories at all.
        """
        loader = self.loader_path(program)
        known = self._system.get(loader)
        if known is None:
            prefix = "/".join(loader.split("/")[:-2]) if loader.startswith("/") else ""
            file = f"{prefix}/etc/ld-musl-{self.machine.architecture}.path"
            known = self._system[loader] = self._read_system_path(file)
        return known

    def _read_system_path(self, path: str) -> _SystemPath:
        def unread(why: str) -> _SystemPath:
            step = SearchStep(path, Origin.DEFAULT, None, Outcome.UNREADABLE, why)
            return _SystemPath((), step)

        try:
            member = self._environment.root.look(path)
            if isinstance(member, NoFile) and member.kind is not Obstacle.ABSENT:
                return unread(_WORDS.get(member.kind, NOT_A_LIBRARY))
            raw = _DEFAULT if isinstance(member, NoFile) else member.open().read(_MOST_TEXT)
        except SourceError:
            return unread("Permission denied")
        text = raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        return _SystemPath(tuple(_elements(text)), None)

    def _open(
        self, path: str, origin: Origin, declared_by: str | None
    ) -> tuple[Found | None, SearchStep, bool]:
        """Open one path: the file, the step, and whether the search goes on (``path_open``)."""

        def step(outcome: Outcome, detail: str | None = None) -> SearchStep:
            return SearchStep(path, origin, declared_by, outcome, detail)

        try:
            member = self._environment.root.look(self._absolute(path))
        except SourceError as error:
            return None, step(Outcome.UNREADABLE, error.problem), True
        if isinstance(member, NoFile):
            outcome = _OUTCOMES.get(member.kind, Outcome.NOT_ELF)
            detail = _WORDS.get(member.kind, NOT_A_LIBRARY)
            return None, step(outcome, detail or None), member.kind in _GOES_ON
        try:
            elf = verified(member, self._store, self._model)
        except RefusedError as refusal:
            wrong_class = _is_of_other_class(member, self._model)
            outcome = Outcome.WRONG_CLASS if wrong_class else Outcome.NOT_ELF
            return None, step(outcome, str(refusal)), False
        except UntoldError as doubt:
            return None, step(Outcome.UNTOLD, str(doubt)), False
        except SourceError:
            return None, step(Outcome.UNREADABLE, "Permission denied"), True
        found = Found(self._absolute(path), member, elf, origin, path)
        return found, step(Outcome.FOUND), False

    def _absolute(self, path: str) -> str:
        if path.startswith("/") or "::" in path:
            return path
        return f"{self._environment.directory.rstrip('/')}/{path}"


def _is_of_other_class(member: Member, model: ElfObject) -> bool:
    """Whether a file that is not taken says that it is of the other class."""
    try:
        ident = member.open().read(5)
    except SourceError:
        return False
    return ident == b"\x7fELF" + (b"\1" if model.layout.bits == 64 else b"\2")


def _elements(paths: str) -> Iterator[str]:
    """The elements of a path list (``path_open``); empty ones do not count."""
    return (element for element in _SEPARATORS.split(paths) if element)


def _needed_by(
    requester: LinkMapEntry | None, program: LinkMapEntry | None
) -> Iterator[LinkMapEntry]:
    """The requester, whoever needed it, and so on (``needed_by``).

    Nobody needs a preload; what was opened by ``dlopen`` is needed by the program.
    """
    entry = requester
    while entry is not None:
        yield entry
        if entry is program or entry.origin is Origin.PRELOAD:
            return
        entry = entry.loader or program


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
