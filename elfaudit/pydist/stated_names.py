"""What ``__all__`` states, as far as it is stated in literals."""

from __future__ import annotations

import ast
from dataclasses import replace

from .literals import strings_of
from .surface import AllNames

__all__ = ["StatedNames"]


class StatedNames:
    """``__all__`` of one module, followed from statement to statement."""

    def __init__(self) -> None:
        self._is_there = False
        self._names: set[str] = set()
        self._modules: list[str] = []
        self._complete = True
        self._changes = False
        self._wrong: str | None = None

    def names(self, *, changes: bool) -> AllNames | None:
        """What it states in the end; None where there is none.

        Args:
            changes: whether something is done to it that is not followed here.
        """
        if not self._is_there and not changes:
            return None
        complete = self._is_there and self._complete and not (changes or self._changes)
        wrong = None if changes or self._changes else self._wrong
        return AllNames(frozenset(self._names), tuple(self._modules), complete, wrong)

    def assign(self, value: ast.expr, *, conditional: bool) -> None:
        """``__all__ = …``; under a condition what was stated before may stay."""
        if not conditional:
            self._names, self._modules, self._complete, self._wrong = set(), [], True, None
        else:
            self._wrong = None
        self._take(_all_of(value), complete=not conditional)

    def add(self, value: ast.expr, *, conditional: bool) -> None:
        """``__all__ += …``; what is added to one that is not there may be added to any."""
        more = _all_of(value)
        self._take(replace(more, wrong=None) if conditional else more, complete=self._is_there)

    def _take(self, more: AllNames, *, complete: bool) -> None:
        self._names |= more.names
        self._modules += more.of_modules
        self._complete = self._complete and more.complete and complete
        self._wrong = self._wrong or (more.wrong if complete else None)
        self._is_there = True

    def imported(self) -> None:
        """``from … import __all__``, and whatever else binds it."""
        self._is_there, self._complete, self._wrong = True, False, None

    def delete(self, *, conditional: bool) -> None:
        """``del __all__``."""
        if conditional:
            self._changes = True
        else:
            self._is_there, self._names, self._modules, self._complete = False, set(), [], True
            self._wrong = None

    def call(self, method: str, arguments: list[ast.expr], *, conditional: bool) -> None:
        """``__all__.append(…)`` and other methods."""
        if method in ("index", "count", "copy", "sort", "reverse"):
            return
        last = arguments[-1] if arguments else None
        if last is None or method not in ("append", "extend", "insert", "remove"):
            self._changes = True
        elif method == "extend":
            self.add(last, conditional=conditional)
        elif method != "remove":
            self.add(ast.List([last], ast.Load()), conditional=conditional)
        else:
            removed = strings_of(ast.List([last], ast.Load()))
            self._changes = self._changes or conditional or removed is None
            if removed is not None and not conditional:
                self._names -= removed


def _all_of(node: ast.expr) -> AllNames:
    """What an expression adds to ``__all__``."""
    pending, names, modules, complete = [node], set[str](), list[str](), True
    wrong: str | None = None
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
                    if isinstance(one, ast.Constant):
                        wrong = wrong or repr(one.value)[:40]
        else:
            strings = strings_of(each)
            names |= strings or set()
            complete = complete and strings is not None
    return AllNames(frozenset(names), tuple(modules), complete, wrong)
