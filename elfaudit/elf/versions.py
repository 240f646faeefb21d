"""Symbol versions: what a file requires (verneed), offers (verdef), and which symbol has which.

Source: "Symbol Versioning" in the LSB core specification; ``_dl_check_map_versions``
(glibc ``elf/dl-version.c``) for which entries give an index its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import ElfFormatError
from .dynamic import Dynamic, DynamicTag
from .header import AddressMap
from .layout import Layout
from .reader import Reader

__all__ = ["VersionDefinition", "VersionName", "VersionNeed", "Versions", "read_versions"]

HIDDEN = 0x8000
_BASE = 0x1
_WEAK = 0x2
# A version index has 15 bits. Records beyond that can only come from a list that runs in a circle,
# or from counts that lie; and only overlapping names are longer than the file they stand in.
_MAX_RECORDS = 1 << 16
_MAX_TEXT = 16 << 20


@dataclass(frozen=True, slots=True)
class VersionNeed:
    """One version required from one library (``Vernaux``).

    Attributes:
        library: the SONAME it is required from (``vn_file``).
        name: the version.
        weak: ``VER_FLG_WEAK``: its absence is only warned of.
        index: the version index symbols use for it, without the hidden bit.
        hidden: whether the hidden bit is set on the index.
    """

    library: str
    name: str
    weak: bool
    index: int
    hidden: bool


@dataclass(frozen=True, slots=True)
class VersionDefinition:
    """One version defined (``Verdef``).

    Attributes:
        name: the version; for the base definition the file's own name.
        index: the version index, without the hidden bit.
        base: ``VER_FLG_BASE``: names the file itself, no symbol has it.
        weak: ``VER_FLG_WEAK``.
        parents: the versions it inherits from.
        hidden: whether the hidden bit is set on the index.
    """

    name: str
    index: int
    base: bool
    weak: bool
    parents: tuple[str, ...]
    hidden: bool


@dataclass(frozen=True, slots=True)
class VersionName:
    """What a version index stands for. ``library`` is None for a version defined here."""

    name: str
    hidden: bool
    library: str | None


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions of a file; ``names`` maps a version index to what it stands for."""

    needs: tuple[VersionNeed, ...]
    definitions: tuple[VersionDefinition, ...]
    names: Mapping[int, VersionName]


def read_versions(
    reader: Reader, layout: Layout, dynamic: Dynamic, addresses: AddressMap, strings: bytes
) -> Versions:
    """Decode ``DT_VERNEED`` and ``DT_VERDEF``.

    Raises:
        ElfFormatError: a record or a name is not inside the file.
    """
    walk = _Walk(reader, layout, addresses, strings)
    needs = tuple(walk.needs(dynamic))
    definitions = tuple(walk.definitions(dynamic))
    names: dict[int, VersionName] = {
        need.index: VersionName(need.name, need.hidden, need.library) for need in needs
    }
    names.update(
        (definition.index, VersionName(definition.name, definition.hidden, None))
        for definition in definitions
        if not definition.base
    )
    return Versions(needs, definitions, names)


@dataclass(slots=True)
class _Walk:
    """The two linked lists of records, followed by their ``vn_next`` / ``vd_next`` byte offsets."""

    reader: Reader
    layout: Layout
    addresses: AddressMap
    strings: bytes
    records: int = 0
    text: int = 0

    def needs(self, dynamic: Dynamic) -> Iterator[VersionNeed]:
        tags = DynamicTag.VERNEED, DynamicTag.VERNEEDNUM
        for offset, record in self._list(dynamic, *tags, "HHIII"):
            _, count, file, aux, _ = record
            library = self._name(file, offset, "vn_file")
            for at, row in self._records(offset + aux, count, "IHHII", "Vernaux"):
                _, flags, other, name, _ = row
                yield VersionNeed(
                    library,
                    self._name(name, at, "vna_name"),
                    bool(flags & _WEAK),
                    other & ~HIDDEN,
                    bool(other & HIDDEN),
                )

    def definitions(self, dynamic: Dynamic) -> Iterator[VersionDefinition]:
        tags = DynamicTag.VERDEF, DynamicTag.VERDEFNUM
        for offset, record in self._list(dynamic, *tags, "HHHHIII"):
            _, flags, index, count, _, aux, _ = record
            names = [
                self._name(name, at, "vda_name")
                for at, (name, _) in self._records(offset + aux, count, "II", "Verdaux")
            ]
            if not names:
                raise ElfFormatError(self.reader.name, offset, "vd_cnt", "the version has no name")
            yield VersionDefinition(
                names[0],
                index & ~HIDDEN,
                bool(flags & _BASE),
                bool(flags & _WEAK),
                tuple(names[1:]),
                bool(index & HIDDEN),
            )

    def _list(
        self, dynamic: Dynamic, tag: DynamicTag, count_tag: DynamicTag, fields: str
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """(file offset, fields) of every record of the list that ``tag`` gives the address of.

        glibc stops at the record whose ``next`` is 0; the count is only a bound for files that lie.
        """
        if dynamic.value(tag) is None:
            return
        offset, _ = dynamic.locate(tag, self.addresses)
        count = dynamic.value(count_tag)
        yield from self._records(offset, count, fields, f"DT_{tag.name}")

    def _records(
        self, offset: int, count: int | None, fields: str, what: str
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """At most ``count`` records; the last field of each is the way to the next, 0 the end."""
        structure = self.layout.struct(fields)
        left = _MAX_RECORDS + 1 if count is None else count
        while left > 0:
            self.records += 1
            if self.records > _MAX_RECORDS:
                raise ElfFormatError(
                    self.reader.name, offset, what, "the list of versions has no end"
                )
            record = structure.unpack(self.reader.read(offset, structure.size, what))
            yield offset, record
            if not record[-1]:
                return
            offset += record[-1]
            left -= 1

    def _name(self, index: int, offset: int, field: str) -> str:
        end = self.strings.find(b"\0", index) if index < len(self.strings) else -1
        if end < 0:
            raise ElfFormatError(
                self.reader.name, offset, field, f"string index {index:#x} is not in DT_STRTAB"
            )
        self.text += end - index
        if self.text > _MAX_TEXT:
            raise ElfFormatError(self.reader.name, offset, field, "the version names are too long")
        return self.strings[index:end].decode("utf-8", "surrogateescape")
