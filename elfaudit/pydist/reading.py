"""One walk over a module's syntax tree, for what it binds, imports and computes.

Only statements are walked; expressions are looked into where the text of the file has something in
it that could matter (``:=``, ``globals()``, ``sys.modules`` …).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .lazy_names import attached_names, lazy_names
from .literals import strings_of, value_of
from .namespaces import (
    TRICKS,
    computes_names,
    is_namespace,
    last_name,
    own_expressions,
    set_on_module,
)
from .source_text import parse_module
from .stated_names import all_of, joined
from .surface import AllNames, Constant, Grade, Imported, LazyNames, Surface

__all__ = ["read_surface"]

_CATCHES = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement is: whether its names are the module's, and when it runs."""

    grade: Grade = Grade.PLAIN
    in_module: bool = True
    in_function: bool = False
    conditional: bool = False

    def graded(self, grade: Grade) -> _Place:
        """The same below something that makes an import matter less; the least one stays."""
        if _RANK[grade] > _RANK[self.grade]:
            return _Place(grade, self.in_module, self.in_function, conditional=True)
        return _Place(self.grade, self.in_module, self.in_function, conditional=True)


_RANK = {grade: rank for rank, grade in enumerate(Grade)}


def read_surface(raw: bytes) -> Surface:
    """The facts of one file of Python source; nothing of it is run."""
    tree = parse_module(raw)
    if isinstance(tree, str):
        return Surface(problem=tree)
    walk = _Walk(tricky=any(each in raw for each in TRICKS), walrus=b":=" in raw)
    try:
        walk.run(tree.body)
        return walk.surface()
    except RecursionError:
        return Surface(problem="is nested too deeply")


class _Walk:
    def __init__(self, *, tricky: bool, walrus: bool) -> None:
        self._tricky, self._walrus = tricky, walrus
        self._certain: set[str] = set()
        self._maybe: set[str] = set()
        self._deleted: set[str] = set()
        self._defined: set[str] = set()
        self._imports: list[Imported] = []
        self._stars: list[int] = []
        self._origins: dict[str, int] = {}
        self._constants: dict[str, Constant] = {}
        self._collections: dict[str, frozenset[str]] = {}
        self._all: AllNames | None = None
        self._all_changes = False
        self._getattr: ast.FunctionDef | ast.AsyncFunctionDef | None = None
        self._lazy: LazyNames | None = None
        self._computed: str | None = None
        self._pending: list[tuple[ast.stmt, _Place]] = []

    def run(self, body: list[ast.stmt]) -> None:
        """Every statement, in the order of the text, without recursion."""
        self._push(body, _Place())
        while self._pending:
            statement, place = self._pending.pop()
            self._statement(statement, place)

    def surface(self) -> Surface:
        lazy, stated = self._lazy, self._all
        if stated is not None and self._all_changes:
            stated = replace(stated, complete=False)
        if self._getattr is not None:
            lazy = lazy_names(self._getattr, self._collections)
        return Surface(
            frozenset(self._certain | self._maybe),
            frozenset(self._maybe - self._certain),
            frozenset(self._defined),
            tuple(self._imports),
            tuple(self._stars),
            self._origins,
            stated,
            lazy,
            self._computed,
            frozenset(self._deleted),
            self._constants,
        )

    def _push(self, body: list[ast.stmt], place: _Place) -> None:
        self._pending += [(each, place) for each in reversed(body)]

    def _statement(self, node: ast.stmt, place: _Place) -> None:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            handler(self, node, place)
        if self._tricky or self._walrus:
            self._expressions(node, place)

    def _bind(self, name: str, place: _Place, *, defines: bool = True) -> None:
        if not place.in_module or place.grade is Grade.TYPE_CHECKING:
            return
        (self._maybe if place.conditional else self._certain).add(name)
        self._deleted.discard(name)
        if defines:
            self._defined.add(name)
            self._origins.pop(name, None)

    def _targets(self, target: ast.expr, place: _Place) -> None:
        pending = [target]
        while pending:
            each = pending.pop()
            if isinstance(each, ast.Name):
                self._bind(each.id, place)
                if place.in_module:
                    self._constants[each.id] = Constant(problem="it is computed")
            elif isinstance(each, (ast.Tuple, ast.List)):
                pending += each.elts
            elif isinstance(each, ast.Starred):
                pending.append(each.value)

    def _assign(self, node: ast.Assign, place: _Place) -> None:
        if self._computed is None and self._tricky and is_namespace(node.value):
            self._computed = f"line {node.lineno} takes its namespace"
        for target in node.targets:
            self._targets(target, place)
            if isinstance(target, ast.Name) and place.in_module:
                self._note(target.id, node.value, place)
            elif isinstance(target, ast.Tuple) and place.in_module:
                names = [each.id for each in target.elts if isinstance(each, ast.Name)]
                if "__getattr__" in names and isinstance(node.value, ast.Call):
                    self._lazy = attached_names(node.value)

    def _note(self, name: str, value: ast.expr, place: _Place) -> None:
        """What a name of the module stands for."""
        if place.grade is Grade.TYPE_CHECKING:
            return
        if name == "__all__":
            self._all = all_of(value)
        elif name == "__getattr__":
            self._lazy = LazyNames(complete=False)
        constant = value_of(value, self._constants)
        if place.conditional and constant.problem is None:
            constant = Constant(problem="it is assigned under a condition")
        self._constants[name] = constant
        strings = strings_of(value)
        if strings is not None:
            self._collections[name] = strings
        elif name in self._collections:
            del self._collections[name]

    def _annotated(self, node: ast.AnnAssign, place: _Place) -> None:
        if node.value is not None:
            self._targets(node.target, place)
            if isinstance(node.target, ast.Name) and place.in_module:
                self._note(node.target.id, node.value, place)

    def _augmented(self, node: ast.AugAssign, place: _Place) -> None:
        if not isinstance(node.target, ast.Name) or not place.in_module:
            return
        name = node.target.id
        if name == "__all__":
            self._all = joined(self._all, all_of(node.value))
        self._constants[name] = Constant(problem="it is computed")
        more, strings = strings_of(node.value), self._collections.pop(name, None)
        if more is not None and strings is not None:
            self._collections[name] = strings | more

    def _expression(self, node: ast.Expr, place: _Place) -> None:
        """``__all__.append(…)``, ``__all__.extend(…)``, ``__all__.remove(…)``."""
        call = node.value
        function = call.func if isinstance(call, ast.Call) else None
        if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)):
            return
        if function.value.id == "__all__" and isinstance(call, ast.Call) and call.args:
            if not place.in_module:
                self._all_changes = True  # numpy: def extend_all(module): __all__.extend(…)
            elif function.attr == "append":
                self._all = joined(self._all, all_of(ast.List([call.args[0]], ast.Load())))
            elif function.attr == "extend":
                self._all = joined(self._all, all_of(call.args[0]))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: _Place) -> None:
        self._bind(node.name, place)
        if (
            node.name == "__getattr__"
            and place.in_module
            and place.grade is not Grade.TYPE_CHECKING
        ):
            self._getattr = node
        if node.name == "__setattr__" and place.in_module:
            return  # vllm has one; Python calls none of a module (PEP 726 was rejected)
        grade = place.grade if place.grade is Grade.TYPE_CHECKING else Grade.DEFERRED
        self._push(node.body, _Place(grade, in_module=False, in_function=True, conditional=True))

    def _class(self, node: ast.ClassDef, place: _Place) -> None:
        self._bind(node.name, place)
        inside = _Place(place.grade, in_module=False, in_function=place.in_function,
                        conditional=place.conditional)  # fmt: skip
        self._push(node.body, inside)

    def _import(self, node: ast.Import, place: _Place) -> None:
        for each in node.names:
            self._add(Imported(node.lineno, 0, each.name, None, place.grade))
            name = each.asname or each.name.partition(".")[0]
            self._bind(name, place, defines=False)
            if place.in_module and place.grade is not Grade.TYPE_CHECKING:
                self._origins[name] = len(self._imports) - 1

    def _import_from(self, node: ast.ImportFrom, place: _Place) -> None:
        for each in node.names:
            self._add(Imported(node.lineno, node.level, node.module or "", each.name, place.grade))
            if each.name == "*":
                if place.in_module and place.grade is not Grade.TYPE_CHECKING:
                    self._stars.append(len(self._imports) - 1)
                    self._deleted.clear()  # it may bring them again
                continue
            name = each.asname or each.name
            self._bind(name, place, defines=False)
            if name == "__getattr__" and place.in_module:
                self._lazy = LazyNames(complete=False)
            if place.in_module and place.grade is not Grade.TYPE_CHECKING:
                self._origins[name] = len(self._imports) - 1
                self._constants[name] = Constant(problem="it is imported")

    def _add(self, imported: Imported) -> None:
        self._imports.append(imported)

    def _delete(self, node: ast.Delete, place: _Place) -> None:
        if not place.in_module or place.grade is Grade.TYPE_CHECKING:
            return
        for each in node.targets:
            if isinstance(each, ast.Name):
                if place.conditional:
                    self._maybe |= {each.id} & self._certain
                    self._certain.discard(each.id)
                else:
                    self._certain.discard(each.id)
                    self._maybe.discard(each.id)
                    self._deleted.add(each.id)
                    self._constants.pop(each.id, None)

    def _global(self, node: ast.Global, place: _Place) -> None:
        """A function may bind it when it is called."""
        if place.grade is not Grade.TYPE_CHECKING:
            self._maybe |= set(node.names)
            for name in node.names:
                self._constants[name] = Constant(problem="a function may assign it")

    def _if(self, node: ast.If, place: _Place) -> None:
        test = node.test
        negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        inner = test.operand if isinstance(test, ast.UnaryOp) and negated else test
        if _is_type_checking(inner):
            checked = place.graded(Grade.TYPE_CHECKING)
            first, second = (place, checked) if negated else (checked, place)
            self._push(node.orelse, second)
            self._push(node.body, first)
            return
        inside = place.graded(Grade.CONDITIONAL)
        self._push(node.orelse, inside)
        self._push(node.body, inside)

    def _try(self, node: ast.Try, place: _Place) -> None:
        caught = any(_catches(handler) for handler in node.handlers)
        guarded = place.graded(Grade.GUARDED) if caught else place
        after = place.graded(Grade.CONDITIONAL)
        self._push(node.finalbody, place)
        self._push(node.orelse, after if caught else place)
        for handler in reversed(node.handlers):
            self._push(handler.body, after)
        self._push(node.body, guarded)
        # What only `except … as name` binds is unbound at the end of it.

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, place: _Place) -> None:
        inside = place.graded(Grade.CONDITIONAL)
        if not isinstance(node, ast.While):
            self._targets(node.target, inside)
        self._push([*node.body, *node.orelse], inside)

    def _with(self, node: ast.With | ast.AsyncWith, place: _Place) -> None:
        inside = place
        for item in node.items:
            if item.optional_vars is not None:
                self._targets(item.optional_vars, place)
            if _suppresses(item.context_expr):
                inside = place.graded(Grade.GUARDED)
        self._push(node.body, inside)

    def _match(self, node: ast.Match, place: _Place) -> None:
        inside = place.graded(Grade.CONDITIONAL)
        for case in reversed(node.cases):
            for each in ast.walk(case.pattern):
                name = getattr(each, "name", None) or getattr(each, "rest", None)
                if isinstance(name, str):
                    self._bind(name, inside)
            self._push(case.body, inside)

    def _expressions(self, node: ast.stmt, place: _Place) -> None:
        """What expressions bind or compute; those of inner statements come by themselves."""
        for each in own_expressions(node):
            for part in ast.walk(each):
                if isinstance(part, ast.NamedExpr) and isinstance(part.target, ast.Name):
                    self._bind(part.target.id, place)
                elif self._tricky and self._computed is None and computes_names(part):
                    self._computed = f"line {node.lineno} computes names"
                elif isinstance(part, ast.Call) and (name := set_on_module(part)) is not None:
                    self._maybe.add(name)
                    self._defined.add(name)


def _is_type_checking(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id == "TYPE_CHECKING"
    if isinstance(node, ast.Attribute):
        return node.attr == "TYPE_CHECKING"
    return isinstance(node, ast.Constant) and node.value in (False, 0) and node.value is not None


def _catches(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type
    if kinds is None:
        return True
    names = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
    return any(last_name(each) in _CATCHES for each in names)


def _suppresses(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and last_name(node.func) == "suppress"
        and any(last_name(each) in _CATCHES for each in node.args)
    )


_HANDLERS: dict[type[ast.stmt], Callable[[_Walk, Any, _Place], None]] = {
    ast.Assign: _Walk._assign,
    ast.AnnAssign: _Walk._annotated,
    ast.AugAssign: _Walk._augmented,
    ast.Expr: _Walk._expression,
    ast.FunctionDef: _Walk._function,
    ast.AsyncFunctionDef: _Walk._function,
    ast.ClassDef: _Walk._class,
    ast.Import: _Walk._import,
    ast.ImportFrom: _Walk._import_from,
    ast.Delete: _Walk._delete,
    ast.Global: _Walk._global,
    ast.If: _Walk._if,
    ast.Try: _Walk._try,
    ast.TryStar: _Walk._try,
    ast.For: _Walk._loop,
    ast.AsyncFor: _Walk._loop,
    ast.While: _Walk._loop,
    ast.With: _Walk._with,
    ast.AsyncWith: _Walk._with,
    ast.Match: _Walk._match,
}
