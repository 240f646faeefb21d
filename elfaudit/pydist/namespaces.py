"""Statements that fill a module's namespace in a way that no reader of its text can follow.

``globals()[name] = …``, ``sys.modules[__name__] = …``, ``exec(…)``: such a module may have any
name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = [
    "TRICKS",
    "computes_names",
    "is_namespace",
    "last_name",
    "own_expressions",
    "set_on_module",
]

# A text without any of these has no such statement, and need not be looked through.
TRICKS = (b"globals()", b"locals()", b"vars()", b"exec(", b"sys.modules", b"setattr(")
_READERS = frozenset(
    (
        "dict",
        "dir",
        "getattr",
        "hasattr",
        "eval",
        "format",
        "len",
        "list",
        "print",
        "set",
        "sorted",
        "tuple",
    )
)


def own_expressions(node: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement, and not those of the statements in it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.expr, ast.withitem, ast.arguments, ast.keyword)):
            yield child


def computes_names(node: ast.AST) -> bool:
    """``globals()[…]`` assigned, ``globals().update(…)``, ``sys.modules[…] = …``, ``exec(…)``."""
    if isinstance(node, ast.NamedExpr):
        return is_namespace(node.value)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        return is_namespace(node.value) or ast.unparse(node.value) == "sys.modules"
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if _hands_over_namespace(node):
        return True
    if isinstance(function, ast.Name):
        if function.id == "exec":
            return True
        if function.id == "setattr" and node.args and _is_this_module(node.args[0]):
            return set_on_module(node) is None
        return False
    return isinstance(function, ast.Attribute) and (
        (function.attr in ("update", "setdefault") and is_namespace(function.value))
        or (function.attr == "setdefault" and ast.unparse(function.value) == "sys.modules")
    )


def _hands_over_namespace(call: ast.Call) -> bool:
    """``clone_module("numpy", globals())``: whoever has the namespace may fill it."""
    if last_name(call.func) in _READERS or set_on_module(call) is not None:
        return False
    given = (*call.args, *(word.value for word in call.keywords))
    return any(is_namespace(each) or _is_own_module(each) for each in given)


def set_on_module(call: ast.Call) -> str | None:
    """The name in ``setattr(sys.modules[__name__], "name", …)``."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "setattr" and len(call.args) == 3):
        return None
    name = call.args[1]
    if _is_this_module(call.args[0]) and isinstance(name, ast.Constant):
        return name.value if isinstance(name.value, str) else None
    return None


def is_namespace(node: ast.expr) -> bool:
    """Whether it is ``globals()``, ``locals()`` or ``vars()``."""
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return called and node.func.id in ("globals", "locals", "vars")  # type: ignore[attr-defined]


def _is_this_module(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return True  # a name for it, perhaps: `module = sys.modules[__name__]`
    return isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.modules"


def _is_own_module(node: ast.expr) -> bool:
    """``sys.modules[__name__]``."""
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Name)
        and node.slice.id == "__name__"
        and ast.unparse(node.value) == "sys.modules"
    )


def last_name(node: ast.expr) -> str:
    """``suppress`` of ``contextlib.suppress``; empty where it is no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
