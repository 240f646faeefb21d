"""What goes wrong while objects are relocated: symbols, static TLS, relocation types, protections.

Source: ``_dl_relocate_object`` (glibc ``elf/dl-reloc.c``): an object is relocated after those it
needs, row by row, and what is bound lazily is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .assertions import NO_VERSIONS, NOT_RELATIVE, asserted
from .bindings import Binding, GlibcBindings, Status
from .environment import Mode
from .failed import Cause, Failure, is_nameless
from .linkmap import LinkMapEntry, Opening
from .mapping import protection_problem
from .references import is_looked_up, join_key, key_of, split_key
from .relocclass import classes_of
from .rtld import Version
from .statictls import StaticTls

__all__ = ["is_bound_now", "relocation_failures"]

_ASSERTING = (2, 41)  # from this version on a library without versions is taken in silence
_CHECKING_IFUNC = (3, 62)
_CIRCULAR = (
    "IFUNC symbol '{symbol}' referenced in '{label}' is defined in the executable and creates an "
    "unsatisfiable circular dependency."
)


def relocation_failures(
    bindings: GlibcBindings,
    opening: Opening,
    tls: StaticTls | None,
    glibc_version: Version | None,
) -> Iterator[Failure]:
    """What goes wrong while the objects of one step are relocated, in the loader's order.

    Args:
        bindings: of the whole process.
        opening: the step.
        tls: the room for static TLS that is left; None at the start, which makes as much as it
            needs.
        glibc_version: whose rules apply where versions differ; None: an old one.
    """
    asserting = glibc_version is None or glibc_version < _ASSERTING
    doubtful: dict[LinkMapEntry, tuple[_Relocation, StaticTls | None]] = {}
    for entry in opening.loaded:
        if entry not in bindings.indices or entry.elf is None:
            continue
        missed = {key for key in bindings.open_keys(entry) if _is_missed(bindings, entry, key)}
        lost = _unversioned(bindings, opening, entry) if asserting else frozenset()
        room = tls if bindings.indices[entry].static else None
        circular = _circular(bindings, entry) if opening.mode is None else set()
        strange = bindings.indices[entry].strange
        if missed or lost or room is not None or circular or strange:
            scan = _Relocation(bindings, entry, opening, missed, lost, circular, glibc_version)
            doubtful[entry] = scan, room
    for entry in bindings.link_map.relocated_by(opening) if doubtful else ():
        if entry in doubtful and entry.elf is not None:
            scan, room = doubtful[entry]
            if room is None or scan.is_doubtful:
                yield from scan.failures(room)
            else:
                yield from scan.shortages(room)
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

    @property
    def is_doubtful(self) -> bool:
        """Whether more may go wrong than that there is no room for static TLS."""
        strange = self.bindings.indices[self.entry].strange
        return bool(self.missed or self.lost or self.circular or strange)

    def shortages(self, tls: StaticTls) -> Iterator[Failure]:
        """Where there is no room for static TLS, in an object that is otherwise in order."""
        now = is_bound_now(self.opening, self.entry)
        for reference in self.bindings.indices[self.entry].static:
            if now or not reference.lazy:
                yield from self._take(tls, reference.key, optional=reference.optional)

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
            if tls is not None and type_ in classes.taking:
                yield from self._take(tls, key, optional=type_ == classes.descriptor)
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
        started = is_nameless(self.opening, self.entry)
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
