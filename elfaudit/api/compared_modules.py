"""The import surface of two builds, as far as it may differ."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ..errors import SourceError
from ..findings.changed_modules import ModuleDifference, Standing, is_public
from ..loader.python import is_extension_name
from ..pydist import Module, ModuleKind, Modules, inventory
from ..pydist.asking import target_of
from ..pydist.surface import Surface
from .build_targets import builds_of, wheels_in
from .compared_builds import ComparedBuild
from .compared_bytes import same_bytes
from .surroundings import Surroundings

__all__ = ["compared_modules"]

_LIMITS = ("is nested", "more than is parsed")  # of this program, not of Python
_MOST_CHARACTERS = 4000


class _Side:
    """The modules of one build."""

    def __init__(self, compared: ComparedBuild) -> None:
        self.compared = compared
        (self.build,) = builds_of((tuple(wheels_in(compared.target)),), Surroundings())
        self.modules: Modules = self.build.modules
        self.found = {each.name: each for each in self.modules.all() if not _is_library(each)}

    def member_path(self, module: Module) -> str:
        """The path of a module's file in the compared build."""
        root = self.build.roots[module.root]
        path = f"{root.base}/{module.path}".lstrip("/")
        return f"{self.compared.prefixes.get(root.source.label, '')}{path}"

    @cached_property
    def is_of_one_distribution(self) -> bool:
        """Whether all that is there is of one distribution, whatever its packages are called."""
        return len(self.build.distributions) <= 1

    @cached_property
    def is_environment(self) -> bool:
        """Whether it is known from where its modules are imported."""
        return bool(self.build.distributions)

    @cached_property
    def is_for_newer_python(self) -> bool:
        """Whether what does not parse here may be of a Python that runs it and is not this one."""
        running = platform.python_version()
        for each in self.build.distributions:
            stated = each.metadata.requires_python if each.metadata is not None else None
            try:
                if (
                    stated
                    and len(stated) < _MOST_CHARACTERS
                    and running not in SpecifierSet(stated)
                ):
                    return True
            except InvalidSpecifier:
                continue
        machine = self.build.machine
        known = machine.python_is_known
        return known and machine.python != ".".join(platform.python_version_tuple()[:2])

    def standing(self, module: Module, name: str, seen: frozenset[str] = frozenset()) -> Standing:
        """What a name of a module is to those who import it."""
        surface = self.modules.surface(module)
        stated = surface.all_names
        if not is_public(module.name):
            return Standing.INTERNAL
        if stated is not None and (name in stated.names or stated.complete):
            shown = name in stated.names or stated.of_modules
            return Standing.PUBLIC if shown else Standing.INTERNAL
        if name in surface.defined or (surface.lazy is not None and name in surface.lazy.names):
            return Standing.PUBLIC
        if name in surface.origins:
            own = self._is_own(module, surface, name)
        else:
            own = self._is_starred(module, surface, name, seen)
        if not own:
            return Standing.INTERNAL
        return Standing.PUBLIC if module.kind is ModuleKind.PACKAGE else Standing.PASSED_ON

    def _is_own(self, module: Module, surface: Surface, name: str) -> bool:
        """Whether an import binds what the same distribution defines, and no module itself."""
        imported = surface.imports[surface.origins[name]]
        target = target_of(module, imported)
        if target is None or imported.name is None:
            return False
        top = target.partition(".")[0]
        if self.modules.find(f"{target}.{imported.name}") is not None:
            return False
        if top == module.name.partition(".")[0]:
            return True
        return self.is_of_one_distribution and self.modules.find(top) is not None

    def _is_starred(
        self, module: Module, surface: Surface, name: str, seen: frozenset[str]
    ) -> bool:
        """Whether a star import brings what its own module does not merely import."""
        for position in surface.stars:
            target = target_of(module, surface.imports[position])
            found = None if target is None else self.modules.find(target)
            if found is None or found.name in seen:
                continue
            if name in inventory(self.modules, found.name).names:
                inner = self.modules.surface(found)
                if name in inner.defined or name not in inner.origins:
                    return True
                return self.standing(found, name, seen | {found.name}) is not Standing.INTERNAL
        return False


@dataclass(slots=True)
class _Found:
    """What was found so far; as of :class:`ModuleDifference`."""

    broken: dict[str, str]
    broken_new: dict[str, str]
    doubtful: dict[str, str]
    unread: dict[str, str]
    lost: dict[Standing, list[str]]
    gained: list[str]
    untold: list[str]


def compared_modules(before: ComparedBuild, after: ComparedBuild) -> ModuleDifference:
    """How the modules differ; only those whose own file changed are read."""
    old, new = _Side(before), _Side(after)
    found = _Found({}, {}, {}, {}, {}, [], [])
    for module, other in _changed_pairs(old, new):
        if not _is_broken(old, module, new, other, found):
            _compare_names(old, module, new, other, found)
    lost = [each for each in _real(old) if each.name not in new.found]
    gained = [each.name for each in _real(new) if each.name not in old.found]
    _note_new(new, gained, found)
    loose = () if old.is_environment else [each.name for each in lost if _is_loose(old, each)]
    return ModuleDifference(
        [each.name for each in lost],
        frozenset(loose),
        gained,
        found.broken,
        found.broken_new,
        found.doubtful,
        found.unread,
        found.lost,
        found.gained,
        found.untold,
    )


def _real(side: _Side) -> Iterator[Module]:
    return (each for each in side.found.values() if each.kind is not ModuleKind.NAMESPACE)


def _changed_pairs(old: _Side, new: _Side) -> Iterator[tuple[Module, Module]]:
    for module in _real(old):
        other = new.found.get(module.name)
        if other is not None and not _is_same(old, module, new, other):
            yield module, other


def _is_broken(old: _Side, module: Module, new: _Side, other: Module, found: _Found) -> bool:
    """Whether a module could be read, and cannot be read now."""
    was, now = old.modules.surface(module).problem, new.modules.surface(other).problem
    if was is not None and now is None and module.path.endswith(".py"):
        found.unread[module.name] = was
    if not other.path.endswith(".py") or now is None:
        return was is not None
    if was is None:
        doubt = any(each in now for each in _LIMITS) or new.is_for_newer_python
        (found.doubtful if doubt else found.broken)[module.name] = now
    return True


def _note_new(new: _Side, gained: list[str], found: _Found) -> None:
    """New modules that cannot be imported: nobody counts on them, but they may be the purpose."""
    for name in gained:
        module = new.found[name]
        if (
            module.path.endswith(".py")
            and is_public(name)
            and (problem := new.modules.surface(module).problem)
        ):
            found.broken_new[name] = problem


def _compare_names(old: _Side, module: Module, new: _Side, other: Module, found: _Found) -> None:
    was, now = inventory(old.modules, module.name), inventory(new.modules, other.name)
    surface = new.modules.surface(other)
    # A __getattr__ of which no name is known may answer any.
    lazy = surface.lazy is not None and not surface.lazy.names
    stated = surface.all_names.names if surface.all_names is not None else frozenset()
    there = now.names | surface.bound | stated
    told = now.complete and not lazy and surface.problem is None
    for name in sorted(was.names):
        if name in there or new.modules.find(f"{other.name}.{name}") is not None:
            continue
        standing = old.standing(module, name)
        if told:
            found.lost.setdefault(standing, []).append(f"{module.name}.{name}")
        elif standing is Standing.PUBLIC:
            found.untold.append(f"{module.name}.{name}")
    found.lost.setdefault(Standing.STARRED, []).extend(_unstated(old, module, surface, there))
    if was.complete and told and is_public(module.name):
        found.gained += [f"{module.name}.{name}" for name in sorted(now.names - was.names)]


def _unstated(old: _Side, module: Module, surface: Surface, there: frozenset[str]) -> Iterator[str]:
    """What is there, and is not in ``__all__`` any more."""
    was, now = old.modules.surface(module).all_names, surface.all_names
    if was is None or now is None or now.of_modules or not now.complete:
        return
    if is_public(module.name):
        yield from (f"{module.name}.{name}" for name in (was.names - now.names) & there)


def _is_library(module: Module) -> bool:
    """Whether it is a library that Python could only import by its name: ``libz.so``."""
    last = module.name.rpartition(".")[2]
    is_extension = module.kind is ModuleKind.EXTENSION
    return is_extension and last.startswith("lib") and not is_extension_name(module.path)


def _is_loose(side: _Side, module: Module) -> bool:
    """Whether it is in a directory that is no regular package, as ``bin/tool.py`` is."""
    parent = side.modules.find(module.name.rpartition(".")[0])
    return parent is not None and parent.kind is ModuleKind.NAMESPACE


def _is_same(old: _Side, module: Module, new: _Side, other: Module) -> bool:
    mine = old.compared.members.get(old.member_path(module))
    theirs = new.compared.members.get(new.member_path(other))
    if mine is None or theirs is None:
        return False
    try:
        return same_bytes(mine, theirs)
    except SourceError:
        return False
