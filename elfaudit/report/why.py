"""Why a name stands for a file: every path that was tried, in order, and what was there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ..findings import Resolution
from ..loader import LinkMapEntry, Outcome
from ..loader.linkmap import path_label
from .rows import found_by
from .style import Style, clean, wrap

__all__ = ["known_names", "why_report"]

_LOOKS = {Outcome.FOUND: ("green",), Outcome.ABSENT: ("dim",)}


def known_names(resolution: Resolution) -> frozenset[str]:
    """The names that :func:`why_report` has an answer to."""
    entries = resolution.link_map.entries
    return frozenset(name for entry in entries for name in _names(entry))


def why_report(resolution: Resolution, library: str, style: Style) -> str:
    """Which file stands for a name in a process, who asked for it, and every path tried for it.

    Args:
        resolution: the process.
        library: a name from DT_NEEDED, a SONAME, a file name or a path.
        style: how to lay it out.

    Returns:
        The text; empty if nothing of the process has to do with the name.
    """
    entries = [e for e in resolution.link_map.entries if library in _names(e)]
    return "\n\n".join("\n".join(_lines(entry, resolution, style)) for entry in entries)


def _names(entry: LinkMapEntry) -> frozenset[str]:
    paths = [name for name in (entry.name, entry.path, entry.display) if name]
    return frozenset((*paths, *map(posixpath.basename, paths), entry.soname))


def _lines(entry: LinkMapEntry, resolution: Resolution, style: Style) -> Iterator[str]:
    link_map = resolution.link_map
    if entry.missing:
        yield style.paint(clean(f"{entry.name}: {entry.origin.value}"), "red", "bold")
    else:
        how = found_by(entry, link_map)
        yield style.paint(clean(f"{entry.name} is {entry.label} ({how})"), "bold")
    every = (user for user, needed in link_map.edges.items() if entry in needed)
    users = [user.label for user in every if not user.supposed]
    if users:
        text = f"asked for by {', '.join(users)}"
        yield wrap(clean(text), style.columns, indent="    ", first="  ")
    if not entry.steps:
        yield "  not searched for: it is what was asked about, or in the process from the start"
    width = len(str(len(entry.steps)))
    for number, step in enumerate(entry.steps, 1):
        owner = f" of {posixpath.basename(step.declared_by)}" if step.declared_by else ""
        detail = f" ({step.detail})" if step.detail else ""
        outcome = style.paint(step.outcome.value + detail, *_LOOKS.get(step.outcome, ("yellow",)))
        rule = f"[{step.origin.value}{clean(owner)}]"
        yield f"  {number:>{width}}. {clean(path_label(step.path))}  {rule}  {outcome}"
