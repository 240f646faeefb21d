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

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress

from ..elf import (
    ElfObject,
    Symbol,
    SymbolBinding,
    SymbolTable,
    SymbolType,
    SymbolVisibility,
    VersionNeed,
)

__all__ = [
    "Exports",
    "References",
    "Relocated",
    "SymbolIndex",
    "answers_plain",
    "index_symbols",
    "plain_names",
    "relocated",
    "split_key",
]

_HIDDEN = 0x8000
_FIRST_OWN_VERSION = 3  # check_match: an unversioned reference takes version indices below this
_EMPTY: frozenset[str] = frozenset()
_STRONG_INFO = bytes(
    info >> 4 == SymbolBinding.GLOBAL
    and info & 15 in (SymbolType.FUNC, SymbolType.OBJECT, SymbolType.GNU_IFUNC)
    for info in range(256)
)
_WEAK_INFO = bytes(info >> 4 == SymbolBinding.WEAK for info in range(256))
_LOCALLY_BOUND = frozenset(
    (SymbolVisibility.INTERNAL, SymbolVisibility.HIDDEN, SymbolVisibility.PROTECTED)
)


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
    """What an object asks of the others.

    Attributes:
        keys: all of it.
        weak: keys that may stay unresolved.
        libraries: key to the SONAME its version is required from.
    """

    keys: frozenset[str]
    weak: frozenset[str]
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True)
class SymbolIndex:
    """Both sides of an object, and its versions.

    Attributes:
        exports: what it answers.
        references: its undefined symbols. Only those that a relocation names are ever looked up;
            which these are is asked of :func:`relocated` where it matters.
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
    _ = elf.relocations  # not decoded yet, but its tables must be inside the file
    return SymbolIndex(
        _exports(elf.symbols),
        _references(elf.symbols, elf.symbols.undefined_indices),
        versions.needs,
        frozenset(definition.name for definition in versions.definitions),
    )


def _exports(symbols: SymbolTable) -> Exports:
    names = symbols.names
    rows = symbols.export_indices
    strong = symbols.info.translate(_STRONG_INFO)
    raw = symbols.version_indices
    own = any(not definition.base for definition in symbols.versions.definitions)
    if raw is None or (not own and max(raw, default=0) < _HIDDEN):
        # No definition has a version: each one answers whatever version is asked for.
        every = frozenset(map(names.__getitem__, rows))
        strong_rows = compress(rows, map(strong.__getitem__, rows))
        return Exports(_EMPTY, every, every, frozenset(map(names.__getitem__, strong_rows)))
    suffix = {index: f"\0{version.name}" for index, version in symbols.versions.names.items()}
    exact: set[str] = set()
    any_version: set[str] = set()
    plain: set[str] = set()
    strong_keys: set[str] = set()
    candidates: list[str] = []
    for row in rows:
        name = key = names[row]
        index = raw[row] & ~_HIDDEN
        visible = index == raw[row]
        if index in suffix:
            key = name + suffix[index]
            exact.add(key)
        elif visible:
            any_version.add(name)
        if index < _FIRST_OWN_VERSION:
            plain.add(name)
        elif visible:
            candidates.append(name)
        if strong[row]:
            strong_keys.add(key)
    plain.update(_lone(candidates))
    return Exports(
        frozenset(exact), frozenset(any_version), frozenset(plain), frozenset(strong_keys)
    )


def plain_names(symbols: SymbolTable) -> frozenset[str]:
    """:attr:`Exports.plain` alone, for a library of which nothing else is asked."""
    names, raw = symbols.names, symbols.version_indices
    rows = symbols.export_indices
    own = any(not definition.base for definition in symbols.versions.definitions)
    if raw is None or (not own and max(raw, default=0) < _HIDDEN):
        return frozenset(map(names.__getitem__, rows))
    plain = {names[row] for row in rows if raw[row] & ~_HIDDEN < _FIRST_OWN_VERSION}
    plain |= _lone([names[row] for row in rows if _FIRST_OWN_VERSION <= raw[row] < _HIDDEN])
    return frozenset(plain)


def answers_plain(symbols: SymbolTable, definitions: Iterable[Symbol]) -> bool:
    """Whether one of all the definitions of a name is what a reference without a version gets."""
    raw = symbols.version_indices
    indices = [raw[each.index] for each in definitions] if raw is not None else [0]
    if any(index & ~_HIDDEN < _FIRST_OWN_VERSION for index in indices):
        return True
    own = any(not definition.base for definition in symbols.versions.definitions)
    if raw is not None and not own and max(raw, default=0) < _HIDDEN:
        return True
    return sum(index < _HIDDEN for index in indices) == 1


def _lone(names: list[str]) -> set[str]:
    """The names that stand only once."""
    once = set(names)
    if len(once) < len(names):
        once.difference_update(name for name, count in Counter(names).items() if count > 1)
    return once


@dataclass(frozen=True, slots=True)
class Relocated:
    """What the relocations of an object look up.

    Attributes:
        references: all of it, symbols that the object defines itself included.
        lazy: keys that only ``DT_JMPREL`` names, bound at the first call without bind-now.
    """

    references: References
    lazy: frozenset[str]


def relocated(elf: ElfObject) -> Relocated:
    """Decode what the relocations of an object look up.

    Raises:
        ElfFormatError: its symbol, version or relocation tables are damaged.
    """
    symbols = elf.symbols
    count = len(symbols)
    sections, info, other = symbols.sections, symbols.info, symbols.other
    eager = elf.relocations.eager_symbols
    # A local symbol, or a definition nobody may override, is bound where it stands, unlooked for.
    rows = [
        row
        for row in elf.relocations.symbols()
        if row < count
        and info[row] >> 4 != SymbolBinding.LOCAL
        and not (sections[row] and other[row] & 3 in _LOCALLY_BOUND)
    ]
    keys, _ = _reference_keys(symbols, rows)
    lazy = frozenset([key for row, key in zip(rows, keys, strict=True) if row not in eager])
    return Relocated(_references(symbols, rows), lazy)


def _references(symbols: SymbolTable, rows: list[int]) -> References:
    keys, libraries = _reference_keys(symbols, rows)
    weak = symbols.info.translate(_WEAK_INFO)
    return References(
        frozenset(keys), frozenset(compress(keys, map(weak.__getitem__, rows))), libraries
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
