"""Which names a module's ``__getattr__`` knows (PEP 562), as far as its text says."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from .literals import strings_of
from .namespaces import is_namespace
from .surface import LazyNames

__all__ = ["attached_names", "lazy_names"]

_OPEN = LazyNames(complete=False)


def lazy_names(
    function: ast.FunctionDef | ast.AsyncFunctionDef, collections: Mapping[str, frozenset[str]]
) -> LazyNames:
    """The names for which a ``__getattr__`` may return something.

    Args:
        function: its definition.
        collections: the strings of the lists and dicts that the module binds to names.

    A name counts if the function compares its argument with it, or looks it up in a literal; a
    branch that only raises does not count. Where the argument is used in any other way but in a
    message, there may be other names.
    """
    arguments = function.args.posonlyargs + function.args.args
    if len(arguments) != 1:
        return _OPEN
    reader = _Reader(arguments[0].arg, collections)
    reader.block(function.body)
    return LazyNames(frozenset(reader.names), complete=not reader.open)


class _Reader:
    def __init__(self, argument: str, collections: Mapping[str, frozenset[str]]) -> None:
        self._argument, self._collections = argument, collections
        self.names: set[str] = set()
        self.open = False

    def block(self, body: Sequence[ast.stmt]) -> None:
        """Statements that run for any name."""
        for statement in body:
            if isinstance(statement, ast.Raise):
                return
            if isinstance(statement, ast.If):
                if self._branch(statement):
                    return
            elif isinstance(statement, (ast.With, ast.AsyncWith)):
                self.block(statement.body)
            elif isinstance(statement, ast.Try):
                self.block([*statement.body, *statement.orelse])
                for handler in statement.handlers:
                    self.block(handler.body)
            elif isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass, ast.Global)):
                continue
            else:
                self._judge(statement)

    def _branch(self, statement: ast.If) -> bool:
        """One ``if``; True where what comes after it is for the names it has let through only."""
        known = self._membership(statement.test)
        if known is None:
            if self._uses(statement.test):
                self.open = True
            self.block(statement.body)
            self.block(statement.orelse)
            return False
        names, positive = known
        if positive:
            if not _only_raises(statement.body):
                self.names |= names
            self.block(statement.orelse)
            return False
        self.block(statement.body)
        self.names |= names
        return isinstance(statement.body[-1], (ast.Raise, ast.Return))

    def _membership(self, test: ast.expr) -> tuple[frozenset[str], bool] | None:
        """The names that a test is true, or false, for; None where it is no such test."""
        if isinstance(test, ast.BoolOp):
            return self._combined(test)
        if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
            return None
        left, operator, right = test.left, test.ops[0], test.comparators[0]
        if isinstance(right, ast.Name) and right.id == self._argument:
            left, right = right, left
        if not (isinstance(left, ast.Name) and left.id == self._argument):
            return None
        if isinstance(operator, (ast.Eq, ast.NotEq)):
            if isinstance(right, ast.Constant) and isinstance(right.value, str):
                return frozenset((right.value,)), isinstance(operator, ast.Eq)
            return None
        if isinstance(operator, (ast.In, ast.NotIn)):
            strings = self._strings(right)
            if strings is not None:
                return strings, isinstance(operator, ast.In)
        return None

    def _combined(self, test: ast.BoolOp) -> tuple[frozenset[str], bool] | None:
        parts = [self._membership(each) for each in test.values]
        if isinstance(test.op, ast.Or):
            known = [each for each in parts if each is not None and each[1]]
            if len(known) < len(parts):
                return None
            return frozenset().union(*(each[0] for each in known)), True
        positive = [each for each in parts if each is not None and each[1]]
        return positive[0] if positive else None

    def _strings(self, node: ast.expr) -> frozenset[str] | None:
        if is_namespace(node):
            return frozenset()  # what the module binds is there anyway
        if isinstance(node, ast.Name):
            return self._collections.get(node.id)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("keys", "copy")
        ):
            return self._strings(node.func.value)
        return strings_of(node)

    def _judge(self, statement: ast.stmt) -> None:
        """A statement that runs for any name: a look into a literal is known, all else is not."""
        for node in ast.walk(statement):
            looked = self._looked_up(node)
            if looked is not None:
                self.names |= looked
                return
        if self._uses(statement) and not _is_message(statement):
            self.open = True

    def _looked_up(self, node: ast.AST) -> frozenset[str] | None:
        """``TABLE[name]`` and ``TABLE.get(name)``."""
        if isinstance(node, ast.Subscript) and self._is_argument(node.slice):
            return self._strings(node.value)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "pop")
            and node.args
            and self._is_argument(node.args[0])
        ):
            return self._strings(node.func.value)
        if isinstance(node, ast.match_case):
            return None
        return None

    def _is_argument(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self._argument

    def _uses(self, node: ast.AST) -> bool:
        return any(self._is_argument(each) for each in ast.walk(node))


def _only_raises(body: Sequence[ast.stmt]) -> bool:
    return all(isinstance(each, (ast.Raise, ast.Import, ast.ImportFrom)) for each in body)


def _is_message(statement: ast.stmt) -> bool:
    """Whether a statement only makes a text: an assignment of an f-string, a warning."""
    if isinstance(statement, ast.Assign):
        return isinstance(statement.value, (ast.JoinedStr, ast.BinOp))
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in ("warn", "warning", "warning_once", "debug", "info", "warn_once")
    return False


def attached_names(call: ast.Call) -> LazyNames:
    """What ``lazy_loader.attach(__name__, submodules, submod_attrs)`` makes a module offer."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name != "attach":
        return _OPEN
    found: set[str] = set()
    given = {word.arg: word.value for word in call.keywords}
    for position, key in ((1, "submodules"), (2, "submod_attrs")):
        value = given.get(key, call.args[position] if len(call.args) > position else None)
        if value is None or (isinstance(value, ast.Constant) and value.value is None):
            continue
        strings = strings_of(value)
        if strings is None:
            return _OPEN
        found |= strings
        for each in value.values if isinstance(value, ast.Dict) else ():
            attributes = strings_of(each)
            if attributes is None:
                return _OPEN
            found |= attributes
    return LazyNames(frozenset(found))
