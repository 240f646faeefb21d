"""What the next build can be held to of a library, and what several have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...elf import ElfObject, Kind, Stack
from ...elf.symbols import SymbolTable
from .next_names import next_directory, next_name

__all__ = ["OWN_NAMES", "Binding", "Exports", "Hardening", "binding_of", "exports_of"]

# Libraries that glibc 2.34 made a part of libc.so.6: whoever links with it lists them no more.
_MERGED = frozenset(("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libanl.so.1"))
_LOADER = re.compile(r"ld(64|-linux[\w-]*|-musl[\w-]*)?\.so\.\d+$")  # it is in every process
# What old linkers export from every library. All but lld make a symbol for each version, too.
_LINKER_MADE = ("_init", "_fini", "_edata", "_end", "__bss_start")
# Names of C++ without those of the standard library (St, Sa, __gnu_cxx), operators new and delete
# and what is local to a function: compilers make copies of them as they please.
OWN_NAMES = r"^_Z(?![GZ]|[nd][wal]|(T[ISV])?N?K?(S|\d+__))"
_RELOCATABLE = ("$ORIGIN", "${ORIGIN}")
_INDEX = 0x7FFF


@dataclass(frozen=True, slots=True)
class Hardening:
    """How a file is hardened; a smaller one asks for less."""

    relro: str | None = None
    now: bool = False
    stack: bool = False
    pie: bool = False

    @property
    def parameters(self) -> dict[str, object]:
        """What a check of it asks."""
        found: dict[str, object] = {} if self.relro is None else {"relro": self.relro}
        asked = (("now", self.now), ("stack", self.stack), ("pie", self.pie))
        return found | {name: True for name, holds in asked if holds}

    @classmethod
    def common(cls, some: Sequence[Hardening]) -> Hardening:
        """What holds for all of them."""
        levels = [(None, "partial", "full").index(each.relro) for each in some]
        return cls(
            (None, "partial", "full")[min(levels, default=0)],
            bool(some) and all(each.now for each in some),
            bool(some) and all(each.stack for each in some),
            bool(some) and all(each.pie for each in some),
        )


@dataclass(frozen=True, slots=True)
class Binding:
    """How files find what they need, and are found; of several, what they have in common.

    Attributes:
        needed: patterns of DT_NEEDED.
        soname: a pattern of DT_SONAME; None: there is none, or not the same one.
        runpath: patterns of the directories that the next build should list, too.
        hardening: how they are hardened.
    """

    needed: tuple[str, ...]
    soname: str | None
    runpath: tuple[str, ...]
    hardening: Hardening

    @classmethod
    def common(cls, some: Sequence[Binding]) -> Binding:
        """What all of them have."""
        first, *others = some
        return cls(
            tuple(each for each in first.needed if all(each in one.needed for one in others)),
            first.soname if all(one.soname == first.soname for one in others) else None,
            tuple(each for each in first.runpath if all(each in one.runpath for one in others)),
            Hardening.common([each.hardening for each in some]),
        )


def binding_of(elf: ElfObject) -> Binding:
    """How one file finds what it needs."""
    kept = (each for each in elf.needed if each not in _MERGED and not _LOADER.match(each))
    needed = dict.fromkeys(next_name(each) for each in kept if each)
    dynamic = elf.dynamic
    path = None
    if dynamic is not None:
        path = dynamic.rpath if dynamic.runpath is None else dynamic.runpath
    runpath = dict.fromkeys(_next_runpath(each) for each in (path or "").split(":") if each)
    now = dynamic is not None and dynamic.bind_now
    return Binding(
        tuple(needed),
        next_name(elf.soname) if elf.soname else None,
        tuple(each for each in runpath if each),
        Hardening(
            None if elf.relro is None else "full" if now else "partial",
            now=now,
            stack=elf.stack is Stack.NOT_EXECUTABLE,
            pie=elf.kind is Kind.PIE,
        ),
    )


def _next_runpath(folder: str) -> str:
    """A directory as the next build should list it; empty: it is one of the machine that built it.

    Only those that go out from the file itself mean the same on any other machine, and what is
    installed in /opt, under another version perhaps.
    """
    if folder.startswith(_RELOCATABLE) or folder.startswith("/opt/"):
        return "/".join(map(next_directory, folder.split("/")))
    return ""


@dataclass(frozen=True, slots=True)
class Exports:
    """What a file offers to others.

    Attributes:
        plain: the names of C.
        made: those beside them that only linkers make: ``_edata``, and one for each version.
        mangled: those of C++, without copies of what is in the standard library.
        versions: the names of each version it defines, in its order; of a version that is nobody
            else's business, none.
    """

    plain: frozenset[str]
    made: frozenset[str]
    mangled: frozenset[str]
    versions: Mapping[str, frozenset[str]]

    @classmethod
    def common(cls, some: Sequence[Exports]) -> Exports:
        """What all of them offer."""
        first, *others = some
        found = dict(first.versions)
        for other in others:
            found = {
                n: names & other.versions[n] for n, names in found.items() if n in other.versions
            }
        return cls(
            first.plain.intersection(*(each.plain for each in others)),
            first.made.union(*(each.made for each in others)),
            first.mangled.intersection(*(each.mangled for each in others)),
            found,
        )


def exports_of(elf: ElfObject) -> Exports:
    """What one file offers.

    Raises:
        ElfFormatError: its symbols or versions are damaged.
    """
    table = elf.symbols
    names, versions = table.names, {each.name for each in elf.versions.definitions}
    found = {names[row] for row in table.export_indices}
    made = {each for each in found if each in _LINKER_MADE or each in versions}
    mangled = {each for each in found if each.startswith("_Z")}
    return Exports(
        frozenset(found - made - mangled),
        frozenset(made),
        frozenset(filter(re.compile(OWN_NAMES).search, mangled)),
        _of_versions(elf, table),
    )


def _of_versions(elf: ElfObject, table: SymbolTable) -> dict[str, frozenset[str]]:
    """The names of each version; those that are nobody else's business are left out."""
    indices = table.version_indices
    named = {e.index: e.name for e in elf.versions.definitions if not e.base}
    found: dict[str, set[str]] = {each: set() for each in named.values()}
    for row in table.export_indices if indices is not None and named else ():
        version = named.get(indices[row] & _INDEX) if indices is not None else None
        if version is not None and table.names[row] != version:
            found[version].add(table.names[row])
    return {
        name: frozenset(names) for name, names in found.items() if "PRIVATE" not in name.upper()
    }
