"""All names that the star imports of a module can bring, where nothing about them is in doubt."""

from __future__ import annotations

from .modules import Modules
from .resolving import absolute

__all__ = ["star_names"]

_MOST_KEPT = 200_000  # names, of all modules of which it was asked


def star_names(modules: Modules, module: str) -> frozenset[str] | None:
    """What the modules that a module imports with a star bind, those of their stars included.

    A name that is not among them is brought by none, unless it is a submodule. With many star
    imports between many modules that is found once for all questions, not for each.

    Returns:
        The names; None where a module among them computes some, or is not known.
    """
    kept = modules.star_names
    if module not in kept:
        if sum(len(each or ()) for each in kept.values()) > _MOST_KEPT:
            kept.clear()
        kept[module] = _gathered(modules, module)
    return kept[module]


def _gathered(modules: Modules, module: str) -> frozenset[str] | None:
    names: set[str] = set()
    pending, seen = [module], {module}
    sets = modules.effects(module.partition(".")[0]).sets
    while pending:
        found = modules.find(pending.pop())
        if found is None or found.name.partition(".")[0] != module.partition(".")[0]:
            return None
        surface = modules.surface(found)
        doubts = (surface.problem, surface.computed, surface.replaced, surface.lazy,
                  surface.open_path, found.name in sets)  # fmt: skip
        stated = surface.all_names
        if stated is not None and (not stated.complete or stated.of_modules):
            return None
        if any(doubts) or any(_filling(modules, found.name)):
            return None
        names |= surface.bound | surface.deleted | (stated.names if stated is not None else set())
        for position in surface.stars:
            imported = surface.imports[position]
            target = absolute(
                found.name, imported.level, imported.module, is_package=found.is_package
            )
            if target is not None and target not in seen:
                seen.add(target)
                pending.append(target)
            elif target is None:
                return None
    return frozenset(names)


def _filling(modules: Modules, module: str) -> list[str]:
    """Why what a module imports may fill it."""
    found = modules.find(module)
    if found is None:
        return []
    surface = modules.surface(found)
    reasons: list[str] = []
    for position in surface.origins.values():
        imported = surface.imports[position]
        target = absolute(found.name, imported.level, imported.module, is_package=found.is_package)
        other = modules.find(target or "")
        if other is not None and (fills := modules.surface(other).fills_others) is not None:
            reasons.append(fills)
    return reasons
