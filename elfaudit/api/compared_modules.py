"""The import surface of two builds, as far as it may differ."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.specifiers import SpecifierSet

from ..errors import SourceError
from ..findings.changed_modules import ModuleDifference, Standing, is_public
from ..loader.python import is_extension_name
from ..pydist import Inventory, Module, ModuleKind, Modules, Refusal, inventory, refusal_of
from ..pydist.asking import target_of
from ..pydist.surface import Imported, Surface
from .build_targets import builds_of, wheels_in
from .compared_builds import ComparedBuild
from .compared_bytes import same_bytes
from .compared_imports import by_cause, no_more, star_importers
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
        self._inventories: dict[str, Inventory] = {}

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
            except ValueError:
                continue
        machine = self.build.machine
        known = machine.python_is_known
        return known and machine.python != ".".join(platform.python_version_tuple()[:2])

    def inventory(self, name: str) -> Inventory:
        """The public names of a module."""
        known = self._inventories.get(name)
        if known is None:
            known = self._inventories[name] = inventory(self.modules, name)
        return known

    def refusal(self, name: str) -> Refusal | None:
        """Why a module cannot be imported; None where nothing says so.

        Programs may end in an exception.
        """
        refusal = refusal_of(self.modules, name)
        if refusal is None or not refusal.is_sure or self._is_outside(refusal):
            return None
        module = self.found[name]
        raises = self.modules.surface(module).raises
        ends = (refusal.file, refusal.line) == (module.path, raises)
        return None if ends and self.is_program(module) else refusal

    def _is_outside(self, refusal: Refusal) -> bool:
        """Whether an import may be of what was not given: of a package only its inside was."""
        if self.is_environment:
            return False
        is_inside = "__init__.py" in self.compared.members
        return any(
            target is None or (is_inside and not each.level)
            for target, each in self._imports_at(refusal)
        )

    def cause(self, refusal: Refusal) -> str | Refusal:
        """What is missing, whoever imports it; of an exception and of dots, where they are."""
        targets = [target for target, _ in self._imports_at(refusal)]
        return refusal.problem if targets and None not in targets else refusal

    def _imports_at(self, refusal: Refusal) -> list[tuple[str | None, Imported]]:
        """The imports of the line that fails, with their modules in full."""
        module = self._by_path.get(refusal.file)
        if module is None:
            return []
        imports = self.modules.surface(module).imports
        return [(target_of(module, one), one) for one in imports if one.line == refusal.line]

    @cached_property
    def _by_path(self) -> dict[str, Module]:
        return {each.path: each for each in self.found.values()}

    def is_program(self, module: Module) -> bool:
        """Whether it is run rather than imported."""
        is_main = module.name.rpartition(".")[2] == "__main__"
        return is_main or (not self.is_environment and _is_loose(self, module))

    def could_import(self, name: str) -> bool:
        """Whether nothing says that a module cannot be imported; False where there is none."""
        module = self.found.get(name)
        if module is None:
            return False
        parses = self.modules.surface(module).problem is None or not module.path.endswith(".py")
        return parses and self.refusal(name) is None

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
            if name in self.inventory(found.name).names:
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
    """How the modules differ; of packages of which no file changed none is read."""
    old, new = _Side(before), _Side(after)
    found = _Found({}, {}, {}, {}, {}, [], [])
    changed = {module.name for module, other in _changed_pairs(old, new)}
    lost = [each for each in _real(old) if each.name not in new.found]
    gained = [each.name for each in _real(new) if each.name not in old.found]
    seeds = changed.union(gained, (each.name for each in lost))
    near = _in_packages_of(new, seeds)
    for name in sorted(changed | (star_importers(new.modules, near, seeds) & old.found.keys())):
        module, other = old.found[name], new.found[name]
        if not _is_broken(old, module, new, other, found):
            _compare_names(old, module, new, other, found)
    _note_new(new, gained, found)
    _note_refused(old, new, [each.name for each in near], found)
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


def _in_packages_of(side: _Side, names: Iterable[str]) -> list[Module]:
    """The modules that may be another thing to importers where those of some names changed.

    What a package does not import from itself is not judged.
    """
    tops = {name.partition(".")[0] for name in names}
    return [each for each in _real(side) if each.name.partition(".")[0] in tops]


def _note_refused(old: _Side, new: _Side, names: Iterable[str], found: _Found) -> None:
    """Public modules that cannot be imported for what they, or others, import or raise."""
    found_in = {name: new.refusal(name) for name in names if is_public(name)}
    refusals = {name: why for name, why in found_in.items() if why is not None}
    of_both: list[list[str]] = []
    of_new: list[list[str]] = []
    for refused in by_cause(refusals, new.cause):
        kept = [name for name in refused if name in old.found]
        (of_both if kept else of_new).append(kept or refused)
    for name, why in no_more(of_both, refusals, old.could_import).items():
        found.broken.setdefault(name, why)
    for name, why in no_more(of_new, refusals, new.found.__contains__).items():
        found.broken_new.setdefault(name, why)


def _real(side: _Side) -> Iterator[Module]:
    return (each for each in side.found.values() if each.kind is not ModuleKind.NAMESPACE)


def _changed_pairs(old: _Side, new: _Side) -> Iterator[tuple[Module, Module]]:
    for module in _real(old):
        other = new.found.get(module.name)
        if other is None:
            continue
        # What a relative import names is another thing in a package.
        if module.kind is not other.kind or not _is_same(old, module, new, other):
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
    was, now = old.inventory(module.name), new.inventory(other.name)
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
    open_to_all = told and is_public(module.name) and new.refusal(module.name) is None
    if was.complete and open_to_all:
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
