"""Symbol versions: what a file requires (verneed), offers (verdef), and which symbol has which.

Source: "Symbol Versioning" in the LSB core specification; ``_dl_check_map_versions``
(glibc ``elf/dl-version.c``) for which entries give an index its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..errors import ElfFormatError
from .dynamic import Dynamic, DynamicTag
from .hashtable import sysv_hash
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
        sound: whether the hash beside the name is that of the name.
    """

    library: str
    name: str
    weak: bool
    index: int
    hidden: bool
    sound: bool = True


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
        sound: whether the hash beside the name is that of the name.
        revision: ``vd_version``: 1 in every file there is.
    """

    name: str
    index: int
    base: bool
    weak: bool
    parents: tuple[str, ...]
    hidden: bool
    sound: bool = True
    revision: int = 1


@dataclass(frozen=True, slots=True)
class VersionName:
    """What a version index stands for. ``library`` is None for a version defined here."""

    name: str
    hidden: bool
    library: str | None


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions of a file.

    Attributes:
        needs, definitions: in file order.
        names: what each version index stands for.
        revision: ``vn_version`` of the first need: 1 in every file there is.
        damage: why the needs or definitions end where they do, if that is not their end.
    """

    needs: tuple[VersionNeed, ...]
    definitions: tuple[VersionDefinition, ...]
    names: Mapping[int, VersionName]
    revision: int = 1
    damage: ElfFormatError | None = None


def read_versions(
    reader: Reader, layout: Layout, dynamic: Dynamic, addresses: AddressMap, strings: bytes
) -> Versions:
    """Decode ``DT_VERNEED`` and ``DT_VERDEF``.

    Raises:
        ElfFormatError: a record or a name is not inside the file.
    """
    base = dynamic.value(DynamicTag.STRTAB) or 0
    walk = _Walk(reader, layout, addresses, strings, base)
    needs: list[VersionNeed] = []
    damage: ElfFormatError | None = None
    try:
        needs.extend(walk.needs(dynamic))
    except ElfFormatError as error:
        addresses.tolerate(error)  # the loader may give up at one that comes before
        damage = error
    definitions: list[VersionDefinition] = []
    try:
        definitions.extend(walk.definitions(dynamic))
    except ElfFormatError as error:
        addresses.tolerate(error)
        damage = damage or error
    names: dict[int, VersionName] = {
        need.index: VersionName(need.name, need.hidden, need.library) for need in needs
    }
    names.update(
        (definition.index, VersionName(definition.name, definition.hidden, None))
        for definition in definitions
        if not definition.base
    )
    return Versions(tuple(needs), tuple(definitions), names, walk.revision, damage)


@dataclass(slots=True)
class _Walk:
    """The two linked lists of records, followed by their ``vn_next`` / ``vd_next`` byte offsets."""

    reader: Reader
    layout: Layout
    addresses: AddressMap
    strings: bytes
    base: int
    revision: int = 1
    records: int = 0
    text: int = 0

    def needs(self, dynamic: Dynamic) -> Iterator[VersionNeed]:
        first = True
        for offset, record in self._list(dynamic, DynamicTag.VERNEED, "HHIII"):
            revision, _, file, aux, _ = record
            if first and revision != 1:  # nobody reads further
                self.revision = revision
                return
            first = False
            library = self._name(file, offset, "vn_file")
            for at, row in self._records(offset + aux, "IHHII", "Vernaux"):
                key, flags, other, index, _ = row
                name = self._name(index, at, "vna_name")
                yield VersionNeed(
                    library, name, bool(flags & _WEAK), other & ~HIDDEN, bool(other & HIDDEN),
                    key == _hash(name),
                )  # fmt: skip

    def definitions(self, dynamic: Dynamic) -> Iterator[VersionDefinition]:
        for offset, record in self._list(dynamic, DynamicTag.VERDEF, "HHHHIII"):
            revision, flags, index, _, key, aux, _ = record
            names: list[str] = []
            try:
                for at, (name, _) in self._records(offset + aux, "II", "Verdaux"):
                    names.append(self._name(name, at, "vda_name"))
            except ElfFormatError as error:
                self.addresses.tolerate(error)  # only read where the hash is the right one
                names = names or [""]
            yield VersionDefinition(
                names[0],
                index & ~HIDDEN,
                bool(flags & _BASE),
                bool(flags & _WEAK),
                tuple(names[1:]),
                bool(index & HIDDEN),
                key == _hash(names[0]),
                revision,
            )

    def _list(
        self, dynamic: Dynamic, tag: DynamicTag, fields: str
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """(file offset, fields) of every record of the list that ``tag`` gives the address of.

        glibc stops at the record whose ``next`` is 0, whatever number of them the file tells.
        """
        if dynamic.value(tag) is None:
            return
        offset, _ = dynamic.locate(tag, self.addresses)
        yield from self._records(offset, fields, f"DT_{tag.name}")

    def _records(
        self, offset: int, fields: str, what: str
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The last field of each record is the way to the next, 0 the end."""
        structure = self.layout.struct(fields)
        while True:
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

    def _name(self, index: int, offset: int, field: str) -> str:
        end = self.strings.find(b"\0", index) if index < len(self.strings) else -1
        if end >= 0:
            raw = self.strings[index:end]
        else:
            found = self.addresses.string(self.reader, self.base + index)
            if found is None:
                problem = f"string index {index:#x} is not in DT_STRTAB"
                raise ElfFormatError(self.reader.name, offset, field, problem)
            raw = found
        self.text += len(raw)
        if self.text > _MAX_TEXT:
            raise ElfFormatError(self.reader.name, offset, field, "the version names are too long")
        return raw.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=4096)  # the same few names stand in every file
def _hash(name: str) -> int:
    """What stands beside a version's name (``vna_hash``, ``vd_hash``)."""
    return sysv_hash(name.encode("utf-8", "surrogateescape"))
