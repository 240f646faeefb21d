"""The values of expressions that are literals, or made of literals and names of literals."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from .surface import Constant

__all__ = ["strings_of", "value_of"]

_COMPUTED = Constant(problem="it is computed")
_MOST_CHARACTERS = 2_000  # of a text that is put together: a version, not a page
_MOST_BITS = 10_000  # sys.get_int_max_str_digits() allows 4,300 digits
_COPIERS = frozenset(("frozenset", "set", "tuple", "list", "sorted", "dict"))


def value_of(node: ast.expr, names: Mapping[str, Constant]) -> Constant:
    """The value of an expression.

    Args:
        node: the expression.
        names: what names of the module stand for.
    """
    if isinstance(node, ast.Constant):
        return _COMPUTED if _is_huge(node) else Constant(node.value)
    if isinstance(node, ast.Name):
        return names.get(node.id, _COMPUTED)
    if isinstance(node, ast.JoinedStr):
        return _joined(node, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _sum(node, names)
    try:
        value = ast.literal_eval(node)
        return _COMPUTED if any(_is_huge(each) for each in ast.walk(node)) else Constant(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return _COMPUTED


def _is_huge(node: ast.AST) -> bool:
    """Whether it is a number that Python does not turn into decimal digits."""
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, int) and value.bit_length() > _MOST_BITS


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
    return _text(texts)


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
    return _text(texts)


def _text(parts: list[str]) -> Constant:
    size = sum(map(len, parts))  # before they are joined: each may be as long as is allowed
    return Constant("".join(parts)) if size <= _MOST_CHARACTERS else _COMPUTED


def strings_of(
    node: ast.expr, names: Mapping[str, AbstractSet[str]] = MappingProxyType({})
) -> frozenset[str] | None:
    """The strings of a list, tuple, set, or the keys of a dict; None where there are others.

    Args:
        node: the expression.
        names: the strings in what names of the module stand for.
    """
    pending, found = [node], set[str]()
    while pending:
        each = pending.pop()
        if isinstance(each, ast.Name) and each.id in names:
            found |= names[each.id]
        elif isinstance(each, ast.BinOp) and isinstance(each.op, (ast.Add, ast.BitOr)):
            pending += (each.left, each.right)
        elif (inner := _copied(each)) is not None:
            pending += inner
        elif (strings := _displayed(each, pending)) is not None:
            found |= strings
        else:
            return None
    return frozenset(found)


def _copied(node: ast.expr) -> list[ast.expr] | None:
    """What a call copies: ``sorted(X)``, ``X.keys()``, ``dict(a=1)``."""
    if not isinstance(node, ast.Call):
        return None
    function = node.func
    if isinstance(function, ast.Attribute):
        copies = function.attr in ("keys", "copy") and not node.args and not node.keywords
        return [function.value] if copies else None
    if not isinstance(function, ast.Name) or function.id not in _COPIERS or len(node.args) > 1:
        return None
    if node.keywords and function.id == "sorted":
        return [*node.args]
    given = [ast.Set([ast.Constant(word.arg)]) if word.arg else word.value
             for word in node.keywords]  # fmt: skip
    return [*node.args, *given]


def _displayed(node: ast.expr, pending: list[ast.expr]) -> set[str] | None:
    """The strings of a display; what it unpacks is put to ``pending``."""
    if isinstance(node, ast.Dict):
        elements = [key or ast.Starred(value)
                    for key, value in zip(node.keys, node.values, strict=True)]  # fmt: skip
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        elements = node.elts
    else:
        return None
    found: set[str] = set()
    for each in elements:
        if isinstance(each, ast.Starred):
            pending.append(each.value)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found.add(each.value)
        else:
            return None
    return found
