"""The link map: which file stands for each name, who asked for it, and where it was looked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain

from ..elf import ElfObject
from ..sources import HOST
from .environment import Libc, Mode
from .rtld import Version
from .sorting import after_dependencies, moved_behind_users

__all__ = [
    "AS_NAMED",
    "Asked",
    "LinkMap",
    "LinkMapEntry",
    "Opening",
    "Origin",
    "Outcome",
    "SearchStep",
    "path_label",
    "supposed_program",
]

_DEPTH_FIRST_SINCE = (2, 35)
_WHOLE_LIST_SINCE = (2, 32)


class Origin(Enum):
    """Which rule named the path that was tried; the value is how elfaudit says it."""

    DIRECT = "given"
    LOADED = "already loaded"
    PRELOAD = "LD_PRELOAD"
    SYSTEM_PRELOAD = "/etc/ld.so.preload"
    DLOPEN = "dlopen"
    RPATH = "RPATH"
    LD_LIBRARY_PATH = "LD_LIBRARY_PATH"
    RUNPATH = "RUNPATH"
    LD_SO_CACHE = "ld.so.cache"
    DEFAULT = "default directory"
    MISSING = "not found"
    EXTERNAL = "outside of what is audited"
    UNTOLD = "cannot be told"


class Outcome(Enum):
    """What became of one try."""

    FOUND = "found"
    ABSENT = "no such file"
    WRONG_CLASS = "wrong ELF class"
    WRONG_MACHINE = "wrong machine"
    NOT_ELF = "not a loadable ELF file"
    UNREADABLE = "cannot be read"
    UNTOLD = "cannot be told"


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One path tried.

    Attributes:
        path: the path, unnormalised, as the loader would open it: one that comes from a relative
            element is relative.
        origin: the rule that named it.
        declared_by: path of the object whose RPATH or RUNPATH it was, or None.
        outcome: what was there.
        detail: the reason in words, for NOT_ELF, UNREADABLE and UNTOLD.
    """

    path: str
    origin: Origin
    declared_by: str | None
    outcome: Outcome
    detail: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LinkMapEntry:
    """One object of a process, or one that should have been. Compared by identity.

    Attributes:
        name: the name it was asked for by (DT_NEEDED, or the path given).
        path: where it is, as the loader would name it; None if it was not found.
        display: the same for the user, who can hand it back as a target.
        elf: its facts; None if it was not found.
        identity: equal for two paths of one file.
        loader: the entry that asked for it first; None for the program and the subject; the
            program for its preloads.
        origin: the rule that found it, MISSING, EXTERNAL or UNTOLD.
        steps: every path tried, in order.
        written: the path as the loader has it, which may be relative to the current directory; of
            the program, as it was started.
        problem: of a missing one, why the last try failed, as the loader puts it; None: it tried
            nothing.
        doubt: why it cannot be told whether the loader takes it, a clause without the name; None
            where it can.
    """

    name: str
    path: str | None
    display: str
    elf: ElfObject | None
    identity: Hashable
    loader: LinkMapEntry | None
    origin: Origin
    steps: tuple[SearchStep, ...] = field(default=(), repr=False)
    written: str | None = None
    problem: str | None = None
    doubt: str | None = None

    @property
    def preloaded(self) -> bool:
        """Whether it is in the process because it was preloaded."""
        return self.origin in (Origin.PRELOAD, Origin.SYSTEM_PRELOAD)

    @property
    def supposed(self) -> bool:
        """Whether it is a program of which nothing is known; it is in no list of objects."""
        return self.path is None and self.origin is Origin.DIRECT

    @property
    def missing(self) -> bool:
        """Whether there is no object for it."""
        return self.elf is None

    @property
    def label(self) -> str:
        """The path as the loader would print it; for a member of an archive, its path in there."""
        return path_label(self.written or self.path or self.name)

    @property
    def soname(self) -> str:
        """What other objects call it: its SONAME, else the name it was asked for by."""
        return (self.elf.soname if self.elf else None) or self.name


def supposed_program() -> LinkMapEntry:
    """A program of which nothing is known; it stands in no list, and what it needs is its own."""
    return LinkMapEntry("", None, "", None, None, None, Origin.DIRECT)


def path_label(path: str) -> str:
    """A path of a process as the loader would print it; of an archive's member, that in there."""
    path = path.removeprefix(HOST)
    return path.partition("::/")[2] or path


@dataclass(frozen=True, slots=True)
class Asked:
    """How a process came upon the file asked about.

    Attributes:
        written: how it is written in the call or on the command line; None: as its path.
        name: the name it was searched for by; None: it was named itself.
        origin: the rule that found it.
        steps: every path tried for it.
    """

    written: str | None = None
    name: str | None = None
    origin: Origin = Origin.DIRECT
    steps: tuple[SearchStep, ...] = field(default=(), repr=False)


AS_NAMED = Asked()
"""By its path, as a whole."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One step by which a process grew: its start, or a ``dlopen``.

    Attributes:
        root: the program, or the object that was opened.
        mode: how it was opened; None for the start.
        searchlist: the root and what it needs, breadth first, objects loaded before included,
            missing ones left out; at the start the preloads stand behind the program.
        loaded: the objects this step brought in, in load order, missing ones included.
        global_scope: the objects that every lookup of this step passes beside the searchlist: what
            was global before; empty at the start.
        refused: why the loader does not take the root itself, in its words; None if it does.
        names: what each name stands for that was asked for by then, and each path; a SONAME only if
            somebody asked for it.
    """

    root: LinkMapEntry
    mode: Mode | None
    searchlist: tuple[LinkMapEntry, ...]
    loaded: tuple[LinkMapEntry, ...]
    global_scope: tuple[LinkMapEntry, ...] = ()
    refused: str | None = None
    names: Mapping[str, LinkMapEntry] = field(default_factory=dict, repr=False)

    @property
    def scope(self) -> tuple[LinkMapEntry, ...]:
        """The objects a lookup passes, in order, each once (``l_scope`` of what was loaded)."""
        parts = (self.global_scope, self.searchlist)
        own_first = self.mode is not None and Mode.DEEPBIND in self.mode
        return tuple(dict.fromkeys(chain(*(parts[::-1] if own_first else parts))))


@dataclass(frozen=True, slots=True)
class LinkMap:
    """The objects of a process in the order the loader holds them.

    Attributes:
        entries: everything, breadth first: program, preloads and their dependencies, then what each
            ``dlopen`` brought in, the subject's own last; entries that were not found included.
        subject: the entry of the file asked about.
        openings: the start of the process, the ``dlopen`` calls before the subject's, and the
            subject's own, in order; the start alone where the subject is the program.
        edges: for every entry, the entries its NEEDED stand for, in order.
        ignored_preloads: preloads that were not found, by their origin; the loader only warns of
            them.
        libc: whose rules it was loaded by.
        version: the release of that glibc; None: a new one.
    """

    entries: tuple[LinkMapEntry, ...]
    subject: LinkMapEntry
    openings: tuple[Opening, ...]
    edges: Mapping[LinkMapEntry, tuple[LinkMapEntry, ...]] = field(repr=False)
    ignored_preloads: tuple[LinkMapEntry, ...] = ()
    libc: Libc = Libc.GLIBC
    version: Version | None = None

    @property
    def names(self) -> Mapping[str, LinkMapEntry]:
        """What each name stands for in the end (:attr:`Opening.names`)."""
        return self.openings[-1].names

    @property
    def program(self) -> LinkMapEntry:
        """The main program: the subject itself where that was started, or taken for it.

        One of which nothing is known is ``supposed``: it has no path, and is not in ``entries``.
        """
        return self.openings[0].root

    @property
    def host(self) -> LinkMapEntry | None:
        """The main program if it is another file than the subject, and is known."""
        program = self.program
        return program if program is not self.subject and not program.supposed else None

    def asker(self, entry: LinkMapEntry) -> LinkMapEntry | None:
        """The file that asked for an object first; None if nobody did.

        What a supposed program needs is asked for by whoever lists it, too, or else the subject.
        """
        if entry.loader is None or not entry.loader.supposed:
            return entry.loader
        users = (user for user, needed in self.edges.items() if entry in needed)
        return next((user for user in users if not user.supposed), self.subject)

    @property
    def global_scope(self) -> tuple[LinkMapEntry, ...]:
        """The objects every lookup of the subject passes first."""
        last = self.openings[-1]
        return last.global_scope if len(self.openings) > 1 else last.searchlist

    @property
    def local_scope(self) -> tuple[LinkMapEntry, ...]:
        """What the subject's own lookups pass next; empty when it is the program."""
        return self.openings[-1].searchlist if len(self.openings) > 1 else ()

    @property
    def refused(self) -> str | None:
        """Why the loader does not take the subject itself, in its words; None if it does."""
        return self.openings[-1].refused

    @property
    def missing(self) -> tuple[LinkMapEntry, ...]:
        """Entries without a file, in the order in which the loader would complain."""
        return tuple(entry for entry in self.entries if entry.missing)

    @property
    def relocated(self) -> tuple[LinkMapEntry, ...]:
        """The objects in the order in which the loader binds them: dependencies before their users.

        Of a cycle the object that was loaded last comes first (before glibc 2.35: as it happens),
        and the root of a scope always comes last.
        """
        order: dict[LinkMapEntry, None] = {}
        for opening in self.openings:
            order.update(dict.fromkeys(self.relocated_by(opening)))
        return tuple(order)

    def relocated_by(self, opening: Opening) -> tuple[LinkMapEntry, ...]:
        """The same of one step: what it loaded, nothing that was bound before."""
        new = {entry for entry in opening.loaded if not entry.missing}
        if self.version is not None and self.version < _DEPTH_FIRST_SINCE:
            return tuple(entry for entry in self._sorted_by_moving(opening) if entry in new)
        visited = set(opening.searchlist) - new
        visited.add(opening.root)  # whose own list is not made yet when the others are sorted
        order = tuple(after_dependencies(reversed(opening.searchlist), self.edges, visited))
        return (*order, opening.root) if opening.root in new else order

    def _sorted_by_moving(self, opening: Opening) -> list[LinkMapEntry]:
        """What one step loaded, and more, by the older way to sort, read backwards.

        Whatever was a root before has all of its list for its dependencies by then
        (``l_initfini``). ``dlopen`` once sorted the new objects alone, the root among them
        (``dl_open_worker``, glibc ``elf/dl-open.c``).
        """
        opened = {each.root: each.searchlist for each in self._before(opening)}

        def needed(entry: LinkMapEntry) -> tuple[LinkMapEntry, ...]:
            return opened.get(entry) or self.edges.get(entry, ())

        version = self.version or _DEPTH_FIRST_SINCE
        if opening.mode is not None and version < _WHOLE_LIST_SINCE:
            opened[opening.root] = opening.searchlist
            new = [entry for entry in opening.loaded if not entry.missing]
            return moved_behind_users(new, needed)[::-1]
        others = [entry for entry in opening.searchlist if entry is not opening.root]
        return [*moved_behind_users(others, needed)[::-1], opening.root]

    def _before(self, opening: Opening) -> tuple[Opening, ...]:
        return self.openings[: self.openings.index(opening)]

    @property
    def own(self) -> tuple[LinkMapEntry, ...]:
        """The subject and everything that is in the process because of it."""
        return self.openings[-1].searchlist
