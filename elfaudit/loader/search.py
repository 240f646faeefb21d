"""The glibc search order: from a name asked for to the file that stands for it.

Source: ``_dl_map_object``, ``open_path``, ``open_verify``, ``fillin_rpath`` (glibc ``elf/dl-load.c``),
``_dl_dst_substitute`` for the tokens.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from ..elf import ElfObject, Flags1, Kind
from ..errors import ElfFormatError, NotElfError, SourceError
from ..sources import Member
from .environment import LoaderEnvironment
from .ldcache import LoaderCache, read_cache
from .linkmap import LinkMapEntry, Origin, Outcome, SearchStep
from .machines import Machine, machine_of
from .store import ObjectStore

__all__ = ["Found", "Search", "Searcher"]

_TOKEN = re.compile(r"\$(?:(ORIGIN|PLATFORM|LIB)\b|\{(ORIGIN|PLATFORM|LIB)\})")
_MAX_ELEMENTS = 4096
_MULTIARCH_LIB = "lib/{triplet}"


@dataclass(frozen=True, slots=True)
class Found:
    """The file a search ended at."""

    path: str
    member: Member
    elf: ElfObject
    origin: Origin

    @property
    def identity(self) -> Hashable:
        """Equal for two paths of one file."""
        return self.member.identity


@dataclass(frozen=True, slots=True)
class Search:
    """The outcome of one search. ``fatal`` is why the loader gives up at the last step tried."""

    found: Found | None
    steps: tuple[SearchStep, ...]
    fatal: str | None = None


class Searcher:
    """Finds libraries in one environment for objects of one machine.

    Args:
        environment: the root and the paths that are set from outside.
        store: reads the candidates.
        model: an object of the machine whose loader searches (the main program or the subject).
    """

    def __init__(self, environment: LoaderEnvironment, store: ObjectStore, model: ElfObject) -> None:
        self._environment = environment
        self._store = store
        self._model = model
        self.machine: Machine = machine_of(model)
        self._cache: LoaderCache = read_cache(environment.root)
        self._hwcaps = self.machine.hwcaps if environment.hwcaps is None else tuple(
            level for level in environment.hwcaps if level in self.machine.hwcaps
        )
        self.whole = any(
            environment.root.find(path) is not None
            for path in {self.machine.interpreter, model.interp or self.machine.interpreter}
            if path
        )
        self.defaults = tuple(self._default_directories())

    def search(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Search:
        """Look for ``name`` on behalf of ``requester`` (None: the command line, LD_PRELOAD)."""
        steps: list[SearchStep] = []
        for path, origin, declared_by in self._candidates(name, requester, program):
            found, step = self._try(path, origin, declared_by)
            steps.append(step)
            if found is not None:
                return Search(found, tuple(steps))
            if step.outcome is Outcome.NOT_ELF or (
                step.outcome in (Outcome.WRONG_CLASS, Outcome.WRONG_MACHINE) and "/" in name
            ):
                return Search(None, tuple(steps), step.detail)
        return Search(None, tuple(steps))

    def expand(self, text: str, origin: str | None) -> str | None:
        """``text`` with ``$ORIGIN``, ``$LIB`` and ``$PLATFORM`` replaced; None if one is unknown."""
        if "$" not in text:
            return text
        values = {
            "ORIGIN": origin,
            "PLATFORM": self._environment.platform or self.machine.name,
            "LIB": self._lib_token(),
        }
        if any(values[m[1] or m[2]] is None for m in _TOKEN.finditer(text)):
            return None
        return _TOKEN.sub(lambda m: values[m[1] or m[2]] or "", text)

    def _candidates(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Iterator[tuple[str, Origin, str | None]]:
        """(path, origin, declared by) in the order in which they are tried."""
        if "/" in name:
            path = self.expand(name, _origin_of(requester, self._environment.directory))
            if path is not None:
                yield self._absolute(path), Origin.DIRECT, None
            return
        for directory, origin, declared_by in self._directories(requester, program):
            for level in self._hwcaps:
                path = f"{directory}/glibc-hwcaps/{level}/{name}"
                if self._environment.root.find(path) is not None:
                    yield path, origin, declared_by
            yield f"{directory}/{name}", origin, declared_by
        yield from self._system_candidates(name, requester)

    def _directories(
        self, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Iterator[tuple[str, Origin, str | None]]:
        """The directories searched before the cache."""
        own = requester.elf.dynamic if requester is not None and requester.elf else None
        if own is None or own.runpath is None:
            for owner in _rpath_owners(requester, program):
                dynamic = owner.elf.dynamic if owner.elf else None
                if dynamic is not None and dynamic.runpath is None and dynamic.rpath is not None:
                    for directory in self._split(dynamic.rpath, owner):
                        yield directory, Origin.RPATH, owner.display
        for element in self._environment.library_path:
            # $ORIGIN in LD_LIBRARY_PATH is the program's (_dl_init_paths: l = main map).
            expanded = self.expand(element, _origin_of(program, self._environment.directory))
            if expanded is not None:
                yield self._absolute(expanded), Origin.LD_LIBRARY_PATH, None
        if own is not None and own.runpath is not None and requester is not None:
            for directory in self._split(own.runpath, requester):
                yield directory, Origin.RUNPATH, requester.display

    def _system_candidates(
        self, name: str, requester: LinkMapEntry | None
    ) -> Iterator[tuple[str, Origin, str | None]]:
        own = requester.elf.dynamic if requester is not None and requester.elf else None
        no_defaults = own is not None and Flags1.NODEFLIB in own.flags_1
        entry = self._cache.lookup(name, self.machine.cache_flags, self._hwcaps)
        if entry is not None and not (
            no_defaults and posixpath.dirname(entry.path) in self.defaults
        ):
            yield entry.path, Origin.LD_SO_CACHE, None
        if no_defaults:
            return
        for directory in self.defaults:
            for level in self._hwcaps:
                path = f"{directory}/glibc-hwcaps/{level}/{name}"
                if self._environment.root.find(path) is not None:
                    yield path, Origin.DEFAULT, None
            yield f"{directory}/{name}", Origin.DEFAULT, None

    def _split(self, paths: str, owner: LinkMapEntry) -> Iterator[str]:
        """The elements of an RPATH or RUNPATH; an empty one is the current directory."""
        origin = _origin_of(owner, self._environment.directory)
        for element in paths.split(":", _MAX_ELEMENTS)[:_MAX_ELEMENTS]:
            expanded = self.expand(element, origin)
            if expanded is not None:
                yield self._absolute(expanded)

    def _try(
        self, path: str, origin: Origin, declared_by: str | None
    ) -> tuple[Found | None, SearchStep]:
        def step(outcome: Outcome, detail: str | None = None) -> SearchStep:
            return SearchStep(path, origin, declared_by, outcome, detail)

        try:
            member = self._environment.root.find(path)
            if member is None:
                return None, step(Outcome.ABSENT)
            elf = self._store.read(member)
        except NotElfError as error:
            return None, step(Outcome.NOT_ELF, "file too short" if error.offset else "invalid ELF header")
        except ElfFormatError as error:
            return None, step(Outcome.NOT_ELF, str(error))
        except SourceError as error:
            return None, step(Outcome.UNREADABLE, error.problem)
        if elf.layout.bits != self._model.layout.bits:
            wrong = f"wrong ELF class: ELFCLASS{elf.layout.bits}"
            return None, step(Outcome.WRONG_CLASS, wrong)
        if elf.machine != self._model.machine or elf.layout.little != self._model.layout.little:
            return None, step(Outcome.WRONG_MACHINE, "cannot open shared object file")
        if elf.kind is Kind.RELOCATABLE or elf.dynamic is None:
            return None, step(Outcome.NOT_ELF, "only ET_DYN and ET_EXEC can be loaded")
        return Found(path, member, elf, origin), step(Outcome.FOUND)

    def _absolute(self, path: str) -> str:
        if path.startswith("/") or "::" in path:
            return path
        return f"{self._environment.directory.rstrip('/')}/{path}" if path else (
            self._environment.directory
        )

    def _lib_token(self) -> str:
        if self._is_multiarch():
            return _MULTIARCH_LIB.format(triplet=self.machine.triplet)
        return "lib64" if self.machine.wide else "lib"

    def _is_multiarch(self) -> bool:
        if not self.machine.triplet:
            return False
        loader = posixpath.basename(self.machine.interpreter)
        root = self._environment.root
        return any(
            root.find(f"{prefix}/{self.machine.triplet}/{loader}") is not None
            for prefix in ("/lib", "/usr/lib")
        )

    def _default_directories(self) -> Iterator[str]:
        """The directories built into the root's loader, told by where that loader is."""
        if self._is_multiarch():
            yield f"/lib/{self.machine.triplet}"
            yield f"/usr/lib/{self.machine.triplet}"
        elif self.machine.wide:
            yield "/lib64"
            yield "/usr/lib64"
        yield "/lib"
        yield "/usr/lib"


def _origin_of(entry: LinkMapEntry | None, directory: str) -> str | None:
    """``$ORIGIN``: the directory of the path by which an object was opened."""
    if entry is None or entry.path is None:
        return directory if entry is None else None
    return posixpath.dirname(entry.path) or "/"


def _rpath_owners(
    requester: LinkMapEntry | None, program: LinkMapEntry | None
) -> Iterator[LinkMapEntry]:
    """The requester, whoever loaded it, and so on; then the main program."""
    seen_program = False
    entry = requester
    while entry is not None:
        seen_program = seen_program or entry is program
        yield entry
        entry = entry.loader
    if program is not None and not seen_program:
        yield program
