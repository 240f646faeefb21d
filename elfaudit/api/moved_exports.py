"""Exports that a library lost to one that it lists: who is linked with it still finds them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..elf import ElfObject
from ..errors import ElfAuditError
from ..findings.changed_exports import without_moved
from ..findings.changes import Aspect, BuildChange, ChangeSeverity, FileDifference
from ..findings.compare import worst
from ..loader.lookup import plain_names
from .compared_builds import ComparedBuild
from .compared_bytes import read_build_file

__all__ = ["with_moved_exports"]

_MOST_LIBRARIES = 200


def with_moved_exports(
    rows: dict[tuple[str | None, str | None], FileDifference], after: ComparedBuild
) -> None:
    """Tell apart, in the rows, what was lost and what is in a library that the new file lists.

    All that a program lists, and what that lists, is one scope (``_dl_map_object_deps``, glibc
    ``elf/dl-deps.c``), and ``dlsym`` looks through the whole of it, too.
    """
    named: dict[str, list[str]] = {}
    for path in (*after.members, *after.links):
        named.setdefault(posixpath.basename(path), []).append(path)
    for key, row in rows.items():
        if row.new is None or not any(map(_is_grave, row.changes)):
            continue
        elsewhere = _exports_of_needed(after, row.new, named)
        changes: list[BuildChange] = []
        for each in row.changes:
            changes += without_moved(each, elsewhere) if _is_grave(each) else (each,)
        rows[key] = replace(row, changes=worst(iter(changes)))


def _is_grave(change: BuildChange) -> bool:
    return change.aspect is Aspect.EXPORTS_LOST and change.severity is ChangeSeverity.BREAKING


def _exports_of_needed(
    build: ComparedBuild, path: str, named: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Each name that a library exports which is listed, directly or not, and that library."""
    exports: dict[str, str] = {}
    pending, seen = [build.reached(path)], set[str]()
    while pending and len(seen) < _MOST_LIBRARIES:
        place = pending.pop(0)
        if place is None or place in seen:
            continue
        elf = read_build_file(build.members[place])
        if isinstance(elf, str):
            continue
        if seen:
            exports = {**dict.fromkeys(_exported(elf), elf.soname or place), **exports}
        seen.add(place)
        folder = posixpath.dirname(place)
        for name in elf.needed:
            places = sorted(named.get(name, ()), key=lambda each: posixpath.dirname(each) != folder)
            pending += map(build.reached, places[:1])
        elf.release()
    return exports


def _exported(elf: ElfObject) -> frozenset[str]:
    try:
        return plain_names(elf.symbols)
    except ElfAuditError:
        return frozenset()
