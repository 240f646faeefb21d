"""What conditions and handlers say of when a statement runs."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from .surface import Constant

__all__ = ["catches", "last_name", "suppresses", "truth"]

_CATCHES = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
_TYPE_CHECKING = "TYPE_CHECKING"


def truth(test: ast.expr, constants: Mapping[str, Constant]) -> bool | None:
    """What a condition always is when a module runs; None where that depends.

    Args:
        test: the condition.
        constants: of the module; one that assigns True to TYPE_CHECKING means it.
    """
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = truth(test.operand, constants)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        stops = isinstance(test.op, ast.Or)  # the value that decides it alone
        parts = [truth(each, constants) for each in test.values]
        if stops in parts:
            return stops
        return None if None in parts else not stops
    if last_name(test) != _TYPE_CHECKING:
        return None
    own = constants.get(_TYPE_CHECKING) if isinstance(test, ast.Name) else None
    return own is not None and own.problem is None and bool(own.value)


def catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches what a failing import raises."""
    kinds = handler.type
    if kinds is None:
        return True
    names = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
    return any(last_name(each) in _CATCHES for each in names)


def suppresses(node: ast.expr) -> bool:
    """Whether a context manager may, as ``suppress(ImportError)``, ``raises(ImportError)``."""
    return isinstance(node, ast.Call) and any(last_name(each) in _CATCHES for each in node.args)


def last_name(node: ast.expr) -> str:
    """``suppress`` of ``contextlib.suppress``; empty where it is no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
