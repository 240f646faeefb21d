"""The link map: which file stands for each name, who asked for it, and where it was looked for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ..elf import ElfObject
from ..sources import HOST

__all__ = ["LinkMap", "LinkMapEntry", "Origin", "Outcome", "SearchStep"]


class Origin(Enum):
    """Which rule named the path that was tried; the value is how elfaudit says it."""

    DIRECT = "given"
    LOADED = "already loaded"
    PRELOAD = "LD_PRELOAD"
    RPATH = "RPATH"
    LD_LIBRARY_PATH = "LD_LIBRARY_PATH"
    RUNPATH = "RUNPATH"
    LD_SO_CACHE = "ld.so.cache"
    DEFAULT = "default directory"
    MISSING = "not found"
    EXTERNAL = "outside of what is audited"


class Outcome(Enum):
    """What became of one try."""

    FOUND = "found"
    ABSENT = "no such file"
    WRONG_CLASS = "wrong ELF class"
    WRONG_MACHINE = "wrong machine"
    NOT_ELF = "not a loadable ELF file"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One path tried.

    Attributes:
        path: the path, unnormalised, as the loader would open it.
        origin: the rule that named it.
        declared_by: path of the object whose RPATH or RUNPATH it was, or None.
        outcome: what was there.
        detail: the reason in words, for NOT_ELF and UNREADABLE.
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
        origin: the rule that found it, MISSING or EXTERNAL.
        steps: every path tried, in order.
    """

    name: str
    path: str | None
    display: str
    elf: ElfObject | None
    identity: Hashable
    loader: LinkMapEntry | None
    origin: Origin
    steps: tuple[SearchStep, ...] = field(default=(), repr=False)

    @property
    def missing(self) -> bool:
        """Whether there is no object for it."""
        return self.elf is None

    @property
    def label(self) -> str:
        """The path as the loader would print it; for a member of an archive, its path in there."""
        path = (self.path or self.name).removeprefix(HOST)
        return path.partition("::/")[2] or path

    @property
    def soname(self) -> str:
        """What other objects call it: its SONAME, else the name it was asked for by."""
        return (self.elf.soname if self.elf else None) or self.name


@dataclass(frozen=True, slots=True)
class LinkMap:
    """The objects of a process in the order the loader holds them.

    Attributes:
        entries: everything, breadth first: program, preloads and their dependencies, then the
            subject and its own; entries that were not found included.
        subject: the entry of the file asked about.
        global_scope: the entries every lookup passes first, missing ones left out.
        local_scope: what the subject's own lookups pass next (the ``dlopen`` scope); empty when the
            subject is the program.
        edges: for every entry, the entries its NEEDED stand for, in order.
        ignored_preloads: preloads that were not found; the loader only warns of them.
        refused: why the loader does not take the subject itself, in its words; None if it does.
    """

    entries: tuple[LinkMapEntry, ...]
    subject: LinkMapEntry
    global_scope: tuple[LinkMapEntry, ...]
    local_scope: tuple[LinkMapEntry, ...]
    edges: dict[LinkMapEntry, tuple[LinkMapEntry, ...]] = field(repr=False)
    ignored_preloads: tuple[LinkMapEntry, ...] = ()
    refused: str | None = None

    @property
    def missing(self) -> tuple[LinkMapEntry, ...]:
        """Entries without a file, in the order in which the loader would complain."""
        return tuple(entry for entry in self.entries if entry.missing)

    @property
    def relocated(self) -> tuple[LinkMapEntry, ...]:
        """The objects in the order in which the loader binds them: dependencies before their users.

        Source: ``_dl_sort_maps_dfs`` (glibc ``elf/dl-sort-maps.c``), read backwards; of a cycle the
        object that was loaded last comes first, and the root of a scope always comes last.
        """
        order: dict[LinkMapEntry, None] = {}
        for scope in (self.global_scope, self.local_scope):
            visited = set(order)
            pending: list[LinkMapEntry] = []
            for root in reversed(scope):
                if root not in visited:
                    visited.add(root)
                    pending += _after_dependencies(root, self.edges, visited)
            order.update(dict.fromkeys(entry for entry in pending if entry is not scope[0]))
            order.update(dict.fromkeys(scope[:1]))
        return tuple(order)

    @property
    def own(self) -> tuple[LinkMapEntry, ...]:
        """The subject and everything that is in the process because of it."""
        return self.local_scope or self.global_scope


def _after_dependencies(
    root: LinkMapEntry,
    edges: Mapping[LinkMapEntry, tuple[LinkMapEntry, ...]],
    visited: set[LinkMapEntry],
) -> Iterator[LinkMapEntry]:
    """What ``root`` leads to and was not visited before, each behind what it needs itself."""
    stack = [(root, iter(edges.get(root, ())))]
    while stack:
        entry, rest = stack[-1]
        child = next((e for e in rest if e not in visited and not e.missing), None)
        if child is None:
            stack.pop()
            yield entry
        else:
            visited.add(child)
            stack.append((child, iter(edges.get(child, ()))))
