"""Who exports a symbol: the libraries of some places, asked through their hash tables."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Hashable, Iterable, Iterator

from ..elf import ElfObject, Symbol, read_elf
from ..errors import ElfAuditError, RequestError, SourceError
from ..findings import Place, Provider, library_places
from ..sources import (
    FileSource,
    FolderSource,
    Member,
    TreeSource,
    open_source,
    split_address,
)

__all__ = ["answers", "find_providers"]


def find_providers(
    names: Iterable[str],
    places: Iterable[str | os.PathLike[str]] | None = None,
    *,
    progress: Callable[[str], None] | None = None,
) -> Iterator[Provider]:
    """The libraries that export some symbols.

    Args:
        names: symbols as the file has them (mangled); ``name@VERSION`` asks for that version only,
            ``name@@VERSION`` for it as the default one.
        places: directories and wheels, in which every file named like a shared object is asked,
            in a directory also those that links in it lead to; files; ``archive::member``. None:
            the library directories of this machine, those ``ld.so.cache`` lists and ``/opt/*/lib``
            included.
        progress: called with the name of each file before it is looked at.

    Yields:
        One :class:`~elfaudit.findings.Provider` for each definition, file by file; its ``symbol``
        has version, binding and visibility. Among many files, those that are no sound ELF are
        passed over.

    Raises:
        SourceError: a place cannot be opened.
        NotElfError, ElfFormatError: a file that was named itself is no sound ELF file.
        RequestError: no name is given, or an empty one.

    Source of the rule: what counts as an export is decided as by ``do_lookup_x`` and
    ``check_match`` (glibc ``elf/dl-lookup.c``).
    """
    wanted = [_split(name) for name in dict.fromkeys(names)]
    if not wanted or not all(name for name, _, _ in wanted):
        raise RequestError("name the symbols to look for")
    return _search(wanted, _members(places), progress)


def answers(provider: Provider, name: str) -> bool:
    """Whether a provider is one of those that :func:`find_providers` gives for ``name``."""
    return provider.symbol is not None and _fits(provider.symbol, *_split(name))


def _search(
    wanted: list[tuple[str, str | None, bool]],
    members: Iterable[tuple[Member, str, bool]],
    progress: Callable[[str], None] | None,
) -> Iterator[Provider]:
    seen: set[Hashable] = set()
    for member, path, named in members:
        if member.identity in seen:
            continue
        seen.add(member.identity)
        if progress is not None:
            progress(member.display)
        try:
            elf = read_elf(member.open(), name=member.display)
            definitions = list(_definitions(elf, wanted))
        except ElfAuditError:
            if named:
                raise
            continue  # linker scripts, debug files and the like live among libraries
        elf.release()
        soname = elf.soname or posixpath.basename(path)
        for symbol in definitions:
            yield Provider(symbol, member, path, elf, soname)


def _definitions(
    elf: ElfObject, wanted: Iterable[tuple[str, str | None, bool]]
) -> Iterator[Symbol]:
    """Each definition once, also where ``name`` and ``name@VERSION`` are both asked for."""
    table = elf.symbols
    seen: set[int] = set()
    for name, version, default in wanted:
        for symbol in table.find(name):
            if symbol.index in seen or not table.is_export(symbol.index):
                continue
            if _fits(symbol, name, version, default):
                seen.add(symbol.index)
                yield symbol


def _fits(symbol: Symbol, name: str, version: str | None, default: bool) -> bool:  # noqa: FBT001
    return symbol.name == name and (
        version is None or (symbol.version == version and not (default and symbol.version_hidden))
    )


def _members(
    places: Iterable[str | os.PathLike[str]] | None,
) -> Iterator[tuple[Member, str, bool]]:
    """(file, its path as the user names it, whether it was named itself) of every file."""
    if places is None:
        place = library_places(TreeSource("/"))
        yield from ((member, member.path, False) for member in place.members())
        return
    # All are opened first: a mistyped place is told before an hour of work, not after.
    opened = [_open(os.fspath(place)) for place in places]
    for found in opened:
        if isinstance(found, Member):
            yield found, found.path, True
        else:
            yield from ((member, found.base + member.path, False) for member in found.members())


def _open(place: str) -> Place | Member:
    container, inside = split_address(place)
    source = open_source(container)
    if inside is not None:
        member = None if isinstance(source, FileSource) else source.find(f"/{inside}")
        if member is None:
            raise SourceError(place, "there is no such file in it")
        return member
    if isinstance(source, FileSource):
        return source.member
    if isinstance(source, FolderSource):
        return Place(source, base=place.rstrip("/"))
    return Place(source, base=f"{source.label}::")


def _split(name: str) -> tuple[str, str | None, bool]:
    """(name, version or None, whether it must be the default one) of ``name@@VERSION``."""
    symbol, separator, version = name.partition("@")
    if not separator:
        return name, None, False
    return symbol, version.lstrip("@") or None, version.startswith("@")
