"""What the loader says first: the message that ``dlerror()`` returns, or ld.so prints.

Each step of a process (its start, each ``dlopen``) can fail in this order: a file, a version, the
CPU, a relocation. Source: ``dl_main`` (glibc ``elf/rtld.c``), ``dl_open_worker_begin``
(``elf/dl-open.c``), ``_dl_relocate_object`` (``elf/dl-reloc.c``): an object is relocated after
those it needs, row by row, and what is bound lazily is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ..errors import ElfAuditError
from .assertions import NO_NEEDED, NO_VERSIONS, NOT_RELATIVE, asserted, dynamic_assertion, said_of
from .bindings import Binding, GlibcBindings, Status
from .environment import Mode
from .execstack import REFUSAL, refuses_executable_stack, wants_executable_stack
from .isalevel import REFUSAL as TOO_NEW
from .isalevel import too_new
from .linkmap import LinkMapEntry, Opening, Origin, Outcome
from .lookup import RELR_VERSION
from .mapping import protection_problem
from .references import is_looked_up, join_key, key_of, split_key
from .relocclass import classes_of
from .rtld import Version
from .statictls import StaticTls, wants_static_tls
from .versioncheck import checks_relr, unmet_of

__all__ = ["Cause", "Failure", "absence_message", "first_failure", "is_bound_now"]

_ASSERTING = (2, 41)  # from this version on a library without versions is taken in silence


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
    ISA_LEVEL = "instruction set level"
    SYMBOL = "symbol"
    STATIC_TLS = "static TLS"
    RELOCATION = "relocation type"
    DAMAGE = "damage"


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
    bindings: GlibcBindings, glibc_version: Version | None = None, isa: int | None = None
) -> Failure | None:
    """What stops a process, or None.

    Args:
        bindings: of the whole process.
        glibc_version: whose rules apply where versions differ; None: an old one.
        isa: the instruction set levels of the CPU, as bits; None: it has none.
    """
    link_map = bindings.link_map
    start = link_map.openings[0]
    started = [entry.elf for entry in start.searchlist if entry.elf is not None]
    strict = refuses_executable_stack(glibc_version, started)
    tls = None
    if started and len(link_map.openings) > 1:
        tls = StaticTls(started[0].machine, started)
    for opening in link_map.openings:
        later = opening is not start
        failure = (
            _file_failure(bindings, opening, glibc_version, strict=strict and later)
            or _version_failure(bindings, opening, glibc_version)
            or _isa_failure(bindings, opening, isa, glibc_version)
            or next(
                _relocation_failures(bindings, opening, tls if later else None, glibc_version), None
            )
        )
        if failure is not None:
            return failure
    return None


def absence_message(entry: LinkMapEntry, *, started: bool = False) -> str:
    """What the loader says of a library that it does not find, or does not take.

    Args:
        entry: what is missing.
        started: whether the process was only about to start. Then the loader has few words for
            ``errno`` and says its number (``__strerror_r`` of glibc ``elf/dl-minimal.c``).
    """
    message = _absence_message(entry)
    words = message.rpartition(": ")[2]
    if started and words in _NUMBERS:
        return f"{message.removesuffix(words)}Error {_NUMBERS[words]}"
    return message


_NUMBERS = {
    "No such device or address": 6,
    "Not a directory": 20,
    "Is a directory": 21,
    "File name too long": 36,
    "Too many levels of symbolic links": 40,
}


def _absence_message(entry: LinkMapEntry) -> str:
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


_BY_NAME = (
    "cannot change memory protections",
    "cannot map zero-fill pages",
    "failed to map segment",
    "cannot dynamically load",
    "ELF load command",
    "object file has no",
    "shared object cannot be dlopen()ed",
)


def _file_failure(
    bindings: GlibcBindings, opening: Opening, version: Version | None, *, strict: bool
) -> Failure | None:
    """The first file that is not there or not taken; ``strict`` about executable stacks."""
    if opening.refused is not None:
        message = said_of(opening.root.label, opening.refused)
        return Failure(Cause.FILE, message, opening.root, opening)
    for entry in opening.loaded:
        if entry.elf is None and entry.origin is not Origin.EXTERNAL:
            message = absence_message(entry, started=opening.mode is None)
            return Failure(Cause.FILE, message, entry, opening)
        if strict and entry.elf is not None and wants_executable_stack(entry.elf):
            return Failure(Cause.STACK, f"{entry.label}: {REFUSAL}", entry, opening)
        assertion = _assertion_of(bindings, entry, version)
        if assertion is not None:
            if _is_started(opening, entry):  # that code is compiled into another file
                assertion = assertion.replace(": get-dynamic", ": ./get-dynamic")
            return Failure(Cause.DAMAGE, assertion, entry, opening)
    return None


def _is_started(opening: Opening, entry: LinkMapEntry) -> bool:
    """Whether an object is the program that starts: to the loader its name is empty."""
    elf = entry.elf
    return opening.mode is None and entry is opening.root and elf is not None and elf.is_program


def _assertion_of(
    bindings: GlibcBindings, entry: LinkMapEntry, version: Version | None
) -> str | None:
    """What the loader says of a dynamic section that contradicts itself."""
    index = bindings.indices.get(entry)
    if entry.elf is None or (index is not None and not index.strange):
        return None
    try:
        return dynamic_assertion(entry.elf, version)
    except ElfAuditError:
        return None


def _version_failure(
    bindings: GlibcBindings, opening: Opening, version: Version | None
) -> Failure | None:
    """The first requirement that is not met: object by object, DT_RELR last of each."""
    new = set(opening.loaded)
    for entry in opening.searchlist:
        index = bindings.indices.get(entry) if entry in new else None
        if index is None:
            continue
        if index.revision != 1:
            message = f"{entry.label}: unsupported version {index.revision} of Verneed record"
            return Failure(Cause.DAMAGE, message, entry, opening)
        for unmet in unmet_of(bindings.link_map, bindings.indices, opening, entry):
            if unmet.provider is None:
                message = asserted(NO_NEEDED, version)
                return Failure(Cause.VERSION, message, entry, opening)
            if unmet.revision is not None:
                owner, number = unmet.provider, unmet.revision
                message = f"{owner.label}: unsupported version {number} of Verdef record"
                return Failure(Cause.DAMAGE, message, owner, opening)
            if not unmet.need.weak:
                lacking, name = unmet.provider.label, unmet.need.name
                message = f"{lacking}: version `{name}' not found (required by {entry.label})"
                return Failure(Cause.VERSION, message, entry, opening)
        if index.lacks_relr_version and checks_relr(version):
            message = f"{entry.label}: DT_RELR without {RELR_VERSION} dependency"
            return Failure(Cause.VERSION, message, entry, opening)
    return None


def _isa_failure(
    bindings: GlibcBindings, opening: Opening, isa: int | None, version: Version | None
) -> Failure | None:
    entry = too_new(bindings.link_map, opening, isa, version)
    if entry is None:
        return None
    return Failure(Cause.ISA_LEVEL, f"{entry.label}: {TOO_NEW}", entry, opening)


def _relocation_failures(
    bindings: GlibcBindings,
    opening: Opening,
    tls: StaticTls | None,
    glibc_version: Version | None,
) -> Iterator[Failure]:
    """What goes wrong while the objects of one step are relocated; ``tls`` is None at the start."""
    asserting = glibc_version is None or glibc_version < _ASSERTING
    doubtful: dict[LinkMapEntry, tuple[_Relocation, bool]] = {}
    for entry in opening.loaded:
        if entry not in bindings.indices or entry.elf is None:
            continue
        missed = {key for key in bindings.open_keys(entry) if _is_missed(bindings, entry, key)}
        lost = _unversioned(bindings, opening, entry) if asserting else frozenset()
        static = tls is not None and wants_static_tls(entry.elf)
        circular = _circular(bindings, entry) if opening.mode is None else set()
        strange = bindings.indices[entry].strange
        if missed or lost or static or circular or strange:
            scan = _Relocation(bindings, entry, opening, missed, lost, circular, glibc_version)
            doubtful[entry] = scan, static
    for entry in bindings.link_map.relocated_by(opening) if doubtful else ():
        if entry in doubtful and entry.elf is not None:
            scan, static = doubtful[entry]
            yield from scan.failures(tls if static else None)
            entry.elf.release()


def _is_missed(bindings: GlibcBindings, entry: LinkMapEntry, key: str) -> bool:
    return any(b.status is Status.UNRESOLVED for b in bindings.all_of(entry, key))


def _unversioned(bindings: GlibcBindings, opening: Opening, entry: LinkMapEntry) -> frozenset[str]:
    """Keys that the library they are required from has, but without any versions."""
    names, indices = opening.names, bindings.indices
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
    return opening.root.elf is not None and not opening.root.elf.is_program


@dataclass(frozen=True, slots=True)
class _Relocation:
    """One object that cannot be relocated, or perhaps not."""

    bindings: GlibcBindings
    entry: LinkMapEntry
    opening: Opening
    missed: set[str]
    lost: frozenset[str]
    circular: set[str]
    version: Version | None

    def failures(self, tls: StaticTls | None) -> Iterator[Failure]:
        """Row by row; ``tls`` where the object wants some of it."""
        elf = self.entry.elf
        if elf is None:
            return
        symbols, classes = elf.symbols, classes_of(elf.machine)
        now = is_bound_now(self.opening, self.entry)
        if classes.relative and not elf.relocations.leading_only_of(classes.relative):
            yield self._failed(Cause.RELOCATION, asserted(NOT_RELATIVE, self.version))
        for row, type_ in elf.relocations.rows(lazy=now):
            if type_ in classes.silent:
                continue
            key = key_of(symbols, row) if is_looked_up(symbols, row) else None
            if key is not None and (failure := self._lookup(key, copied=type_ == classes.copy)):
                yield failure
            if classes.known and type_ not in classes.known:
                yield self._bad_type("", type_)
            optional = type_ == classes.descriptor
            if tls is not None and (optional or type_ in classes.static_tls):
                yield from self._take(tls, key, optional=optional)
        if not now and classes.lazy:
            slots = (type_ for _, type_ in elf.relocations.rows(eager=False))
            yield from (self._bad_type("PLT ", t) for t in slots if t not in classes.lazy)
        problem = protection_problem(elf.segments, elf.layout.bits)
        if problem is not None:
            yield self._failed(Cause.DAMAGE, self._named(problem))

    def _take(self, tls: StaticTls, key: str | None, *, optional: bool) -> Iterator[Failure]:
        """Room in the static block of thread-local storage, for the object that has the symbol."""
        owner = self.bindings.provider(self.entry, key) if key is not None else self.entry
        if owner is None or owner.elf is None:
            return
        if not tls.take(owner.elf, optional=optional) and not optional:
            message = f"{owner.label}: cannot allocate memory in static TLS block"
            yield Failure(Cause.STATIC_TLS, message, owner, self.opening)

    def _bad_type(self, table: str, type_: int) -> Failure:
        """Source: ``_dl_reloc_bad_type`` (glibc ``elf/dl-reloc.c``)."""
        digits = f"{type_:08x}" if type_ > 0xFF else f"{type_:02x}"
        message = self._named(f"unexpected {table}reloc type 0x{digits}")
        return self._failed(Cause.RELOCATION, message)

    def _named(self, words: str) -> str:
        started = _is_started(self.opening, self.entry)
        return words if started else f"{self.entry.label}: {words}"

    def _failed(self, cause: Cause, message: str) -> Failure:
        return Failure(cause, message, self.entry, self.opening)

    def _lookup(self, key: str, *, copied: bool) -> Failure | None:
        if key in self.lost:
            return Failure(
                Cause.VERSION, asserted(NO_VERSIONS, self.version), self.entry, self.opening, key
            )
        if key in self.circular:
            message = _CIRCULAR.format(symbol=split_key(key)[0], label=self.entry.label)
            return Failure(Cause.SYMBOL, message, self.entry, self.opening, key)
        if key not in self.missed or not self._misses(key, copied=copied):
            return None
        name, version = split_key(key)
        suffix = f", version {version}" if version is not None else ""
        message = f"{self.entry.label}: undefined symbol: {name}{suffix}"
        return Failure(Cause.SYMBOL, message, self.entry, self.opening, key)

    def _misses(self, key: str, *, copied: bool) -> bool:
        bindings: tuple[Binding, ...] = tuple(self.bindings.all_of(self.entry, key))
        return any(b.provider is None and b.copied == copied for b in bindings)
