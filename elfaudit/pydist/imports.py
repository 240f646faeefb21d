"""Whether an import would find what it names: by the facts of the modules, nothing is imported.

Source: ``_handle_fromlist`` (``Lib/importlib/_bootstrap.py``): a name of ``from package import
name`` is an attribute of the package, else its submodule. ``import_from`` (``Python/ceval.c``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from .modules import Module, ModuleKind, Modules
from .surface import Grade, Imported, Surface

__all__ = [
    "Answer", "ImportAudit", "ImportFinding", "Inventory", "Literal", "Presence", "ask", "audit",
    "inventory", "literal",
]  # fmt: skip

# What every module has without binding it.
_ALWAYS = frozenset(
    [
        "__name__",
        "__doc__",
        "__file__",
        "__spec__",
        "__loader__",
        "__package__",
        "__path__",
        "__dict__",
        "__builtins__",
        "__cached__",
        "__annotations__",
        "__class__",
        "__dir__",
    ]
)
_MOST_HOMES = 5


class Presence(Enum):
    """Whether something is there."""

    PRESENT = "present"
    ABSENT = "absent"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a module, or a name of one, can be imported.

    Attributes:
        status: whether it can.
        reason: why it cannot be said; or how a name that is there comes about, if oddly.
        homes: for a name that is absent, the modules of the package that define it, nearest first.
    """

    status: Presence
    reason: str = ""
    homes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportFinding:
    """An import that does not find what it names, or of which that cannot be said.

    Attributes:
        file, line: where it is, relative to the import root.
        module: what it imports from, in full.
        name: what it imports; None for the module itself.
        grade: when it is carried out.
        status: ABSENT or UNDECIDED.
        reason, homes: as of :class:`Answer`.
    """

    file: str
    line: int
    module: str
    name: str | None
    grade: Grade
    status: Presence
    reason: str
    homes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportAudit:
    """The imports that a package makes from itself.

    Attributes:
        findings: those that are not PRESENT, by file and line.
        imports: how many names were looked at.
        modules: of how many modules.
        unread: the modules written in Python that could not be looked into, and why.
    """

    findings: tuple[ImportFinding, ...]
    imports: int
    modules: int
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """The public names of a module.

    Attributes:
        names: those without an underscore in front.
        complete: whether there are no others.
    """

    names: frozenset[str]
    complete: bool


@dataclass(frozen=True, slots=True)
class Literal:
    """The value of a constant of a module.

    Attributes:
        status: PRESENT with a value; ABSENT; UNDECIDED where it is computed.
        value: the value.
        reason: why there is none.
    """

    status: Presence
    value: object = None
    reason: str = ""


_PRESENT = Answer(Presence.PRESENT)


def ask(modules: Modules, module: str, name: str | None) -> Answer:
    """Whether ``import module``, or ``from module import name``, finds something."""
    found = modules.find(module)
    if found is None:
        return _without_module(modules, module)
    if name is None or name == "*":
        return _PRESENT
    return _Asking(modules).name(found, name, homes=True)


def _without_module(modules: Modules, module: str) -> Answer:
    """A module without a file: perhaps made by a module above it when it runs."""
    parent = module.rpartition(".")[0]
    while parent:
        found = modules.find(parent)
        if found is not None:
            surface = modules.surface(found)
            made = surface.problem or surface.computed
            if made is not None:
                return Answer(Presence.UNDECIDED, f"{parent} may make it: {made}")
            break
        parent = parent.rpartition(".")[0]
    last, top = module.rpartition(".")[2], module.partition(".")[0]
    homes = [each.name for each in modules.below(top) if each.name.rpartition(".")[2] == last]
    return Answer(Presence.ABSENT, homes=tuple(homes[:_MOST_HOMES]))


class _Asking:
    """One question, which may lead through star imports of many modules."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._seen: set[tuple[str, str]] = set()

    def name(self, module: Module, name: str, *, homes: bool = False) -> Answer:
        """Whether a module has a name."""
        modules, surface = self._modules, self._modules.surface(module)
        if name in surface.bound or name in _ALWAYS:
            return _PRESENT
        submodule = f"{module.name}.{name}"
        if modules.find(submodule) is not None:
            return _PRESENT
        if surface.problem is not None:
            return Answer(Presence.UNDECIDED, f"{module.name}: {surface.problem}")
        doubt = ""
        for position in surface.stars if name not in surface.deleted else ():
            answer = self._star(module, surface.imports[position], name)
            if answer.status is Presence.PRESENT:
                return answer
            doubt = doubt or answer.reason
        lazy = surface.lazy
        if lazy is not None and name in lazy.names:
            return Answer(Presence.PRESENT, "by __getattr__")
        if lazy is not None and not lazy.complete:
            doubt = doubt or f"{module.name} has a __getattr__ that computes names"
        doubt = doubt or (f"{module.name}, {surface.computed}" if surface.computed else "")
        if doubt:
            return Answer(Presence.UNDECIDED, doubt)
        return Answer(Presence.ABSENT, homes=_homes(modules, module, name) if homes else ())

    def _star(self, importer: Module, imported: Imported, name: str) -> Answer:
        """Whether ``from module import *`` brings a name."""
        target = absolute(importer, imported)
        found = None if target is None else self._modules.find(target)
        if target is None or found is None:
            if target is not None and self._modules.find(target.partition(".")[0]) is not None:
                return Answer(Presence.ABSENT)
            where = imported.module or "above the package"
            return Answer(Presence.UNDECIDED, f"{importer.name} imports * from {where}")
        if (found.name, name) in self._seen:
            return Answer(Presence.ABSENT)
        self._seen.add((found.name, name))
        surface = self._modules.surface(found)
        stated = surface.all_names
        if stated is None:
            # What is a submodule is an attribute once something has imported it.
            return Answer(Presence.ABSENT) if name.startswith("_") else self.name(found, name)
        if name in stated.names:
            return _PRESENT
        for each in stated.of_modules:
            inner = self._modules.find(f"{found.name}.{each}") or self._imported(found, each)
            if inner is None:
                return Answer(Presence.UNDECIDED, f"{found.name} adds {each}.__all__ to its own")
            if self._in_all(inner, name):
                return _PRESENT
        if not stated.complete:
            return self.name(found, name)
        return Answer(Presence.ABSENT)

    def _in_all(self, module: Module, name: str) -> bool:
        stated = self._modules.surface(module).all_names
        if stated is None or name in stated.names:
            return stated is not None
        return (not stated.complete or bool(stated.of_modules)) and (
            self.name(module, name).status is not Presence.ABSENT
        )

    def _imported(self, module: Module, name: str) -> Module | None:
        """The module that a name in a module stands for."""
        surface = self._modules.surface(module)
        position = surface.origins.get(name)
        if position is None:
            return None
        imported = surface.imports[position]
        target = absolute(module, imported)
        if target is None or imported.name is None:
            return self._modules.find(target or "")
        return self._modules.find(f"{target}.{imported.name}" if target else imported.name)


def absolute(importer: Module, imported: Imported) -> str | None:
    """The module that an import names, in full; None where the dots lead above the package.

    Source: ``_resolve_name`` (``Lib/importlib/_bootstrap.py``).
    """
    if not imported.level:
        return imported.module
    parts = importer.name.split(".")
    up = imported.level - (1 if importer.is_package else 0)
    if up >= len(parts) + (1 if importer.is_package else 0) or (up and up >= len(parts)):
        return None
    base = parts[: len(parts) - up]
    return ".".join((*base, imported.module)) if imported.module else ".".join(base)


def _homes(modules: Modules, module: Module, name: str) -> tuple[str, ...]:
    """The modules of the same package that define a name, the nearest first."""
    parts = module.name.split(".")
    found = [
        each.name
        for each in modules.below(parts[0])
        if each.kind in (ModuleKind.SOURCE, ModuleKind.PACKAGE)
        and name in modules.surface(each).defined
    ]

    def distance(other: str) -> tuple[int, int, str]:
        others = other.split(".")
        common = next(
            (n for n, (a, b) in enumerate(zip(parts, others, strict=False)) if a != b),
            min(len(parts), len(others)),
        )
        return (-common, len(others), other)

    return tuple(sorted(found, key=distance)[:_MOST_HOMES])


def audit(modules: Modules, package: str) -> ImportAudit:
    """Every import that the modules of a package make from the package."""
    findings: list[ImportFinding] = []
    unread: list[str] = []
    imports = count = 0
    answers: dict[tuple[str, str | None], Answer] = {}
    for module in modules.below(package):
        surface = modules.surface(module)
        if surface.problem is None and module.kind is not ModuleKind.NAMESPACE:
            count += 1
        elif surface.problem is not None and module.path.endswith(".py"):
            unread.append(f"{module.path} {surface.problem}")
        for imported in surface.imports:
            target = absolute(module, imported)
            if target is not None and target.partition(".")[0] != package.partition(".")[0]:
                continue
            imports += 1
            findings += _judged(modules, module, imported, target, answers)
    return ImportAudit(tuple(findings), imports, count, tuple(unread))


def _judged(
    modules: Modules,
    module: Module,
    imported: Imported,
    target: str | None,
    answers: dict[tuple[str, str | None], Answer],
) -> Iterator[ImportFinding]:
    if imported.grade is Grade.TYPE_CHECKING:
        return
    written = "." * imported.level + imported.module
    if target is None:
        reason = "the dots lead above the package"
        yield ImportFinding(module.path, imported.line, written, imported.name, imported.grade,
                            Presence.ABSENT, reason, ())  # fmt: skip
        return
    key = (target, imported.name)
    if key not in answers:
        answers[key] = ask(modules, *key)
    answer = answers[key]
    if answer.status is Presence.PRESENT:
        return
    name = None if modules.find(target) is None else imported.name
    yield ImportFinding(module.path, imported.line, target, name, imported.grade, answer.status,
                        answer.reason, answer.homes)  # fmt: skip


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
        names |= {name for name in surface.bound if not name.startswith("_")}
        complete = complete and surface.problem is None and surface.computed is None
        pending += [absolute(found, surface.imports[each]) or "" for each in surface.stars]
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
    constant = surface.constants.get(name)
    if constant is None or name not in surface.bound:
        if ask(modules, module, name).status is Presence.ABSENT:
            return Literal(Presence.ABSENT, reason=f"{module} has no {name}")
        return Literal(Presence.UNDECIDED, reason="it is not assigned in the module")
    if constant.problem is not None:
        return Literal(Presence.UNDECIDED, reason=constant.problem)
    return Literal(Presence.PRESENT, constant.value)
