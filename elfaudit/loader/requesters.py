"""Who asks for a library, and what hangs on that: ``$ORIGIN``, RPATH, DF_1_NODEFLIB.

Source: ``_dl_map_object`` (glibc ``elf/dl-load.c``), which walks the loaders of the one that asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..elf import Flags1
from .linkmap import LinkMapEntry

__all__ = ["no_defaults", "origin_of", "rpath_owners"]


def origin_of(entry: LinkMapEntry | None) -> str | None:
    """``$ORIGIN``: the path by which an object was opened without its name and one slash."""
    if entry is None or entry.path is None:
        return None
    return entry.path.rpartition("/")[0] or "/"


def no_defaults(user: LinkMapEntry | None) -> bool:
    """Whether an object does without the directories built into the loader (DF_1_NODEFLIB)."""
    dynamic = user.elf.dynamic if user is not None and user.elf is not None else None
    return dynamic is not None and Flags1.NODEFLIB in dynamic.flags_1


def rpath_owners(
    requester: LinkMapEntry | None, program: LinkMapEntry | None
) -> Iterator[LinkMapEntry]:
    """The requester, whoever loaded it, and so on; then the main program."""
    seen_program = False
    entry = requester
    while entry is not None:
        seen_program = seen_program or entry is program
        yield entry
        entry = entry.loader
    if program is not None and not seen_program:
        yield program
