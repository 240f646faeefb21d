"""What the loader says first: the message that ``dlerror()`` returns, or ld.so prints.

Each step of a process (its start, each ``dlopen``) can fail in this order: a file, a version, a
relocation. Source: ``dl_main`` (glibc ``elf/rtld.c``), ``dl_open_worker_begin``
(``elf/dl-open.c``), ``_dl_relocate_object`` (``elf/dl-reloc.c``): an object is relocated after
those it needs, row by row, and what is bound lazily is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ..elf import ElfObject, Flags
from .bindings import Binding, GlibcBindings, Status
from .environment import Mode
from .execstack import REFUSAL, refuses_executable_stack, wants_executable_stack
from .linkmap import LinkMapEntry, Opening, Origin, Outcome
from .lookup import RELR_VERSION, is_looked_up, join_key, key_of, split_key
from .relocclass import classes_of
from .statictls import StaticTls
from .versioncheck import unmet_versions

__all__ = ["Cause", "Failure", "absence_message", "first_failure"]

_ASSERTING = (2, 41)  # from this version on a library without versions is taken in silence
_ASSERTION = "Inconsistency detected by ld.so: {file}: {function}: Assertion `{text}' failed!"
_NO_NEEDED = _ASSERTION.format(
    file="dl-version.c: 204", function="_dl_check_map_versions", text="needed != NULL"
)
_NO_VERSIONS = _ASSERTION.format(
    file="dl-lookup.c: 107",
    function="check_match",
    text="version->filename == NULL || ! _dl_name_match_p (version->filename, map)",
)
_CHECKING_IFUNC = (3, 62)
_CIRCULAR = (
    "IFUNC symbol '{symbol}' referenced in '{label}' is defined in the executable and creates an "
    "unsatisfiable circular dependency."
)


class Cause(Enum):
    """What kind of thing a step fails of."""

    FILE = "file"
    STACK = "executable stack"
    VERSION = "version"
    SYMBOL = "symbol"
    STATIC_TLS = "static TLS"
    RELOCATION = "relocation type"


@dataclass(frozen=True, slots=True)
class Failure:
    """The first thing that stops a process.

    Attributes:
        cause: its kind.
        message: the loader's own words.
        entry: the object it is said of.
        opening: the step that fails: what is opened by it is never in the process.
        symbol: the key of the symbol, for SYMBOL.
    """

    cause: Cause
    message: str
    entry: LinkMapEntry
    opening: Opening
    symbol: str | None = None


def first_failure(
    bindings: GlibcBindings, glibc_version: tuple[int, int] | None = None
) -> Failure | None:
    """What stops a process, or None.

    Args:
        bindings: of the whole process.
        glibc_version: whose rules apply where versions differ; None: an old one.
    """
    link_map = bindings.link_map
    start = link_map.openings[0]
    started = [entry.elf for entry in start.searchlist if entry.elf is not None]
    strict = refuses_executable_stack(glibc_version, started)
    tls = StaticTls(started[0].machine, started) if started else None
    for opening in link_map.openings:
        later = opening is not start
        failure = (
            _file_failure(opening, strict=strict and later)
            or _version_failure(bindings, opening)
            or next(
                _relocation_failures(bindings, opening, tls if later else None, glibc_version), None
            )
        )
        if failure is not None:
            return failure
    return None


def absence_message(entry: LinkMapEntry) -> str:
    """What the loader says of a library that it does not find, or does not take."""
    user = entry.loader
    if user is not None and user.elf is not None and entry.name == user.elf.interp:
        return f"{user.label}: cannot be started: its interpreter {entry.name} is not there"
    fatal = next((step for step in entry.steps if step.outcome is Outcome.NOT_ELF), None)
    if fatal is not None:
        detail = fatal.detail or ""
        # These are refused after the file was opened, under the name that was asked for.
        return f"{entry.name if detail.startswith(_BY_NAME) else fatal.path}: {detail}"
    # A candidate of the other class is passed over, but remembered if nothing else is found.
    other = next((step for step in entry.steps if step.outcome is Outcome.WRONG_CLASS), None)
    if other is not None:
        return f"{entry.name}: {other.detail}"
    problem = f": {entry.problem}" if entry.problem is not None else ""
    return f"{entry.name}: cannot open shared object file{problem}"


_BY_NAME = ("cannot dynamically load", "ELF load command", "shared object cannot be dlopen()ed")


def _file_failure(opening: Opening, *, strict: bool) -> Failure | None:
    """The first file that is not there or not taken; ``strict`` about executable stacks."""
    if opening.refused is not None:
        message = f"{opening.root.label}: {opening.refused}"
        return Failure(Cause.FILE, message, opening.root, opening)
    for entry in opening.loaded:
        if entry.elf is None and entry.origin is not Origin.EXTERNAL:
            return Failure(Cause.FILE, absence_message(entry), entry, opening)
        if strict and entry.elf is not None and wants_executable_stack(entry.elf):
            return Failure(Cause.STACK, f"{entry.label}: {REFUSAL}", entry, opening)
    return None


def _version_failure(bindings: GlibcBindings, opening: Opening) -> Failure | None:
    for unmet in unmet_versions(bindings.link_map, bindings.indices, opening):
        if unmet.provider is None:
            return Failure(Cause.VERSION, _NO_NEEDED, unmet.entry, opening)
        if not unmet.need.weak:
            version, entry = unmet.need.name, unmet.entry
            message = (
                f"{unmet.provider.label}: version `{version}' not found (required by {entry.label})"
            )
            return Failure(Cause.VERSION, message, entry, opening)
    for entry in opening.loaded:
        index = bindings.indices.get(entry)
        if index is not None and index.lacks_relr_version:
            message = f"{entry.label}: DT_RELR without {RELR_VERSION} dependency"
            return Failure(Cause.VERSION, message, entry, opening)
    return None


def _relocation_failures(
    bindings: GlibcBindings,
    opening: Opening,
    tls: StaticTls | None,
    glibc_version: tuple[int, int] | None,
) -> Iterator[Failure]:
    """What goes wrong while the objects of one step are relocated; ``tls`` is None at the start."""
    asserting = glibc_version is None or glibc_version < _ASSERTING
    for entry in bindings.link_map.relocated_by(opening):
        if entry not in bindings.indices or entry.elf is None:
            continue
        missed = {key for key in bindings.open_keys(entry) if _is_missed(bindings, entry, key)}
        lost = _unversioned(bindings, entry) if asserting else frozenset()
        static = tls is not None and _static_tls(entry.elf)
        circular = _circular(bindings, entry) if tls is None else set()
        if missed or lost or static or circular:
            scan = _Relocation(bindings, entry, opening, missed, lost, circular)
            yield from scan.failures(tls if static else None)
            entry.elf.release()


def _is_missed(bindings: GlibcBindings, entry: LinkMapEntry, key: str) -> bool:
    return any(b.status is Status.UNRESOLVED for b in bindings.all_of(entry, key))


def _static_tls(elf: ElfObject) -> bool:
    return elf.dynamic is not None and Flags.STATIC_TLS in elf.dynamic.flags


def _unversioned(bindings: GlibcBindings, entry: LinkMapEntry) -> frozenset[str]:
    """Keys that the library they are required from has, but without any versions."""
    names, indices = bindings.link_map.names, bindings.indices
    lost = [
        library
        for library in indices[entry].required
        if (provider := names.get(library)) in indices
        and provider is not None
        and not indices[provider].exports.versioned
    ]
    if not lost:
        return frozenset()
    references = indices[entry].references
    found = {key for key, library in references.libraries.items() if library in lost}
    return frozenset(
        key for key in found if bindings.provider(entry, key) is names[references.libraries[key]]
    )


def _circular(bindings: GlibcBindings, entry: LinkMapEntry) -> set[str]:
    """Keys that the program answers with an IFUNC, which cannot run: it is relocated last.

    Source: ``elf_machine_rela`` of x86 (glibc ``sysdeps/x86_64/dl-machine.h``).
    """
    program = bindings.link_map.openings[0].root
    index = bindings.indices.get(program)
    if index is None or not index.exports.resolvers or entry is program:
        return set()
    if program.elf is None or program.elf.machine not in _CHECKING_IFUNC:
        return set()
    names = index.exports.resolvers
    return {
        binding.name if binding.version is None else join_key(binding.name, binding.version)
        for binding in bindings.of_object(entry)
        if binding.name in names and binding.provider is program
    }


def is_bound_now(opening: Opening, entry: LinkMapEntry) -> bool:
    """Whether the functions of an object are looked up at once.

    ``dlopen`` with RTLD_NOW does that for what it loads; a program and what is started with it wait
    for the calls, unless they ask for the contrary. A library that is taken for the program, since
    no better is known, is treated as by RTLD_NOW.
    """
    dynamic = entry.elf.dynamic if entry.elf else None
    if dynamic is not None and dynamic.bind_now:
        return True
    if opening.mode is not None:
        return Mode.LAZY not in opening.mode
    return opening.root.elf is None or not opening.root.elf.is_program


@dataclass(frozen=True, slots=True)
class _Relocation:
    """One object that cannot be relocated, or perhaps not."""

    bindings: GlibcBindings
    entry: LinkMapEntry
    opening: Opening
    missed: set[str]
    lost: frozenset[str]
    circular: set[str]

    def failures(self, tls: StaticTls | None) -> Iterator[Failure]:
        """Row by row; ``tls`` where the object wants some of it."""
        elf = self.entry.elf
        if elf is None:
            return
        symbols, classes = elf.symbols, classes_of(elf.machine)
        given: set[LinkMapEntry] = set()
        for row, type_ in elf.relocations.rows(lazy=is_bound_now(self.opening, self.entry)):
            key = key_of(symbols, row) if is_looked_up(symbols, row) else None
            if key is not None and (failure := self._lookup(key, copied=type_ == classes.copy)):
                yield failure
            if tls is None or type_ not in classes.static_tls:
                continue
            owner = self.bindings.provider(self.entry, key) if key is not None else self.entry
            if owner is not None and owner.elf is not None and owner not in given:
                given.add(owner)
                if owner in self.opening.loaded and not tls.take(owner.elf):
                    message = f"{owner.label}: cannot allocate memory in static TLS block"
                    yield Failure(Cause.STATIC_TLS, message, owner, self.opening)

    def _lookup(self, key: str, *, copied: bool) -> Failure | None:
        if key in self.lost:
            return Failure(Cause.VERSION, _NO_VERSIONS, self.entry, self.opening, key)
        if key in self.circular:
            message = _CIRCULAR.format(symbol=split_key(key)[0], label=self.entry.label)
            return Failure(Cause.SYMBOL, message, self.entry, self.opening, key)
        if key not in self.missed or not self._misses(key, copied=copied):
            return None
        name, version = split_key(key)
        suffix = f", version {version}" if version else ""
        message = f"{self.entry.label}: undefined symbol: {name}{suffix}"
        return Failure(Cause.SYMBOL, message, self.entry, self.opening, key)

    def _misses(self, key: str, *, copied: bool) -> bool:
        bindings: tuple[Binding, ...] = tuple(self.bindings.all_of(self.entry, key))
        return any(b.provider is None and b.copied == copied for b in bindings)
