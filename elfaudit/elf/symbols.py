"""The dynamic symbol table, in columns.

Source: System V gABI, "Symbol Table". The table is kept as the bytes of the file plus one column an
attribute, each cut out of those bytes in one C-speed stride; a :class:`Symbol` is made only when
one is asked for. libtorch_cpu.so has 75,000 of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import accumulate, compress, count
from operator import add
from typing import cast

from ..errors import ElfFormatError
from .hashtable import HashTable
from .layout import Layout
from .versions import HIDDEN, Versions

__all__ = ["Symbol", "SymbolBinding", "SymbolTable", "SymbolType", "SymbolVisibility"]

SHN_UNDEF = 0
SHN_ABS = 0xFFF1


class SymbolBinding(IntEnum):
    """``STB_*``."""

    LOCAL = 0
    GLOBAL = 1
    WEAK = 2
    GNU_UNIQUE = 10


class SymbolType(IntEnum):
    """``STT_*``."""

    NOTYPE = 0
    OBJECT = 1
    FUNC = 2
    SECTION = 3
    FILE = 4
    COMMON = 5
    TLS = 6
    GNU_IFUNC = 10


class SymbolVisibility(IntEnum):
    """``STV_*``."""

    DEFAULT = 0
    INTERNAL = 1
    HIDDEN = 2
    PROTECTED = 3


_EXPORTED_BINDINGS = frozenset((SymbolBinding.GLOBAL, SymbolBinding.WEAK, SymbolBinding.GNU_UNIQUE))
_EXPORTED_TYPES = frozenset(set(SymbolType) - {SymbolType.SECTION, SymbolType.FILE})
# Names may share their ends. A table of which every name is nearly the whole of the strings is an
# attack: a file of megabytes with terabytes of names.
_MAX_NAMES = 128 << 20
_MANY = 64  # symbols from which on the whole string table is cut at once
_NAMES_STEP = 16 << 20
_HIDDEN_VISIBILITIES = frozenset((SymbolVisibility.INTERNAL, SymbolVisibility.HIDDEN))

# Indexed by a whole st_info or st_other byte, so that a column is judged by bytes.translate.
_EXPORTED_INFO = bytes(
    info >> 4 in _EXPORTED_BINDINGS and info & 15 in _EXPORTED_TYPES for info in range(256)
)
_TLS_INFO = bytes(info & 15 == SymbolType.TLS for info in range(256))
_VISIBLE_OTHER = bytes(other & 3 not in _HIDDEN_VISIBILITIES for other in range(256))


@dataclass(frozen=True, slots=True)
class Symbol:
    """One dynamic symbol.

    Attributes:
        name: as in the string table (mangled).
        version: its version's name, or None.
        version_hidden: whether the version is not the default one (``name@VERSION``, not ``@@``).
        library: the SONAME a version is required from; None for a version defined in this file.
        binding, type, visibility: ``STB_*``, ``STT_*``, ``STV_*``; a plain number where unknown.
        defined: whether the file defines it (``st_shndx`` is not ``SHN_UNDEF``).
        value: ``st_value``, an address in most files.
        size: ``st_size`` in bytes.
        index: its row in the table.
    """

    name: str
    version: str | None
    version_hidden: bool
    library: str | None
    binding: int
    type: int
    visibility: int
    defined: bool
    value: int
    size: int
    index: int

    def __str__(self) -> str:
        """The name as ``nm -D`` writes it, with ``@VERSION`` or ``@@VERSION``.

        The absolute symbol that stands for a version itself has none, and only a version defined in
        the same file can be a default one (a copy relocation's symbol has the version of another).
        """
        if self.version is None or (self.defined and self.version == self.name):
            return self.name
        default = self.defined and not self.version_hidden and self.library is None
        return f"{self.name}{'@@' if default else '@'}{self.version}"


class SymbolTable:
    """The dynamic symbols of one file; index 0 is the null symbol, as in the file.

    Attributes:
        info: ``st_info`` of every symbol (binding in the high four bits, type in the low four).
        other: ``st_other``; visibility in the low two bits.
        sections: ``st_shndx``.
        values: ``st_value``.
        version_indices: the raw ``DT_VERSYM`` entry of every symbol, or None without the table.

    Whatever decodes a name raises :class:`~elfaudit.errors.ElfFormatError` where ``st_name`` does
    not point at a string of the string table.
    """

    def __init__(  # noqa: PLR0917
        self,
        layout: Layout,
        raw: bytes,
        strings: bytes,
        version_indices: array[int] | None,
        versions: Versions,
        hash_table: HashTable | None,
        *,
        name: str = "<symbols>",
        offset: int = 0,
    ) -> None:
        self._file = name
        self._offset = offset
        self._layout = layout
        self._raw = raw
        self._strings = strings
        self._hash_table = hash_table
        self.version_indices = version_indices
        self.versions = versions
        wide = layout.bits == 64
        self.info = raw[4 :: layout.symbol_size] if wide else raw[12 :: layout.symbol_size]
        self.other = raw[5 :: layout.symbol_size] if wide else raw[13 :: layout.symbol_size]

    def __len__(self) -> int:
        return len(self._raw) // self._layout.symbol_size

    def __getitem__(self, index: int) -> Symbol:
        """The symbol of that row."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._symbol(index)

    def __iter__(self) -> Iterator[Symbol]:
        """Every row, the null symbol included."""
        return (self._symbol(index) for index in range(len(self)))

    def has_rows_of(self, other: SymbolTable) -> bool:
        """Whether two tables of one layout are the same, byte by byte, strings aside."""
        return self._raw == other._raw

    @cached_property
    def sections(self) -> array[int]:
        """``st_shndx`` of every symbol."""
        words = self._layout.words(self._raw, 2)
        return words[3::12] if self._layout.bits == 64 else words[7::8]

    @cached_property
    def values(self) -> array[int]:
        """``st_value`` of every symbol."""
        if self._layout.bits == 64:
            return self._layout.words(self._raw, 8)[1::3]
        return self._layout.words(self._raw, 4)[1::4]

    @cached_property
    def sizes(self) -> array[int]:
        """``st_size`` of every symbol, bytes."""
        if self._layout.bits == 64:
            return self._layout.words(self._raw, 8)[2::3]
        return self._layout.words(self._raw, 4)[2::4]

    @cached_property
    def name_offsets(self) -> array[int]:
        """``st_name`` of every symbol."""
        words = self._layout.words(self._raw, 4)
        return words[0::6] if self._layout.bits == 64 else words[0::4]

    @cached_property
    def names(self) -> list[str]:
        """Name of every symbol."""
        count = len(self)
        if not count:
            return []
        beyond = max(self.name_offsets)
        if self._strings.find(b"\0", beyond) < 0:
            raise self._name_error(self.name_offsets.index(beyond))
        step = max(_NAMES_STEP // _name_bound(self._strings), 1)
        names: list[str] = []
        total = 0
        for first in range(0, count, step):
            names += self._some_names(first, min(first + step, count))
            total += sum(map(len, names[first:]))
            if total > _MAX_NAMES:
                raise ElfFormatError(
                    self._file, self._offset, "st_name", "the names overlap: they are too long"
                )
        return names

    def _some_names(self, first: int, end: int) -> list[str]:
        starts = self.name_offsets[first:end]
        if self._text is None:
            return [self._name(index) for index in range(first, end)]
        text, find = self._text, self._text.find
        whole = self._whole_strings
        if whole is None:
            return [text[start : find("\0", start)] for start in starts]
        found = list(map(whole.get, starts))
        if None not in found:
            return cast("list[str]", found)
        return [  # what is not there is the tail of another name
            text[start : find("\0", start)] if name is None else name
            for start, name in zip(starts, found, strict=True)
        ]

    @cached_property
    def _whole_strings(self) -> dict[int, str] | None:
        """Every string of the table by its offset, cut at C speed; None where that does not pay."""
        if self._text is None or len(self) < _MANY:
            return None
        pieces = self._text.split("\0")
        starts = map(add, accumulate(map(len, pieces), initial=0), count())  # and a NUL for each
        return dict(zip(starts, pieces, strict=False))

    @cached_property
    def _text(self) -> str | None:
        """The string table decoded at once, if it is ASCII: offsets are the same in both."""
        return self._strings.decode("ascii") if self._strings.isascii() else None

    def exports(self) -> Iterator[Symbol]:
        """The symbols other files can bind to, in table order.

        Source: ``do_lookup_x`` and ``check_match`` (glibc ``elf/dl-lookup.c``): defined; global,
        weak or unique; of a type the lookup knows; neither hidden nor internal.
        """
        return (self._symbol(index) for index in self.export_indices)

    def undefined(self) -> Iterator[Symbol]:
        """The symbols that must come from elsewhere, in table order, the null symbol left out."""
        return (self._symbol(index) for index in self.undefined_indices)

    @cached_property
    def export_indices(self) -> list[int]:
        """Rows of :meth:`exports`."""
        sections = self.sections
        # A value of 0 is no definition, except of absolute and thread-local symbols.
        valued = _flags(map(bool, self.values)) | _flags(self.info.translate(_TLS_INFO))
        if SHN_ABS in sections:
            valued |= _flags(map(SHN_ABS.__eq__, sections))
        exported = _flags(self.info.translate(_EXPORTED_INFO))
        visible = _flags(self.other.translate(_VISIBLE_OTHER))
        defined = _flags(map(SHN_UNDEF.__ne__, sections))
        chosen = valued & exported & visible & defined
        return list(compress(range(len(self)), chosen.to_bytes(len(self), "little")))

    def is_export(self, index: int) -> bool:
        """Whether one row is among :attr:`export_indices`, without looking at the others."""
        info, section = self.info[index], self.sections[index]
        return bool(
            _EXPORTED_INFO[info]
            and _VISIBLE_OTHER[self.other[index]]
            and section != SHN_UNDEF
            and (self.values[index] or section == SHN_ABS or info & 15 == SymbolType.TLS)
        )

    @cached_property
    def undefined_indices(self) -> list[int]:
        """Rows of :meth:`undefined`."""
        return [
            index
            for index, (section, info) in enumerate(zip(self.sections, self.info, strict=True))
            if section == SHN_UNDEF and index and info >> 4  # STB_LOCAL is 0; odd ones count
        ]

    def find(self, name: str) -> list[Symbol]:
        """Every definition of ``name`` that a loader would reach through the hash table.

        Without a hash table the whole table is searched.
        """
        try:
            raw = name.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # no bytes decode to it
            return []
        if self._hash_table is None:
            candidates: Iterator[int] = iter(range(1, len(self)))
        else:
            candidates = self._hash_table.candidates(raw)
        return [
            self._symbol(index)
            for index in candidates
            if index < len(self)
            and self._is_named(index, raw)
            and self.sections[index] != SHN_UNDEF
        ]

    def version_of(self, index: int) -> tuple[str | None, bool, str | None]:
        """(version, hidden, library) of a symbol; the version is None for indices 0 and 1."""
        if self.version_indices is None:
            return None, False, None
        raw = self.version_indices[index]
        known = self.versions.names.get(raw & ~HIDDEN)
        hidden = bool(raw & HIDDEN)
        if known is None:
            return None, hidden, None
        return known.name, hidden, known.library

    def _is_named(self, index: int, name: bytes) -> bool:
        start = self.name_offsets[index]
        return self._strings[start : start + len(name) + 1] == name + b"\0"

    def _name(self, index: int) -> str:
        start = self.name_offsets[index]
        end = self._strings.find(b"\0", start)
        if end < 0:
            raise self._name_error(index)
        return self._strings[start:end].decode("utf-8", "surrogateescape")

    def _name_error(self, index: int) -> ElfFormatError:
        return ElfFormatError(
            self._file,
            self._offset + index * self._layout.symbol_size,
            "st_name",
            f"symbol {index} has its name at {self.name_offsets[index]:#x}, "
            f"outside the string table of {len(self._strings):#x} bytes",
        )

    def _symbol(self, index: int) -> Symbol:
        info, section = self.info[index], self.sections[index]
        version, hidden, library = self.version_of(index)
        names = self.__dict__.get("names")  # decoded already? else only this one
        return Symbol(
            names[index] if names is not None else self._name(index),
            version,
            hidden,
            library,
            info >> 4,
            info & 15,
            self.other[index] & 3,
            section != SHN_UNDEF,
            self.values[index],
            self.sizes[index],
            index,
        )


def _name_bound(strings: bytes) -> int:
    """A length that no name in ``strings`` has, found without looking at each."""
    block = 4096
    while block < len(strings):
        # Where every aligned block has an end of a string in it, none is longer than two blocks.
        if all(strings.find(b"\0", at, at + block) >= 0 for at in range(0, len(strings), block)):
            break
        block *= 2
    return 2 * block


def _flags(column: Iterable[bool] | bytes) -> int:
    """A column of yes and no, a byte each, as one number: columns are then combined at once."""
    return int.from_bytes(bytes(column), "little")
