"""Every import that a package makes from itself, judged by the facts of its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .answers import Answer, ImportAudit, ImportFinding, Presence
from .asking import ask, target_of
from .modules import Module, ModuleKind, Modules
from .surface import Grade, Imported

__all__ = ["audit"]


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
        for imported in map(_graded(module), surface.imports):
            target = target_of(module, imported)
            if target is not None and target.partition(".")[0] != package.partition(".")[0]:
                continue
            imports += 1
            findings += _judged(modules, module, imported, target, answers)
    return ImportAudit(tuple(findings), imports, count, tuple(unread))


def _graded(module: Module) -> Callable[[Imported], Imported]:
    """How much the imports of a module matter: ``__main__`` is only run, by ``python -m``."""

    def graded(imported: Imported) -> Imported:
        if module.name.endswith(".__main__") and imported.grade is Grade.PLAIN:
            return replace(imported, grade=Grade.CONDITIONAL)
        return imported

    return graded


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
