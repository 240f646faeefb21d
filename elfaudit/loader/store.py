"""Every ELF file read once, however many loads use it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import ParamSpec, TypeVar

from ..elf import ElfObject, map_elf
from ..errors import ElfAuditError
from ..sources import Member
from .environment import Libc
from .libc import libc_of
from .lookup import SymbolIndex, index_symbols
from .musl_lookup import index_symbols_musl
from .variables import variable_sizes

__all__ = ["ObjectStore"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ObjectStore:
    """ELF facts by file identity, and the lookup tables made from them.

    A file is open only while something of it is decoded. A member of an archive that can only be
    read forward has its symbol tables decoded in the same pass, so it is inflated once.
    """

    def __init__(self) -> None:
        self._objects: dict[Hashable, ElfObject | ElfAuditError] = {}
        self._indices: dict[tuple[Hashable, Libc], SymbolIndex | ElfAuditError] = {}
        self._sizes: dict[Hashable, Mapping[str, int] | ElfAuditError] = {}
        self._others: dict[Hashable, object] = {}

    def supposing(self, objects: Mapping[Hashable, ElfObject]) -> ObjectStore:
        """A store that knows what this one has read, but has other facts for some files.

        Args:
            objects: the facts, by the identities of the files (``Member.identity``).
        """
        other = ObjectStore()
        other._objects = {**self._objects, **objects}
        other._indices = {key: row for key, row in self._indices.items() if key[0] not in objects}
        other._sizes = {key: row for key, row in self._sizes.items() if key not in objects}
        return other

    def read(self, member: Member) -> ElfObject:
        """The facts of a file.

        Raises:
            ElfFormatError, SourceError: as when it was first read.
        """
        known = self._objects.get(member.identity)
        if known is None:
            known = self._objects[member.identity] = self._read(member)
        if isinstance(known, ElfAuditError):
            raise known.with_traceback(None)
        return known

    def index(self, identity: Hashable, elf: ElfObject, libc: Libc = Libc.GLIBC) -> SymbolIndex:
        """The lookup tables of a file that :meth:`read` gave, by the rules of one C library.

        Raises:
            ElfFormatError: its symbol, version or relocation tables are damaged.
        """
        index = self._indices.get((identity, libc))
        if index is None:
            index = self._indices[identity, libc] = _indexed(elf, libc)
        if isinstance(index, ElfAuditError):
            raise index.with_traceback(None)
        return index

    def known_index(self, identity: Hashable) -> SymbolIndex | None:
        """The lookup tables of a file if some load by glibc has made them already."""
        index = self._indices.get((identity, Libc.GLIBC))
        return index if isinstance(index, SymbolIndex) else None

    def variable_sizes(self, identity: Hashable, elf: ElfObject) -> Mapping[str, int]:
        """The sizes of the variables of a file that :meth:`read` gave, by name and by key.

        Raises:
            ElfFormatError: its symbol or version tables are damaged.
        """
        sizes = self._sizes.get(identity)
        if sizes is None:
            sizes = self._sizes[identity] = _sized(elf)
            elf.release()
        if isinstance(sizes, ElfAuditError):
            raise sizes.with_traceback(None)
        return sizes

    def once(self, make: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What ``make`` gives for these arguments, made when first asked for: a cache, say."""
        key = (make, args, tuple(kwargs.items()))
        if key not in self._others:
            self._others[key] = make(*args, **kwargs)
        return self._others[key]  # type: ignore[return-value]  # the key says what it is

    def _read(self, member: Member) -> ElfObject | ElfAuditError:
        try:
            elf = map_elf(member.open(), name=member.display)
            # It is in the first page, mostly, and kept: later the file would be opened again.
            _ = elf.isa_needed
            if member.sequential and elf.dynamic is not None:
                libc = libc_of(elf)
                self._sizes[member.identity] = _sized(elf)  # while the member is still open
                self._indices[member.identity, libc] = _indexed(elf, libc)
            elf.release()
        except ElfAuditError as error:
            return error
        return elf


def _sized(elf: ElfObject) -> Mapping[str, int] | ElfAuditError:
    """The sizes of the variables, or why there are none."""
    try:
        return variable_sizes(elf.symbols)
    except ElfAuditError as error:
        return error.with_traceback(None)


def _indexed(elf: ElfObject, libc: Libc) -> SymbolIndex | ElfAuditError:
    """The lookup tables, or why there are none; the file is not kept open for either."""
    try:
        return index_symbols(elf) if libc is Libc.GLIBC else index_symbols_musl(elf)
    except ElfAuditError as error:
        return error.with_traceback(None)
    finally:
        elf.release()
