"""Loading as glibc does it: the program, its preloads, then the file asked about.

Source: ``dl_main`` (glibc ``elf/rtld.c``), ``_dl_map_object_deps`` (``elf/dl-deps.c``) for the
breadth-first order, ``_dl_map_object`` (``elf/dl-load.c``) for when a name is loaded already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

from ..elf import ElfObject, Layout
from ..sources import Member
from .environment import LoaderEnvironment
from .linkmap import LinkMap, LinkMapEntry, Origin, Outcome
from .search import Search, Searcher, refusal_of_subject
from .store import ObjectStore

__all__ = ["Loader"]

_NO_SEARCH = Search(None, ())  # what is loaded already is not looked for


class Loader:
    """Loads files in one environment, each into a process of its own.

    Args:
        environment: root, program, preloads, search paths.
        store: reads the libraries; may serve many loaders.
    """

    def __init__(self, environment: LoaderEnvironment, store: ObjectStore) -> None:
        self.environment = environment
        self._store = store
        self._searchers: dict[tuple[int, Layout, str | None], Searcher] = {}

    def searcher(self, elf: ElfObject) -> Searcher:
        """The search order as it is for objects of that file's machine."""
        key = (elf.machine, elf.layout, elf.interp)
        if key not in self._searchers:
            self._searchers[key] = Searcher(self.environment, self._store, elf)
        return self._searchers[key]

    def load(self, member: Member, elf: ElfObject, name: str) -> LinkMap:
        """The link map of a process after it has loaded one file.

        With a main program in the environment the file is opened as ``dlopen`` would; without one
        it is the program itself.

        Args:
            member: the file asked about.
            elf: its facts.
            name: the name the file is asked for by.

        Raises:
            NotLoadableError: the file is nothing a dynamic loader takes.
        """
        elf.require_loadable()
        dlopened = self.environment.main_program is not None
        refused = refusal_of_subject(elf) if dlopened or not elf.is_program else None
        searcher = self.searcher(elf)
        searcher.begin()
        process = _Process(self.environment, searcher, refused)
        subject = LinkMapEntry(
            name, member.path, member.display, elf, member.identity, None, Origin.DIRECT
        )
        if self.environment.main_program is None:
            return process.link_map(subject, process.run(subject), ())
        program = process.program(self.environment.main_program)
        return process.link_map(subject, process.run(program), process.open(subject))


class _Process:
    """The objects of one process, while it is put together."""

    def __init__(
        self, environment: LoaderEnvironment, searcher: Searcher, refused: str | None
    ) -> None:
        self._refused = refused
        self._environment = environment
        self._searcher = searcher
        self._entries: list[LinkMapEntry] = []
        self._by_name: dict[str, LinkMapEntry] = {}
        self._by_identity: dict[Hashable, LinkMapEntry] = {}
        self._edges: dict[LinkMapEntry, tuple[LinkMapEntry, ...]] = {}
        self._ignored: list[LinkMapEntry] = []
        self._program: LinkMapEntry | None = None
        self._residents: dict[LinkMapEntry, None] = {}  # in the process, not listed by anyone yet
        self._absences: dict[str, list[LinkMapEntry]] = {}

    def program(self, path: str) -> LinkMapEntry:
        """The entry of the main program."""
        search = self._searcher.search(path, None, None)
        if search.found is None:
            return LinkMapEntry(path, None, path, None, None, None, Origin.MISSING, search.steps)
        found = search.found
        return LinkMapEntry(
            path, found.path, found.member.display, found.elf, found.identity, None,
            Origin.DIRECT, search.steps,
        )  # fmt: skip

    def run(self, program: LinkMapEntry) -> tuple[LinkMapEntry, ...]:
        """Start the process: program, preloads, and the dependencies of both, breadth first."""
        self._program = program
        self._add(program)
        self._reside(program)
        roots = [program]
        for name in self._environment.preload:
            entry = self._resolve(name, program, Origin.PRELOAD)
            if entry.missing:
                self._entries.remove(entry)
                self._ignored.append(entry)
            elif entry not in roots:
                roots.append(entry)
        return self._closure(roots)

    def _reside(self, program: LinkMapEntry) -> None:
        """Make the loader itself known, by the path the kernel took it from (``PT_INTERP``).

        It is in every process from the start, but in a scope only where an object lists it.
        """
        interp = program.elf.interp if program.elf else None
        path = interp or self._searcher.machine.interpreter
        search = self._searcher.search(path, program, program) if "/" in path else None
        if search is None or search.found is None:
            absent = search and all(step.outcome is Outcome.ABSENT for step in search.steps)
            own = interp if program.elf and program.elf.is_program else None
            # In a root without any loader nothing can be said of what is not in it.
            if search and absent and own and self._searcher.whole:
                self._absent(own, program, search)  # the kernel will not start the program
            return
        found = search.found
        if found.identity == program.identity:
            return
        entry = LinkMapEntry(
            found.elf.soname or path, found.path, found.member.display, found.elf, found.identity,
            program, Origin.LOADED, search.steps,
        )  # fmt: skip
        self._residents[entry] = None
        self._register(entry)

    def open(self, subject: LinkMapEntry) -> tuple[LinkMapEntry, ...]:
        """``dlopen``: the scope of the subject, breadth first, what is loaded already included."""
        known = self._by_identity.get(subject.identity)
        if known is not None:
            return self._closure([known])
        self._add(subject)
        return self._closure([subject])

    def link_map(
        self,
        subject: LinkMapEntry,
        global_scope: Iterable[LinkMapEntry],
        local_scope: Iterable[LinkMapEntry],
    ) -> LinkMap:
        return LinkMap(
            tuple(self._entries),
            self._by_identity.get(subject.identity, subject),
            tuple(entry for entry in global_scope if not entry.missing),
            tuple(entry for entry in local_scope if not entry.missing),
            self._edges,
            tuple(self._ignored),
            self._refused,
        )

    def _closure(self, roots: list[LinkMapEntry]) -> tuple[LinkMapEntry, ...]:
        queue = deque(roots)
        order: dict[LinkMapEntry, None] = dict.fromkeys(roots)
        while queue:
            for entry in self._dependencies(queue.popleft()):
                if entry not in order:
                    order[entry] = None
                    queue.append(entry)
        return tuple(order)

    def _dependencies(self, entry: LinkMapEntry) -> tuple[LinkMapEntry, ...]:
        if entry not in self._edges:
            dynamic = entry.elf.dynamic if entry.elf else None
            names = (*dynamic.filters, *dynamic.auxiliaries, *dynamic.needed) if dynamic else ()
            required = {*dynamic.filters, *dynamic.needed} if dynamic else set()
            found: list[LinkMapEntry] = []
            for name in dict.fromkeys(names):
                if name in required:
                    found.append(self._resolve(name, entry, None))
                elif (filtee := self._find(name, entry, None)[1]) is not None:
                    # An auxiliary filtee that is not there is not used (_dl_map_object_deps).
                    found.append(filtee)
            self._edges[entry] = tuple(found)
        return self._edges[entry]

    def _resolve(self, name: str, requester: LinkMapEntry, as_: Origin | None) -> LinkMapEntry:
        """The entry that ``name`` stands for when ``requester`` asks for it, found or not."""
        name = self._expanded(name, requester)
        search, entry = self._find(name, requester, as_)
        return entry if entry is not None else self._absent(name, requester, search)

    def _expanded(self, name: str, requester: LinkMapEntry) -> str:
        """A path with its tokens replaced: the same text is another file elsewhere."""
        return self._searcher.expand_name(name, requester) or name if "/" in name else name

    def _find(
        self, name: str, requester: LinkMapEntry, as_: Origin | None
    ) -> tuple[Search, LinkMapEntry | None]:
        """The search for a name, and the object it ended at, now part of the process; or None."""
        name = self._expanded(name, requester)
        known = self._by_name.get(name)
        if known is not None:
            return _NO_SEARCH, self._listed(known)
        search = self._searcher.search(name, requester, self._program)
        if search.found is None:
            return search, None
        found = search.found
        known = self._by_identity.get(found.identity)
        if known is not None:
            self._by_name[name] = known
            return search, self._listed(known)
        origin = as_ if as_ is not None else found.origin
        entry = LinkMapEntry(
            name, found.path, found.member.display, found.elf, found.identity, requester, origin,
            search.steps,
        )  # fmt: skip
        return search, self._add(entry)

    def _absent(self, name: str, requester: LinkMapEntry, search: Search) -> LinkMapEntry:
        # In a root without a loader nothing can be said of what is not in it.
        origin = Origin.MISSING if self._searcher.whole or search.fatal else Origin.EXTERNAL
        entry = LinkMapEntry(name, None, name, None, None, requester, origin, search.steps)
        absences = self._absences.setdefault(name, [])
        for other in absences:
            if other.steps == entry.steps and other in self._entries:
                return other
        absences.append(entry)
        self._entries.append(entry)
        return entry

    def _listed(self, entry: LinkMapEntry) -> LinkMapEntry:
        """An entry that is in the process already, now that an object lists it."""
        if entry in self._residents:
            del self._residents[entry]
            self._entries.append(entry)
        return entry

    def _add(self, entry: LinkMapEntry) -> LinkMapEntry:
        self._entries.append(entry)
        self._register(entry)
        return entry

    def _register(self, entry: LinkMapEntry) -> None:
        """Make an object known by its file, its path, its SONAME and the name it was asked for."""
        self._by_identity[entry.identity] = entry
        if entry.path:
            self._by_name.setdefault(entry.path, entry)
        if entry.loader is not None:  # the name on the command line is nobody's name for it
            self._by_name.setdefault(entry.name, entry)
        if entry.elf is not None and entry.elf.soname:
            self._by_name.setdefault(entry.elf.soname, entry)
