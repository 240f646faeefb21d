"""Questions to one file: its facts, and its symbols."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from enum import Enum

from ..elf import ElfObject, Symbol, SymbolTable, read_elf
from ..elf.cxxname import demangle, in_namespace
from ..errors import RequestError, SourceError

__all__ = ["Side", "count_symbols", "list_symbols", "open_elf"]

_ARCHIVES = (".whl", ".zip")
_ARCHIVE_MAGIC = b"PK\x03\x04"


class Side(Enum):
    """Which symbols of a file are asked for.

    EXPORTS: those other files can bind to; UNDEFINED: those that must come from elsewhere; ALL:
    every row of the dynamic symbol table but the null symbol, local and hidden ones included.
    """

    EXPORTS = "exports"
    UNDEFINED = "undefined"
    ALL = "all"


def open_elf(target: str | os.PathLike[str]) -> ElfObject:
    """The facts of one ELF file, on disk or in a wheel.

    Args:
        target: a path, ``archive::member`` or ``directory::path``.

    Returns:
        The facts; symbols, versions, relocations and notes are decoded when they are first asked
        for. Any ELF file is taken, also those that no loader takes.

    Raises:
        SourceError: there is no such file or member, or it cannot be read.
        NotElfError, ElfFormatError: it is not ELF, or its headers contradict the specification.
        RequestError: it is a directory or an archive: a member must be named.

    Source of the rules: System V gABI, "ELF Header", "Program Header", "Dynamic Section".
    """
    path = os.fspath(target)
    if _is_plain_file(path):
        return read_elf(path)
    # Not needed for a plain file, and it brings zipfile: 25 of 120 ms of a whole `show`.
    from ..sources import FileSource, open_source, split_address  # noqa: PLC0415

    container, inside = split_address(path)
    source = open_source(container)
    if isinstance(source, FileSource):
        if inside is not None:
            raise SourceError(container, f"is a file, not an archive: it has no {inside!r} in it")
        return read_elf(source.member.open(), name=path)
    if inside is None:
        names = (name for name in source.names() if name.endswith(".so") or ".so." in name)
        example = next(names, "/PATH").lstrip("/")
        raise RequestError(f"{path}: holds many files; name one of them, as {path}::{example}")
    member = source.find(f"/{inside}")
    if member is None:
        raise SourceError(path, "there is no such file in it")
    return read_elf(member.open(), name=path)


def list_symbols(
    target: str | os.PathLike[str] | ElfObject,
    *,
    side: Side = Side.ALL,
    match: str | None = None,
    namespace: str | None = None,
    demangled: bool = False,
) -> Iterator[Symbol]:
    """The dynamic symbols of one file that answer a description, in table order.

    Args:
        target: as for :func:`open_elf`, or what it gave.
        side: exports, undefined symbols, or all.
        match: a regular expression (:mod:`re`), searched for anywhere in the name.
        namespace: a C++ namespace, ``a::b``: only what is declared in it, at any depth, with the
            vtables, typeinfos, guards and thunks of its members; see :mod:`elfaudit.elf.cxxname`.
        demangled: whether ``match`` may also match the demangled name.

    Yields:
        Each symbol when it is reached; nothing is decoded for those that do not answer.

    Raises:
        RequestError: ``match`` is no regular expression.
        SourceError, ElfFormatError: as :func:`open_elf`; the symbol tables are damaged.

    Source of the rules: System V gABI, "Symbol Table"; for exports ``do_lookup_x`` and
    ``check_match`` (glibc ``elf/dl-lookup.c``); for namespaces the Itanium C++ ABI, section 5.1.
    """
    accepts = _condition(match, namespace, demangled=demangled)
    table = _table(target)
    return (table[row] for row in _rows(table, side, accepts))


def count_symbols(
    target: str | os.PathLike[str] | ElfObject,
    *,
    side: Side = Side.ALL,
    match: str | None = None,
    namespace: str | None = None,
    demangled: bool = False,
) -> int:
    """How many symbols :func:`list_symbols` would give, without making any of them.

    Arguments and errors are those of :func:`list_symbols`.
    """
    accepts = _condition(match, namespace, demangled=demangled)
    return sum(1 for _ in _rows(_table(target), side, accepts))


def _is_plain_file(path: str) -> bool:
    """Whether a target is surely a file of its own: no archive, directory or member of one."""
    if path.endswith(_ARCHIVES) or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(_ARCHIVE_MAGIC)) != _ARCHIVE_MAGIC
    except OSError:
        return False  # whoever opens it next says why


def _table(target: str | os.PathLike[str] | ElfObject) -> SymbolTable:
    return (target if isinstance(target, ElfObject) else open_elf(target)).symbols


def _rows(table: SymbolTable, side: Side, accepts: Callable[[str], bool] | None) -> Iterator[int]:
    """Rows of the table that are on that side and have an accepted name."""
    if side is Side.EXPORTS:
        rows: list[int] | range = table.export_indices
    elif side is Side.UNDEFINED:
        rows = table.undefined_indices
    else:
        rows = range(1, len(table))
    if accepts is None:
        return iter(rows)
    names = table.names
    return (row for row in rows if accepts(names[row]))


def _condition(
    match: str | None, namespace: str | None, *, demangled: bool
) -> Callable[[str], bool] | None:
    """What a name must fulfil; None for nothing."""
    if namespace is not None and not namespace.strip(": "):
        raise RequestError("the namespace is empty: write it as c10 or c10::detail")
    if match is None:
        return None if namespace is None else lambda name: in_namespace(name, namespace)
    try:
        pattern = re.compile(match)
    except (re.error, RecursionError, OverflowError) as error:
        raise RequestError(f"{match!r} is not a regular expression: {error}") from error

    def matches(name: str) -> bool:
        found = pattern.search(name) or (demangled and pattern.search(demangle(name)))
        return bool(found)

    if namespace is None:
        return matches
    return lambda name: in_namespace(name, namespace) and matches(name)
