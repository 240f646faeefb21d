"""What changed of what Python code can import: modules, and the public names in them.

What is public: PEP 8, "Public and internal interfaces": what ``__all__`` states, else names without
an underscore in front; "imported names should always be considered an implementation detail", but
for "a package's __init__ module that exposes functionality from submodules".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, counted

__all__ = ["ModuleDifference", "Standing", "changed_modules", "difference_of_names", "is_public"]

_BREAKING, _NOTABLE, _HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)


class Standing(Enum):
    """What a name of a module is to those who import it."""

    PUBLIC = "public"  # defined there, or shown by a package, or stated in __all__
    PASSED_ON = "passed on"  # imported from the same package into another module of it
    STARRED = "starred"  # still there, and not in __all__ any more
    INTERNAL = "internal"  # imported from elsewhere, or in a private module


_NOUNS = {Standing.PUBLIC: "public name", Standing.INTERNAL: "internal name"}


@dataclass(frozen=True, slots=True)
class ModuleDifference:
    """How the modules of two builds differ.

    Attributes:
        lost: modules that are gone.
        loose: those of them that were importable only with their directory on the path.
        gained: new ones.
        broken: modules that Python cannot import any more, and why.
        broken_new: new modules that Python cannot import, and why.
        doubtful: those that are not looked into any more, and why.
        unread: those that could not be looked into before, and why.
        names_lost: full names, by what they were.
        names_gained: full names.
        untold: full names that may be gone, of modules that compute names now.
    """

    lost: Sequence[str] = ()
    loose: frozenset[str] = frozenset()
    gained: Sequence[str] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    broken_new: Mapping[str, str] = field(default_factory=dict)
    doubtful: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    names_lost: Mapping[Standing, Sequence[str]] = field(default_factory=dict)
    names_gained: Sequence[str] = ()
    untold: Sequence[str] = ()


def is_public(module: str) -> bool:
    """Whether others may count on a module by its name: no part is private, or of tests.

    Source: PEP 8; what pytest and unittest take for tests by default.
    """
    return not any(
        (part.startswith("_") and part != "__main__")
        or part in ("tests", "conftest")
        or part.startswith("test_")
        for part in module.split(".")
    )


def difference_of_names(
    old: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]
) -> ModuleDifference:
    """The difference of modules of which somebody knows the public names.

    Args:
        old: the public names of each module, as they were; only modules of which all are known.
        new: as they are.
    """
    both = [module for module in old if module in new]
    lost: dict[Standing, list[str]] = {}
    for module in both:
        standing = Standing.PUBLIC if is_public(module) else Standing.INTERNAL
        names = (name for name in old[module] - new[module])
        lost.setdefault(standing, []).extend(f"{module}.{name}" for name in names)
    return ModuleDifference(
        lost=[module for module in old if module not in new],
        gained=[module for module in new if module not in old],
        names_lost=lost,
        names_gained=[f"{module}.{name}" for module in both for name in new[module] - old[module]],
    )


def changed_modules(found: ModuleDifference) -> Iterator[BuildChange]:
    """The changes of the import surface."""
    yield from _modules_lost(found)
    yield from _not_importable(found)
    yield from _names_lost(found)
    if found.untold:
        modules = len({name.rpartition(".")[0] for name in found.untold})
        compute = "1 module computes its" if modules == 1 else f"{modules:,} modules compute their"
        text = f"may have {counted(len(found.untold), 'public name')} no more: {compute} names"
        yield BuildChange(Aspect.NAMES_UNTOLD, _NOTABLE, text, _items(found.untold))
    for aspect, names, noun in (
        (Aspect.MODULES_GAINED, found.gained, "module"),
        (Aspect.NAMES_GAINED, found.names_gained, "public name"),
    ):
        if names:
            text = f"has {counted(len(names), noun)} more"
            yield BuildChange(aspect, _HARMLESS, text, _items(names))


def _modules_lost(found: ModuleDifference) -> Iterator[BuildChange]:
    public = [name for name in found.lost if is_public(name)]
    rows = (
        (_BREAKING, [name for name in public if name not in found.loose], "module"),
        (_NOTABLE, [name for name in public if name in found.loose], "file of Python code"),
        (_HARMLESS, [name for name in found.lost if not is_public(name)], "private module"),
    )
    for severity, names, noun in rows:
        if names:
            nouns = "files of Python code" if noun.startswith("file") else f"{noun}s"
            count = f"1 {noun}" if len(names) == 1 else f"{len(names):,} {nouns}"
            text = f"has {count} no more"
            yield BuildChange(Aspect.MODULES_LOST, severity, text, _items(names))


def _not_importable(found: ModuleDifference) -> Iterator[BuildChange]:
    rows = (
        (_BREAKING, found.broken, "module", "cannot be imported any more"),
        (_NOTABLE, found.doubtful, "module", "cannot be looked into any more"),
        (_NOTABLE, found.unread, "module", "could not be looked into before"),
        (_NOTABLE, found.broken_new, "new module", "cannot be imported"),
    )
    for severity, modules, noun, what in rows:
        if modules:
            text = f"has {counted(len(modules), noun)} that {what}"
            items = tuple(
                ChangedItem(name, None, None, modules[name])
                for name in sorted(modules, key=_outermost)
            )
            yield BuildChange(Aspect.MODULES_BROKEN, severity, text, items)


def _names_lost(found: ModuleDifference) -> Iterator[BuildChange]:
    for standing, severity, text in (
        (Standing.PUBLIC, _BREAKING, "has {} no more"),
        (
            Standing.PASSED_ON,
            _NOTABLE,
            "has {} no more where they were merely imported from the package",
        ),
        (Standing.STARRED, _NOTABLE, "has {} in __all__ no more, which import * brought"),
        (Standing.INTERNAL, _HARMLESS, "has {} no more"),
    ):
        names = found.names_lost.get(standing, ())
        if names:
            count = counted(len(names), _NOUNS.get(standing, "name"))
            yield BuildChange(Aspect.NAMES_LOST, severity, text.format(count), _items(names))


def _items(names: Iterable[str]) -> tuple[ChangedItem, ...]:
    return tuple(map(ChangedItem, sorted(names, key=_outermost)))


def _outermost(name: str) -> tuple[int, str]:
    """Sorts what stands in fewer packages first: it is what most people see."""
    return name.count("."), name
