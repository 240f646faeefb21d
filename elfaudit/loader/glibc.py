"""Loading as glibc does it: the program and its preloads, then one ``dlopen`` after the other.

Source: ``dl_main`` (glibc ``elf/rtld.c``) for the start, ``_dl_map_object_deps``
(``elf/dl-deps.c``) for the order of an object's dependencies, ``_dl_lookup_map``
(``elf/dl-load.c``) for when a name is loaded already, ``dl_open_worker_begin`` and
``add_to_global_update`` (``elf/dl-open.c``) for ``dlopen``.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from ..elf import DynamicTag, ElfObject, Flags1
from .environment import LoaderEnvironment, Mode
from .linkmap import LinkMap, LinkMapEntry, Opening, Origin, Outcome
from .preload import system_preload
from .search import Searcher
from .searched import Search

__all__ = ["GlibcProcess", "refused_to_dlopen"]

# What the kernel does not start as PT_INTERP; of other machines and classes it may know more.
_NO_LOADER = (Outcome.ABSENT, Outcome.NOT_ELF, Outcome.UNREADABLE)
_NO_SEARCH = Search(None, ())  # what is loaded already is not looked for
_C_LIBRARY = "libc.so.6"


class GlibcProcess:
    """The objects of one process, while it grows.

    Args:
        environment: the root and the preloads.
        searcher: finds libraries for the process's machine.

    Attributes:
        program: the main program, once the process has started.
    """

    def __init__(self, environment: LoaderEnvironment, searcher: Searcher) -> None:
        self._environment = environment
        self._searcher = searcher
        self._entries: list[LinkMapEntry] = []
        self._names: dict[str, LinkMapEntry] = {}  # asked for, or paths
        self._sonames: dict[str, LinkMapEntry] = {}
        self._by_identity: dict[Hashable, LinkMapEntry] = {}
        self._lists: dict[LinkMapEntry, tuple[tuple[bool, LinkMapEntry], ...]] = {}
        self._ignored: list[LinkMapEntry] = []
        self._openings: list[Opening] = []
        self.program: LinkMapEntry | None = None
        self._global: dict[LinkMapEntry, None] = {}
        self._residents: dict[LinkMapEntry, None] = {}  # in the process, not listed by anyone yet
        self._absences: dict[str, tuple[LinkMapEntry, ...]] = {}

    def find_program(self, path: str) -> LinkMapEntry:
        """The entry of a main program, to be handed to :meth:`start`."""
        search = self._searcher.search(path, None, None)
        if search.found is None:
            return LinkMapEntry(path, None, path, None, None, None, Origin.MISSING, search.steps)
        found = search.found
        return LinkMapEntry(
            path, found.path, found.member.display, found.elf, found.identity, None,
            Origin.DIRECT, search.steps,
        )  # fmt: skip

    def start(self, program: LinkMapEntry, refused: str | None = None) -> None:
        """Start the process: program, preloads, and the dependencies of both, breadth first.

        Args:
            program: its entry.
            refused: why the kernel or the loader would not take it.
        """
        self.program = program
        self._names[""] = program  # its l_name is empty
        if program.elf is not None and program.elf.is_program:
            # Nobody knows it by its file: that is opened once more, and refused.
            self._entries.append(program)
            self._register_soname(program)
        elif not program.supposed:  # a library, for want of a program
            self._add(program)
        self._reside(program)
        roots = [program]
        environment = self._environment
        preloads = [(name, Origin.PRELOAD) for name in environment.preload]
        preloads += [(n, Origin.SYSTEM_PRELOAD) for n in system_preload(environment.root)]
        for name, origin in preloads:
            entry = self._resolve(name, program, origin)
            if entry.missing:
                self._entries.remove(entry)
                self._ignored.append(replace(entry, origin=origin))
            elif entry not in roots:
                roots.append(entry)
        searchlist = self._map_dependencies(roots)
        names = dict(self._names)
        self._openings.append(
            Opening(program, None, searchlist, tuple(self._entries), (), refused, names)
        )
        self._global.update(dict.fromkeys(searchlist))

    def find(self, name: str) -> LinkMapEntry:
        """The entry that ``dlopen(name)`` ends at when the program calls it, found or not."""
        program = self.program
        found = self._lookup(name)
        if found is not None or program is None:
            return found or self.find_program(name)
        search = self._searcher.search(name, program, program)
        if search.found is None:
            return self._absence(name, None, search)
        result = search.found
        return self._by_identity.get(result.identity) or LinkMapEntry(
            name, result.path, result.member.display, result.elf, result.identity, None,
            Origin.DLOPEN, search.steps, result.written,
        )  # fmt: skip

    def open(
        self, entry: LinkMapEntry, mode: Mode = Mode.LOCAL, refused: str | None = None
    ) -> None:
        """``dlopen`` of a file.

        Args:
            entry: what it ends at, loaded before or not.
            mode: the flags.
            refused: why the loader does not take the file.
        """
        present = set(self._entries)  # and not their number: a filtee may move
        known = self._names.get(entry.path or "") or self._by_identity.get(entry.identity)
        if known is not None:
            self._listed(known)
        if entry.missing:
            self._entries.append(entry)
            searchlist: tuple[LinkMapEntry, ...] = ()
        else:
            if known is None:
                self._add(entry)
            searchlist = self._map_dependencies([known or entry])
        before = tuple(self._global)
        loaded = tuple(entry for entry in self._entries if entry not in present)
        names = dict(self._names)
        self._openings.append(
            Opening(known or entry, mode, searchlist, loaded, before, refused, names)
        )
        if Mode.GLOBAL in mode:
            self._global.update(dict.fromkeys(searchlist))

    def link_map(self) -> LinkMap:
        """What the process holds now; its subject is what was opened last, else the program."""
        return LinkMap(
            tuple(self._entries),
            self._openings[-1].root,
            tuple(self._openings),
            {entry: tuple(child for _, child in row) for entry, row in self._lists.items()},
            tuple(self._ignored),
            version=self._searcher.rtld.version,
        )

    def _reside(self, program: LinkMapEntry) -> None:
        """Make the loader itself known, by the path the kernel took it from (``PT_INTERP``).

        It is in every process from the start, but in a scope only where an object lists it.
        """
        interp = program.elf.interp if program.elf else None
        path = interp or self._searcher.machine.interpreter
        search = self._searcher.search(path, program, program) if "/" in path else None
        if search is None or search.found is None:
            absent = search and all(step.outcome in _NO_LOADER for step in search.steps)
            own = interp if program.elf and program.elf.is_program else None
            # In a root without any loader nothing can be said of what is not in it.
            if search and absent and own and self._searcher.whole:
                # The kernel will not start the program.
                self._entries.append(self._absence(own, program, search))
            return
        found = search.found
        if found.identity == program.identity:
            return
        entry = LinkMapEntry(
            found.elf.soname or path, found.path, found.member.display, found.elf, found.identity,
            program, Origin.LOADED, search.steps,
        )  # fmt: skip
        self._residents[entry] = None  # which is not known by its file either
        self._register_soname(entry)
        self._names.update({entry.soname: entry, found.path: entry})

    def _map_dependencies(self, roots: list[LinkMapEntry]) -> tuple[LinkMapEntry, ...]:
        """The searchlist that begins with some objects, each in front of what it lists.

        Filtees are put in front of the object that names them, and looked at next.
        """
        known = dict.fromkeys(roots)
        order = list(roots)
        done: set[LinkMapEntry] = set()
        position = 0
        while position < len(order):
            entry = order[position]
            if entry in done:
                position += 1
                continue
            done.add(entry)
            for filtee, child in self._dependencies(entry):
                if not filtee:
                    if child not in known:
                        known[child] = None
                        order.append(child)
                else:
                    self._put_before(order, entry, child, new=child not in known)
                    known[child] = None
        return tuple(entry for entry in order if not entry.missing)

    def _put_before(
        self, order: list[LinkMapEntry], entry: LinkMapEntry, filtee: LinkMapEntry, *, new: bool
    ) -> None:
        """Put a filtee in front of its filter; one that stands further in front stays there.

        One that is missing ends it all when its turn comes: it has no place.
        """
        if filtee.missing:
            return
        place = order.index(entry)
        if not new:
            if order.index(filtee) <= place:
                return
            order.remove(filtee)
        order.insert(place, filtee)
        self._entries.remove(filtee)
        self._entries.insert(self._entries.index(entry), filtee)

    def _dependencies(self, entry: LinkMapEntry) -> tuple[tuple[bool, LinkMapEntry], ...]:
        """(whether it is a filtee, object) for all that an object lists, in its order."""
        if entry.supposed and entry not in self._lists:
            library = self._find(_C_LIBRARY, entry, None)[1]
            self._lists[entry] = ((False, library),) if library is not None else ()
        if entry not in self._lists:
            dynamic = entry.elf.dynamic if entry.elf else None
            found: list[tuple[bool, LinkMapEntry]] = []
            for tag, written in dict.fromkeys(dynamic.dependencies if dynamic else ()):
                # Of what is listed a name without a slash is expanded, too (expand_dst).
                name = self._searcher.expand_name(written, entry) or written
                if tag != DynamicTag.AUXILIARY:
                    child = self._resolve(name, entry, None)
                    found.append((tag == DynamicTag.FILTER, child))
                    continue
                filtee = self._find(name, entry, None)[1]
                if filtee is not None:  # an auxiliary filtee that is not there is not used
                    found.append((True, filtee))
            self._lists[entry] = tuple(found)
        return self._lists[entry]

    def _resolve(self, name: str, requester: LinkMapEntry, as_: Origin | None) -> LinkMapEntry:
        """The entry that ``name`` stands for when ``requester`` asks for it, found or not."""
        search, entry = self._find(name, requester, as_)
        return entry if entry is not None else self._absent(name, requester, search)

    def _find(
        self, name: str, requester: LinkMapEntry, as_: Origin | None
    ) -> tuple[Search, LinkMapEntry | None]:
        """The search for a name, and the object it ended at, now part of the process; or None."""
        known = self._lookup(name)
        if known is not None:
            return _NO_SEARCH, self._listed(known)
        search = self._searcher.search(name, requester, self.program)
        if search.found is None:
            return search, None
        found = search.found
        known = self._by_identity.get(found.identity)
        if known is not None:
            self._names[name] = known
            return search, self._listed(known)
        if self._openings and (reason := refused_to_dlopen(found.elf)) is not None:
            step = replace(search.steps[-1], outcome=Outcome.NOT_ELF, detail=reason)
            return Search(None, (*search.steps[:-1], step), reason), None
        origin = as_ if as_ is not None else found.origin
        entry = LinkMapEntry(
            name, found.path, found.member.display, found.elf, found.identity, requester, origin,
            search.steps, found.written,
        )  # fmt: skip
        return search, self._add(entry)

    def _lookup(self, name: str) -> LinkMapEntry | None:
        """The object that has a name already: one asked for, a path, or its SONAME."""
        known = self._names.get(name)
        if known is None and (known := self._sonames.get(name)) is not None:
            self._names[name] = known
        return known

    def _absent(self, name: str, requester: LinkMapEntry, search: Search) -> LinkMapEntry:
        entry = self._absence(name, requester, search)
        absences = self._absences.get(name, ())
        for other in absences:
            if other.steps == entry.steps and other in self._entries:
                return other
        self._absences[name] = (*absences, entry)
        self._entries.append(entry)
        return entry

    def _absence(self, name: str, requester: LinkMapEntry | None, search: Search) -> LinkMapEntry:
        # In a root without a loader nothing can be said of what is not in it.
        origin = Origin.MISSING if self._searcher.whole or search.fatal else Origin.EXTERNAL
        return LinkMapEntry(
            name, None, name, None, None, requester, origin, search.steps, None, search.problem
        )

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
            self._names.setdefault(entry.path, entry)
        if entry.loader is not None:  # the name on the command line is nobody's name for it
            self._names.setdefault(entry.name, entry)
        self._register_soname(entry)

    def _register_soname(self, entry: LinkMapEntry) -> None:
        if entry.elf is not None and entry.elf.soname:
            self._sonames.setdefault(entry.elf.soname, entry)


def refused_to_dlopen(elf: ElfObject) -> str | None:
    """Why an object that could be there from the start cannot come in by ``dlopen``."""
    if elf.dynamic is not None and Flags1.NOOPEN in elf.dynamic.flags_1:
        return "shared object cannot be dlopen()ed"
    return None
