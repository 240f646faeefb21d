"""What is asked about: a target as it is given, and each file of it that is resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..loader import AS_NAMED, Asked
from ..sources import Member, Source

__all__ = ["TEXT_SUFFIXES", "Subject", "Target", "is_library_name"]

# Never ELF, and thousands of them in a large wheel: not opened.
TEXT_SUFFIXES = (
    ".py", ".pyi", ".pyc", ".h", ".hpp", ".hh", ".cuh", ".inl", ".inc", ".c", ".cc", ".cpp", ".cu",
    ".cmake", ".txt", ".md", ".rst", ".json", ".yaml", ".yml", ".toml", ".html", ".css", ".js",
    ".png", ".svg", ".gif", ".jpg", ".pxd", ".pyx", ".typed", ".ipynb", ".xml", ".cfg", ".ini",
    ".csv", ".ptl", ".npy", ".npz", ".gz", ".zip", ".f90", ".mod",
)  # fmt: skip


_LIBRARY_NAME = re.compile(r"\.so(?:\.[0-9]+)*$")


def is_library_name(path: str) -> bool:
    """Whether a file is named like a shared object: ``libz.so``, ``libz.so.1.2``."""
    return _LIBRARY_NAME.search(path) is not None


@dataclass(frozen=True, slots=True)
class Subject:
    """One file to resolve: its member, the name to show, and what it was named as part of."""

    member: Member
    name: str
    container: str
    listed: bool  # named by the user, and not one of many in an archive or a directory
    asked: Asked = AS_NAMED


@dataclass(frozen=True, slots=True)
class Target:
    """One thing asked about: the source, what comes before its paths in the process, and the path.

    ``path`` is None for every file of the source; ``asked`` says how the process names the file.
    """

    given: str
    source: Source
    base: str
    path: str | None
    asked: Asked = AS_NAMED
