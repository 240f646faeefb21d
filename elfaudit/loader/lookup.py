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

from collections.abc import Iterator
from dataclasses import dataclass

from ..elf import ElfObject, SymbolBinding, SymbolTable, SymbolType, SymbolVisibility

__all__ = ["Exports", "References", "SymbolIndex", "index_symbols", "key_of", "split_key"]

_HIDDEN = 0x8000
_FIRST_OWN_VERSION = 3  # check_match: an unversioned reference takes version indices below this
_EMPTY: frozenset[str] = frozenset()
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
        versioned: the keys with a version, to their names.
        weak: keys that may stay unresolved.
        lazy: keys that only ``DT_JMPREL`` names, bound at the first call without bind-now.
        undefined: keys the object has no definition for itself.
        libraries: key to the SONAME its version is required from.
    """

    keys: frozenset[str]
    versioned: dict[str, str]
    weak: frozenset[str]
    lazy: frozenset[str]
    undefined: frozenset[str]
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True)
class SymbolIndex:
    """Both sides of an object."""

    exports: Exports
    references: References


def index_symbols(elf: ElfObject) -> SymbolIndex:
    """Prepare an object's symbols for lookups.

    Raises:
        ElfFormatError: its symbol, version or relocation tables are damaged.
    """
    return SymbolIndex(_exports(elf.symbols), _references(elf))


def _exports(symbols: SymbolTable) -> Exports:
    names = symbols.names
    rows = symbols.export_indices
    strong = frozenset(_strong_keys(symbols, rows))
    if symbols.version_indices is None:
        every = frozenset([names[row] for row in rows])
        return Exports(_EMPTY, every, every, strong)
    versions = symbols.versions.names
    exact: set[str] = set()
    any_version: set[str] = set()
    plain: set[str] = set()
    lone: dict[str, int] = {}
    for row in rows:
        raw = symbols.version_indices[row]
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


def _strong_keys(symbols: SymbolTable, rows: list[int]) -> Iterator[str]:
    wanted = bytes(
        info >> 4 == SymbolBinding.GLOBAL
        and info & 15 in (SymbolType.FUNC, SymbolType.OBJECT, SymbolType.GNU_IFUNC)
        for info in range(256)
    )
    strong = symbols.info.translate(wanted)
    names = symbols.names
    if symbols.version_indices is None or not symbols.versions.definitions:
        return (names[row] for row in rows if strong[row])
    version_of = symbols.version_of
    return (key_of(names[row], version_of(row)[0]) for row in rows if strong[row])


def _references(elf: ElfObject) -> References:
    symbols = elf.symbols
    relocations = elf.relocations
    eager = {index for index, _ in relocations.eager}
    names = symbols.names
    count = len(symbols)
    versioned: dict[str, str] = {}
    libraries: dict[str, str] = {}
    groups: dict[str, list[str]] = {"keys": [], "weak": [], "lazy": [], "undefined": []}
    for row in eager.union(index for index, _ in relocations.lazy):
        if row >= count:
            continue
        undefined = symbols.sections[row] == 0
        binding = symbols.info[row] >> 4
        if binding == SymbolBinding.LOCAL or (
            not undefined and symbols.other[row] & 3 in _LOCALLY_BOUND
        ):
            continue  # the loader binds it where it stands, without a lookup
        version, _, library = symbols.version_of(row)
        key = names[row]
        if version is not None:
            key = f"{key}\0{version}"
            versioned[key] = names[row]
            if library is not None:
                libraries[key] = library
        groups["keys"].append(key)
        if binding == SymbolBinding.WEAK:
            groups["weak"].append(key)
        if row not in eager:
            groups["lazy"].append(key)
        if undefined:
            groups["undefined"].append(key)
    return References(
        versioned=versioned,
        libraries=libraries,
        **{name: frozenset(keys) for name, keys in groups.items()},
    )
