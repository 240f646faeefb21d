"""The lists, sets and dicts of strings of a module, with all that is added to them later."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .conditions import last_name
from .literals import strings_of

__all__ = ["READERS", "only_read", "string_tables", "with_parents"]

# What looks at a list, dict or namespace that it is given, and does not change it.
READERS = frozenset((
    "all", "any", "dict", "dir", "enumerate", "extend", "filter", "format", "frozenset", "getattr",
    "getmembers", "hasattr", "id", "isinstance", "iter", "join", "len", "list", "map", "max",
    "min", "print", "repr", "reversed", "set", "sorted", "str", "super", "tuple", "type", "union",
    "zip",
))  # fmt: skip
_MOST_TABLES, _MOST_STRINGS = 1_000, 20_000
_MOST_OF_ALL = 200_000  # strings in all tables of a module
_METHODS = frozenset(("get", "keys", "items", "values", "copy", "index", "count", "__contains__"))
_ADDING = frozenset(("append", "add", "extend", "update", "insert"))
_READING = (
    ast.Compare, ast.For, ast.comprehension, ast.Starred, ast.Dict, ast.BinOp, ast.FormattedValue,
    ast.Return, ast.BoolOp, ast.Expr,
)  # fmt: skip


def with_parents(
    node: ast.AST, parent: ast.AST, grand: ast.AST
) -> Iterator[tuple[ast.AST, ast.AST, ast.AST]]:
    """A node and all below it, each with what it is in, and what that is in."""
    pending = [(node, parent, grand)]
    while pending:
        found = pending.pop()
        yield found
        each, above, _ = found
        pending += [(child, each, above) for child in ast.iter_child_nodes(each)]


def string_tables(module: ast.Module) -> dict[str, frozenset[str]]:
    """The strings that a module's tables may hold, by the name of the table.

    One that is filled in a way that cannot be followed, or bound twice, is none.
    """
    found: dict[str, set[str]] = {}
    of_all = 0
    for statement in module.body:
        target, value = _assigned(statement)
        if target is not None and value is not None:
            strings = strings_of(value, found)
            if strings is not None and len(strings) <= _MOST_STRINGS:
                found[target] = set(strings)
                of_all += len(strings)
        if len(found) > _MOST_TABLES or of_all > _MOST_OF_ALL:
            return {}
    bound: set[str] = set()
    for node, parent, grand in with_parents(module, module, module):
        if not isinstance(node, ast.Name) or node.id not in found:
            continue
        more = _changed(node, parent, grand, bound)
        if more is None:
            del found[node.id]
        elif more:
            found[node.id] |= more
            of_all += len(more)
            if of_all > _MOST_OF_ALL:
                return {}
    return {name: frozenset(strings) for name, strings in found.items()}


def _assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None, None
    return (target.id if isinstance(target, ast.Name) else None), statement.value


def only_read(node: ast.Name, parent: ast.AST, grand: ast.AST) -> bool:
    """Whether one use of a table does not change it, as far as can be seen."""
    return _changed(node, parent, grand, set()) == frozenset()


def _changed(
    node: ast.Name, parent: ast.AST, grand: ast.AST, bound: set[str]
) -> frozenset[str] | None:
    """What one use of a table adds to it; None where nobody can tell."""
    if isinstance(parent, ast.AugAssign):
        return strings_of(parent.value)
    if isinstance(node.ctx, ast.Store):
        if node.id in bound:
            return None
        bound.add(node.id)
        return frozenset()
    if isinstance(parent, ast.Subscript) and parent.value is node:
        if isinstance(parent.ctx, ast.Load):
            return frozenset()
        return strings_of(ast.Set([parent.slice])) if isinstance(parent.ctx, ast.Store) else None
    if isinstance(parent, ast.Attribute):
        return _by_method(parent, grand)
    if isinstance(parent, ast.Call):
        return frozenset() if last_name(parent.func) in READERS else None
    return frozenset() if isinstance(parent, (*_READING, ast.Subscript)) else None


def _by_method(method: ast.Attribute, call: ast.AST) -> frozenset[str] | None:
    if method.attr in _METHODS:
        return frozenset()
    if not (isinstance(call, ast.Call) and method.attr in _ADDING):
        return None
    added = frozenset(word.arg for word in call.keywords if word.arg)
    if len(added) < len(call.keywords):
        return None
    given = call.args[-1:]
    if method.attr in ("append", "add", "insert"):
        strings = strings_of(ast.Set(list(given)))
    else:
        strings = strings_of(given[0]) if given else frozenset()
    return None if strings is None else added | strings
