"""What ``__all__`` states, as far as it is stated in literals."""

from __future__ import annotations

import ast

from .literals import strings_of
from .surface import AllNames

__all__ = ["all_of", "joined"]


def all_of(node: ast.expr) -> AllNames:
    """What an expression adds to ``__all__``."""
    pending, names, modules, complete = [node], set[str](), list[str](), True
    while pending:
        each = pending.pop()
        if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add):
            pending += (each.left, each.right)
        elif isinstance(each, ast.Name) and each.id == "__all__":
            continue
        elif isinstance(each, ast.Attribute) and each.attr == "__all__":
            modules.append(ast.unparse(each.value))
        elif isinstance(each, (ast.List, ast.Tuple, ast.Set)):
            for one in each.elts:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    names.add(one.value)
                elif isinstance(one, ast.Starred):
                    pending.append(one.value)
                else:
                    complete = False
        else:
            strings = strings_of(each)
            names |= strings or set()
            complete = complete and strings is not None
    return AllNames(frozenset(names), tuple(modules), complete)


def joined(first: AllNames | None, second: AllNames) -> AllNames:
    """Both; what is added to an ``__all__`` that is not there may be added to any."""
    if first is None:
        return AllNames(second.names, second.of_modules, complete=False)
    return AllNames(
        first.names | second.names,
        first.of_modules + second.of_modules,
        first.complete and second.complete,
    )
