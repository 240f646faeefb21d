"""The values of expressions that are literals, or made of literals and names of literals."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from .surface import Constant

__all__ = ["strings_of", "value_of"]

_COMPUTED = Constant(problem="it is computed")
_MOST_CHARACTERS = 100_000


def value_of(node: ast.expr, names: Mapping[str, Constant]) -> Constant:
    """The value of an expression.

    Args:
        node: the expression.
        names: what names of the module stand for.
    """
    if isinstance(node, ast.Constant):
        return Constant(node.value)
    if isinstance(node, ast.Name):
        return names.get(node.id, _COMPUTED)
    if isinstance(node, ast.JoinedStr):
        return _joined(node, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _sum(node, names)
    try:
        return Constant(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return _COMPUTED


def _sum(node: ast.BinOp, names: Mapping[str, Constant]) -> Constant:
    """``"2.9" + suffix``; a chain of them leans to the left and is walked, not recursed."""
    parts: list[ast.expr] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
        parts.append(left.right)
        left = left.left
    texts: list[str] = []
    for part in (left, *reversed(parts)):
        each = _COMPUTED if isinstance(part, ast.BinOp) else value_of(part, names)
        if each.problem is not None or not isinstance(each.value, str):
            return _COMPUTED
        texts.append(each.value)
    return _text("".join(texts))


def _joined(node: ast.JoinedStr, names: Mapping[str, Constant]) -> Constant:
    texts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            plain = part.conversion == -1 and part.format_spec is None
            each = (
                names.get(part.value.id, _COMPUTED)
                if isinstance(part.value, ast.Name)
                else _COMPUTED
            )
            if not plain or each.problem is not None:
                return _COMPUTED
            texts.append(str(each.value))
        elif isinstance(part, ast.Constant):
            texts.append(str(part.value))
    return _text("".join(texts))


def _text(text: str) -> Constant:
    return Constant(text) if len(text) <= _MOST_CHARACTERS else _COMPUTED


def strings_of(node: ast.expr) -> frozenset[str] | None:
    """The strings of a list, tuple, set, or the keys of a dict; None where there are others."""
    if isinstance(node, ast.Dict):
        elements: list[ast.expr | None] = list(node.keys)
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        elements = list(node.elts)
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("frozenset", "set", "tuple", "list", "sorted")
        and len(node.args) == 1
    ):
        return strings_of(node.args[0])
    else:
        return None
    found: set[str] = set()
    for each in elements:
        if not (isinstance(each, ast.Constant) and isinstance(each.value, str)):
            return None
        found.add(each.value)
    return frozenset(found)
