"""Which names a module's ``__getattr__`` knows (PEP 562), as far as its text says.

The function is followed for all names at once: each test divides the set of the names for which it
is reached, and what is reached by a ``return``, or by the end, is known.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from .conditions import last_name, passes_on
from .literals import strings_of
from .name_sets import ALL, NONE, NameSet
from .namespace_terms import is_namespace
from .rebound import Bound, bound_in
from .surface import Constant, LazyNames

__all__ = ["attached_names", "is_cached", "lazy_names"]

_OPEN = LazyNames(complete=False)
_CACHES = frozenset(("cache", "lru_cache"))
# What is in one of these is not always carried out with the expression.
_SOMETIMES = (
    ast.IfExp, ast.BoolOp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def lazy_names(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    tables: Mapping[str, frozenset[str]],
    constants: Mapping[str, Constant],
) -> LazyNames:
    """The names for which a ``__getattr__`` may return something.

    Args:
        function: its definition.
        tables: the strings of the lists and dicts of the module.
        constants: the values of its names.
    """
    arguments = function.args.posonlyargs + function.args.args
    decorators = [each.func if isinstance(each, ast.Call) else each
                  for each in function.decorator_list]  # fmt: skip
    if (
        len(arguments) != 1
        or isinstance(function, ast.AsyncFunctionDef)
        or any(last_name(each) not in _CACHES for each in decorators)
    ):
        return _OPEN
    reader = _Reader(arguments[0].arg, tables, constants, bound_in(function))
    reader.returned(reader.block(function.body, ALL))  # the end of it returns None
    return LazyNames(frozenset(reader.names), complete=not reader.open)


class _Reader:
    def __init__(
        self,
        argument: str,
        tables: Mapping[str, frozenset[str]],
        constants: Mapping[str, Constant],
        bound: Bound,
    ) -> None:
        self._arguments = {argument} - bound.otherwise
        self._tables = {name: strings for name, strings in tables.items()
                        if name not in bound.otherwise}  # fmt: skip
        self._constants = {name: value for name, value in constants.items()
                           if name not in bound.otherwise}  # fmt: skip
        self._bound = bound
        self._looked_up: dict[str, NameSet] = {}
        self.names: set[str] = set()
        self.open = False

    def returned(self, reached: NameSet) -> None:
        """Something is returned for these names."""
        if reached.inverted:
            self.open = True
        else:
            self.names |= reached.names

    def block(self, body: Sequence[ast.stmt], reached: NameSet) -> NameSet:
        """Follow statements that these names reach; gives those that reach the end of them."""
        for statement in body:
            if not reached:
                break
            reached = self._statement(statement, reached)
        return reached

    def _statement(self, node: ast.stmt, reached: NameSet) -> NameSet:
        if isinstance(node, (ast.Raise, ast.Break, ast.Continue)):
            return NONE
        if isinstance(node, ast.Return):
            self._value(node.value, reached)
            return NONE
        if isinstance(node, ast.If):
            true, false = self._split(node.test)
            return self.block(node.body, reached & true) | self.block(node.orelse, reached & false)
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            self.block([*node.body, *node.orelse], reached)
            return reached
        if isinstance(node, (ast.With, ast.AsyncWith)):
            ended = self.block(node.body, reached)
            calm = all(passes_on(each.context_expr) for each in node.items)
            return ended if calm else reached
        if isinstance(node, (ast.Try, ast.TryStar)):
            return self._try(node, reached)
        if isinstance(node, ast.Match):
            return self._match(node, reached)
        return self._simple(node, reached)

    def _simple(self, node: ast.stmt, reached: NameSet) -> NameSet:
        if isinstance(node, ast.Assert):
            return reached & self._split(node.test)[0]
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            self._assigned(node.targets[0], node.value)
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr)) and node.value is not None:
            return reached & self._needed(node.value)
        return reached

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if not isinstance(target, ast.Name):
            return
        self._looked_up.pop(target.id, None)
        self._tables.pop(target.id, None)
        self._constants.pop(target.id, None)
        strings, looked = strings_of(value, self._tables), self._got(value)
        once = target.id in self._bound.once
        if self._is_argument(value) and once:
            self._arguments.add(target.id)
            return
        self._arguments.discard(target.id)
        if strings is not None and once and target.id not in self._bound.changed:
            self._tables[target.id] = strings
        elif looked is not None and once:
            self._looked_up[target.id] = looked

    def _value(self, value: ast.expr | None, reached: NameSet) -> None:
        """What a return statement gives: of a conditional expression either part."""
        if isinstance(value, ast.IfExp):
            true, false = self._split(value.test)
            self._value(value.body, reached & true)
            self._value(value.orelse, reached & false)
        else:
            self.returned(reached if value is None else reached & self._needed(value))

    def _try(self, node: ast.Try | ast.TryStar, reached: NameSet) -> NameSet:
        ended = self.block(node.orelse, self.block(node.body, reached))
        for handler in node.handlers:
            ended |= self.block(handler.body, reached)
        if not node.finalbody:
            return ended
        return ended & self.block(node.finalbody, reached)

    def _match(self, node: ast.Match, reached: NameSet) -> NameSet:
        ended, known = NONE, self._is_argument(node.subject)
        for case in node.cases:
            matched = self._matched(case.pattern) if known else None
            taken = reached & (ALL if matched is None else matched)
            ended |= self.block(case.body, taken)
            if case.guard is None and matched is not None:
                reached &= ~matched
        return ended | reached

    def _matched(self, pattern: ast.pattern) -> NameSet | None:
        if isinstance(pattern, ast.MatchOr):
            parts = [self._matched(each) for each in pattern.patterns]
            known = [each for each in parts if each is not None]
            whole = NONE
            for each in known:
                whole |= each
            return whole if len(known) == len(parts) else None
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
            return ALL
        if isinstance(pattern, ast.MatchValue):
            return self._one(pattern.value)
        return None

    def _split(self, test: ast.expr) -> tuple[NameSet, NameSet]:
        """The names for which a test may be true, and those for which it may be false."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            true, false = self._split(test.operand)
            return false, true
        if isinstance(test, ast.BoolOp):
            return self._combined(test)
        if isinstance(test, ast.Constant):
            return (ALL, NONE) if test.value else (NONE, ALL)
        if (looked := self._got(test)) is not None:
            return looked, ALL  # what is found may be false, too
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return self._compared(test.left, test.ops[0], test.comparators[0])
        return ALL, ALL

    def _combined(self, test: ast.BoolOp) -> tuple[NameSet, NameSet]:
        parts = [self._split(each) for each in test.values]
        true, false = parts[0]
        for more_true, more_false in parts[1:]:
            if isinstance(test.op, ast.And):
                true, false = true & more_true, false | more_false
            else:
                true, false = true | more_true, false & more_false
        return true, false

    def _compared(
        self, left: ast.expr, operator: ast.cmpop, right: ast.expr
    ) -> tuple[NameSet, NameSet]:
        if self._is_argument(right):
            left, right = right, left
        known: NameSet | None = None
        if isinstance(right, ast.Constant) and right.value is None:
            if (looked := self._got(left)) is not None:
                return (ALL, looked) if isinstance(operator, (ast.Is, ast.Eq)) else (looked, ALL)
        elif not self._is_argument(left):
            return ALL, ALL
        elif isinstance(operator, (ast.Eq, ast.NotEq)):
            known = self._one(right)
        elif isinstance(operator, (ast.In, ast.NotIn)):
            strings = self._strings(right)
            known = None if strings is None else NameSet(strings)
        if known is None:
            return ALL, ALL
        return (known, ~known) if isinstance(operator, (ast.Eq, ast.In)) else (~known, known)

    def _one(self, node: ast.expr) -> NameSet | None:
        """The one name that an expression is equal to."""
        constant = self._constants.get(node.id) if isinstance(node, ast.Name) else None
        value = node.value if isinstance(node, ast.Constant) else constant and constant.value
        return NameSet(frozenset((value,))) if isinstance(value, str) else None

    def _strings(self, node: ast.expr) -> frozenset[str] | None:
        if is_namespace(node):
            return frozenset()  # what the module binds is there anyway
        return strings_of(node, self._tables)

    def _needed(self, node: ast.expr) -> NameSet:
        """The names for which an expression can be evaluated: ``TABLE[name]`` is in it."""
        needed = ALL
        pending: list[ast.AST] = [node]
        while pending:
            each = pending.pop()
            if isinstance(each, ast.Subscript) and self._is_argument(each.slice):
                strings = self._strings(each.value)
                needed &= ALL if strings is None else NameSet(strings)
            if not isinstance(each, _SOMETIMES):
                pending += [c for c in ast.iter_child_nodes(each)
                            if isinstance(c, (ast.expr, ast.keyword))]  # fmt: skip
        return needed

    def _got(self, node: ast.expr) -> NameSet | None:
        """The names for which it is not None: ``TABLE.get(name)``, or a name for that."""
        if isinstance(node, ast.Name):
            return self._looked_up.get(node.id)
        if isinstance(node, ast.NamedExpr):
            return self._got(node.value)
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            return None
        given = [each for each in node.args
                 if not (isinstance(each, ast.Constant) and each.value is None)]  # fmt: skip
        if node.func.attr != "get" or len(given) != 1 or not self._is_argument(given[0]):
            return None
        strings = self._strings(node.func.value)
        return None if strings is None else NameSet(strings)

    def _is_argument(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id in self._arguments


def is_cached(value: ast.expr) -> bool:
    """Whether it is ``functools.cache(__getattr__)``, which knows the same names."""
    return (
        isinstance(value, ast.Call)
        and last_name(value.func) in _CACHES
        and [last_name(each) for each in value.args] == ["__getattr__"]
    )


def attached_names(call: ast.Call) -> LazyNames:
    """What ``lazy_loader.attach(__name__, submodules, submod_attrs)`` makes a module offer."""
    if last_name(call.func) != "attach":
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
