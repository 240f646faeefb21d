"""The link map as a tree: who loads whom, and why that file stands for that name."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Resolution
from ..loader import LinkMap, LinkMapEntry, Origin
from .naming import Naming, naming_of
from .rows import FileRow, found_by
from .style import Style, clean, shorten_path
from .table import verdict_lines

__all__ = ["tree_report"]


def tree_report(resolution: Resolution, style: Style) -> str:
    """One file: the verdict, then everything it loads, below whoever asked for it first.

    Each library is shown in full where it is loaded; wherever else it is asked for, it is marked
    as loaded already.
    """
    row = FileRow.of(resolution)
    if style.quiet and not row.findings:
        return ""
    lines = list(verdict_lines(row, style))
    if not style.quiet:
        lines += ["", *_Tree(resolution.link_map, style, naming_of([row])).lines()]
    return "\n".join(lines)


class _Tree:
    """The lines of one link map."""

    def __init__(self, link_map: LinkMap, style: Style, naming: Naming) -> None:
        self._map = link_map
        self._style = style
        self._naming = naming
        self._subject = link_map.subject
        self._host = link_map.host
        # What the program of another process brought with it is not below the subject.
        self._with_program = frozenset(link_map.global_scope if self._host is not None else ())
        self._told: set[LinkMapEntry] = set()

    def lines(self) -> Iterator[str]:
        yield from self._below(self._subject)
        preloaded = [e for e in self._map.entries if e.preloaded]
        for entry in preloaded:
            yield from self._below(entry)
        if self._host is not None and self._style.verbose:
            yield from self._below(self._host)

    def _below(self, root: LinkMapEntry) -> Iterator[str]:
        """A root and what it brought in, without recursion: a chain of libraries can be long."""
        yield self._text(root, "", repeated=False)
        stack = [(iter(self._children(root)), "")]
        while stack:
            children, prefix = stack[-1]
            child = next(children, None)
            if child is None:
                stack.pop()
                continue
            entry, last, repeated = child
            yield self._text(entry, prefix + ("└── " if last else "├── "), repeated=repeated)
            if not repeated:
                below = prefix + ("    " if last else "│   ")
                stack.append((iter(self._children(entry)), below))

    def _children(self, parent: LinkMapEntry) -> list[tuple[LinkMapEntry, bool, bool]]:
        """(entry, whether it is the last, whether it was loaded by somebody else) in order."""
        children = self._map.edges.get(parent, ())
        return [
            (child, number == len(children), self._is_told(child, parent))
            for number, child in enumerate(children, 1)
        ]

    def _is_told(self, child: LinkMapEntry, parent: LinkMapEntry) -> bool:
        """Whether an object is told of elsewhere: where it was asked for first."""
        if child.loader is None or not child.loader.supposed or child.preloaded:
            return child.loader is not parent
        told = child in self._told
        self._told.add(child)
        return told

    def _text(self, entry: LinkMapEntry, prefix: str, *, repeated: bool) -> str:
        style = self._style
        name = clean(entry.name)
        if not repeated and entry.loader is None and not entry.missing:
            return prefix + style.paint(
                shorten_path(clean(self._naming.name(entry.display)), style.columns), "bold"
            )
        if entry.missing:
            looks = ("red", "bold") if entry.origin is Origin.MISSING else ("yellow",)
            return prefix + style.paint(f"{name} => {entry.origin.value}", *looks)
        if not repeated:
            reason = found_by(entry, self._map)
            # Whose RUNPATH it is can be seen: it is always the one above.
            short = found_by(entry, self._map, owned=entry.origin is not Origin.RUNPATH)
            return self._found(prefix + name, entry, reason, short)
        if entry in self._with_program and self._host is not None:
            program = clean(self._host.label.rpartition("/")[2])
            reason = f"already loaded with {program}"
            return self._found(prefix + name, entry, reason, reason)
        return prefix + style.paint(f"{name} [already loaded]", "dim")

    def _found(self, head: str, entry: LinkMapEntry, reason: str, short: str) -> str:
        """One that was found, with the reason; with the short one where the line is too narrow."""
        reason = clean(f"[{reason}]")
        room = self._style.columns - len(head) - len(reason) - 5
        if room < len(entry.name):
            room += len(reason)
            reason = clean(f"[{short}]")
            room -= len(reason)
        path = shorten_path(clean(self._naming.name(entry.display)), max(room, 0))
        return f"{head} => {path} {self._style.paint(reason, 'dim')}"
