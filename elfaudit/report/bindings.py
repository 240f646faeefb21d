"""References and who supplies them, as text: what ``LD_DEBUG=bindings`` says, and what it hides."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..findings import Resolution
from ..loader import Binding, Bindings, LinkMapEntry, Status
from .style import Style, clean

__all__ = ["binding_lines", "chosen_bindings"]

_LOOKS = {Status.UNRESOLVED: ("red",), Status.UNDECIDED: ("yellow",), Status.ASSUMED: ("yellow",)}


def chosen_bindings(
    resolution: Resolution, pattern: re.Pattern[str] | None, *, every: bool
) -> Iterator[Binding]:
    """The bindings of the file asked about, names sorted.

    Args:
        resolution: the file.
        pattern: what the name must have in it; None: all.
        every: whether those of all other objects of the process are wanted too.
    """
    bindings, subject = resolution.bindings, resolution.link_map.subject
    for binding in bindings if every else bindings.of_object(subject):
        if pattern is None or pattern.search(binding.name):
            yield binding


def binding_lines(
    resolution: Resolution, pattern: re.Pattern[str] | None, style: Style
) -> Iterator[str]:
    """``symbol@VERSION  user -> provider  (copied)  shadows libother.so``, a line at a time."""
    for binding in chosen_bindings(resolution, pattern, every=style.verbose):
        yield _line(binding, resolution.bindings, style)


def _line(binding: Binding, bindings: Bindings, style: Style) -> str:
    version = f"@{binding.version}" if binding.version else ""
    name = style.words(binding.name) + clean(version)
    if binding.provider is not None:
        target = _label(binding.provider)
    else:
        target = style.paint(binding.status.value, *_LOOKS.get(binding.status, ("dim",)))
    notes = [word for word, on in (("lazy", binding.lazy), ("copied", binding.copied)) if on]
    shadowed = bindings.shadowed(binding) if binding.provider is not None else ()
    others = f"  shadows {', '.join(map(_label, shadowed))}" if shadowed else ""
    how = f"  ({', '.join(notes)})" if notes else ""
    return f"{name}  {_label(binding.reference)} -> {target}{how}{others}"


def _label(entry: LinkMapEntry) -> str:
    return clean(entry.label.rpartition("/")[2])
