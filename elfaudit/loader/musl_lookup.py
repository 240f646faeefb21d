"""Which reference matches which definition by musl's rules, prepared as sets.

Source: ``find_sym2``, ``gnu_lookup``, ``sysv_lookup`` and the first half of ``do_relocs`` (musl
``ldso/dynlink.c``). A reference is a name: versions count for nothing, but that a definition with
the hidden bit is passed over. Visibility, DT_SYMBOLIC and STB_GNU_UNIQUE count for nothing either.
What differs is what a reference is for:

- a relocation of a function's slot takes definitions only;
- any other one also takes an undefined symbol that has a value: the address of the slot that a
  program at a fixed address has for a function of a library;
- a copy relocation does not look in the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..elf import DynamicTag, ElfObject, SymbolBinding, SymbolTable, SymbolType
from ..errors import ElfFormatError
from .lookup import Exports, SymbolIndex
from .musl_machines import MuslMachine
from .references import References

__all__ = ["NO_REFERENCES", "MuslReferences", "index_symbols_musl", "musl_references"]

_HIDDEN = 0x8000
_UNDEFINED = 0
_BINDINGS = frozenset((SymbolBinding.GLOBAL, SymbolBinding.WEAK, SymbolBinding.GNU_UNIQUE))
_TYPES = frozenset(
    (SymbolType.NOTYPE, SymbolType.OBJECT, SymbolType.FUNC, SymbolType.COMMON, SymbolType.TLS)
)
_STRONG_TYPES = frozenset((SymbolType.OBJECT, SymbolType.FUNC))
_KNOWN_INFO = bytes(info >> 4 in _BINDINGS and info & 15 in _TYPES for info in range(256))
_EMPTY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MuslReferences:
    """What the relocations of an object look up, by name.

    Attributes:
        slots: by ``REL_PLT``: only a definition will do; put off where binding is lazy.
        got: by ``REL_GOT``: put off as well.
        others: by any other type but a copy.
        copies: by ``REL_COPY``.
        weak: names that may stay unresolved.
        kinds: every relocation type of the object, those of rows without a symbol included.
    """

    slots: frozenset[str]
    got: frozenset[str]
    others: frozenset[str]
    copies: frozenset[str]
    weak: frozenset[str]
    kinds: frozenset[int]

    @property
    def names(self) -> frozenset[str]:
        """All of it."""
        return self.slots | self.got | self.others | self.copies


NO_REFERENCES = MuslReferences(_EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, frozenset())


def index_symbols_musl(elf: ElfObject) -> SymbolIndex:
    """Prepare an object's symbols for lookups: the keys are names alone.

    Raises:
        ElfFormatError: its symbol, version or relocation tables are damaged.
    """
    _ = elf.relocations  # not decoded yet, but its tables must be inside the file
    dynamic = elf.dynamic
    if dynamic and dynamic.value(DynamicTag.JMPREL) and dynamic.value(DynamicTag.PLTREL) is None:
        # glibc passes over the table; musl takes its rows for Elf_Rel, whatever they are.
        problem = "is missing, the rows of DT_JMPREL may be of either kind"
        raise ElfFormatError(elf.path, dynamic.offset, "DT_PLTREL", problem)
    symbols = elf.symbols
    rows = symbols.undefined_indices
    weak = frozenset(
        symbols.names[row] for row in rows if symbols.info[row] >> 4 == SymbolBinding.WEAK
    )
    references = References(frozenset(symbols.names[row] for row in rows), weak, {})
    exports = _exports(symbols) if elf.symbols_reachable else _answer(_EMPTY)
    return SymbolIndex(exports, references, (), _EMPTY)


def musl_references(elf: ElfObject, machine: MuslMachine) -> MuslReferences:
    """Decode what an object asks of the others, and of itself.

    Args:
        elf: the object.
        machine: that of the process, whose loader reads the object's relocations.

    Raises:
        ElfFormatError: its symbol or relocation tables are damaged.
    """
    symbols = elf.symbols
    names, sections, info = symbols.names, symbols.sections, symbols.info
    count = len(symbols)
    looked_up = [
        (row, kind)
        for row, kind in elf.relocations.eager | elf.relocations.lazy
        if kind and row < count and info[row] >> 4 != SymbolBinding.LOCAL
    ]

    def named(wanted: Callable[[int], bool]) -> frozenset[str]:
        return frozenset([names[row] for row, kind in looked_up if wanted(kind)])

    weak = [
        names[row]
        for row, _ in looked_up
        if sections[row] == _UNDEFINED and info[row] >> 4 == SymbolBinding.WEAK
    ]
    special = (machine.slot, machine.got, machine.copy)
    return MuslReferences(
        named(lambda kind: kind == machine.slot),
        named(lambda kind: kind == machine.got),
        named(lambda kind: kind not in special),
        named(lambda kind: kind == machine.copy),
        frozenset(weak),
        elf.relocations.types(),
    )


def _exports(symbols: SymbolTable) -> Exports:
    names, sections, values, info = symbols.names, symbols.sections, symbols.values, symbols.info
    # Of symbols of one name a lookup only ever meets the first that is not hidden; whether that one
    # will do is asked afterwards. What a hash table leaves out is undefined and has no value.
    rows = [row for row in _visible(symbols) if sections[row] != _UNDEFINED or values[row]]
    if len({names[row] for row in rows}) < len(rows):
        rows = list({names[row]: row for row in reversed(rows)}.values())
    rows = [row for row in rows if _KNOWN_INFO[info[row]]]
    rows = [row for row in rows if values[row] or info[row] & 15 == SymbolType.TLS]
    defined = [row for row in rows if sections[row] != _UNDEFINED]
    addressed = frozenset(
        names[row]
        for row in rows
        if sections[row] == _UNDEFINED and info[row] & 15 != SymbolType.TLS
    )
    strong = frozenset(names[row] for row in defined if _is_strong(info[row]))
    every = frozenset([names[row] for row in defined])
    return _answer(every, strong, _answer(addressed) if addressed else None)


def _answer(
    names: frozenset[str],
    strong: frozenset[str] = _EMPTY,
    entry_points: Exports | None = None,
) -> Exports:
    return Exports(_EMPTY, _EMPTY, names, strong, versioned=False, entry_points=entry_points)


def _visible(symbols: SymbolTable) -> Iterable[int]:
    """Rows without the hidden bit, in their order; not the null symbol."""
    versions = symbols.version_indices
    rows = range(1, len(symbols))
    return rows if versions is None else (row for row in rows if versions[row] < _HIDDEN)


def _is_strong(info: int) -> bool:
    return info >> 4 == SymbolBinding.GLOBAL and info & 15 in _STRONG_TYPES
