"""Which modules can be imported no more, and whose names may differ, for what others do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..pydist import Module, Modules, Refusal
from ..pydist.asking import target_of

__all__ = ["by_cause", "no_more", "star_importers"]


def by_cause(
    names: Iterable[str], refusal: Callable[[str], Refusal | None]
) -> dict[Refusal, list[str]]:
    """The modules that cannot be imported, by the statement that fails.

    The outermost come first, of these the one that the statement is in.

    Args:
        names: of modules.
        refusal: why a module cannot be imported; None where nothing says so.
    """
    found: dict[Refusal, list[str]] = {}
    for name in names:
        why = refusal(name)
        if why is not None:
            found.setdefault(why, []).append(name)
    return {why: _own_first(why, refused) for why, refused in found.items()}


def _own_first(why: Refusal, names: list[str]) -> list[str]:
    own = why.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return sorted(names, key=lambda name: (name.count("."), name != own, name))


def no_more(
    causes: Mapping[Refusal, Sequence[str]], could: Callable[[str], bool]
) -> dict[str, str]:
    """One module for each cause, the outermost that it is news for, and the cause.

    Args:
        causes: as of :func:`by_cause`.
        could: whether a module could be imported before.
    """
    found = {}
    for refusal, names in causes.items():
        first = next((name for name in names if could(name)), None)
        if first is not None:
            found[first] = _reason(refusal, len(names) - 1)
    return found


def _reason(refusal: Refusal, others: int) -> str:
    nouns = "module" if others == 1 else "modules"
    more = f"; nor can {others:,} other {nouns}" if others else ""
    return f"{refusal.file}:{refusal.line}: {refusal.problem}{more}"


def star_importers(
    modules: Modules, among: Iterable[Module], changed: Iterable[str]
) -> frozenset[str]:
    """The modules that a star import leads to one that changed, through others or not."""
    importers: dict[str, list[str]] = {}
    for module in among:
        surface = modules.surface(module)
        for position in surface.stars:
            target = target_of(module, surface.imports[position])
            if target is not None:
                importers.setdefault(target, []).append(module.name)
    pending, found = list(changed), set[str]()
    while pending:
        more = [name for name in importers.get(pending.pop(), ()) if name not in found]
        found.update(more)
        pending += more
    return frozenset(found)
