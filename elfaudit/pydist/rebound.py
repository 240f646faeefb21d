"""How a function binds its names: once and plainly, or in ways that are not followed."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass

from .tables import only_read, with_parents

__all__ = ["Bound", "bound_in"]

_LOOPS = (ast.For, ast.AsyncFor, ast.While)


@dataclass(frozen=True, slots=True)
class Bound:
    """The names that a function binds.

    Attributes:
        once: those bound by one plain assignment: what it says of them holds from there on.
        otherwise: those bound by something else, or in a loop: nothing is known of them.
        changed: those of which the value may be changed, as by ``table.append(name)``.
    """

    once: frozenset[str]
    otherwise: frozenset[str]
    changed: frozenset[str]


def bound_in(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Bound:
    """The names that the statements of a function bind, those of inner scopes included.

    The variables of comprehensions are their own.
    """
    plain: Counter[str] = Counter()
    otherwise: set[str] = set()
    changed: set[str] = set()
    own = _of_comprehensions(function)
    looped = {id(node) for loop in _nodes(function, _LOOPS) for node in _assignments(loop)}
    for statement in function.body:
        for node, parent, grand in with_parents(statement, function, function):
            if not isinstance(node, ast.Name):
                otherwise.update(_named(node))
            elif id(node) not in own:
                if isinstance(node.ctx, ast.Load):
                    changed |= set() if only_read(node, parent, grand) else {node.id}
                elif _is_plain(node, parent) and id(parent) not in looped:
                    plain[node.id] += 1
                else:
                    otherwise.add(node.id)
    once = frozenset(name for name, count in plain.items() if count == 1) - otherwise
    return Bound(once, frozenset(otherwise), frozenset(changed))


def _is_plain(node: ast.Name, parent: ast.AST) -> bool:
    if isinstance(parent, ast.Assign):
        return len(parent.targets) == 1 and parent.targets[0] is node
    return False


def _nodes(function: ast.AST, kinds: tuple[type[ast.AST], ...]) -> list[ast.AST]:
    """The outermost nodes of some kinds."""
    found: list[ast.AST] = []
    pending = [function]
    while pending:
        each = pending.pop()
        if isinstance(each, kinds):
            found.append(each)
        else:
            pending += ast.iter_child_nodes(each)
    return found


def _assignments(loop: ast.AST) -> list[ast.AST]:
    return [node for node in ast.walk(loop) if isinstance(node, ast.Assign)]


def _of_comprehensions(function: ast.AST) -> set[int]:
    """The nodes that are variables of comprehensions."""
    return {
        id(name)
        for node in ast.walk(function)
        if isinstance(node, ast.comprehension)
        for name in ast.walk(node.target)
        if isinstance(name, ast.Name)
    }


def _named(node: ast.AST) -> list[str]:
    """The names that a node binds by their text."""
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node.names
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [each.asname or each.name.partition(".")[0] for each in node.names]
    kinds = (ast.MatchAs, ast.MatchStar, ast.ExceptHandler, ast.FunctionDef,
             ast.AsyncFunctionDef, ast.ClassDef)  # fmt: skip
    name = node.name if isinstance(node, kinds) else None
    name = node.rest if isinstance(node, ast.MatchMapping) else name
    return [name] if name else []
