"""Which reference matches which definition, prepared as sets.

Source: ``check_match`` and ``do_lookup_x`` (glibc ``elf/dl-lookup.c``). The loader decides one
symbol in one object at a time; here the same decision is made for all symbols of an object at once,
by set intersection. A reference is a *key*: the name alone, or ``name NUL version``. An object
answers a key if

- the key has a version, and the object defines the name with that version (hidden or not);
- the key has a version, and the object has the name without any version, not hidden
  (or has no version table at all);
- the key has no version, and the object has the name at version index 0, 1 or 2, or has exactly one
  definition of it that is not hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..elf import (
    ElfObject,
    SymbolBinding,
    SymbolTable,
    SymbolType,
    SymbolVisibility,
    VersionNeed,
)

__all__ = ["Exports", "References", "SymbolIndex", "index_symbols", "key_of", "split_key"]

_HIDDEN = 0x8000
_FIRST_OWN_VERSION = 3  # check_match: an unversioned reference takes version indices below this
_EMPTY: frozenset[str] = frozenset()
_STRONG_INFO = bytes(
    info >> 4 == SymbolBinding.GLOBAL
    and info & 15 in (SymbolType.FUNC, SymbolType.OBJECT, SymbolType.GNU_IFUNC)
    for info in range(256)
)
_LOCALLY_BOUND = frozenset(
    (SymbolVisibility.INTERNAL, SymbolVisibility.HIDDEN, SymbolVisibility.PROTECTED)
)


def key_of(name: str, version: str | None) -> str:
    """The key of a reference."""
    return name if version is None else f"{name}\0{version}"


def split_key(key: str) -> tuple[str, str | None]:
    """(name, version) of a key."""
    name, separator, version = key.partition("\0")
    return name, version if separator else None


@dataclass(frozen=True, slots=True)
class Exports:
    """What an object answers.

    Attributes:
        exact: keys with a version it defines.
        any_version: names that match a reference whatever version it asks for.
        plain: names that match a reference without a version.
        strong: keys (each with its own version, where it has one) defined ``STB_GLOBAL`` as a
            function or an object: two of them in one scope are worth a word.
    """

    exact: frozenset[str]
    any_version: frozenset[str]
    plain: frozenset[str]
    strong: frozenset[str]

    def answers(self, key: str) -> bool:
        """Whether the object has a definition that a reference with ``key`` accepts."""
        name, version = split_key(key)
        if version is None:
            return key in self.plain
        return key in self.exact or name in self.any_version


@dataclass(frozen=True, slots=True)
class References:
    """What the relocations of an object ask for.

    Attributes:
        keys: all of it.
        weak: keys that may stay unresolved.
        lazy: keys that only ``DT_JMPREL`` names, bound at the first call without bind-now.
        undefined: keys the object has no definition for itself.
        libraries: key to the SONAME its version is required from.
    """

    keys: frozenset[str]
    weak: frozenset[str]
    lazy: frozenset[str]
    undefined: frozenset[str]
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True)
class SymbolIndex:
    """Both sides of an object, and its versions.

    Attributes:
        exports, references: what it answers, and what it asks for.
        needs: the versions it requires.
        defined_versions: the names of those it defines, its own (base) name included.
    """

    exports: Exports
    references: References
    needs: tuple[VersionNeed, ...]
    defined_versions: frozenset[str]


def index_symbols(elf: ElfObject) -> SymbolIndex:
    """Prepare an object's symbols for lookups.

    Raises:
        ElfFormatError: its symbol, version or relocation tables are damaged.
    """
    versions = elf.versions
    return SymbolIndex(
        _exports(elf.symbols),
        _references(elf),
        versions.needs,
        frozenset(definition.name for definition in versions.definitions),
    )


def _exports(symbols: SymbolTable) -> Exports:
    names = symbols.names
    rows = symbols.export_indices
    strong = frozenset(_strong_keys(symbols, rows))
    versioned = symbols.version_indices
    own = any(not definition.base for definition in symbols.versions.definitions)
    if versioned is None or (not own and max(versioned, default=0) < _HIDDEN):
        # No definition has a version: each one answers whatever version is asked for.
        every = frozenset([names[row] for row in rows])
        return Exports(_EMPTY, every, every, strong)
    versions = symbols.versions.names
    exact: set[str] = set()
    any_version: set[str] = set()
    plain: set[str] = set()
    lone: dict[str, int] = {}
    for row in rows:
        raw = versioned[row]
        index = raw & ~_HIDDEN
        name = names[row]
        known = versions.get(index)
        if known is not None:
            exact.add(f"{name}\0{known.name}")
        elif not raw & _HIDDEN:
            any_version.add(name)
        if index < _FIRST_OWN_VERSION:
            plain.add(name)
        elif not raw & _HIDDEN:
            lone[name] = lone.get(name, 0) + 1
    plain.update(name for name, count in lone.items() if count == 1)
    return Exports(frozenset(exact), frozenset(any_version), frozenset(plain), strong)


def _strong_keys(symbols: SymbolTable, rows: list[int]) -> Iterable[str]:
    strong = symbols.info.translate(_STRONG_INFO)
    names = symbols.names
    if symbols.version_indices is None or not symbols.versions.definitions:
        return [names[row] for row in rows if strong[row]]
    version_of = symbols.version_of
    return [key_of(names[row], version_of(row)[0]) for row in rows if strong[row]]


def _references(elf: ElfObject) -> References:
    symbols = elf.symbols
    count = len(symbols)
    eager = {index for index, _ in elf.relocations.eager}
    sections, info, other = symbols.sections, symbols.info, symbols.other
    # A local symbol, or a definition nobody may override, is bound where it stands, unlooked for.
    rows = [
        row
        for row in elf.relocations.symbols()
        if row < count
        and info[row] >> 4 != SymbolBinding.LOCAL
        and not (sections[row] and other[row] & 3 in _LOCALLY_BOUND)
    ]
    keys, libraries = _reference_keys(symbols, rows)
    named = list(zip(rows, keys, strict=True))
    return References(
        keys=frozenset(keys),
        weak=frozenset([key for row, key in named if info[row] >> 4 == SymbolBinding.WEAK]),
        lazy=frozenset([key for row, key in named if row not in eager]),
        undefined=frozenset([key for row, key in named if not sections[row]]),
        libraries=libraries,
    )


def _reference_keys(symbols: SymbolTable, rows: list[int]) -> tuple[list[str], dict[str, str]]:
    """The key of each row; and of the keys with a version the library it is required from."""
    names = symbols.names
    raw = symbols.version_indices
    if raw is None:
        return [names[row] for row in rows], {}
    versions = symbols.versions.names
    suffix = {index: f"\0{version.name}" for index, version in versions.items()}
    keys = [names[row] + suffix.get(raw[row] & ~_HIDDEN, "") for row in rows]
    required = {i: version.library for i, version in versions.items() if version.library}
    libraries = {
        key: required[raw[row] & ~_HIDDEN]
        for row, key in zip(rows, keys, strict=True)
        if raw[row] & ~_HIDDEN in required
    }
    return keys, libraries
