"""What changed of what Python code can import: modules, and the public names in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity

__all__ = ["changed_modules"]


def changed_modules(
    old: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]
) -> Iterator[BuildChange]:
    """The changes of the import surface.

    Args:
        old: the public names of each module, as they were; only modules of which all are known.
        new: as they are.

    A module or name is private where a part of it begins with ``_`` (PEP 8).
    """
    gone = sorted(module for module in old if module not in new)
    come = sorted(module for module in new if module not in old)
    if gone:
        text = f"has {_count(len(gone), 'module')} no more"
        yield BuildChange(Aspect.MODULES_LOST, _severity(gone), text, tuple(map(ChangedItem, gone)))
    if come:
        text = f"has {_count(len(come), 'module')} more"
        items = tuple(map(ChangedItem, come))
        yield BuildChange(Aspect.MODULES_GAINED, ChangeSeverity.HARMLESS, text, items)
    both = sorted(module for module in old if module in new)
    lost = [f"{module}.{name}" for module in both for name in sorted(old[module] - new[module])]
    won = [f"{module}.{name}" for module in both for name in sorted(new[module] - old[module])]
    if lost:
        text = f"has {_count(len(lost), 'public name')} no more"
        yield BuildChange(Aspect.NAMES_LOST, _severity(lost), text, tuple(map(ChangedItem, lost)))
    if won:
        text = f"has {_count(len(won), 'public name')} more"
        items = tuple(map(ChangedItem, won))
        yield BuildChange(Aspect.NAMES_GAINED, ChangeSeverity.HARMLESS, text, items)


def _severity(names: list[str]) -> ChangeSeverity:
    """Breaking if one of them is public by its name."""
    private = all(any(part.startswith("_") for part in name.split(".")) for name in names)
    return ChangeSeverity.NOTABLE if private else ChangeSeverity.BREAKING


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
