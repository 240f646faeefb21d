"""What an object asks of the others: its undefined symbols, and what its relocations name.

A reference is a *key*: the name alone, or ``name NUL version``, with another NUL behind it if the
requirement is marked hidden. Source: ``_dl_relocate_object`` and ``RESOLVE_MAP`` (glibc
``elf/dl-reloc.c``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress

from ..elf import ElfObject, SymbolBinding, SymbolTable, SymbolVisibility
from ..elf.relocations import Relocations
from .relocclass import RelocationClasses, classes_of

__all__ = [
    "References",
    "Relocated",
    "is_hidden",
    "is_looked_up",
    "join_key",
    "key_of",
    "keys_of",
    "references_of",
    "relocated",
    "rows_looked_up",
    "split_key",
    "with_copies",
]

_HIDDEN = 0x8000
_EMPTY: frozenset[str] = frozenset()
_WEAK_INFO = bytes(info >> 4 == SymbolBinding.WEAK for info in range(256))
_BINDS = bytes(info >> 4 != SymbolBinding.LOCAL for info in range(256))
_HIDDEN_VISIBILITIES = (SymbolVisibility.INTERNAL, SymbolVisibility.HIDDEN)
_SEEN = bytes(other & 3 not in _HIDDEN_VISIBILITIES for other in range(256))
_PROTECTED = bytes(other & 3 == SymbolVisibility.PROTECTED for other in range(256))


def split_key(key: str) -> tuple[str, str | None]:
    """(name, version) of a key."""
    name, separator, version = key.partition("\0")
    return name, version.removesuffix("\0") if separator else None


def join_key(name: str, version: str) -> str:
    """The key of a name with a version."""
    return f"{name}\0{version}"


def is_hidden(key: str) -> bool:
    """Whether the version asked for is marked hidden: nothing but that very version will do."""
    return key.endswith("\0")


@dataclass(frozen=True, slots=True)
class References:
    """What an object asks of the others.

    Attributes:
        keys: all of it.
        weak: keys that may stay unresolved.
        libraries: key to the SONAME its version is required from.
        copied: keys of what a program has copied into itself (COPY relocations); it defines them
            itself, but not for this.
    """

    keys: frozenset[str]
    weak: frozenset[str]
    libraries: dict[str, str]
    copied: frozenset[str] = _EMPTY


@dataclass(frozen=True)
class Relocated:
    """What the relocations of an object look up.

    Attributes:
        references: all of it, symbols that the object defines itself included.
        lazy: keys that only ``DT_JMPREL`` names, bound at the first call without bind-now.
        protected: keys of definitions that nobody may override for the object itself.
    """

    references: References
    lazy: frozenset[str]
    protected: frozenset[str]
    _keys: Mapping[int, str]
    _relocations: Relocations
    _classes: RelocationClasses

    @cached_property
    def called(self) -> frozenset[str]:
        """Keys that a relocation of class PLT names (function slots, thread-local storage)."""
        return self._of_types(self._by_type.keys() & self._classes.plt)

    @cached_property
    def addressed(self) -> frozenset[str]:
        """Keys that a relocation of neither special class names."""
        return self._of_types(self._by_type.keys() - self._classes.plt - {self._classes.copy})

    @cached_property
    def _by_type(self) -> dict[int, set[int]]:
        return self._relocations.by_type()

    def _of_types(self, types: AbstractSet[int]) -> frozenset[str]:
        rows = set().union(*(self._by_type[type_] for type_ in types))
        return frozenset(map(self._keys.__getitem__, rows & self._keys.keys()))


def relocated(elf: ElfObject) -> Relocated:
    """Decode what the relocations of an object look up.

    Raises:
        ElfFormatError: its symbol, version or relocation tables are damaged.
    """
    symbols, relocations = elf.symbols, elf.relocations
    rows = rows_looked_up(symbols, relocations.symbols())
    keys, libraries = _reference_keys(symbols, rows)
    references = _references(symbols, rows, keys, libraries)
    if elf.is_program:
        references = with_copies(elf, references)
    eager = relocations.eager_symbols
    lazy = references.keys.difference(compress(keys, map(eager.__contains__, rows)))
    by_row = dict(zip(rows, keys, strict=True))
    own = symbols.other.translate(_PROTECTED)
    protected = frozenset(by_row[row] for row in rows if own[row]) if any(own) else _EMPTY
    return Relocated(references, lazy, protected, by_row, relocations, classes_of(elf.machine))


def is_looked_up(symbols: SymbolTable, row: int) -> bool:
    """Whether the symbol of a relocation is looked up at all.

    A local symbol and whatever is hidden is bound where it stands (``RESOLVE_MAP`` of glibc
    ``elf/dl-reloc.c``).
    """
    inside = 0 < row < len(symbols)
    return inside and bool(_BINDS[symbols.info[row]] and _SEEN[symbols.other[row]])


def rows_looked_up(symbols: SymbolTable, rows: Iterable[int]) -> list[int]:
    """Those of many rows of which :func:`is_looked_up` is true, in their order."""
    count = len(symbols)
    binds, seen = symbols.info.translate(_BINDS), symbols.other.translate(_SEEN)
    return [row for row in rows if 0 < row < count and binds[row] and seen[row]]


def keys_of(symbols: SymbolTable, rows: list[int]) -> list[str]:
    """The keys of some symbols, in their order."""
    return _reference_keys(symbols, rows)[0]


def key_of(symbols: SymbolTable, row: int) -> str:
    """The key of one symbol."""
    return _reference_keys(symbols, [row])[0][0]


def references_of(symbols: SymbolTable, rows: list[int]) -> References:
    """What some symbols of an object ask of the others."""
    return _references(symbols, rows, *_reference_keys(symbols, rows))


def _references(
    symbols: SymbolTable, rows: list[int], keys: list[str], libraries: dict[str, str]
) -> References:
    weak = symbols.info.translate(_WEAK_INFO)
    return References(
        frozenset(keys), frozenset(compress(keys, map(weak.__getitem__, rows))), libraries
    )


def with_copies(elf: ElfObject, references: References) -> References:
    """The references of a program, and what it copies from its libraries."""
    copy = classes_of(elf.machine).copy
    rows = sorted(symbol for symbol, type_ in elf.relocations.eager if type_ == copy)
    keys, libraries = _reference_keys(elf.symbols, [row for row in rows if row < len(elf.symbols)])
    if not keys:
        return references
    return replace(references, libraries=references.libraries | libraries, copied=frozenset(keys))


def _reference_keys(symbols: SymbolTable, rows: list[int]) -> tuple[list[str], dict[str, str]]:
    """The key of each row; and of the keys with a version the library it is required from."""
    raw = symbols.version_indices
    keys = list(map(symbols.names.__getitem__, rows))
    if raw is None:
        return keys, {}
    versions = symbols.versions.names
    libraries: dict[str, str] = {}
    # Mostly few have one: C++ libraries export tens of thousands of symbols without.
    for at in [at for at, row in enumerate(rows) if raw[row] & ~_HIDDEN in versions]:
        version = versions[raw[rows[at]] & ~_HIDDEN]
        strictly = "\0" if version.hidden and version.library else ""
        keys[at] = key = f"{keys[at]}\0{version.name}{strictly}"
        if version.library:
            libraries[key] = version.library
    return keys, libraries
