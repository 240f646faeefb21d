"""What a root's own dynamic loader says of itself: its version, its directories, its ``$LIB``.

They are constants of the loader's build (``SYSTEM_DIRS`` of ``trusted-dirs.h``, ``DL_DST_LIB`` of
``dl-dst.h``, the banner of ``version.c``; glibc ``elf/``) and stand in the file as plain strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import SourceError
from ..sources import Source

__all__ = ["Rtld", "Version", "read_rtld"]

Version = tuple[int, int]
"""Major and minor number of a glibc release."""

_MOST = 16 << 20  # a loader with its debugging information is 2 MB
_BANNER = re.compile(rb"release version (\d{1,4})\.(\d{1,4})\b")  # "stable" or "development"
_DIRECTORIES = re.compile(rb"\0/(?:[^\0/ %:]+/)+\0(?:/(?:[^\0/ %:]+/)+\0)*")
_LIBRARIES = re.compile(rb"/lib[^/]*(?:/[^/]+)?/$")
_TOKENS = re.compile(rb"\0PLATFORM\0(?:LIB\0)?(?P<text>[\x20-\x7e\0]{1,400})")


@dataclass(frozen=True, slots=True)
class Rtld:
    """The constants of one loader.

    Attributes:
        path: where it is in its root, as it was asked for; None: the root has none.
        version: of its glibc; None where it does not tell (another C library, an empty file).
        system_dirs: the directories searched last, each without its last slash; empty where they
            cannot be told.
        lib: what ``$LIB`` stands for; None where it cannot be told.
    """

    path: str | None = None
    version: Version | None = None
    system_dirs: tuple[str, ...] = ()
    lib: str | None = None

    @property
    def has_legacy_subdirectories(self) -> bool:
        """Whether it looks into ``tls`` and platform subdirectories: glibc up to 2.36."""
        return self.version is not None and self.version <= (2, 36)


def read_rtld(root: Source, paths: Iterable[str]) -> Rtld:
    """The loader at the first of some paths that is a file of the root.

    A file that cannot be read, or is no glibc loader, gives what is known of it: its path.
    """
    for path in paths:
        try:
            member = root.find(path)
            if member is None:
                continue
            raw = member.open().read(_MOST)
        except SourceError:
            continue
        directories = _system_dirs(raw)
        # Loaders before 2.33 have no banner: then that of the C library counts.
        version = _version(raw) or (_version_of_libc(root, directories) if directories else None)
        return Rtld(path, version, directories, _lib(raw, directories))
    return Rtld()


def _version(raw: bytes) -> Version | None:
    found = _BANNER.search(raw)
    return (int(found[1]), int(found[2])) if found is not None else None


def _version_of_libc(root: Source, directories: Iterable[str]) -> Version | None:
    for directory in directories:
        try:
            member = root.find(f"{directory}/libc.so.6")
            if member is not None:
                return _version(member.open().read(_MOST))
        except SourceError:
            continue
    return None


def _system_dirs(raw: bytes) -> tuple[str, ...]:
    """The longest run of strings that are directories of libraries."""
    runs: list[list[bytes]] = [[]]
    for found in _DIRECTORIES.finditer(raw):
        runs.append([])
        for text in found[0].strip(b"\0").split(b"\0"):
            if _LIBRARIES.search(text):
                runs[-1].append(text)
            else:  # another string that only stands next to them
                runs.append([])
    longest = max(runs, key=len)
    return tuple(each.decode("utf-8", "surrogateescape").rstrip("/") for each in longest)


def _lib(raw: bytes, directories: tuple[str, ...]) -> str | None:
    """``DL_DST_LIB``: a string near the names of the tokens, which is the end of a directory."""
    ends = {directory.removeprefix("/") for directory in directories}
    ends |= {directory.rpartition("/")[2] for directory in directories}
    for found in _TOKENS.finditer(raw):
        for text in found["text"].split(b"\0"):
            name = text.decode("ascii")
            if name in ends:
                return name
    if not directories:
        return None
    first = directories[0].removeprefix("/")  # slibdir comes first in SYSTEM_DIRS
    return first if first.startswith("lib") else first.rpartition("/")[2]
