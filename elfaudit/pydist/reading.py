"""One walk over a module's syntax tree, for what it binds, imports and computes.

Only statements are walked; expressions are looked into where their lines have something in them
that could matter (``:=``, ``globals()``, ``sys.modules`` …).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from .bindings import Bindings
from .compiled import refused, refused_future
from .conditions import asks_for_main, catches, suppresses, truth
from .lazy_names import attached_names, is_cached, lazy_names
from .literals import value_of
from .namespace_terms import Terms
from .namespaces import NamespaceUses, own_expressions
from .places import Place
from .source_text import parse_module
from .stated_names import StatedNames
from .surface import Constant, Grade, Imported, LazyNames, Surface
from .tables import string_tables

__all__ = ["read_surface"]

_OPEN = LazyNames(complete=False)


def read_surface(raw: bytes, name: str = "__main__", *, is_package: bool = False) -> Surface:
    """The facts of one file of Python source; nothing of it is run.

    Args:
        raw: the bytes of the file.
        name: the module that it is.
        is_package: whether it is the ``__init__`` of a package.
    """
    parsed = parse_module(raw)
    if isinstance(parsed, str):
        return Surface(problem=parsed)
    walk = _Walk(parsed.tree, parsed.text, name, is_package=is_package)
    try:
        return walk.surface()
    except (RecursionError, MemoryError):
        return Surface(problem="is nested too deeply")


class _Walk:
    def __init__(self, tree: ast.Module, text: str, name: str, *, is_package: bool) -> None:
        self._tree = tree
        self._names = Bindings()
        self._terms = Terms(name, is_package, self._names.constants)
        self._uses = NamespaceUses(text, self._terms, self._names.may_bind)
        self._stated = StatedNames()
        self._imports: list[Imported] = []
        self._stars: list[int] = []
        self._getattr: ast.FunctionDef | ast.AsyncFunctionDef | None = None
        self._lazy: LazyNames | None = None
        self._raises = 0
        self._refused = refused_future(tree) if "__future__" in text else None
        self._pending: list[tuple[ast.stmt, Place]] = []

    def surface(self) -> Surface:
        """Go through every statement, in the order of the text, without recursion."""
        self._push(self._tree.body, Place())
        while self._pending:
            statement, place = self._pending.pop()
            self._statement(statement, place)
        if self._refused is not None:
            return Surface(problem=f"does not compile: {self._refused}")
        names, uses, lazy = self._names, self._uses, self._lazy
        if self._getattr is not None:
            tables = string_tables(self._tree)
            try:
                lazy = lazy_names(self._getattr, tables, names.constants)
            except RecursionError:  # hundreds of `elif`
                lazy = _OPEN
        return Surface(
            frozenset(names.certain | names.maybe),
            frozenset(names.maybe - names.certain),
            frozenset(names.defined),
            tuple(self._imports),
            tuple(self._stars),
            names.origins,
            self._stated.names(changes=uses.all_changes),
            lazy,
            uses.computed,
            uses.replaced,
            frozenset(names.deleted),
            frozenset(names.unsure),
            uses.open_path,
            uses.shares_path,
            tuple(uses.sets),
            tuple(uses.makes),
            uses.fills_others,
            self._raises,
            names.constants,
        )

    def _push(self, body: list[ast.stmt], place: Place) -> None:
        self._pending += [(each, place) for each in reversed(body)]

    def _statement(self, node: ast.stmt, place: Place) -> None:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            handler(self, node, place)
        if self._uses.is_suspicious(node):
            self._uses.look(node, place)
            for each in own_expressions(node):
                self._walrus(each, place)
        problem = refused(node, place)
        if problem is not None:
            self._refused = self._refused or problem

    def _walrus(self, expression: ast.AST, place: Place) -> None:
        """``(name := …)`` binds for the scope that comprehensions are in, but that of a lambda."""
        pending = [expression]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
                self._names.bind(node.target.id, place)
            if isinstance(node, ast.Lambda):
                pending.append(node.args)
            else:
                pending += ast.iter_child_nodes(node)

    def _targets(self, target: ast.expr, place: Place) -> None:
        pending = [target]
        while pending:
            each = pending.pop()
            if isinstance(each, ast.Name):
                self._names.bind(each.id, place)
                if each.id == "__all__" and place.binds(each.id):
                    self._stated.imported()
            elif isinstance(each, ast.Attribute):
                self._uses.attribute(each, place)
            elif isinstance(each, (ast.Tuple, ast.List)):
                pending += each.elts
            elif isinstance(each, ast.Starred):
                pending.append(each.value)

    def _assign(self, node: ast.Assign, place: Place) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._assigned(target.id, node.value, place)
                continue
            self._targets(target, place)
            if isinstance(target, ast.Tuple) and place.in_module:
                names = [each.id for each in target.elts if isinstance(each, ast.Name)]
                if "__getattr__" in names:
                    attached = isinstance(node.value, ast.Call)
                    self._set_getattr(attached_names(node.value) if attached else _OPEN)  # type: ignore[arg-type]

    def _assigned(self, name: str, value: ast.expr, place: Place) -> None:
        """``name = value``."""
        if not place.binds(name):
            return
        constant = value_of(value, self._names.constants)
        self._names.bind(name, place)
        made = isinstance(value, (ast.BinOp, ast.JoinedStr))
        self._names.give(name, constant, place, put_together=made)
        if name == "__all__":
            self._stated.assign(value, conditional=place.conditional or not place.in_module)
        elif name == "__getattr__" and not is_cached(value):
            self._set_getattr(_OPEN)

    def _set_getattr(self, lazy: LazyNames) -> None:
        self._lazy, self._getattr = lazy, None

    def _annotated(self, node: ast.AnnAssign, place: Place) -> None:
        if node.value is None:
            return
        if isinstance(node.target, ast.Name):
            self._assigned(node.target.id, node.value, place)
        else:
            self._targets(node.target, place)

    def _augmented(self, node: ast.AugAssign, place: Place) -> None:
        if isinstance(node.target, ast.Attribute):
            self._uses.attribute(node.target, place)
        if not isinstance(node.target, ast.Name) or not place.binds(node.target.id):
            return
        self._names.bind(node.target.id, place)
        if node.target.id == "__all__":
            conditional = place.conditional or not place.in_module
            self._stated.add(node.value, conditional=conditional)

    def _expression(self, node: ast.Expr, place: Place) -> None:
        """``__all__.append(…)``, ``__all__.extend(…)``, ``__all__.remove(…)``."""
        call = node.value
        function = call.func if isinstance(call, ast.Call) else None
        if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)):
            return
        if function.value.id != "__all__" or not isinstance(call, ast.Call):
            return
        if not place.happens:
            return
        if place.in_module:
            self._stated.call(function.attr, call.args, conditional=place.conditional)
        else:
            self._uses.all_changes = True  # numpy: def extend_all(module): __all__.extend(…)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: Place) -> None:
        self._names.bind(node.name, place)
        if node.name == "__getattr__" and place.binds(node.name):
            several = place.conditional and (self._lazy or self._getattr) is not None
            self._lazy, self._getattr = (_OPEN, None) if several else (None, node)
        if node.name == "__setattr__" and place.in_module:
            return  # vllm has one; Python calls none of a module (PEP 726 was rejected)
        self._push(node.body, place.of_function())

    def _class(self, node: ast.ClassDef, place: Place) -> None:
        self._names.bind(node.name, place)
        self._push(node.body, place.of_class())
        decorators = [ast.unparse(each) for each in node.decorator_list]
        if any(each.rpartition(".")[2] == "global_enum" for each in decorators):
            for statement in node.body:
                for target in statement.targets if isinstance(statement, ast.Assign) else ():
                    self._targets(target, place)  # its members are names of the module

    def _import(self, node: ast.Import, place: Place) -> None:
        for each in node.names:
            self._imports.append(Imported(node.lineno, 0, each.name, None, place.grade))
            name = each.asname or each.name.partition(".")[0]
            self._terms.imported[name] = (0, each.name if each.asname else name)
            self._names.bind(name, place, origin=len(self._imports) - 1)

    def _import_from(self, node: ast.ImportFrom, place: Place) -> None:
        module = node.module or ""
        for each in node.names:
            self._imports.append(Imported(node.lineno, node.level, module, each.name, place.grade))
            if each.name == "*":
                if place.in_module and place.happens:
                    self._stars.append(len(self._imports) - 1)
                    self._names.deleted.clear()  # it may bring them again
                continue
            name = each.asname or each.name
            path = f"{module}.{each.name}" if module else each.name
            self._terms.imported[name] = (node.level, path)
            self._names.bind(name, place, origin=len(self._imports) - 1)
            if name == "TYPE_CHECKING":  # of typing it is a constant
                known = (
                    Constant(value=False)
                    if module in _TYPING
                    else Constant(problem="it is imported")
                )
                self._names.give(name, known, place)
            if name == "__getattr__" and place.binds(name):
                self._set_getattr(_OPEN)
            elif name == "__all__" and place.binds(name):
                self._stated.imported()

    def _delete(self, node: ast.Delete, place: Place) -> None:
        pending = list(node.targets)
        while pending:
            each = pending.pop()
            if isinstance(each, (ast.Tuple, ast.List)):
                pending += each.elts
            elif isinstance(each, ast.Name) and place.binds(each.id):
                self._names.delete(each.id, place)
                if each.id == "__all__":
                    self._stated.delete(conditional=place.conditional)
                elif each.id == "__getattr__" and not place.conditional:
                    self._lazy = self._getattr = None

    def _global(self, node: ast.Global, place: Place) -> None:
        """What the function binds of these is the module's, when it is called."""
        if place.module_names is not None:
            place.module_names.update(node.names)

    def _if(self, node: ast.If, place: Place) -> None:
        always = truth(node.test, self._names.constants, self._terms.name)
        inside = place.graded(Grade.CONDITIONAL)
        first = second = inside
        if always is not None:
            main = asks_for_main(node.test)
            never = place.of_script() if main else place.graded(Grade.TYPE_CHECKING)
            first, second = (place, never) if always else (never, place)
        self._push(node.orelse, second)
        self._push(node.body, first)

    def _try(self, node: ast.Try, place: Place) -> None:
        caught = any(catches(each) and not _raises(each.body) for each in node.handlers)
        guarded = place.graded(Grade.GUARDED) if caught else place
        guarded = guarded.tried() if node.handlers else guarded
        after = place.graded(Grade.CONDITIONAL)
        self._push(node.finalbody, place)
        self._push(node.orelse, after if caught else place)
        for handler in reversed(node.handlers):
            if handler.name is not None and place.in_module:
                unbound = ast.Delete([ast.Name(handler.name, ast.Del())], lineno=handler.lineno)
                self._push([unbound], after)
            self._push(handler.body, after)
        self._push(node.body, guarded)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, place: Place) -> None:
        after = place.graded(Grade.CONDITIONAL)
        if not isinstance(node, ast.While):
            self._targets(node.target, after)
        inside = Grade.CONDITIONAL
        if isinstance(node, ast.While):
            always = truth(node.test, self._names.constants, self._terms.name)
            inside = Grade.TYPE_CHECKING if always is False else inside
        self._push(node.orelse, after)
        self._push(node.body, place.graded(inside, in_loop=True))

    def _with(self, node: ast.With | ast.AsyncWith, place: Place) -> None:
        inside = place.tried()
        for item in node.items:
            if item.optional_vars is not None:
                self._targets(item.optional_vars, place)
            if suppresses(item.context_expr):
                inside = place.graded(Grade.GUARDED)
        self._push(node.body, inside)

    def _match(self, node: ast.Match, place: Place) -> None:
        inside = place.graded(Grade.CONDITIONAL)
        for case in reversed(node.cases):
            for each in ast.walk(case.pattern):
                name = getattr(each, "name", None) or getattr(each, "rest", None)
                if isinstance(name, str):
                    self._names.bind(name, inside)
            self._push(case.body, inside)

    def _raise(self, node: ast.Raise, place: Place) -> None:
        if place == _TOP:
            self._raises = self._raises or node.lineno

    def _assert(self, node: ast.Assert, place: Place) -> None:
        always = truth(node.test, self._names.constants, self._terms.name)
        if place == _TOP and always is False:
            self._raises = self._raises or node.lineno


_TOP = Place()
_TYPING = ("typing", "typing_extensions")


def _raises(body: list[ast.stmt]) -> bool:
    """Whether a handler always ends in an exception."""
    leaves = (ast.Return, ast.Continue, ast.Break)
    return any(isinstance(each, ast.Raise) for each in body) and not any(
        isinstance(node, leaves) for each in body for node in ast.walk(each)
    )


_HANDLERS: dict[type[ast.stmt], Callable[[_Walk, Any, Place], None]] = {
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
    ast.Raise: _Walk._raise,
    ast.Assert: _Walk._assert,
}
if hasattr(ast, "TypeAlias"):  # Python 3.12: `type X = int`
    _HANDLERS[ast.TypeAlias] = lambda walk, node, place: walk._targets(node.name, place)
