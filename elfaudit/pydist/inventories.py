"""What else there is to say of a module: its public names, the value of a constant."""

from __future__ import annotations

from .answers import Inventory, Literal, Presence
from .asking import ask, target_of
from .modules import Modules
from .surface import Surface

__all__ = ["inventory", "literal"]


def inventory(modules: Modules, module: str) -> Inventory:
    """The public names of a module, those of its star imports included."""
    names: set[str] = set()
    complete, pending, seen = True, [module], set[str]()
    while pending:
        each = pending.pop()
        found = modules.find(each)
        if each in seen or found is None:
            complete = complete and found is not None
            continue
        seen.add(each)
        surface = modules.surface(found)
        stated = surface.all_names if each != module else None
        if stated is not None and stated.complete and not stated.of_modules:
            names |= stated.names
            continue
        certain = surface.bound - surface.unsure
        names |= {name for name in certain if not name.startswith("_")}
        doubts = (surface.problem, surface.computed, surface.replaced, stated)
        complete = complete and not surface.unsure and not any(doubts)
        pending += [target_of(found, surface.imports[each]) or "" for each in surface.stars]
    top = modules.find(module)
    lazy = None if top is None else modules.surface(top).lazy
    if lazy is not None:
        names |= {name for name in lazy.names if not name.startswith("_")}
    return Inventory(frozenset(names), complete and (lazy is None or lazy.complete))


def literal(modules: Modules, module: str, name: str) -> Literal:
    """The value of a constant."""
    found = modules.find(module)
    if found is None:
        return Literal(Presence.ABSENT, reason=f"there is no module {module}")
    surface: Surface = modules.surface(found)
    if surface.problem is not None:
        return Literal(Presence.UNDECIDED, reason=f"{found.path} {surface.problem}")
    if name in surface.unsure or surface.replaced is not None:
        return Literal(Presence.UNDECIDED, reason=ask(modules, module, name).reason)
    constant = surface.constants.get(name)
    if constant is None or name not in surface.bound:
        if ask(modules, module, name).status is Presence.ABSENT:
            return Literal(Presence.ABSENT, reason=f"{module} has no {name}")
        return Literal(Presence.UNDECIDED, reason="it is not assigned in the module")
    if constant.problem is not None:
        return Literal(Presence.UNDECIDED, reason=constant.problem)
    return Literal(Presence.PRESENT, constant.value)
