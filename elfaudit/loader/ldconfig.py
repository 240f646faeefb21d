"""What ldconfig would write into the cache of a root if it ran now.

Source: ``search_dir``, ``add_dir_1``, ``add_glibc_hwcaps_subdirectories`` (glibc
``elf/ldconfig.c``), ``process_file`` (``elf/readlib.c``), ``compare`` (``elf/cache.c``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property, cmp_to_key
from itertools import islice, takewhile

from ..elf import ElfObject
from ..errors import ElfAuditError, SourceError
from ..sources import Member, NoFile, Obstacle, Source
from .ldcache import CacheEntry, compare_names
from .ldconf import configured_directories
from .libabi import cache_flags, is_shared_object, system_directories
from .machines import Machine
from .rtld import Rtld
from .store import ObjectStore

__all__ = ["FreshEntry", "Ldconfig"]

_STEM = re.compile(r"(?:lib|ld)?[^-._+0-9]*")
_PRELINK = re.compile(r"\.#prelink#(?:\..{6})?\Z", re.DOTALL)
_PACKAGE_MANAGERS = re.compile(r";|\.dpkg-(?:new|tmp)\Z")
_SKIPS_THEIR_FILES = (2, 39)
_TLS = "tls"
_TLS_BIT = 1 << 63


@dataclass(frozen=True, slots=True)
class FreshEntry:
    """One entry of a cache that nobody has written.

    Attributes:
        name: the library's.
        entry: what the cache would say.
        file: the file it stands for, which its path is, or would be made a link to.
    """

    name: str
    entry: CacheEntry
    file: str


@dataclass(frozen=True, slots=True)
class _Directory:
    path: str
    hwcap: str | None = None


@dataclass(slots=True)
class _Library:
    """The file that is kept of those of one SONAME in a directory (``struct dlib_entry``)."""

    name: str
    is_link: bool
    flags: int


class Ldconfig:
    """ldconfig in a root.

    Args:
        root: the file system.
        store: reads the libraries.
        rtld: the loader of the same glibc.
        machine: the one it is built for.
    """

    def __init__(self, root: Source, store: ObjectStore, rtld: Rtld, machine: Machine) -> None:
        self._root = root
        self._store = store
        self._rtld = rtld
        self._machine = machine
        self._legacy = rtld.has_legacy_subdirectories
        self._listings: dict[str, list[str]] = {}
        self._stems: dict[str, dict[str, list[FreshEntry]]] = {}  # what begins so, by name

    @cached_property
    def entries(self) -> tuple[FreshEntry, ...]:
        """The whole cache in its order. Every library of every directory is read."""
        return tuple(self._entries(""))

    def named(self, name: str) -> tuple[FreshEntry, ...]:
        """The entries of one library in the cache's order.

        Only files that look like it are read: those whose name begins as the library's does, up to
        the first digit or punctuation. One with the SONAME and quite another name is not found.
        """
        if "entries" in vars(self):
            return tuple(entry for entry in self.entries if entry.name == name)
        stem = _STEM.match(name)
        begin = stem[0] if stem is not None else ""
        if begin not in self._stems:
            grouped: dict[str, list[FreshEntry]] = {}
            for entry in self._entries(begin):
                grouped.setdefault(entry.name, []).append(entry)
            self._stems[begin] = grouped
        return tuple(self._stems[begin].get(name, ()))

    @cached_property
    def directories(self) -> tuple[str, ...]:
        """The directories that are looked through, each once."""
        return tuple(directory.path for directory in self._directories)

    @cached_property
    def _directories(self) -> tuple[_Directory, ...]:
        """Those of the configuration, each with its ``glibc-hwcaps``; then the loader's own."""
        found: dict[Hashable, _Directory] = {}
        for path in (
            *map(self._untyped, configured_directories(self._root)),
            *system_directories(self._rtld, self._machine),
        ):
            identity = self._identity(path)
            if identity is None or identity in found:
                continue
            found[identity] = _Directory(path)
            for name in self._listing(f"{path}/glibc-hwcaps"):
                below = f"{path}/glibc-hwcaps/{name}"
                identity = self._identity(below)
                if identity is not None and not name.startswith(".") and ":" not in name:
                    found.setdefault(identity, _Directory(below, name))
        return tuple(found.values())

    def _untyped(self, path: str) -> str:
        """A directory without its ``=libc6``, which older versions know."""
        return path.partition("=")[0].rstrip(" \t/") if self._legacy else path

    def _entries(self, begin: str) -> list[FreshEntry]:
        """The entries of files whose names begin so."""
        found = [
            entry for each in self._all_directories for entry in self._in_directory(each, begin)
        ]
        return sorted(found, key=cmp_to_key(_compare))

    @cached_property
    def _all_directories(self) -> tuple[_Directory, ...]:
        """The directories, and those below that old versions have for machines and ``tls``."""
        pending = list(self._directories)
        seen = {self._identity(directory.path) for directory in pending}
        for directory in pending:  # it grows: tls and the like come last
            for subdirectory in self._legacy_subdirectories(directory):
                identity = self._identity(subdirectory)
                if identity is not None and identity not in seen:
                    seen.add(identity)
                    pending.append(_Directory(subdirectory))
        return tuple(pending)

    def _in_directory(self, directory: _Directory, begin: str) -> Iterator[FreshEntry]:
        libraries: dict[str, _Library] = {}
        names = self._listing(directory.path)
        if directory.hwcap is None:  # there a link may be called anything at all
            start = bisect_left(names, begin)
            names = list(takewhile(lambda name: name.startswith(begin), islice(names, start, None)))
        for name in names:
            if self._is_candidate(directory, name):
                self._add(libraries, f"{directory.path}/{name}", name)
        legacy = self._legacy_bits(directory.path) if directory.hwcap is None else 0
        for soname, library in libraries.items():
            # In glibc-hwcaps no links are made, so it is the file itself that is listed.
            last = soname if directory.hwcap is None else library.name
            path, file = f"{directory.path}/{last}", f"{directory.path}/{library.name}"
            isa = self._isa(file) if directory.hwcap is not None else 0
            entry = CacheEntry(library.flags, path, directory.hwcap, legacy, isa)
            yield FreshEntry(soname, entry, file)

    def _isa(self, path: str) -> int:
        """The number of the highest level a library needs (``read_gnu_property``)."""
        elf = self._elf(path)
        needed = elf.isa_needed if elf is not None else 0
        return max(needed.bit_length() - 1, 0)

    def _is_candidate(self, directory: _Directory, name: str) -> bool:
        """Whether a name is that of a library, or it is a link in ``glibc-hwcaps``."""
        if not is_shared_object(name) and (
            directory.hwcap is None or not self._root.is_link(f"{directory.path}/{name}")
        ):
            return False
        version = self._rtld.version
        skips = version is None or version >= _SKIPS_THEIR_FILES
        return not _PRELINK.search(name) and not (skips and _PACKAGE_MANAGERS.search(name))

    def _add(self, libraries: dict[str, _Library], path: str, name: str) -> None:
        """Enter a file under its SONAME, if it is better than the one that is there."""
        elf = self._elf(path)
        flags = cache_flags(elf, self._machine, self._rtld) if elf is not None else None
        if elf is None or flags is None:
            return
        soname = elf.soname if elf.soname is not None else name
        is_link = self._root.is_link(path) and (
            name == soname or (name.endswith(".so") and soname.startswith(name))
        )
        if is_link:  # libx.so -> libx.so.1 is for the linker, under its own name
            soname = name
        known = libraries.get(soname)
        if known is None:
            libraries[soname] = _Library(name, is_link, flags)
        elif (known.is_link and not is_link) or (
            known.is_link == is_link and compare_names(_raw(known.name), _raw(name)) < 0
        ):
            known.name, known.is_link = name, is_link
            if {known.flags, flags} == {0x0001, 0x0003}:
                known.flags = flags

    def _elf(self, path: str) -> ElfObject | None:
        """A shared object; None for anything else."""
        try:
            member = self._root.look(path)
            elf = self._store.read(member) if isinstance(member, Member) else None
        except ElfAuditError:
            return None
        return elf if elf is not None and elf.dynamic is not None else None

    def _legacy_subdirectories(self, directory: _Directory) -> Iterator[str]:
        """``tls`` and those of platforms, up to glibc 2.36."""
        if not self._legacy or directory.hwcap is not None:
            return
        names = {_TLS, *self._machine.legacy_bits}
        for name in names.intersection(self._listing(directory.path)):
            yield f"{directory.path}/{name}"

    def _legacy_bits(self, path: str) -> int:
        """The capabilities that the last parts of a path stand for (``path_hwcap``)."""
        bits = 0
        for name in reversed(path.split("/")) if self._legacy else ():
            bit = _TLS_BIT if name == _TLS else self._machine.legacy_bits.get(name)
            if bit is None:
                break
            bits += bit
        return bits & (1 << 64) - 1

    def _identity(self, path: str) -> Hashable | None:
        try:
            found = self._root.look(path if path.startswith("/") else f"/{path}")
        except SourceError:
            return None
        directory = isinstance(found, NoFile) and found.kind is Obstacle.DIRECTORY
        return found.identity if directory else None

    def _listing(self, path: str) -> list[str]:
        if path not in self._listings:
            self._listings[path] = self._root.listing(path if path[:1] == "/" else f"/{path}")
        return self._listings[path]


def _compare(one: FreshEntry, other: FreshEntry) -> int:
    """The order of two entries of the cache; of equal ones the first directory's is first."""
    order = compare_names(_raw(other.name), _raw(one.name))
    if order:
        return order
    return 1 if _rank(one.entry) > _rank(other.entry) else -(_rank(one.entry) < _rank(other.entry))


def _rank(entry: CacheEntry) -> tuple[int, bool, str, int, int]:
    return (
        -entry.flags, entry.hwcap is None, entry.hwcap or "", -entry.legacy.bit_count(),
        -entry.legacy,
    )  # fmt: skip


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
