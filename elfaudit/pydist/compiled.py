"""What the parser lets pass and the compiler refuses.

Source: ``Python/symtable.c`` and ``Python/compile.c``. To compile each module would cost half as
much again as to parse it.
"""

from __future__ import annotations

import ast
import importlib

from .places import Place

__all__ = ["refused", "refused_future"]

# Imported by its name: an import statement of it is one to the compiler.
_FEATURES = frozenset(importlib.import_module("__future__").all_feature_names)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def refused(node: ast.stmt, place: Place) -> str | None:
    """Why the compiler refuses a statement at its place, a clause; None if it does not."""
    kind = type(node)
    if kind is ast.Return:
        return None if place.in_function else _at("'return' outside function", node)
    if kind is ast.Expr:
        return _expression(node.value, node, place)  # type: ignore[attr-defined]
    if kind is ast.Break or kind is ast.Continue:
        word = kind.__name__.lower()
        return None if place.in_loop else _at(f"{word!r} outside loop", node)
    if isinstance(node, _FUNCTIONS):
        return _arguments(node)
    if kind is ast.Nonlocal and place.in_module:
        return _at("nonlocal declaration at module level", node)
    if isinstance(node, ast.ImportFrom) and not place.in_module and node.names[0].name == "*":
        return _at("import * only allowed at module level", node)
    return None


def _expression(value: ast.expr, node: ast.stmt, place: Place) -> str | None:
    if place.in_function:
        return None
    if isinstance(value, (ast.Yield, ast.YieldFrom)):
        return _at("'yield' outside function", node)
    return _at("'await' outside function", node) if isinstance(value, ast.Await) else None


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    given = node.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [each.arg for each in (given.vararg, given.kwarg) if each is not None]
    if len(set(names)) == len(names):
        return None
    return _at("an argument is there twice", node)


def _at(what: str, node: ast.stmt) -> str:
    return f"{what}, line {node.lineno}"


def refused_future(tree: ast.Module) -> str | None:
    """Why the compiler refuses an import from ``__future__``, a clause; None if it does not."""
    early = True
    for position, node in enumerate(tree.body):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level:
            unknown = [each.name for each in node.names if each.name not in _FEATURES]
            if unknown:
                return _at(f"future feature {unknown[0]} is not defined", node)
            if not early:
                return _at("from __future__ imports must occur at the beginning", node)
        elif position or not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            early = False
    return None
