"""What conditions and handlers say of when a statement runs."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping

from .surface import Constant

__all__ = ["asks_for_main", "catches", "last_name", "passes_on", "suppresses", "truth"]

# Exceptions of Python that no failing import is one of.
_OTHERS = frozenset(
    name
    for name, each in vars(builtins).items()
    if isinstance(each, type)
    and issubclass(each, BaseException)
    and not issubclass(ModuleNotFoundError, each)
)
_OF_KINDS = frozenset(("suppress", "raises"))
# Context managers that let through what is raised below them.
_PASSES_ON = frozenset(
    ("catch_warnings", "open", "nullcontext", "closing", "redirect_stdout", "redirect_stderr",
     "chdir", "Lock", "RLock", "path", "as_file"),
)  # fmt: skip
_TYPE_CHECKING = "TYPE_CHECKING"
_NAME, _MAIN = "__name__", "__main__"


def truth(test: ast.expr, constants: Mapping[str, Constant], module: str) -> bool | None:
    """What a condition always is when a module is imported; None where that depends.

    Args:
        test: the condition.
        constants: of the module; one that assigns True to TYPE_CHECKING means it.
        module: its name; one called ``__main__`` is there to be run.
    """
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = truth(test.operand, constants, module)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        stops = isinstance(test.op, ast.Or)  # the value that decides it alone
        parts = [truth(each, constants, module) for each in test.values]
        if stops in parts:
            return stops
        return None if None in parts else not stops
    if isinstance(test, ast.Compare):
        known = _NAME in constants or module.rpartition(".")[2] == _MAIN
        return None if known or not _is_of_main(test) else isinstance(test.ops[0], ast.NotEq)
    if last_name(test) != _TYPE_CHECKING:
        return None
    own = constants.get(_TYPE_CHECKING) if isinstance(test, ast.Name) else None
    if own is None:
        return False
    return None if own.problem is not None else bool(own.value)


def asks_for_main(test: ast.expr) -> bool:
    """Whether ``__name__ == "__main__"`` is in a condition."""
    return any(isinstance(each, ast.Compare) and _is_of_main(each) for each in ast.walk(test))


def _is_of_main(test: ast.Compare) -> bool:
    if len(test.ops) != 1 or not isinstance(test.ops[0], (ast.Eq, ast.NotEq)):
        return False
    sides = (test.left, test.comparators[0])
    names = [each.id for each in sides if isinstance(each, ast.Name)]
    values = [each.value for each in sides if isinstance(each, ast.Constant)]
    return names == [_NAME] and values == [_MAIN]


def catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches what a failing import raises, or may: an exception of one's own."""
    return handler.type is None or _may_catch([handler.type])


def suppresses(node: ast.expr) -> bool:
    """Whether a context manager may, as ``suppress(ImportError)``, or one that is not known."""
    if passes_on(node):
        return False
    if isinstance(node, ast.Call) and last_name(node.func) in _OF_KINDS:
        return _may_catch(node.args)
    return True


def passes_on(node: ast.expr) -> bool:
    """Whether a context manager is known to let through whatever is raised below it."""
    name = last_name(node.func) if isinstance(node, ast.Call) else last_name(node)
    return name in _PASSES_ON


def _may_catch(kinds: Iterable[ast.expr]) -> bool:
    """Whether one of the kinds of exceptions is, or may be, that of a failing import."""
    pending = list(kinds)
    while pending:
        each = pending.pop()
        if isinstance(each, ast.Tuple):
            pending += each.elts
        elif not (isinstance(each, ast.Name) and each.id in _OTHERS):
            return True
    return False


def last_name(node: ast.expr) -> str:
    """``suppress`` of ``contextlib.suppress``; empty where it is no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
