"""What the Python side of a build is held to: its imports, its public names, its constants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ...checklist.build import Build
from ...pydist import Module, ModuleKind, Presence, ask, inventory, literal
from .draft import Draft

__all__ = ["constant_drafts", "module_drafts"]

_MOST_PACKAGES, _MOST_MODULES, _MOST_NAMES = 40, 40, 120
_FEWER = 0.9  # of the names of a module that has more, or gets them from elsewhere
_FEW = 3
_PYTHON = (ModuleKind.PACKAGE, ModuleKind.SOURCE)
_DATA = re.compile(r"^[^/]+\.data/(purelib|platlib)/")  # of a wheel (PEP 427)
# What is another one in every release.
_CHANGING = re.compile(r"version|commit|git|revision|date|time|tag|^_|build|host", re.IGNORECASE)


def module_drafts(build: Build) -> Iterator[Draft]:
    """The imports of each package, and the names that its public modules have."""
    tops = list(_tops(build))
    for each in tops:
        if each.is_package:
            inside = tuple(replace(_imports(one), expected=False) for one in _inside(build, each))
            yield replace(_imports(each), instead=inside)
    public = [each for each in tops if each.kind in _PYTHON]
    inner = [each for top in tops for each in _public_below(build, top)]
    inner.sort(key=lambda each: -len(_public(build, each)))
    for each in [*public, *inner][:_MOST_MODULES]:
        yield from _names(build, each)


def _imports(module: Module) -> Draft:
    title = f"{module.name} finds what it imports from itself"
    return Draft("imports", module.name, title, {"package": module.name, "all": True})


def _inside(build: Build, top: Module) -> list[Module]:
    """The packages right in a package, the largest first."""
    depth = top.name.count(".") + 1
    below = build.modules.below(top.name)
    found = [each for each in below if each.is_package and each.name.count(".") == depth]
    sizes = {each.name: sum(m.name.startswith(f"{each.name}.") for m in below) for each in found}
    return sorted(found, key=lambda each: -sizes[each.name])[:_MOST_MODULES]


def constant_drafts(build: Build) -> Iterator[Draft]:
    """The constants of ``version`` modules that say how it was built, the version itself aside."""
    for top in _tops(build):
        for last in ("version", "_version"):
            module = build.modules.find(f"{top.name}.{last}")
            if module is None or module.kind is not ModuleKind.SOURCE:
                continue
            for name in sorted(build.modules.surface(module).constants):
                if not _CHANGING.search(name):
                    yield from _constant(build, module.name, name)


def _constant(build: Build, module: str, name: str) -> Iterator[Draft]:
    found = literal(build.modules, module, name)
    if found.status is not Presence.PRESENT:
        return
    asked: dict[str, object] = {"module": module, "name": name}
    if isinstance(found.value, bool):
        shown = f"is {found.value}"
        asked["is"] = found.value
    else:
        shown = "is None" if found.value is None else "is not None"
        asked["none"] = found.value is None
    yield Draft("value", f"{module}.{name}", f"{module}.{name} {shown}", asked)


def _tops(build: Build) -> Iterator[Module]:
    """What distributions bring, or what there is without any: the largest, if there are many."""
    listed = {
        _DATA.sub("", row.path).partition("/")[0].partition(".")[0]
        for each in build.distributions
        for row in each.record or ()
    }
    sizes: dict[str, int] = {}
    for each in build.modules.all():
        top = each.name.partition(".")[0]
        sizes[top] = sizes.get(top, 0) + 1
    brought = [
        module
        for module in map(build.modules.find, sizes)
        if module is not None
        and (module.name in listed if listed else module.kind is ModuleKind.PACKAGE)
        and (module.is_package or module.kind is ModuleKind.SOURCE)
    ]
    brought.sort(key=lambda each: -sizes[each.name])
    return iter(sorted(brought[:_MOST_PACKAGES], key=lambda each: each.name))


def _public_below(build: Build, top: Module) -> Iterator[Module]:
    """The modules right below a package that others may import from."""
    for each in build.modules.below(top.name) if top.is_package else ():
        name = each.name.removeprefix(f"{top.name}.")
        public = not name.startswith("_") and name not in ("tests", "test", "testing")
        if each is not top and "." not in name and each.kind in _PYTHON and public:
            yield each


def _public(build: Build, module: Module) -> list[str]:
    """The names that others may import from a module: its ``__all__``, else what it defines.

    Of ``__all__`` those that are there: what a compiled module brings nobody can see.
    """
    surface = build.modules.surface(module)
    stated = surface.all_names
    if stated is None:
        defined = surface.defined - surface.conditional - surface.deleted
        return sorted(name for name in defined if not name.startswith("_"))
    asked = ((name, ask(build.modules, module.name, name)) for name in sorted(stated.names))
    return [name for name, answer in asked if answer.status is Presence.PRESENT]


def _names(build: Build, module: Module) -> Iterator[Draft]:
    public = _public(build, module)
    if public and len(public) <= _MOST_NAMES:
        title = f"{module.name} has its {len(public)} public names"
        asked: dict[str, object] = {"module": module.name, "has": public}
        yield Draft("module-inventory", module.name, title, asked)
        return
    found = inventory(build.modules, module.name)
    least = int(len(found.names) * _FEWER)
    if found.complete and least >= _FEW:
        title = f"{module.name} has at least {least:,} public names"
        asked = {"module": module.name, "min": least}
        yield Draft("module-inventory", module.name, title, asked)
