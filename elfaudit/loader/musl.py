"""Loading as musl does it: the program and its preloads, then one ``dlopen`` after the other.

Source: ``__dls3`` (musl ``ldso/dynlink.c``) for the start, ``load_library`` for when a file is
loaded already, ``load_direct_deps`` and ``extend_bfs_deps`` for the order of dependencies,
``dlopen`` and ``add_syms`` for what becomes global. An object is known by the file name a search
found it under and by its inode; its SONAME counts for nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from ..elf import ElfObject, FileType, SegmentType
from ..elf.pages import page_end, page_start
from .environment import Libc, LoaderEnvironment, Mode
from .linkmap import LinkMap, LinkMapEntry, Opening, Origin, Outcome
from .musl_search import MuslSearcher
from .searched import Found, Search

__all__ = ["MuslProcess"]

_BUSY = "Resource busy"
_NO_SEARCH = Search(None, ())  # what is loaded already is not looked for


class MuslProcess:
    """The objects of one process, while it grows.

    Used like :class:`~elfaudit.loader.glibc.GlibcProcess`: :meth:`find_program` and :meth:`start`,
    then for each ``dlopen`` :meth:`find` and :meth:`open`, then :meth:`link_map`. What a ``dlopen``
    loads stays here even if the loader would refuse it, so that everything it misses can be told.

    Args:
        environment: the preloads.
        searcher: finds libraries for the process's machine.

    Attributes:
        program: the main program, once the process has started.
    """

    def __init__(self, environment: LoaderEnvironment, searcher: MuslSearcher) -> None:
        self._environment = environment
        self._searcher = searcher
        self._entries: list[LinkMapEntry] = []
        self._order: list[LinkMapEntry] = []  # what is loaded
        self._places: dict[LinkMapEntry, int] = {}
        self._short_names: dict[str, LinkMapEntry] = {}
        self._named: set[LinkMapEntry] = set()
        self._names: dict[str, LinkMapEntry] = {}
        self._by_identity: dict[Hashable, LinkMapEntry] = {}
        self._edges: dict[LinkMapEntry, tuple[LinkMapEntry, ...]] = {}
        self._absences: dict[str, LinkMapEntry] = {}
        self._ignored: list[LinkMapEntry] = []
        self._openings: list[Opening] = []
        self._global: dict[LinkMapEntry, None] = {}
        self._loader: LinkMapEntry | None = None
        self.program: LinkMapEntry | None = None

    def find_program(self, path: str) -> LinkMapEntry:
        """The entry of a main program, to be handed to :meth:`start`."""
        search = self._searcher.started(path)
        if search.found is None:
            missing = Origin.MISSING
            return LinkMapEntry(path, None, path, None, None, None, missing, search.steps)
        doubt = self._searcher.doubt_of_started(search.found)
        return replace(_entry_of(path, search.found, None, Origin.DIRECT, search), doubt=doubt)

    def start(self, program: LinkMapEntry, refused: str | None = None) -> None:
        """Start the process: the program, its preloads, then what each of them needs in turn.

        Args:
            program: its entry.
            refused: why the kernel or the loader would not take it.
        """
        self.program = program
        self._loader = self._own_entry(program)
        if not program.supposed:
            self._append(program)
        for name in self._environment.preload:
            entry = self._load(name, None, Origin.PRELOAD)
            if entry.missing and entry is not self._loader:
                self._entries.remove(entry)
                del self._absences[name]
                self._ignored.append(replace(entry, origin=Origin.PRELOAD))
        if program.supposed:
            self._list_c_library(program)
        self._load_dependencies(0)
        searchlist = tuple(self._order)
        loaded = tuple(self._entries)
        self._openings.append(Opening(program, None, searchlist, loaded, (), refused, self._names))
        self._global.update(dict.fromkeys(searchlist))

    def find(self, name: str) -> LinkMapEntry:
        """The entry that ``dlopen(name)`` ends at, found or not; nothing is loaded yet."""
        if self.program is None:
            return self.find_program(name)
        known, search = self._known(name, self.program)
        if known is not None:
            return known
        if search.found is None:
            return self._absence(name, None, search)
        return _entry_of(name, search.found, None, Origin.DLOPEN, search)

    def open(
        self, entry: LinkMapEntry, mode: Mode = Mode.LOCAL, refused: str | None = None
    ) -> None:
        """``dlopen`` of a file.

        Args:
            entry: what it ends at, loaded before or not.
            mode: the flags; DEEPBIND means nothing to musl.
            refused: why the loader does not take the file.
        """
        count = len(self._entries)
        known = self._by_identity.get(entry.identity) if not entry.missing else None
        if known is None and entry.elf and self._searcher.is_c_library(entry.identity, entry.elf):
            known = self._loader
        root = known or entry
        if known is None and refused is None and entry.elf is not None:
            refused = _BUSY if self._is_occupied(entry.elf) else None
        if root.missing:
            self._entries.append(root)
        elif root is self._loader and root not in self._places:
            self._append(root)
        elif known is None:
            self._append(root, by_search=root.origin is Origin.DLOPEN and "/" not in root.name)
            if refused is None:
                self._load_dependencies(self._order.index(root))
        searchlist = self._breadth_first(root)
        mode &= ~Mode.DEEPBIND
        before, loaded = tuple(self._global), tuple(self._entries[count:])
        self._openings.append(Opening(root, mode, searchlist, loaded, before, refused, self._names))
        if Mode.GLOBAL in mode:
            self._global.update(dict.fromkeys(searchlist))

    def link_map(self) -> LinkMap:
        """What the process holds now; its subject is what was opened last, else the program."""
        return LinkMap(
            tuple(self._entries),
            self._openings[-1].root,
            tuple(self._openings),
            self._edges,
            tuple(self._ignored),
            Libc.MUSL,
        )

    def _own_entry(self, program: LinkMapEntry) -> LinkMapEntry:
        """The loader, which is the C library: in the process where something needs it."""
        path = self._searcher.loader_path(program)
        search = self._searcher.started(path)
        if search.found is None:
            return self._absence(path, program, search)
        return _entry_of(path, search.found, program, Origin.LOADED, search)

    def _list_c_library(self, program: LinkMapEntry) -> None:
        """Let a program that stands in no list need the C library, where there is one."""
        if self._loader is not None and not self._loader.missing:
            if self._loader not in self._places:
                self._append(self._loader)
            self._edges[program] = (self._loader,)

    def _load_dependencies(self, position: int) -> None:
        """Load what the objects from a place on need, and those in turn (``load_deps``)."""
        while position < len(self._order):
            entry = self._order[position]
            position += 1
            if entry not in self._edges:
                needed = entry.elf.needed if entry.elf and entry is not self._loader else ()
                found = [self._load(name, entry, None) for name in needed]
                self._edges[entry] = tuple(dict.fromkeys(found))

    def _load(self, name: str, requester: LinkMapEntry | None, as_: Origin | None) -> LinkMapEntry:
        """The object that ``name`` stands for, now part of the process, found or not."""
        known, search = self._known(name, requester)
        if known is not None:
            if known is self._loader and known not in self._places:
                if known.missing and requester is not None:  # who asks first is told
                    known = self._loader = replace(known, loader=requester)
                self._append(known)
            self._names.setdefault(name, known)
            return known
        # Nobody needs a preload, but it is there because of the program.
        if search.found is None:
            return self._absent(name, requester, search)
        entry = _entry_of(name, search.found, requester or self.program, as_, search)
        self._append(entry, by_search="/" not in name)
        self._names.setdefault(name, entry)
        return entry

    def _known(
        self, name: str, requester: LinkMapEntry | None
    ) -> tuple[LinkMapEntry | None, Search]:
        """The object of the process that a name stands for, or the search that found another."""
        if self._searcher.is_loader(name, self.program):
            return self._loader, _NO_SEARCH
        if name in self._short_names:
            return self._short_names[name], _NO_SEARCH
        search = self._searcher.search(name, requester, self.program)
        if search.found is None:
            return None, search
        known = self._by_identity.get(search.found.identity)
        if known is None:
            if self._is_occupied(search.found.elf):
                step = replace(search.steps[-1], outcome=Outcome.NOT_ELF, detail=_BUSY)
                return None, Search(None, (*search.steps[:-1], step), _BUSY)
            own = self._searcher.is_c_library(search.found.identity, search.found.elf)
            return self._loader if own else None, search
        if "/" not in name:
            self._shorten(known)
        return known, search

    def _is_occupied(self, elf: ElfObject) -> bool:
        """Whether a program at a fixed address would lie where another one is (EBUSY)."""
        if elf.header.type != FileType.EXEC:
            return False
        own = _extent(elf)
        if not own.start:  # then any place will do
            return False
        others = (entry.elf for entry in self._order if entry.elf is not None)
        placed = (_extent(other) for other in others if other.header.type == FileType.EXEC)
        return any(own.start < other.stop and other.start < own.stop for other in placed)

    def _append(self, entry: LinkMapEntry, *, by_search: bool = False) -> None:
        """Put an object behind the others. The program is not found by its file, nor the loader."""
        self._entries.append(entry)
        self._places[entry] = len(self._places)
        if not entry.missing:
            self._order.append(entry)
        if entry.path:
            self._names.setdefault(entry.path, entry)
        if entry is not self.program and entry is not self._loader:
            self._by_identity[entry.identity] = entry
            if by_search:
                self._shorten(entry)

    def _shorten(self, entry: LinkMapEntry) -> None:
        """From now on an object is known by its file's name, unless it has such a name already.

        Of two of one name the one that was loaded first is meant.
        """
        if entry in self._named or entry.path is None:
            return
        self._named.add(entry)
        name = entry.path.rpartition("/")[2]
        other = self._short_names.get(name)
        if other is None or self._places[entry] < self._places[other]:
            self._short_names[name] = entry

    def _absent(self, name: str, requester: LinkMapEntry | None, search: Search) -> LinkMapEntry:
        """An object that is not there: for the same search the same, told once."""
        known = self._absences.get(name)
        if known is not None and known.steps == search.steps:
            return known
        entry = self._absence(name, requester or self.program, search)
        self._absences[name] = entry
        self._entries.append(entry)
        return entry

    def _absence(self, name: str, requester: LinkMapEntry | None, search: Search) -> LinkMapEntry:
        # In a root without a loader nothing can be said of what is not in it.
        origin = Origin.MISSING if self._searcher.whole or search.fatal else Origin.EXTERNAL
        if search.doubt is not None:
            origin = Origin.UNTOLD
        return LinkMapEntry(
            name, None, name, None, None, requester, origin, search.steps, doubt=search.doubt
        )

    def _breadth_first(self, root: LinkMapEntry) -> tuple[LinkMapEntry, ...]:
        """An object and all it needs (``extend_bfs_deps``)."""
        order = {root: None}
        queue = [root]
        for entry in queue:
            new = [e for e in self._edges.get(entry, ()) if e not in order]
            order.update(dict.fromkeys(new))
            queue += dict.fromkeys(new)
        return tuple(entry for entry in order if not entry.missing)


def _extent(elf: ElfObject) -> range:
    """The pages that ``map_library`` asks for at once."""
    loads = [segment for segment in elf.segments if segment.type == SegmentType.LOAD]
    start = page_start(min((load.address for load in loads), default=0))
    end = max((load.address + load.memory_size for load in loads), default=0)
    return range(start, page_end(end))


def _entry_of(
    name: str, found: Found, requester: LinkMapEntry | None, as_: Origin | None, search: Search
) -> LinkMapEntry:
    return LinkMapEntry(
        name, found.path, found.member.display, found.elf, found.identity, requester,
        as_ or found.origin, search.steps, None if found.written == found.path else found.written,
    )  # fmt: skip
