"""Binding as musl does it: which object supplies each reference, and which nobody supplies.

Source: ``find_sym2`` and ``do_relocs`` (musl ``ldso/dynlink.c``) for one lookup; ``add_syms``,
``prepare_lazy`` and ``redo_lazy_relocs`` for what is put off and where it is looked for later;
``get_lfs64`` for the names with ``64`` behind them that only the loader knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from ..elf import DynamicTag, ElfObject, Flags, Flags1
from ..errors import ElfAuditError
from .bindings import Binding, Status
from .environment import Mode
from .linkmap import LinkMap, LinkMapEntry, Opening
from .lookup import Exports, SymbolIndex
from .musl_lookup import NO_REFERENCES, MuslReferences, musl_references
from .musl_machines import MuslMachine, musl_machine_of

__all__ = ["MuslBindings", "bind_musl"]

_LARGE_FILE = (
    "aio_cancel aio_error aio_fsync aio_read aio_return aio_suspend aio_write alphasort creat "
    "fallocate fgetpos fopen freopen fseeko fsetpos fstat fstatat fstatfs fstatvfs ftello "
    "ftruncate ftw getdents getrlimit glob globfree lio_listio lockf lseek lstat mkostemp "
    "mkostemps mkstemp mkstemps mmap nftw open openat posix_fadvise posix_fallocate pread preadv "
    "prlimit pwrite pwritev readdir scandir sendfile setrlimit stat statfs statvfs tmpfile "
    "truncate versionsort __fxstat __fxstatat __lxstat __xstat"
)
_LARGE_FILE_NAMES = frozenset(_LARGE_FILE.split())
_THE_C_LIBRARY = frozenset(("__libc_start_main", "stdin"))

_Found = Mapping[str, LinkMapEntry]


@dataclass(frozen=True, slots=True)
class _Walked:
    """Who answers the names that one opening's objects ask for, by what they ask for it for."""

    slots: _Found
    addresses: _Found
    copies: _Found


class MuslBindings:
    """All bindings of a link map; made by :func:`bind_musl`.

    It has the methods of :class:`~elfaudit.loader.bindings.Bindings`; a key is a name.

    Attributes:
        link_map: what was bound.
        indices: the lookup tables of every object bound.
        machine: that of the process.
        damaged: objects whose relocations cannot be read: they ask for nothing here.
    """

    def __init__(
        self,
        link_map: LinkMap,
        indices: Mapping[LinkMapEntry, SymbolIndex],
        assumed: Iterable[str],
        *,
        undecided: bool,
    ) -> None:
        self.link_map = link_map
        self.indices = indices
        model = next(e.elf for e in (*link_map.entries, link_map.subject) if e.elf is not None)
        self.machine: MuslMachine = musl_machine_of(model)
        self._assumed = frozenset(assumed)
        self._absent = Status.UNDECIDED if undecided else Status.UNRESOLVED
        self.damaged: dict[LinkMapEntry, ElfAuditError] = {}
        self._references = {entry: self._decode(entry) for entry in indices}
        self._loader = next(
            (e for e, index in indices.items() if index.exports.plain >= _THE_C_LIBRARY), None
        )
        self._opening: dict[LinkMapEntry, int] = {}
        self._walked: list[_Walked] = []
        for number, opening in enumerate(link_map.openings):
            members = [entry for entry in opening.loaded if entry in indices]
            self._opening.update(dict.fromkeys(members, number))
            self._walked.append(self._walk(opening, members))

    def __iter__(self) -> Iterator[Binding]:
        """Every binding of every object, in link map order, names sorted."""
        for entry in self.indices:
            yield from self.of_object(entry)

    def of_object(self, entry: LinkMapEntry) -> Iterator[Binding]:
        """Every binding of one object, names sorted; none of one that could not be read."""
        if entry in self.indices:
            for name in sorted(self._references[entry].names):
                yield from self.all_of(entry, name)

    def open_references(self) -> Iterator[Binding]:
        """The bindings that are not BOUND and not merely weak, in link map order, names sorted."""
        for entry in self.indices:
            for name in sorted(self.open_keys(entry)):
                yield next(b for b in self.all_of(entry, name) if b.provider is None)

    def open_keys(self, entry: LinkMapEntry) -> AbstractSet[str]:
        """The names that one object cannot do without and that nobody answers."""
        references = self._references[entry]
        return {
            name
            for name in references.names - references.weak
            if None in self._providers(entry, name)
        }

    def looked_up(self, entry: LinkMapEntry, keys: AbstractSet[str]) -> AbstractSet[str]:
        """Those of some undefined symbols of an object that its relocations name."""
        return keys & self._references[entry].names

    def requiring(self, entry: LinkMapEntry, library: str, version: str) -> Iterator[Binding]:
        """None: musl requires no versions."""
        del entry, library, version
        return iter(())

    def provider(self, entry: LinkMapEntry, key: str) -> LinkMapEntry | None:
        """The object that a reference of ``entry`` binds to when it calls it, or None."""
        number = self._opening.get(entry)
        return self._slot(number, entry, key) if number is not None else None

    def of(self, entry: LinkMapEntry, key: str) -> Binding:
        """The binding of one reference of one object, of several (see :meth:`all_of`) the last."""
        return tuple(self.all_of(entry, key))[-1]

    def all_of(self, entry: LinkMapEntry, key: str) -> Iterator[Binding]:
        """The bindings of one name of one object: what it copies, the address, what it calls."""
        weak = key in self._references[entry].weak
        deferred = self.is_deferred(entry, key)
        copies = key in self._references[entry].copies
        for number, provider in enumerate(self._providers(entry, key)):
            if provider is not None:
                status = Status.BOUND
            elif weak:
                status = Status.WEAK_ABSENT
            else:
                status = Status.ASSUMED if key in self._assumed else self._absent
            copied = copies and not number
            yield Binding(entry, key, None, None, status, deferred, provider, copied)

    def copies(self, program: LinkMapEntry) -> Iterator[tuple[str, LinkMapEntry | None]]:
        """(key, whose variable it is) of all that a program copies into itself, keys sorted."""
        bindings = self.of_object(program)
        yield from ((each.name, each.provider) for each in bindings if each.copied)

    def shadowed(self, binding: Binding) -> tuple[LinkMapEntry, ...]:
        """The objects that would supply a reference if its provider did not, in scope order."""
        opening = self.link_map.openings[self._opening[binding.reference]]
        others = (entry for entry in opening.scope if entry is not binding.provider)
        return tuple(
            entry
            for entry in others
            if entry in self.indices and binding.name in self.indices[entry].exports.plain
        )

    def references(self, entry: LinkMapEntry) -> MuslReferences:
        """What the relocations of an object look up."""
        return self._references[entry]

    def is_open(self, entry: LinkMapEntry, name: str, kind: int) -> bool:
        """Whether a relocation of that type fails for want of a symbol, as far as is known."""
        if name in self._assumed or self._absent is Status.UNDECIDED:
            return False
        number = self._opening[entry]
        if kind == self.machine.copy:
            return name not in self._walked[number].copies
        find = self._slot if kind == self.machine.slot else self._address
        return find(number, entry, name) is None and not (
            kind in (self.machine.slot, self.machine.got) and self._is_lazy(entry)
        )

    def address(self, entry: LinkMapEntry, name: str) -> LinkMapEntry | None:
        """The object whose symbol a relocation gets that is not for a call, or None."""
        return self._address(self._opening[entry], entry, name)

    def is_deferred(self, entry: LinkMapEntry, name: str) -> bool:
        """Whether a lookup failed that ``RTLD_LAZY`` puts off until more becomes global."""
        if not self._is_lazy(entry):
            return False
        references, walked = self._references[entry], self._walked[self._opening[entry]]
        return (name in references.slots and name not in walked.slots) or (
            name in references.got and name not in walked.addresses
        )

    def _providers(self, entry: LinkMapEntry, name: str) -> tuple[LinkMapEntry | None, ...]:
        """Each object that a name of an object stands for, the copied one first."""
        number = self._opening.get(entry)
        if number is None:
            return (None,)
        references, walked = self._references[entry], self._walked[number]
        found: dict[LinkMapEntry | None, None] = {}
        if name in references.copies:
            found[walked.copies.get(name)] = None
        if name in references.got or name in references.others:
            found[self._address(number, entry, name)] = None
        if name in references.slots or not found:
            found[self._slot(number, entry, name)] = None
        return tuple(found)

    def _slot(self, number: int, entry: LinkMapEntry, name: str) -> LinkMapEntry | None:
        return (
            self._walked[number].slots.get(name)
            or self._large_file(name)
            or self._later(number, entry, name, lambda exports: name in exports.plain)
        )

    def _address(self, number: int, entry: LinkMapEntry, name: str) -> LinkMapEntry | None:
        return (
            self._walked[number].addresses.get(name)
            or self._large_file(name)
            or self._later(number, entry, name, lambda exports: name in _addressable(exports))
        )

    def _later(
        self, number: int, entry: LinkMapEntry, name: str, answers: Callable[[Exports], bool]
    ) -> LinkMapEntry | None:
        """Who answers what was put off, in the first ``dlopen`` that makes an answer global."""
        references = self._references[entry]
        if name in references.others or not self._is_lazy(entry):
            return None
        if name not in references.slots and name not in references.got:
            return None
        for scope in self._globals()[number:]:
            for other in scope:
                if other in self.indices and answers(self.indices[other].exports):
                    return other
        return None

    def _globals(self) -> list[tuple[LinkMapEntry, ...]]:
        """What is global after each opening."""
        openings = self.link_map.openings
        after = [later.global_scope for _, later in pairwise(openings)]
        last = openings[-1]
        stays = last.mode is None or Mode.GLOBAL in last.mode
        return [*after, last.scope if stays else last.global_scope]

    def _large_file(self, name: str) -> LinkMapEntry | None:
        """The loader, for a name of the large-file interface that it has without the ``64``."""
        if self._loader is None:
            return None
        plain = name.removesuffix("64") if name.endswith("64") else ""
        if name == "readdir64_r":
            plain = "readdir_r"
        elif plain not in _LARGE_FILE_NAMES:
            return None
        return self._loader if plain in self.indices[self._loader].exports.plain else None

    def _is_lazy(self, entry: LinkMapEntry) -> bool:
        mode = self.link_map.openings[self._opening[entry]].mode
        return mode is not None and Mode.LAZY in mode and not _binds_now(entry)

    def _walk(self, opening: Opening, members: list[LinkMapEntry]) -> _Walked:
        every = [self._references[entry] for entry in members]
        scope = [entry for entry in opening.scope if entry in self.indices]
        # A copy comes from the objects behind the program, whoever's it is (do_relocs).
        others = [entry for entry in scope if entry is not self.link_map.program]
        slots = frozenset[str]().union(*(each.names for each in every))
        addresses = frozenset[str]().union(*(each.got | each.others for each in every))
        copies = frozenset[str]().union(*(each.copies for each in every))
        return _Walked(
            self._first(slots, scope, lambda exports: exports.plain),
            self._first(addresses, scope, _addressable),
            self._first(copies, others, _addressable),
        )

    def _first(
        self,
        names: frozenset[str],
        scope: list[LinkMapEntry],
        answers: Callable[[Exports], frozenset[str]],
    ) -> _Found:
        """The first object of a scope that answers each name."""
        found: dict[str, LinkMapEntry] = {}
        left = set(names)
        for entry in scope:
            if left and (hits := left & answers(self.indices[entry].exports)):
                found.update(dict.fromkeys(hits, entry))
                left -= hits
        return found

    def _decode(self, entry: LinkMapEntry) -> MuslReferences:
        elf = cast("ElfObject", entry.elf)  # what is indexed was found
        try:
            return musl_references(elf, self.machine)
        except ElfAuditError as error:
            self.damaged[entry] = error.with_traceback(None)
            return NO_REFERENCES
        finally:
            elf.release()


def bind_musl(
    link_map: LinkMap,
    indices: Mapping[LinkMapEntry, SymbolIndex],
    assumed: Iterable[str] = (),
    *,
    undecided: bool = False,
) -> MuslBindings:
    """Bind the references of every object of a link map.

    Args:
        link_map: the objects and their scopes, from :class:`~elfaudit.loader.musl.MuslProcess`.
        indices: the lookup tables (:func:`~elfaudit.loader.musl_lookup.index_symbols_musl`) of
            every object whose tables could be read.
        assumed: names that the process supplies although no object of it is at hand.
        undecided: whether something of the scope is missing, so that absence proves nothing.
    """
    return MuslBindings(link_map, indices, assumed, undecided=undecided)


def _addressable(exports: Exports) -> frozenset[str]:
    points = exports.entry_points
    return exports.plain if points is None else exports.plain | points.plain


def _binds_now(entry: LinkMapEntry) -> bool:
    """Whether an object is bound at once even with RTLD_LAZY (``prepare_lazy``).

    Of DT_BIND_NOW musl asks the value, which linkers leave 0, not whether it is there.
    """
    dynamic = entry.elf.dynamic if entry.elf else None
    if dynamic is None:
        return False
    return bool(
        dynamic.value(DynamicTag.BIND_NOW)
        or Flags.BIND_NOW in dynamic.flags
        or Flags1.NOW in dynamic.flags_1
    )
