"""What an object asks of the others: its undefined symbols, and what its relocations name.

A reference is a *key*: the name alone, or ``name NUL version``, with another NUL behind it if the
requirement is marked hidden. Source: ``_dl_relocate_object`` and ``RESOLVE_MAP`` (glibc
``elf/dl-reloc.c``).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import compress

from ..elf import ElfObject, SymbolBinding, SymbolTable, SymbolVisibility
from .relocclass import classes_of

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
    "split_key",
    "with_copies",
]

_HIDDEN = 0x8000
_EMPTY: frozenset[str] = frozenset()
_WEAK_INFO = bytes(info >> 4 == SymbolBinding.WEAK for info in range(256))
_HIDDEN_VISIBILITIES = frozenset((SymbolVisibility.INTERNAL, SymbolVisibility.HIDDEN))


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


@dataclass(frozen=True, slots=True)
class Relocated:
    """What the relocations of an object look up.

    Attributes:
        references: all of it, symbols that the object defines itself included.
        lazy: keys that only ``DT_JMPREL`` names, bound at the first call without bind-now.
        called: keys that a relocation of class PLT names (function slots, thread-local storage).
        addressed: keys that a relocation of neither special class names.
        protected: keys of definitions that nobody may override for the object itself.
    """

    references: References
    lazy: frozenset[str]
    called: frozenset[str]
    addressed: frozenset[str]
    protected: frozenset[str] = _EMPTY


def relocated(elf: ElfObject) -> Relocated:
    """Decode what the relocations of an object look up.

    Raises:
        ElfFormatError: its symbol, version or relocation tables are damaged.
    """
    symbols, relocations = elf.symbols, elf.relocations
    classes = classes_of(elf.machine)
    eager, pairs = relocations.eager_symbols, relocations.eager | relocations.lazy
    rows = [row for row in relocations.symbols() if is_looked_up(symbols, row)]
    keys, _ = _reference_keys(symbols, rows)
    called = {symbol for symbol, type_ in pairs if type_ in classes.plt}
    special = classes.plt | {classes.copy}
    addressed = {symbol for symbol, type_ in pairs if type_ not in special}

    def keys_of(wanted: AbstractSet[int]) -> frozenset[str]:
        return frozenset([key for row, key in zip(rows, keys, strict=True) if row in wanted])

    references = references_of(symbols, rows)
    if elf.is_program:
        references = with_copies(elf, references)
    lazy = frozenset(keys) - keys_of(eager)
    protected = {row for row in rows if symbols.other[row] & 3 == SymbolVisibility.PROTECTED}
    return Relocated(references, lazy, keys_of(called), keys_of(addressed), keys_of(protected))


def is_looked_up(symbols: SymbolTable, row: int) -> bool:
    """Whether the symbol of a relocation is looked up at all.

    A local symbol and whatever is hidden is bound where it stands (``RESOLVE_MAP`` of glibc
    ``elf/dl-reloc.c``).
    """
    if not 0 < row < len(symbols) or symbols.info[row] >> 4 == SymbolBinding.LOCAL:
        return False
    return symbols.other[row] & 3 not in _HIDDEN_VISIBILITIES


def keys_of(symbols: SymbolTable, rows: list[int]) -> list[str]:
    """The keys of some symbols, in their order."""
    return _reference_keys(symbols, rows)[0]


def key_of(symbols: SymbolTable, row: int) -> str:
    """The key of one symbol."""
    return _reference_keys(symbols, [row])[0][0]


def references_of(symbols: SymbolTable, rows: list[int]) -> References:
    """What some symbols of an object ask of the others."""
    keys, libraries = _reference_keys(symbols, rows)
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
    names = symbols.names
    if raw is None:
        return [names[row] for row in rows], {}
    versions = symbols.versions.names
    suffix = {
        index: f"\0{version.name}{chr(0) if version.hidden and version.library else ''}"
        for index, version in versions.items()
    }
    keys = [names[row] + suffix.get(raw[row] & ~_HIDDEN, "") for row in rows]
    required = {i: version.library for i, version in versions.items() if version.library}
    libraries = {
        key: required[raw[row] & ~_HIDDEN]
        for row, key in zip(rows, keys, strict=True)
        if raw[row] & ~_HIDDEN in required
    }
    return keys, libraries
