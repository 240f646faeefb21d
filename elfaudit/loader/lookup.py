"""Which reference matches which definition, prepared as sets.

Source: ``check_match`` and ``do_lookup_x`` (glibc ``elf/dl-lookup.c``). The loader decides one
symbol in one object at a time; here the same decision is made for all symbols of an object at once,
by set intersection. A reference is a *key*: the name alone, or ``name NUL version``, with another
NUL behind it if the requirement is marked hidden. An object answers a key if

- the key has a version, and the object defines the name with that version (hidden or not);
- the key has a version that is not hidden, and the object has the name without any version, not
  hidden; or it has the name and no version table at all;
- the key has no version, and the object has the name at version index 0, 1 or 2, or has exactly one
  definition of it that is not hidden.

Only what the hash table leads to is there: an object without one, or with an empty one, answers
nothing (``_dl_setup_hash``).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import compress

from ..elf import (
    DynamicTag,
    ElfObject,
    Symbol,
    SymbolBinding,
    SymbolTable,
    SymbolType,
    VersionDefinition,
    VersionNeed,
    Versions,
)
from ..errors import ElfFormatError
from .assertions import dynamic_assertion
from .mapping import protection_problem
from .references import (
    References,
    is_hidden,
    references_of,
    rows_looked_up,
    split_key,
    with_copies,
)
from .relocclass import classes_of
from .statictls import StaticReference, static_references

__all__ = [
    "RELR_VERSION",
    "Exports",
    "SymbolIndex",
    "answers_plain",
    "index_symbols",
    "plain_names",
]

_LIBC = "libc.so."
RELR_VERSION = "GLIBC_ABI_DT_RELR"
_HIDDEN = 0x8000
_FIRST_NAMED = 2  # version indices: 0 is local, 1 global, from here on they have names
_FIRST_OWN_VERSION = 3  # check_match: an unversioned reference takes version indices below this
_EMPTY: frozenset[str] = frozenset()
_STRONG_INFO = bytes(
    info >> 4 == SymbolBinding.GLOBAL
    and info & 15 in (SymbolType.FUNC, SymbolType.OBJECT, SymbolType.GNU_IFUNC)
    for info in range(256)
)
_UNIQUE = 1
_UNIQUE_INFO = bytes(info >> 4 == SymbolBinding.GNU_UNIQUE for info in range(256))


@dataclass(frozen=True, slots=True)
class Exports:
    """What an object answers.

    Attributes:
        exact: keys with a version it defines.
        any_version: names that match a reference whatever version it asks for.
        plain: names that match a reference without a version.
        strong: keys (each with its own version, where it has one) defined ``STB_GLOBAL`` as a
            function or an object: two of them in one scope are worth a word.
        unique: names defined ``STB_GNU_UNIQUE``.
        versioned: whether there is a table of the symbols' versions (``DT_VERSYM``).
        entry_points: what a program's undefined symbols with a value answer: the addresses of its
            own PLT entries, for whoever does not want to call them; None where there are none.
        resolvers: names that a program defines as IFUNC.
    """

    exact: frozenset[str]
    any_version: frozenset[str]
    plain: frozenset[str]
    strong: frozenset[str]
    unique: frozenset[str] = _EMPTY
    versioned: bool = True
    entry_points: Exports | None = None
    resolvers: frozenset[str] = _EMPTY

    def answers(self, key: str) -> bool:
        """Whether the object has a definition that a reference with ``key`` accepts."""
        name, version = split_key(key)
        if version is None:
            return key in self.plain
        if not is_hidden(key):
            return key in self.exact or name in self.any_version
        return key[:-1] in self.exact or (not self.versioned and name in self.any_version)


@dataclass(frozen=True, slots=True)
class SymbolIndex:
    """Both sides of an object, and its versions.

    Attributes:
        exports: what it answers.
        references: its undefined symbols. Only those that a relocation names are ever looked up;
            which these are is asked of :func:`relocated` where it matters.
        needs: the versions it requires.
        defined_versions: the names of those it defines, its own (base) name included.
        required: the names of ``needs`` by library.
        marked: whether one of ``needs`` is marked hidden.
        symbolic: whether it looks in itself first (DT_SYMBOLIC).
        lacks_relr_version: whether it lists the C library and hides from it that it has DT_RELR.
        revision: of what it needs: the number of the structure, 1 in every sound file.
        unreadable: the versions it defines in front of one of another revision, and that number.
        damage: why its versions cannot be read to the end, or None.
        strange: whether its tables are in order, but hold something the loader does not expect: a
            relocation of an unknown type, say.
        static: the relocations that take static TLS.
    """

    exports: Exports
    references: References
    needs: tuple[VersionNeed, ...]
    defined_versions: frozenset[str]
    required: Mapping[str, frozenset[str]] = field(default_factory=dict)
    marked: bool = False
    symbolic: bool = False
    lacks_relr_version: bool = False
    revision: int = 1
    unreadable: tuple[frozenset[str], int] | None = None
    damage: ElfFormatError | None = None
    strange: bool = False
    static: tuple[StaticReference, ...] = ()


def index_symbols(elf: ElfObject) -> SymbolIndex:
    """Prepare an object's symbols for lookups.

    Raises:
        ElfFormatError: its symbol, version or relocation tables are damaged.
    """
    symbols, versions = elf.symbols, elf.versions
    _ = elf.relocations  # not decoded, but its tables must be inside the file
    reachable = elf.symbols_reachable
    references = references_of(symbols, symbols.undefined_indices)
    if not reachable and any(symbols.sections):
        references = references_of(symbols, _looked_up(elf))
    exports = _exports(symbols, symbols.export_indices) if reachable else _NOTHING
    if elf.is_program:
        references = with_copies(elf, references)
        exports = _of_program(symbols, exports)
    return SymbolIndex(
        exports,
        references,
        versions.needs,
        frozenset(_version_key(definition) for definition in versions.definitions),
        _by_library(versions.needs),
        any(need.hidden for need in versions.needs),
        elf.dynamic is not None and elf.dynamic.symbolic,
        _lacks_relr_version(elf, versions.needs),
        versions.revision,
        _revision_of(versions),
        versions.damage,
        _is_strange(elf),
        static_references(elf),
    )


def _looked_up(elf: ElfObject) -> list[int]:
    """What an object asks for that does not even find its own definitions."""
    symbols = elf.symbols
    own = rows_looked_up(symbols, elf.relocations.symbols())
    return sorted({*symbols.undefined_indices, *own})


def _is_strange(elf: ElfObject) -> bool:
    if dynamic_assertion(elf, None) or protection_problem(elf.segments, elf.layout.bits):
        return True
    classes = classes_of(elf.machine)
    if not classes.known:
        return False
    relocations = elf.relocations
    return not (
        relocations.leading_only_of(classes.relative)  # in the order in which they lie in the file
        and relocations.only_of(classes.known)
        and relocations.slots_only_of(classes.lazy)
    )


def _version_key(version: VersionNeed | VersionDefinition) -> str:
    """What must be alike in a need and a definition: the name, if the hash beside it is right."""
    return version.name if version.sound else f"{version.name}\0"


def _revision_of(versions: Versions) -> tuple[frozenset[str], int] | None:
    """The definition that the loader cannot read, and the names it finds before it gets there."""
    before: list[str] = []
    for definition in versions.definitions:
        if definition.revision != 1:
            return frozenset(before), definition.revision
        before.append(_version_key(definition))
    return None


def _by_library(needs: Iterable[VersionNeed]) -> dict[str, frozenset[str]]:
    grouped: dict[str, set[str]] = {}
    for need in needs:
        grouped.setdefault(need.library, set()).add(_version_key(need))
    return {library: frozenset(names) for library, names in grouped.items()}


def _lacks_relr_version(elf: ElfObject, needs: tuple[VersionNeed, ...]) -> bool:
    """Source: the end of ``_dl_check_map_versions`` (glibc ``elf/dl-version.c``)."""
    if elf.dynamic is None or elf.dynamic.value(DynamicTag.RELR) is None or not needs:
        return False
    lists_libc = any(name.startswith(_LIBC) for name in elf.needed)
    return lists_libc and all(need.name != RELR_VERSION for need in needs)


_NOTHING = Exports(_EMPTY, _EMPTY, _EMPTY, _EMPTY)


def _of_program(symbols: SymbolTable, exports: Exports) -> Exports:
    """The exports of a program, and what only a program has."""
    values, info = symbols.values, symbols.info
    rows = [row for row in symbols.undefined_indices if values[row]]
    resolvers = frozenset(
        symbols.names[row]
        for row in symbols.export_indices
        if info[row] & 15 == SymbolType.GNU_IFUNC
    )
    points = _exports(symbols, rows) if rows else None
    return replace(exports, entry_points=points, resolvers=resolvers)


def _exports(symbols: SymbolTable, rows: list[int]) -> Exports:
    """What some symbols of an object answer."""
    names = symbols.names
    strong = symbols.info.translate(_STRONG_INFO)
    raw = symbols.version_indices
    unique = _EMPTY
    if _UNIQUE in (flags := symbols.info.translate(_UNIQUE_INFO)):
        unique = frozenset(compress(map(names.__getitem__, rows), map(flags.__getitem__, rows)))
    if raw is None or max(map(raw.__getitem__, rows), default=0) < _FIRST_NAMED:
        # No definition has a version: each one answers whatever version is asked for.
        every = frozenset(map(names.__getitem__, rows))
        strong_rows = compress(rows, map(strong.__getitem__, rows))
        strong_keys = frozenset(map(names.__getitem__, strong_rows))
        return Exports(_EMPTY, every, every, strong_keys, unique, versioned=raw is not None)
    return replace(_versioned_exports(symbols, rows, raw, strong), unique=unique)


def _versioned_exports(
    symbols: SymbolTable, rows: list[int], raw: array[int], strong: bytes
) -> Exports:
    """The same where definitions have versions; by columns, a large library has 100,000 of them."""
    names = list(map(symbols.names.__getitem__, rows))
    indices = list(map(raw.__getitem__, rows))
    # Of each index, what it says of a definition; there are few.
    kinds = {index: index & ~_HIDDEN for index in set(indices)}
    versions = symbols.versions.names
    suffix = {i: f"\0{versions[k].name}" for i, k in kinds.items() if k in versions}
    keys = [name + suffix.get(index, "") for name, index in zip(names, indices, strict=True)]

    def chosen(wanted: Container[int], values: list[str]) -> Iterator[str]:
        return compress(values, map(wanted.__contains__, indices))

    low = {index for index, kind in kinds.items() if kind < _FIRST_OWN_VERSION}
    default = {index for index in kinds if _FIRST_OWN_VERSION <= index < _HIDDEN}
    unnamed = {index for index in kinds if index < _HIDDEN and index not in suffix}
    lone = _lone(list(chosen(default, names)))
    return Exports(
        frozenset(chosen(suffix, keys)),
        frozenset(chosen(unnamed, names)),
        lone.union(chosen(low, names)),
        frozenset(compress(keys, map(strong.__getitem__, rows))),
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


def _lone(names: list[str]) -> frozenset[str]:
    """The names that stand only once."""
    once = set(names)
    if len(once) < len(names):
        once.difference_update(name for name, count in Counter(names).items() if count > 1)
    return frozenset(once)
