"""The glibc search order: from a name asked for to the file that stands for it.

Source: ``_dl_map_object``, ``open_path``, ``open_verify``, ``fillin_rpath`` and, for the tokens,
``_dl_dst_substitute`` (glibc ``elf/dl-load.c``).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from ..elf import ElfObject, FileType, Flags1, SegmentType
from ..errors import ElfFormatError, NotElfError, SourceError
from ..sources import Member
from .environment import LoaderEnvironment
from .ldcache import LoaderCache, read_cache
from .linkmap import LinkMapEntry, Origin, Outcome, SearchStep
from .machines import Machine, machine_of
from .store import ObjectStore

__all__ = ["Found", "Search", "Searcher", "refusal_of_subject"]

_TOKEN = re.compile(r"\$(?:(ORIGIN|PLATFORM|LIB)\b|\{(ORIGIN|PLATFORM|LIB)\})")
_MAX_ELEMENTS = 4096
_OSABIS = (0, 3)  # ELFOSABI_SYSV, ELFOSABI_GNU (VALID_ELF_OSABI)
_OWN_OSABIS = ((40, 97),)  # ELFOSABI_ARM, on ARM
_ABI_VERSIONS = 3  # of ELFOSABI_GNU; libc-abis of glibc
_OWN_ABI_VERSIONS = (8, 10)  # MIPS has more of them
_PAGE = 4096  # the smallest there is
_MOST_STEPS = 1 << 16  # told of one process; of more of them only what was there
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

    def __init__(
        self, environment: LoaderEnvironment, store: ObjectStore, model: ElfObject
    ) -> None:
        self._environment = environment
        self._store = store
        self._model = model
        self.machine: Machine = machine_of(model)
        self._cache: LoaderCache = read_cache(environment.root)
        if self._cache.little not in (None, model.layout.little):
            self._cache = LoaderCache()
        self._hwcaps = (
            self.machine.hwcaps
            if environment.hwcaps is None
            else tuple(level for level in environment.hwcaps if level in self.machine.hwcaps)
        )
        self.whole = any(
            environment.root.find(path) is not None
            for path in {self.machine.interpreter, model.interp or self.machine.interpreter}
            if path
        )
        self.defaults = tuple(self._default_directories())
        self._kept = 0
        self._there: dict[str, bool] = {}
        self._elements_of: dict[tuple[str | None, str], tuple[str, ...]] = {}
        self._existing: dict[tuple[str | None, str], tuple[str, ...]] = {}

    def search(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Search:
        """Look for ``name`` on behalf of ``requester`` (None: the command line, LD_PRELOAD)."""
        steps: list[SearchStep] = []
        for path, origin, declared_by in self._candidates(name, requester, program):
            found, step = self._try(path, origin, declared_by, started=requester is None)
            if self._kept <= _MOST_STEPS or step.outcome is not Outcome.ABSENT:
                steps.append(step)
                self._kept += 1
            if found is not None:
                return Search(found, tuple(steps))
            if step.outcome is Outcome.NOT_ELF:
                return Search(None, tuple(steps), step.detail)
        return Search(None, tuple(steps))

    def begin(self) -> None:
        """Another process: its first steps are told in full again, however many there were."""
        self._kept = 0

    def expand(self, text: str, origin: str | None) -> str | None:
        """``text`` with ``$ORIGIN``, ``$LIB``, ``$PLATFORM`` replaced; None if one is unknown."""
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

    def expand_name(self, name: str, requester: LinkMapEntry | None) -> str | None:
        """A name from DT_NEEDED (or the command line) with its tokens replaced (``expand_dst``)."""
        return self.expand(name, _origin_of(requester, self._environment.directory))

    def _candidates(
        self, name: str, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Iterator[tuple[str, Origin, str | None]]:
        """(path, origin, declared by) in the order in which they are tried."""
        if "/" in name:
            path = self.expand_name(name, requester)
            if path is not None:
                yield self._absolute(path), Origin.DIRECT, None
            return
        for directory, origin, declared_by in self._directories(requester, program):
            # As the loader: a directory that is known not to be there is not tried again.
            if self._kept > _MOST_STEPS and not self._is_there(directory):
                continue
            for path in self._in_directory(directory, name):
                yield path, origin, declared_by
        yield from self._system_candidates(name, requester)

    def _is_there(self, directory: str) -> bool:
        known = self._there.get(directory)
        if known is None:
            known = self._there[directory] = bool(self._environment.root.listing(directory))
        return known

    def _in_directory(self, directory: str, name: str) -> Iterator[str]:
        """The paths of a name in one directory: for the CPU at hand first (``open_path``)."""
        for level in self._hwcaps:
            path = _join(directory, f"glibc-hwcaps/{level}/{name}")
            if self._environment.root.find(path) is not None:
                yield path
        yield _join(directory, name)

    def _directories(
        self, requester: LinkMapEntry | None, program: LinkMapEntry | None
    ) -> Iterator[tuple[str, Origin, str | None]]:
        """The directories searched before the cache."""
        own = requester.elf.dynamic if requester is not None and requester.elf else None
        if own is None or own.runpath is None:
            for owner in _rpath_owners(requester, program):
                dynamic = owner.elf.dynamic if owner.elf else None
                if dynamic is not None and dynamic.runpath is None and dynamic.rpath is not None:
                    for directory in self._elements(dynamic.rpath, owner):
                        yield directory, Origin.RPATH, owner.display
        for element in self._environment.library_path:
            # $ORIGIN in LD_LIBRARY_PATH is the program's (_dl_init_paths: l = main map).
            expanded = self.expand(element, _origin_of(program, self._environment.directory))
            if expanded is not None:
                yield self._absolute(expanded), Origin.LD_LIBRARY_PATH, None
        if own is not None and own.runpath is not None and requester is not None:
            for directory in self._elements(own.runpath, requester):
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
            for path in self._in_directory(directory, name):
                yield path, Origin.DEFAULT, None

    def _elements(self, paths: str, owner: LinkMapEntry) -> tuple[str, ...]:
        """The directories of an RPATH or RUNPATH, split once however many names are looked for.

        Once enough steps are told, only those that are there.
        """
        key = (owner.path, paths)
        if self._kept > _MOST_STEPS:
            if key not in self._existing:
                self._existing[key] = tuple(filter(self._is_there, self._split(paths, owner)))
            return self._existing[key]
        if key not in self._elements_of:
            self._elements_of[key] = tuple(self._split(paths, owner))
        return self._elements_of[key]

    def _split(self, paths: str, owner: LinkMapEntry) -> Iterator[str]:
        """The elements of an RPATH or RUNPATH; an empty one is the current directory.

        A path that is empty as a whole has no elements (``decompose_rpath``).
        """
        if not paths:
            return
        origin = _origin_of(owner, self._environment.directory)
        for element in paths.split(":", _MAX_ELEMENTS)[:_MAX_ELEMENTS]:
            expanded = self.expand(element, origin)
            if expanded is not None:
                yield self._absolute(expanded)

    def _try(
        self, path: str, origin: Origin, declared_by: str | None, *, started: bool
    ) -> tuple[Found | None, SearchStep]:
        """Look at one path; ``started`` for a program, which nobody may have as a library."""

        def step(outcome: Outcome, detail: str | None = None) -> SearchStep:
            return SearchStep(path, origin, declared_by, outcome, detail)

        try:
            member = self._environment.root.find(path)
        except SourceError as error:
            return None, step(Outcome.UNREADABLE, error.problem)
        if member is None:
            return None, step(Outcome.ABSENT)
        try:
            elf = self._store.read(member)
        except ElfFormatError as error:
            return None, step(*_refusal_of_bytes(member, error, self._model))
        except SourceError as error:
            return None, step(Outcome.UNREADABLE, error.problem)
        outcome, detail = _refusal(elf, self._model, started=started)
        if outcome is not Outcome.FOUND:
            return None, step(outcome, detail)
        return Found(path, member, elf, origin), step(Outcome.FOUND)

    def _absolute(self, path: str) -> str:
        if path.startswith("/") or "::" in path:
            return path
        return (
            f"{self._environment.directory.rstrip('/')}/{path}"
            if path
            else (self._environment.directory)
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


def _join(directory: str, name: str) -> str:
    """The path of a file in a directory; slashes at the directory's end count as one."""
    return f"{directory.rstrip('/')}/{name}"


def _refusal(  # noqa: PLR0911  one return for each thing the loader looks at, in its order
    elf: ElfObject, model: ElfObject, *, started: bool
) -> tuple[Outcome, str | None]:
    """Why the loader does not take an ELF file, in its own words (``open_verify``); or FOUND."""
    header = elf.header
    if header.layout.bits != model.layout.bits:
        return Outcome.WRONG_CLASS, f"wrong ELF class: ELFCLASS{header.layout.bits}"
    if (header.machine, header.layout.little) != (model.machine, model.layout.little):
        return Outcome.WRONG_MACHINE, "cannot open shared object file"
    invalid = None if started else _invalid_header(elf)  # the kernel does not look at these
    if invalid is not None:
        return Outcome.NOT_ELF, invalid
    if header.type not in (FileType.DYN, FileType.EXEC):
        return Outcome.NOT_ELF, "only ET_DYN and ET_EXEC can be loaded"
    if not started and not _is_congruent(elf):
        return Outcome.NOT_ELF, "ELF load command address/offset not page-aligned"
    if not started and header.type == FileType.EXEC:
        return Outcome.NOT_ELF, "cannot dynamically load executable"
    if elf.dynamic is None:
        return Outcome.NOT_ELF, "object file has no dynamic section"
    if not started and Flags1.PIE in elf.dynamic.flags_1:
        return Outcome.NOT_ELF, "cannot dynamically load position-independent executable"
    return Outcome.FOUND, None


def refusal_of_subject(elf: ElfObject) -> str | None:
    """Why ``dlopen`` does not take a file of the process's own machine; None if it does."""
    return _refusal(elf, elf, started=False)[1]


def _invalid_header(elf: ElfObject) -> str | None:
    """What of the identification ``open_verify`` does not accept."""
    header = elf.header
    if header.osabi not in _OSABIS and (header.machine, header.osabi) not in _OWN_OSABIS:
        return "ELF file OS ABI invalid"
    highest = _ABI_VERSIONS if header.osabi == _OSABIS[1] else 0
    if header.abi_version > highest and header.machine not in _OWN_ABI_VERSIONS:
        return "ELF file ABI version invalid"
    if any(header.padding):
        return "nonzero padding in e_ident"
    return None if header.version == 1 else "ELF file version does not match current one"


def _is_congruent(elf: ElfObject) -> bool:
    """Whether every segment can be mapped: address and offset are alike within a page."""
    loads = (segment for segment in elf.segments if segment.type == SegmentType.LOAD)
    return all((load.address - load.offset) % _PAGE == 0 for load in loads)


def _refusal_of_bytes(  # noqa: PLR0911
    member: Member, error: ElfFormatError, model: ElfObject
) -> tuple[Outcome, str]:
    """The same for a file that cannot be read as ELF."""
    if member.size < (64 if model.layout.bits == 64 else 52):
        return Outcome.NOT_ELF, "file too short"
    if isinstance(error, NotElfError):
        return Outcome.NOT_ELF, "invalid ELF header"
    ident = member.open().read(20)
    if ident[4] != (2 if model.layout.bits == 64 else 1):
        return Outcome.WRONG_CLASS, f"wrong ELF class: ELFCLASS{32 * ident[4]}"
    # The machine is looked at before the byte order, and in the order of the loader's own.
    if int.from_bytes(ident[18:], "little" if model.layout.little else "big") != model.machine:
        return Outcome.WRONG_MACHINE, "cannot open shared object file"
    if ident[5] != (1 if model.layout.little else 2):
        order = "little" if model.layout.little else "big"
        return Outcome.NOT_ELF, f"ELF file data encoding not {order}-endian"
    if error.field == "e_phoff":  # the program headers are not all in the file
        return Outcome.NOT_ELF, "cannot read file data"
    return Outcome.NOT_ELF, f"{error.field} at offset {error.offset:#x}: {error.problem}"


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
