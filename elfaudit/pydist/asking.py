"""Whether an import would find what it names: by the facts of the modules, nothing is imported.

Source: ``_handle_fromlist`` (``Lib/importlib/_bootstrap.py``): a name of ``from package import
name`` is an attribute of the package, else its submodule. ``import_from`` and ``import_all_from``
(``Python/ceval.c``): a star import gets what ``__all__`` states, by ``getattr``, or else what is in
the namespace.
"""

from __future__ import annotations

import types
import unicodedata

from .answers import Answer, Presence
from .effects import Effects
from .modules import Module, Modules
from .resolving import absolute
from .star_names import star_names
from .surface import Imported, Surface

__all__ = ["ask", "target_of"]

# What every module has without binding it.
_ALWAYS = frozenset(
    (*dir(types.ModuleType), *vars(types.ModuleType("m")), "__file__", "__cached__", "__builtins__")
)
_MOST_HOMES = 5
_MOST_COMPARED = 200  # what more modules define says nothing of where a name went
_PRESENT, _ABSENT = Answer(Presence.PRESENT), Answer(Presence.ABSENT)


def ask(modules: Modules, module: str, name: str | None) -> Answer:
    """Whether ``import module``, or ``from module import name``, finds something."""
    module = unicodedata.normalize("NFKC", module)
    found = modules.find(module)
    if found is None:
        return _without_module(modules, module, name)
    if name is None:
        problem = modules.surface(found).problem
        parsed = problem is None or not found.path.endswith(".py")
        return _PRESENT if parsed else Answer(Presence.UNDECIDED, f"{found.path} {problem}")
    try:
        if name == "*":
            return _Asking(modules).star_is_whole(found)
        return _Asking(modules).name(found, unicodedata.normalize("NFKC", name), homes=True)
    except RecursionError:
        return Answer(Presence.UNDECIDED, f"{module} imports * through too many modules")


def target_of(importer: Module, imported: Imported) -> str | None:
    """The module that an import names, in full; None where the dots lead above the package."""
    return absolute(importer.name, imported.level, imported.module, is_package=importer.is_package)


def _without_module(modules: Modules, module: str, name: str | None) -> Answer:
    """A module without a file: perhaps made by another one when that runs."""
    top = module.partition(".")[0]
    made = modules.effects(top).module(module)
    if made is not None:
        known = made.status is Presence.PRESENT and name is not None
        return Answer(Presence.UNDECIDED, made.reason) if known else made
    parent = module.rpartition(".")[0]
    while parent:
        found = modules.find(parent)
        if found is not None:
            surface = modules.surface(found)
            if may := surface.problem or surface.replaced or surface.open_path:
                return Answer(Presence.UNDECIDED, f"{parent} may make it: {may}")
            break
        parent = parent.rpartition(".")[0]
    if modules.find(top) is None and (elsewhere := _elsewhere(modules, top)):
        return Answer(Presence.UNDECIDED, elsewhere)
    return Answer(Presence.ABSENT, homes=_homes_of_module(modules, module, name))


def _elsewhere(modules: Modules, top: str) -> str:
    """Why a package may be outside of the import roots; empty if nothing says so."""
    for file in modules.path_files:
        if file.directories:
            return f"{file.name} adds {file.directories[0]} to the path"
        for name in file.imports:
            finder = modules.find(name)
            known = () if finder is None else modules.surface(finder).constants.values()
            if any(isinstance(each.value, dict) and top in each.value for each in known):
                return f"{file.name} imports {name}, which finds {top} elsewhere"
    return ""


class _Asking:
    """One question, which may lead through star imports of many modules."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._seen: set[tuple[str, str]] = set()

    def name(self, module: Module, name: str, *, homes: bool = False) -> Answer:
        """Whether ``from module import name`` finds it."""
        modules, surface = self._modules, self._modules.surface(module)
        answer = self._bound(module, surface, name)
        if answer is not None and answer.status is Presence.PRESENT:
            return answer
        submodule = f"{module.name}.{name}"
        if module.is_package and modules.find(submodule) is not None:
            return _PRESENT
        if answer is not None:
            return answer
        if surface.problem is not None:
            return Answer(Presence.UNDECIDED, f"{module.name}: {surface.problem}")
        answer = self._starred(module, surface, name)
        if answer.status is Presence.PRESENT:
            return answer
        lazy = surface.lazy
        if lazy is not None and name in lazy.names:
            return Answer(Presence.PRESENT, "by __getattr__")
        effects = self._effects(module)
        others = [each for each in (effects.name(module.name, name), effects.module(submodule))
                  if each is not None]  # fmt: skip
        if certain := [each for each in others if each.status is Presence.PRESENT]:
            return certain[0]
        doubt = answer.reason or self._doubt(module, surface)
        if doubt := doubt or next((each.reason for each in others), ""):
            return Answer(Presence.UNDECIDED, doubt)
        return Answer(Presence.ABSENT, homes=_homes(modules, module, name) if homes else ())

    def _bound(self, module: Module, surface: Surface, name: str) -> Answer | None:
        """Whether the module itself binds it; None: it does not."""
        if name not in surface.bound and name not in _ALWAYS:
            return Answer(Presence.PRESENT) if name == "__path__" and module.is_package else None
        if surface.replaced is not None:
            return Answer(Presence.UNDECIDED, f"{module.name}, {surface.replaced}")
        if name in surface.unsure:
            return Answer(Presence.UNDECIDED, f"{module.name} may delete it")
        return _PRESENT

    def _doubt(self, module: Module, surface: Surface) -> str:
        """Why a module may have a name that is not seen; empty if it cannot."""
        if surface.lazy is not None and not surface.lazy.complete:
            return f"{module.name} has a __getattr__ that computes names"
        may = surface.computed or surface.replaced
        if may is None and module.is_package:
            may = surface.open_path
        if may is not None:
            return f"{module.name}, {may}"
        return self._filled(module, surface)

    def _filled(self, module: Module, surface: Surface) -> str:
        """Why something that a module imports may fill it; empty if it cannot."""
        for position in surface.origins.values():
            other = self._modules.find(target_of(module, surface.imports[position]) or "")
            fills = None if other is None else self._modules.surface(other).fills_others
            if other is not None and fills is not None:
                return f"{module.name} imports {other.name}, which may fill it: {fills}"
        return ""

    def _starred(self, module: Module, surface: Surface, name: str) -> Answer:
        """Whether one of the star imports of a module brings a name; with a reason for doubt."""
        doubt = ""
        if surface.stars and not self._modules.called(module.name.partition(".")[0], name):
            names = star_names(self._modules, module.name)
            if names is not None and name not in names:
                return _ABSENT
        for position in surface.stars if name not in surface.deleted else ():
            answer = self._star(module, surface.imports[position], name)
            if answer.status is Presence.PRESENT:
                return answer
            doubt = doubt or answer.reason
        return Answer(Presence.UNDECIDED, doubt) if doubt else _ABSENT

    def _star(self, importer: Module, imported: Imported, name: str) -> Answer:
        """Whether ``from module import *`` brings a name."""
        target = target_of(importer, imported)
        found = None if target is None else self._modules.find(target)
        if target is None or found is None:
            where = target or imported.module or "above the package"
            reason = f"{importer.name} imports * from {where}"
            if target is not None and self._modules.find(target.partition(".")[0]) is not None:
                made = _without_module(self._modules, target, None)
                if made.status is Presence.ABSENT:  # then the import itself fails
                    return _ABSENT
                reason += f": {made.reason}" if made.reason else ""
            return Answer(Presence.UNDECIDED, reason)
        if (found.name, name) in self._seen:
            return _ABSENT
        self._seen.add((found.name, name))
        stated = self._modules.surface(found).all_names
        return self._public(found, name) if stated is None else self._of_all(found, name)

    def _public(self, module: Module, name: str) -> Answer:
        """What a star import gets of a module without ``__all__``: what is in its namespace."""
        surface = self._modules.surface(module)
        if surface.lazy is not None and "__all__" in surface.lazy.names:
            return Answer(Presence.UNDECIDED, f"{module.name} computes its __all__")
        if not name.startswith("_"):
            if (answer := self._bound(module, surface, name)) is not None:
                return answer
            answer = self._starred(module, surface, name)
            if answer.status is Presence.PRESENT:
                return answer
            submodule = f"{module.name}.{name}"
            if module.is_package and self._modules.find(submodule) is not None:
                if self._imports(module, submodule):
                    return _PRESENT
                reason = f"{submodule} is there once something has imported it"
                return Answer(Presence.UNDECIDED, reason)
            if answer.reason:
                return answer
        doubt = self._namespace_doubt(module, surface, name) or self._all_doubt(module, surface)
        return Answer(Presence.UNDECIDED, doubt) if doubt else _ABSENT

    def _namespace_doubt(self, module: Module, surface: Surface, name: str) -> str:
        """Why a namespace may have a name that is not seen; empty if it cannot."""
        if surface.problem is not None:
            return f"{module.name}: {surface.problem}"
        if name.startswith("_"):
            return ""
        if may := surface.computed or surface.replaced:
            return f"{module.name}, {may}"
        effect = self._effects(module).name(module.name, name)
        return "" if effect is None else effect.reason

    def _all_doubt(self, module: Module, surface: Surface) -> str:
        """Why a module may have another ``__all__`` than is seen; empty if it cannot."""
        effect = self._effects(module).name(module.name, "__all__")
        return self._filled(module, surface) if effect is None else effect.reason

    def _effects(self, module: Module) -> Effects:
        return self._modules.effects(module.name.partition(".")[0])

    def _imports(self, module: Module, submodule: str) -> bool:
        """Whether a package imports one of its modules, which makes that an attribute of it."""
        for imported in self._modules.surface(module).imports:
            target = target_of(module, imported) or ""
            if f"{target}.".startswith(f"{submodule}.") or (
                target == module.name and f"{target}.{imported.name}" == submodule
            ):
                return True
        return False

    def _of_all(self, module: Module, name: str) -> Answer:
        """What a star import gets of a module with ``__all__``."""
        known, doubt = self._is_stated(module, name)
        if known:
            return self.name(module, name)
        surface = self._modules.surface(module)
        if not doubt and name in surface.bound:
            doubt = self._all_doubt(module, surface)
        if not doubt:
            return _ABSENT
        answer = self.name(module, name)
        return answer if answer.status is Presence.PRESENT else Answer(Presence.UNDECIDED, doubt)

    def _is_stated(self, module: Module, name: str) -> tuple[bool, str]:
        """Whether ``__all__`` states a name; if not, why it may all the same."""
        pending, seen, doubt = [module], set[str](), ""
        while pending:
            each = pending.pop()
            stated = self._modules.surface(each).all_names
            seen.add(each.name)
            if stated is None:
                continue
            if name in stated.names:
                return True, ""
            if not stated.complete:
                doubt = f"{each.name} computes its __all__"
            for other in stated.of_modules:
                inner = self._modules.find(f"{each.name}.{other}") or self._imported(each, other)
                if inner is None:
                    doubt = f"{each.name} adds {other}.__all__ to its own"
                elif inner.name not in seen:
                    pending.append(inner)
        return False, doubt

    def _imported(self, module: Module, name: str) -> Module | None:
        """The module that a name in a module stands for."""
        surface = self._modules.surface(module)
        position = surface.origins.get(name)
        if position is None:
            return None
        imported = surface.imports[position]
        target = target_of(module, imported)
        if target is None or imported.name is None:
            return self._modules.find(target or "")
        return self._modules.find(f"{target}.{imported.name}" if target else imported.name)

    def star_is_whole(self, module: Module) -> Answer:
        """Whether ``from module import *`` works: all that ``__all__`` states is there."""
        stated = self._modules.surface(module).all_names
        if stated is not None and stated.wrong is not None:
            return Answer(Presence.ABSENT, f"its __all__ states {stated.wrong}, which is no text")
        for name in sorted(stated.names) if stated is not None and stated.complete else ():
            answer = self.name(module, name)
            if answer.status is Presence.ABSENT:
                return Answer(Presence.ABSENT, f"its __all__ states {name}, which it does not have",
                              _homes(self._modules, module, name))  # fmt: skip
        return _PRESENT


def _homes_of_module(modules: Modules, module: str, name: str | None) -> tuple[str, ...]:
    """Where a module may have gone: those of its name, that bind what is wanted of it."""
    top = module.partition(".")[0]
    called = modules.called(top, module.rpartition(".")[2])
    if name is None or name == "*":
        return tuple(called[:_MOST_HOMES])
    found = ((each, modules.find(each)) for each in called[:_MOST_COMPARED])
    having = [each for each, module in found if module and name in modules.surface(module).defined]
    return tuple(having[:_MOST_HOMES])


def _homes(modules: Modules, module: Module, name: str) -> tuple[str, ...]:
    """The modules of the same package that define a name, the nearest first."""
    parts = module.name.split(".")
    found = modules.homes(parts[0], name)
    if len(found) > _MOST_COMPARED:
        return ()

    def distance(other: str) -> tuple[int, int, str]:
        others = other.split(".")
        common = next(
            (n for n, (a, b) in enumerate(zip(parts, others, strict=False)) if a != b),
            min(len(parts), len(others)),
        )
        return (-common, len(others), other)

    return tuple(sorted(set(found) - {module.name}, key=distance)[:_MOST_HOMES])
