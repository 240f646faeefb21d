"""Whether a module can be imported at all: what it imports from its own package must be there.

Only imports that are carried out whenever the module is count, and those of the modules that they
import, and of the packages around them. That modules import each other is normal.
"""

from __future__ import annotations

from collections.abc import Iterator

from .answers import Presence, Refusal, missing
from .asking import ask, target_of
from .modules import Module, Modules
from .surface import Grade, Imported

__all__ = ["refusal_of"]


def refusal_of(modules: Modules, module: str) -> Refusal | None:
    """Why importing a module fails; None where nothing says so.

    What is found out of other modules on the way is kept in ``modules.refusals``.
    """
    known = modules.refusals
    if module in known:
        return known[module]
    seen: dict[str, str] = {}  # to the module that imports it
    pending = [(name, "") for name in reversed(_with_packages(module))]
    while pending:
        name, importer = pending.pop()
        found = modules.find(name)
        if name in seen or found is None:
            continue
        seen[name] = importer
        refusal = known[name] if name in known else _own(modules, found)
        if refusal is not None:
            known[module] = refusal
            while name:  # whoever imports what fails, fails
                known[name] = refusal
                name = seen[name]
            return refusal
        if name not in known:
            pending += [(each, name) for each in reversed(list(_needed(modules, found)))]
    known.update(dict.fromkeys(seen))
    return None


def _with_packages(module: str) -> list[str]:
    """A module after the packages that it is in, which are imported before it."""
    parts = module.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _own(modules: Modules, module: Module) -> Refusal | None:
    """The first import of a module that fails."""
    surface = modules.surface(module)
    if surface.problem is not None and module.path.endswith(".py"):
        return Refusal(module.path, 0, f"it {surface.problem}", is_sure=False)
    for target, imported in _plain(modules, module):
        if target is None:
            problem = "the dots lead above the package"
            return Refusal(module.path, imported.line, problem)
        answer = ask(modules, target, imported.name)
        if answer.status is Presence.ABSENT:
            name = imported.name if modules.find(target) is not None else None
            return Refusal(module.path, imported.line, missing(target, name, answer))
    if surface.raises:
        return Refusal(module.path, surface.raises, "the module always raises an exception there")
    return None


def _needed(modules: Modules, module: Module) -> Iterator[str]:
    """The modules of its package that are imported with a module."""
    for target, imported in _plain(modules, module):
        found = modules.find(target or "")
        if target is None or found is None:
            continue
        yield from _with_packages(target)
        if imported.name is not None and imported.name not in modules.surface(found).bound:
            yield f"{target}.{imported.name}"


def _plain(modules: Modules, module: Module) -> Iterator[tuple[str | None, Imported]]:
    """What a module always imports from its own package, with the module in full."""
    for imported in modules.surface(module).imports:
        target = target_of(module, imported)
        if imported.grade is not Grade.PLAIN:
            continue
        if target is None or target.partition(".")[0] == module.name.partition(".")[0]:
            yield target, imported
