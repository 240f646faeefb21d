"""What the next build can be held to of a library, and what several have in common."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...elf import ElfObject, Kind, Stack
from ...elf.symbols import SymbolTable
from .next_names import next_directory, next_name

__all__ = ["Binding", "Exports", "Hardening", "binding_of", "exports_of"]

# Libraries that glibc 2.34 made a part of libc.so.6: whoever links with it lists them no more.
_MERGED = frozenset(("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libanl.so.1"))
# What old linkers export from every library. All but lld make a symbol for each version, too.
_LINKER_MADE = ("_init", "_fini", "_edata", "_end", "__bss_start")
_OWN = re.compile(r"^(?!_Z)")
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
    needed = dict.fromkeys(next_name(each) for each in elf.needed if each not in _MERGED)
    dynamic = elf.dynamic
    listed = None
    if dynamic is not None:
        listed = dynamic.rpath if dynamic.runpath is None else dynamic.runpath
    runpath = dict.fromkeys(_next_runpath(each) for each in (listed or "").split(":") if each)
    now = dynamic is not None and dynamic.bind_now
    return Binding(
        tuple(needed),
        None if elf.soname is None else next_name(elf.soname),
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
        plain: how many names of C.
        made: names beside those that only linkers make: ``_edata``, and one for each version.
        mangled: how many names of C++.
        versions: how many symbols of each version it defines, in its order.
        initializer: whether it has the function by which CPython imports it.
    """

    plain: int
    made: tuple[str, ...]
    mangled: int
    versions: Mapping[str, int]
    initializer: bool

    @classmethod
    def common(cls, some: Sequence[Exports]) -> Exports:
        """What all of them offer at least."""
        first, *others = some
        versions = {
            name: min(count, *(one.versions[name] for one in others)) if others else count
            for name, count in first.versions.items()
            if all(name in one.versions for one in others)
        }
        return cls(
            min(each.plain for each in some),
            tuple(dict.fromkeys(name for each in some for name in each.made)),
            min(each.mangled for each in some),
            versions,
            all(each.initializer for each in some),
        )


def exports_of(elf: ElfObject, path: str) -> Exports:
    """What one file offers.

    Args:
        elf: its facts.
        path: where it is: the name of an extension module is that of its function.

    Raises:
        ElfFormatError: its symbols or versions are damaged.
    """
    table = elf.symbols
    names, versions = table.names, _of_versions(elf, table)
    found = [names[row] for row in table.export_indices]
    made = [each for each in found if each in _LINKER_MADE or each in versions]
    mangled = sum(each.startswith("_Z") for each in found)
    module = posixpath.basename(path).partition(".")[0]
    return Exports(
        len(found) - len(made) - mangled,
        tuple(made),
        mangled,
        {name: count - (name in made) for name, count in versions.items()},
        f"PyInit_{module}" in found,
    )


def _of_versions(elf: ElfObject, table: SymbolTable) -> dict[str, int]:
    """How many exports have each version; those that are nobody's business are left out."""
    indices = table.version_indices
    if indices is None:
        return {}
    counts = Counter(indices[row] & _INDEX for row in table.export_indices)
    return {
        each.name: counts[each.index]
        for each in elf.versions.definitions
        if not each.base and "PRIVATE" not in each.name.upper()
    }
