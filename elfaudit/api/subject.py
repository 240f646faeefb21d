"""What is asked about: a target as it is given, and each file of it that is resolved."""

from __future__ import annotations

from dataclasses import dataclass

from ..loader import AS_NAMED, Asked
from ..sources import Member, Source

__all__ = ["Subject", "Target"]


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
