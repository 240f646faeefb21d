"""Which modules can be imported no more, and whose names may differ, for what others do."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from ..pydist import Module, Modules, Refusal
from ..pydist.asking import target_of

__all__ = ["by_cause", "no_more", "star_importers"]


def by_cause(
    refusals: Mapping[str, Refusal], cause: Callable[[Refusal], Hashable]
) -> list[list[str]]:
    """The modules that cannot be imported, together where it is for the same cause.

    The outermost come first, of these those that the statement is in which fails.

    Args:
        refusals: why each cannot be imported.
        cause: what two statements have in common that fail for the same cause.
    """
    found: dict[Hashable, list[str]] = {}
    for name, refusal in refusals.items():
        found.setdefault(cause(refusal), []).append(name)

    def place(name: str) -> tuple[int, bool, str]:
        own = refusals[name].file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return name.count("."), name != own, name

    return [sorted(names, key=place) for names in found.values()]


def no_more(
    causes: Iterable[Sequence[str]],
    refusals: Mapping[str, Refusal],
    could: Callable[[str], bool],
) -> dict[str, str]:
    """One module for each cause, the outermost that it is news for, and why.

    Args:
        causes: as of :func:`by_cause`.
        refusals: likewise.
        could: whether a module could be imported before.
    """
    found = {}
    for names in causes:
        first = next((name for name in names if could(name)), None)
        if first is not None:
            found[first] = _reason(refusals[first], len(names) - 1)
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
