"""The glibc search order: from a name asked for to the file that stands for it.

Source: ``_dl_map_object``, ``open_path``, ``open_verify`` (glibc ``elf/dl-load.c``).
"""

from __future__ import annotations

import posixpath
from collections.abc import Hashable, Iterator
from functools import cached_property

from ..elf import ElfObject
from ..errors import ElfFormatError, SourceError
from ..sources import Member, NoFile
from .environment import LoaderEnvironment
from .hwcaps import Capabilities, capabilities
from .identity import Abi
from .ldcache import CacheEntry, LoaderCache, choose, read_cache, same_spelling
from .ldconfig import Ldconfig
from .linkmap import LinkMapEntry, Origin, Outcome, SearchStep
from .machines import Machine, machine_of
from .pathlist import Directories, Directory, PathList, Tokens, expanded_elements
from .requesters import no_defaults, origin_of, rpath_owners
from .rtld import Rtld, read_rtld
from .searched import Found, Progress, Refreshed, Search
from .store import ObjectStore
from .verify import (
    ends_list,
    outcome_below,
    outcome_of_other,
    refusal,
    refusal_of_bytes,
    refusal_of_subject,
    words_of,
)

__all__ = ["Searcher", "refusal_of_subject"]

_MOST_STEPS = 1 << 16  # told of one process; of more of them only what was there
_NO_SUCH_FILE = "No such file or directory"


_Opened = tuple[tuple[Member, ElfObject] | None, Outcome, str | None]


class Searcher:
    """Finds libraries in one environment for objects of one machine.

    Args:
        environment: the root and the paths that are set from outside.
        store: reads the candidates.
        model: an object of the machine whose loader searches (the main program or the subject).
    """

    def __init__(
        self, environment: LoaderEnvironment, store: ObjectStore, model: ElfObject
    ) -> None:
        self._environment = environment
        self._root = environment.root
        self._store = store
        self._model = model
        self._abi = Abi.of(model)
        self.machine: Machine = machine_of(model)
        self.whole = any(self._root.find(path) is not None for path in self._interpreters())
        self._kept = 0
        self._lists: dict[tuple[str | None, str], PathList] = {}
        self._cached: dict[str, CacheEntry | None] = {}
        self._refreshed: dict[str, Refreshed] = {}
        self._common: dict[tuple[str, str | None, bool], Search] = {}
        self._taken: dict[str, _Opened] = {}  # what was found by a path stays there

    @cached_property
    def rtld(self) -> Rtld:
        """What the root's own loader says of itself; without one nothing."""
        return self._store.once(read_rtld, self._root, (*self._interpreters(), *self._guesses()))

    @cached_property
    def capabilities(self) -> Capabilities:
        """What the CPU and the loader take beyond plain libraries."""
        return capabilities(self._environment, self.machine, self.rtld)

    @cached_property
    def tokens(self) -> Tokens:
        """What ``$LIB`` and ``$PLATFORM`` stand for."""
        return Tokens(
            self.rtld.lib or self._guessed_lib(),
            self._environment.platform or self.machine.platform,
        )

    @cached_property
    def cache(self) -> LoaderCache:
        """The root's ``ld.so.cache``."""
        layout = self._model.layout
        return self._store.once(read_cache, self._root, little=layout.little)

    @cached_property
    def defaults(self) -> tuple[str, ...]:
        """The directories built into the loader: by what it says, else by where it is."""
        return self.rtld.system_dirs or tuple(self._guessed_directories())

    def search(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Search:
        """Look for ``name`` on behalf of ``requester`` (None: the command line)."""
        key = self._common_key(name, requester, program)
        known = self._common.get(key) if key is not None else None
        if known is not None and self._kept + len(known.steps) <= _MOST_STEPS:
            self._kept += len(known.steps)
            return known
        search = self._search(name, requester, program)
        if key is not None and self._kept <= _MOST_STEPS:  # else not all of it was told
            self._common[key] = search
        return search

    def _common_key(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> tuple[str, str | None, bool] | None:
        """What decides a search if no RPATH or RUNPATH does: then all who ask get the same answer.

        None: something else may decide, or there is too much to be told.
        """
        if requester is None or "/" in name or self._kept > _MOST_STEPS:
            return None
        for owner in rpath_owners(requester, program):
            dynamic = owner.elf.dynamic if owner.elf else None
            own = dynamic.runpath if dynamic is not None and owner is requester else None
            if own is not None or (dynamic is not None and dynamic.rpath is not None):
                return None
        return name, program.path if program is not None else None, no_defaults(requester)

    def _search(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Search:
        state = Progress(name, started=requester is None)
        if "/" in name:
            path = self.expand_name(name, requester)
            state.problem = _NO_SUCH_FILE
            if path is not None:
                self._try(state, path, Origin.DIRECT, None)
        else:
            self._search_paths(state, requester, program)
        return Search(state.found, tuple(state.steps), state.fatal, state.problem)

    def begin(self) -> None:
        """Another process: its first steps are told in full again, however many there were."""
        self._kept = 0

    def expand(self, text: str, origin: str | None) -> str | None:
        """``text`` with ``$ORIGIN``, ``$LIB``, ``$PLATFORM`` replaced; None if one is unknown."""
        return self.tokens.expand(text, origin) if "$" in text else text

    def expand_name(self, name: str, requester: LinkMapEntry | None) -> str | None:
        """A name from DT_NEEDED with its tokens replaced; one that nobody asked for is as it is."""
        return self.expand(name, origin_of(requester)) if requester is not None else name

    def cached(self, name: str) -> CacheEntry | None:
        """What the cache has for a name, whether that is there or not."""
        spelling = same_spelling(name)  # the names of one run of the cache share its entry
        if spelling not in self._cached:
            own = self.capabilities
            self._cached[spelling] = self.cache.lookup(
                name,
                self.machine.cache_flags or None,
                own.levels,
                own.legacy,
                own.platforms,
                isa=own.isa,
            )
        return self._cached[spelling]

    @cached_property
    def ldconfig(self) -> Ldconfig:
        """What ldconfig would do in the root."""
        return Ldconfig(self._root, self._store, self.rtld, self.machine)

    def refreshed(self, name: str) -> Refreshed:
        """What the cache has for a name, and what one made now would have."""
        if name not in self._refreshed:
            own, flags = self.capabilities, self.machine.cache_flags or None
            named = self.ldconfig.named(name)
            entries = (fresh.entry for fresh in named)
            best = choose(entries, flags, own.levels, own.legacy, own.platforms, isa=own.isa)
            fresh = next((fresh for fresh in named if fresh.entry is best), None)
            cached = self.cached(name)
            self._refreshed[name] = Refreshed(
                cached,
                self.identity(cached.path) if cached is not None else None,
                fresh,
                self.identity(fresh.file) if fresh is not None else None,
            )
        return self._refreshed[name]

    def identity(self, path: str) -> Hashable | None:
        """Of the file at a path, if there is one."""
        try:
            member = self._root.find(self._directories.absolute(path))
        except SourceError:
            return None
        return member.identity if member is not None else None

    def _search_paths(
        self, state: Progress, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> None:
        """The search for a name without a slash, one kind of place after the other."""
        own = requester.elf.dynamic if requester is not None and requester.elf else None
        if own is None or own.runpath is None:
            for owner in rpath_owners(requester, program):
                dynamic = owner.elf.dynamic if owner.elf else None
                if dynamic is not None and dynamic.runpath is None and dynamic.rpath is not None:
                    paths = self._path_list(dynamic.rpath, owner)
                    self._open_path(state, paths, Origin.RPATH, owner.display)
        self._open_path(state, self._library_path(program), Origin.LD_LIBRARY_PATH, None)
        if own is not None and own.runpath is not None and requester is not None:
            paths = self._path_list(own.runpath, requester)
            self._open_path(state, paths, Origin.RUNPATH, requester.display)
        without_defaults = no_defaults(requester or program)
        if not state.over:
            self._open_cached(state, no_defaults=without_defaults)
        if not without_defaults:
            self._open_path(state, self._default_list, Origin.DEFAULT, None)

    def _open_cached(self, state: Progress, *, no_defaults: bool) -> None:
        entry = self.cached(state.name)
        if entry is None:
            return
        # "If the loader has the DF_1_NODEFLIB flag set we must not use a cache entry from any of
        # these directories", nor from any below them: it is the text that is compared.
        if no_defaults and any(entry.path.startswith(f"{each}/") for each in self.defaults):
            return
        self._try(state, entry.path, Origin.LD_SO_CACHE, None)

    def _open_path(
        self, state: Progress, paths: PathList, origin: Origin, declared_by: str | None
    ) -> None:
        """Try the directories of one list, the special ones of each first (``open_path``)."""
        if state.over:
            return
        telling = self._kept <= _MOST_STEPS
        directories = paths.directories if telling else paths.holding(state.name, self._root)
        if not telling:
            state.problem = _NO_SUCH_FILE
        for directory in directories:
            if directory.error is not None:
                # As the loader: what is known not to be there is not looked at again.
                self._told_absent(state, directory, origin, declared_by)
                continue
            ended = state.tried.get(directory.identity)
            if ended is None or telling:
                ended = self._open_in(state, directory, origin, declared_by)
                state.tried[directory.identity] = ended
            if ended:
                return

    def _open_in(
        self, state: Progress, directory: Directory, origin: Origin, declared_by: str | None
    ) -> bool:
        """Try one directory; whether the rest of its list is left out."""
        ends = False
        for subdirectory in directory.present:
            path = f"{directory.written}{subdirectory}{state.name}"
            step = self._try(state, path, origin, declared_by, plain=not subdirectory)
            if state.over:
                return True
            # "The file exists and is readable, but something went wrong": the errno of the last try
            # is neither ENOENT nor EACCES.
            ends = ends_list(step.outcome, step.detail)
        return ends

    def _told_absent(
        self, state: Progress, directory: Directory, origin: Origin, declared_by: str | None
    ) -> None:
        assert directory.error is not None  # noqa: S101  for the type checker
        path = f"{directory.written}{state.name}"
        step = SearchStep(path, origin, declared_by, *outcome_below(directory.error))
        state.problem = words_of(step.outcome, step.detail)
        state.steps.append(step)
        self._kept += 1

    def _try(
        self,
        state: Progress,
        path: str,
        origin: Origin,
        declared_by: str | None,
        *,
        plain: bool = True,
    ) -> SearchStep:
        """Open one path; a special directory's that has it not is not told."""
        absolute = self._directories.absolute(path)
        known = self._taken.get(absolute) if not state.started else None
        found, outcome, detail = known or self._open(absolute, started=state.started)
        if found is not None and not state.started:
            self._taken[absolute] = found, outcome, detail
        step = SearchStep(path, origin, declared_by, outcome, detail)
        absent = outcome is Outcome.ABSENT
        if not absent or (plain and self._kept <= _MOST_STEPS):
            state.steps.append(step)
            self._kept += 1
        if isinstance(found, tuple):
            state.found = Found(absolute, *found, origin, path)
        elif outcome is Outcome.NOT_ELF:
            state.fatal = detail
        else:
            state.problem = words_of(outcome, detail)
        return step

    def _open(self, path: str, *, started: bool) -> _Opened:
        """Look at one path (``open_verify``); ``started`` for a program, which nobody maps."""
        try:
            member = self._root.look(path)
        except SourceError as error:
            return None, Outcome.UNREADABLE, error.problem
        if isinstance(member, NoFile):
            return None, *outcome_of_other(member)
        try:
            elf = self._store.read(member)
        except ElfFormatError as error:
            outcome, words = refusal_of_bytes(member, self._abi, self.rtld.version)
            if outcome is not Outcome.FOUND:
                return None, outcome, words
            # What the loader would do with it is not known.
            where = f"{error.field} at offset {error.offset:#x}"
            return None, Outcome.NOT_ELF, f"{where}: {error.problem}"
        except SourceError as error:
            return None, Outcome.UNREADABLE, error.problem
        outcome, detail = refusal(elf, self._abi, self.rtld.version, started=started)
        return ((member, elf) if outcome is Outcome.FOUND else None), outcome, detail

    @cached_property
    def _directories(self) -> Directories:
        return Directories(
            self._root, self._environment.directory, self.capabilities.subdirectories
        )

    @cached_property
    def _default_list(self) -> PathList:
        return self._directories.of(self.defaults)

    def _library_path(self, program: LinkMapEntry | None) -> PathList:
        """``LD_LIBRARY_PATH``; its ``$ORIGIN`` is the program's (``_dl_init_paths``)."""
        key = (program.path if program is not None else None, "")
        if key not in self._lists:
            origin = origin_of(program) or self._environment.directory
            elements = expanded_elements(self._environment.library_path, self.tokens, origin)
            self._lists[key] = self._directories.of(elements)
        return self._lists[key]

    def _path_list(self, text: str, owner: LinkMapEntry) -> PathList:
        """An RPATH or RUNPATH, split once however many names are looked for."""
        key = (owner.path, text or ":")
        if key not in self._lists:
            self._lists[key] = self._directories.split(text, self.tokens, origin_of(owner))
        return self._lists[key]

    def _interpreters(self) -> tuple[str, ...]:
        """Where the loader is by its users."""
        paths = (self._model.interp, self.machine.interpreter)
        return tuple(dict.fromkeys(path for path in paths if path))

    def _guesses(self) -> tuple[str, ...]:
        """Where else it may be."""
        name, triplet = posixpath.basename(self.machine.interpreter), self.machine.triplet
        return tuple(f"{prefix}/{triplet}/{name}" for prefix in ("/lib", "/usr/lib") if triplet)

    @cached_property
    def _is_multiarch(self) -> bool:
        return any(self._root.find(path) is not None for path in self._guesses())

    def _guessed_lib(self) -> str:
        if self._is_multiarch:
            return f"lib/{self.machine.triplet}"
        return "lib64" if self.machine.wide else "lib"

    def _guessed_directories(self) -> Iterator[str]:
        """The directories built into a loader that does not tell, by where it is."""
        if self._is_multiarch:
            yield f"/lib/{self.machine.triplet}"
            yield f"/usr/lib/{self.machine.triplet}"
        elif self.machine.wide:
            yield "/lib64"
            yield "/usr/lib64"
        yield "/lib"
        yield "/usr/lib"
