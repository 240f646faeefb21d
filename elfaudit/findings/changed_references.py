"""What changed of what a file asks of others: undefined symbols, and versions needed and defined.

Source: "Symbol Versioning" in the LSB core specification; ``_dl_check_map_versions``
(glibc ``elf/dl-version.c``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..elf import ElfObject, SymbolBinding, VersionNeed
from ..elf.versions import HIDDEN
from ..loader import Libc, libc_of
from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, counted, some
from .stems import Role, library_stem

__all__ = ["changed_references", "changed_versions"]

_BREAKING, _NOTABLE, _HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)
_NUMBERED = re.compile(r"(?P<prefix>.*?[A-Za-z_.-])(?P<number>\d{1,9}(?:\.\d{1,9}){0,7})$")
_LONGEST = 255  # no real name of a version is longer; a search takes the square of it
_GLIBC = "GLIBC_"  # of several libraries, which are of one release


def changed_references(old: ElfObject, new: ElfObject) -> Iterator[BuildChange]:
    """The changes of a file's undefined symbols.

    Raises:
        ElfFormatError: the symbol or version tables of one are damaged.
    """
    was, now = _references(old), _references(new)
    come = [key for key in now if key not in was]
    gone = [key for key in was if key not in now]
    if come:
        text = f"refers to {counted(len(come), 'more symbol')}"
        yield BuildChange(Aspect.REFERENCES_ADDED, _HARMLESS, text, _items(come))
    if gone:
        text = f"does not refer to {counted(len(gone), 'symbol')} any more"
        yield BuildChange(Aspect.REFERENCES_REMOVED, _HARMLESS, text, _items(gone))
    harder = [key for key, weak in was.items() if weak and now.get(key) is False]
    if harder:
        text = f"cannot do without {counted(len(harder), 'symbol')} that it could do without (weak)"
        yield BuildChange(Aspect.REFERENCE_BINDING, _NOTABLE, text, _items(harder))
    softer = [key for key, weak in was.items() if not weak and now.get(key)]
    if softer:
        text = f"can do without {counted(len(softer), 'symbol')} that it needed (weak now)"
        yield BuildChange(Aspect.REFERENCE_BINDING, _HARMLESS, text, _items(softer))


def changed_versions(old: ElfObject, new: ElfObject, role: Role) -> Iterator[BuildChange]:
    """The changes of the versions that a file defines, and of the highest ones that it needs.

    Raises:
        ElfFormatError: the symbol or version tables of one are damaged.
    """
    was, now = (
        dict.fromkeys(each.name for each in elf.versions.definitions if not each.base)
        for elf in (old, new)
    )
    gone = [name for name in was if name not in now]
    if gone:
        # Also without a symbol that has it: the loader looks for the version first.
        severity = _BREAKING if role in (Role.LIBRARY, Role.PROGRAM) else _NOTABLE
        text = f"no longer defines the version{'s' * (len(gone) > 1)} {some(gone)}"
        if not now and (new.symbols.version_indices is not None or libc_of(old) is Libc.MUSL):
            severity = _NOTABLE  # the loader only warns, and takes what has the name
        elif not now:
            # An assertion of check_match (elf/dl-lookup.c) ends the process.
            text += ", nor any other: glibc's loader stops at who asks for one"
        yield BuildChange(Aspect.VERSIONS_LOST, severity, text, tuple(map(ChangedItem, gone)))
    come = [name for name in now if name not in was]
    if come:
        text = f"defines the version{'s' * (len(come) > 1)} {some(come)}"
        yield BuildChange(Aspect.VERSIONS_GAINED, _HARMLESS, text, tuple(map(ChangedItem, come)))
    yield from _needs(old, new)


@dataclass(frozen=True, slots=True)
class _Series:
    """Versions that follow one another: what is before the number, and of whom if it matters."""

    prefix: str
    library: str


def _needs(old: ElfObject, new: ElfObject) -> Iterator[BuildChange]:
    was, now = _highest(old), _highest(new)
    for series, (number, need) in now.items():
        before = was.get(series)
        if before is None:
            text = f"needs {_of(need)} now"
            items = tuple(each for each in _who(new, series, ()) if each.version == need.name)
            yield BuildChange(Aspect.VERSION_NEEDED, _NOTABLE, text, items, None, need.name)
        elif before[0] != number:
            raised = number > before[0]
            only = "" if raised else "only "
            text = f"needs {only}{need.name} now (before {before[1].name})"
            items = _who(new, series, before[0]) if raised else _who(old, series, number)
            severity = _NOTABLE if raised else _HARMLESS
            yield BuildChange(
                Aspect.VERSION_NEEDED, severity, text, items, before[1].name, need.name
            )
    for series, (_, need) in was.items():
        if series not in now:
            text = f"does not need {_of(need)} any more"
            yield BuildChange(Aspect.VERSION_NEEDED, _HARMLESS, text, (), need.name, None)


def _of(need: VersionNeed) -> str:
    same = need.name == need.library
    return f"the version {need.name}" if same else f"{need.name} of {need.library}"


def _highest(elf: ElfObject) -> dict[_Series, tuple[tuple[int, ...], VersionNeed]]:
    found: dict[_Series, tuple[tuple[int, ...], VersionNeed]] = {}
    for need in elf.versions.needs:
        series, number = _series(need)
        if series not in found or found[series][0] < number:
            found[series] = number, need
    return found


def _series(need: VersionNeed) -> tuple[_Series, tuple[int, ...]]:
    match = _NUMBERED.fullmatch(need.name) if len(need.name) <= _LONGEST else None
    prefix = match["prefix"] if match else need.name
    number = tuple(map(int, match["number"].split("."))) if match else ()
    return _Series(prefix, "" if prefix == _GLIBC else library_stem(need.library)), number


def _who(elf: ElfObject, series: _Series, above: tuple[int, ...]) -> tuple[ChangedItem, ...]:
    """The symbols for whose sake a version above that one is needed, the highest first."""
    wanted: dict[int, tuple[tuple[int, ...], VersionNeed]] = {}
    for need in elf.versions.needs:
        of, number = _series(need)
        if of == series and (number > above or not above):
            wanted[need.index] = number, need
    table = elf.symbols
    raw = table.version_indices
    if raw is None:
        return ()
    found = [
        (wanted[raw[row] & ~HIDDEN], table.names[row])
        for row in table.undefined_indices
        if raw[row] & ~HIDDEN in wanted
    ]
    found.sort(key=lambda each: each[0][0], reverse=True)
    return tuple(ChangedItem(name, need.name, None, need.library) for (_, need), name in found)


def _references(elf: ElfObject) -> dict[tuple[str, str | None], bool]:
    """Name and version of each undefined symbol, and whether the file can do without."""
    table = elf.symbols
    names, info = table.names, table.info
    return {
        (names[row], table.version_of(row)[0]): info[row] >> 4 == SymbolBinding.WEAK
        for row in table.undefined_indices
    }


def _items(keys: list[tuple[str, str | None]]) -> tuple[ChangedItem, ...]:
    ordered = sorted(keys, key=lambda key: (key[0].startswith("_"), key[0], key[1] or ""))
    return tuple(ChangedItem(name, version) for name, version in ordered)
