"""What expressions do to the namespaces of modules: their own, and those of others.

``globals()[name] = …``, ``sys.modules[__name__] = …``, ``exec(…)``, ``setattr(module, …)``: names
that are literal are taken; otherwise the module may have any name. What may do such a thing has one
of a few words on its lines (:func:`suspicious_lines`); only those statements are looked into.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from .conditions import last_name
from .literals import strings_of
from .namespace_terms import Term, TermKind, Terms
from .places import Place
from .surface import Grade, MadeModule, SetName
from .tables import READERS, with_parents

__all__ = ["NamespaceUses", "own_expressions", "suspicious_lines"]

_WORDS = (
    "exec", "eval", "globals", "locals", "vars", "setattr", "__name__", "__path__", "__all__",
    "modules", "__globals__", "f_globals", "__dict__", "__import__", "import_module", "builtins",
    "meta_path",
)  # fmt: skip
_NAMED = frozenset((  # what is given its module's name and does nothing to the module
    "getLogger", "init_logger", "filterwarnings", "simplefilter", "warn", "info", "debug",
    "warning", "error", "log", "print", "append", "add", "setLevel", "main",
))  # fmt: skip
_LOOKING = frozenset(("get", "keys", "items", "values", "copy", "__contains__", "__getitem__"))
_PATH_READERS = READERS | {"iter_modules", "walk_packages", "extend_path", "files"}
_MOST_ALIASES = 20
_OPENS = re.compile(r":=|exec|globals|setattr|__dict__|import")


def suspicious_lines(text: str, *names: str) -> list[int]:
    """The lines of a file with a word without which nothing can be done to a namespace.

    Args:
        text: of the file.
        names: of the module that stand for a namespace or module.
    """
    found = [text.find(":=")] if ":=" in text else []
    while found and (position := text.find(":=", found[-1] + 2)) >= 0:
        found.append(position)
    for word in (*_WORDS, *names):
        # Far quicker than a regular expression for all of them.
        position = text.find(word)
        while position >= 0:
            end = position + len(word)
            if not (_in_word(text[position - 1 : position]) or _in_word(text[end : end + 1])):
                found.append(position)
            position = text.find(word, end)
    lines: list[int] = []
    line, start = 1, 0
    for position in sorted(found):
        line += text.count("\n", start, position)
        start = position
        if not lines or lines[-1] != line:
            lines.append(line)
    return lines


def _in_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def own_expressions(node: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement, and not those of the statements in it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.expr, ast.withitem, ast.arguments, ast.keyword)):
            yield child
        elif isinstance(child, ast.match_case) and child.guard is not None:
            yield child.guard
        elif isinstance(child, ast.ExceptHandler) and child.type is not None:
            yield child.type


class NamespaceUses:
    """What the statements of a module do to namespaces, as they are looked into one by one.

    Args:
        text: of the file.
        terms: what its names stand for.
        bind: takes each name that is set on the module itself.
    """

    def __init__(self, text: str, terms: Terms, bind: Callable[[str], None]) -> None:
        self._text, self._terms, self._bind = text, terms, bind
        self._lines = suspicious_lines(text)
        self.computed: str | None = None
        self.replaced: str | None = None
        self.open_path: str | None = None
        self.shares_path = False
        self.fills_others: str | None = None
        self.all_changes = False
        self.sets: list[SetName] = []
        self.makes: list[MadeModule] = []
        self._line = 0
        self._place = Place()

    def is_suspicious(self, node: ast.stmt) -> bool:
        """Whether there is anything to look into."""
        lines = self._lines
        decorators = getattr(node, "decorator_list", None)
        first = decorators[0].lineno if decorators else node.lineno
        position = bisect_left(lines, first)
        return position < len(lines) and lines[position] <= (node.end_lineno or node.lineno)

    def look(self, node: ast.stmt, place: Place) -> None:
        """Look into the expressions of one statement."""
        if not place.happens:
            return
        self._line, self._place = node.lineno, place
        if isinstance(node, ast.Expr):
            self._dropped(node)
        for expression in own_expressions(node):
            for each, parent, grand in with_parents(expression, node, node):
                self._node(each, parent, grand)

    def attribute(self, target: ast.Attribute, place: Place) -> None:
        """``module.name = …``, which needs no suspicious word."""
        self._line, self._place = target.lineno, place
        term = self._term(target.value)
        if term is not None and term.kind is TermKind.MODULE:
            self._set(term, None if target.attr == "__class__" else target.attr)

    def _term(self, node: ast.AST) -> Term | None:
        return self._terms.term(node, in_module=self._place.in_module)

    @property
    def _certain(self) -> bool:
        return self._place.grade is Grade.PLAIN and self._place.in_module

    def _compute(self, what: str) -> None:
        self.computed = self.computed or f"line {self._line} {what}"

    def _set(self, term: Term, name: str | None) -> None:
        """A module gets a name; None: one that is computed."""
        if term.own:
            if name is None:
                self._compute("computes names")
            elif name == "__all__":
                self.all_changes = True
            else:
                self._bind(name)
        elif term.module is None:
            self.fills_others = self.fills_others or f"line {self._line} fills the module it is for"
            if term.kind is TermKind.NAMESPACE:
                self._compute("fills a namespace")
        else:
            found = SetName(self._line, term.level, term.module, name, self._certain)
            self.sets.append(found)

    def _node(self, node: ast.AST, parent: ast.AST, grand: ast.AST) -> None:
        if isinstance(node, ast.Name):
            self._name(node, parent, grand)
        elif isinstance(node, ast.Call):
            self._called(node)
        elif isinstance(node, ast.Attribute) and node.attr == "meta_path":
            self._finder(parent)
        if not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
            return
        term = self._term(node)
        reads = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        if term is None or not (reads or isinstance(parent, ast.AugAssign)):
            return
        if term.kind is TermKind.MODULE:
            self._module(term, node, parent, grand)
        elif term.kind is TermKind.NAMESPACE:
            self._namespace(term, node, parent, grand)
        else:
            self._modules(node, parent, grand)

    def _name(self, node: ast.Name, parent: ast.AST, grand: ast.AST) -> None:
        is_called = isinstance(parent, ast.Call) and parent.func is node
        if node.id in ("exec", "globals") and isinstance(node.ctx, ast.Load) and not is_called:
            self._compute(f"hands {node.id} over")
        elif node.id == "eval" and isinstance(parent, ast.Assign):
            self._compute("hands eval over")
        elif node.id == "__path__":
            self._path(node, parent, grand)
        elif node.id == "__all__":
            self.all_changes = self.all_changes or not _reads_all(node, parent, grand)

    def _path(self, node: ast.Name, parent: ast.AST, grand: ast.AST) -> None:
        """Of ``__path__`` all that is not known to read it changes it."""
        if isinstance(parent, ast.Call):
            if last_name(parent.func) in _PATH_READERS and isinstance(node.ctx, ast.Load):
                return
        elif isinstance(node.ctx, ast.Load) and not isinstance(parent, ast.AugAssign):
            if isinstance(parent, ast.Attribute):
                changes = isinstance(grand, ast.Call) and parent.attr not in _LOOKING | {"index"}
            else:
                changes = isinstance(getattr(parent, "ctx", ast.Load()), ast.Store)
            if not changes:
                return
        self.open_path = self.open_path or f"line {self._line} changes its __path__"

    def _called(self, node: ast.Call) -> None:
        name = last_name(node.func)
        if name in ("extend_path", "declare_namespace"):
            self.shares_path = True
            self.open_path = self.open_path or f"line {self._line} makes it a namespace"
        elif name in ("exec", "eval") and _is_builtin(node.func):
            self._run(node, name)
        elif name in ("setattr", "delattr") and isinstance(node.func, ast.Name) and node.args:
            term = self._term(node.args[0])
            if term is not None and term.kind is TermKind.MODULE and name == "setattr":
                self._set(term, self._terms.text(node.args[1]) if len(node.args) > 1 else None)

    def _run(self, node: ast.Call, name: str) -> None:
        """``exec`` and ``eval``, which may bind names of the namespace that they are given."""
        given = [*node.args[1:2], *(w.value for w in node.keywords if w.arg == "globals")]
        term = self._term(given[0]) if given else None
        own = term is not None and term.kind is TermKind.NAMESPACE and term.own
        if given and not own:
            if term is not None and term.kind is TermKind.NAMESPACE and name == "exec":
                self._set(term, None)
            return
        code = self._terms.text(node.args[0]) if node.args else None
        if name == "eval" and (code is None or not _OPENS.search(code)):
            # An expression binds only by `:=`; one that is computed is taken to be a look-up.
            return
        self._compute(f"computes names by {name}")

    def _module(self, term: Term, node: ast.expr, parent: ast.AST, grand: ast.AST) -> None:
        """A module in an expression."""
        if isinstance(parent, ast.Attribute):
            if isinstance(parent.ctx, ast.Store):
                self._set(term, None if parent.attr == "__class__" else parent.attr)
            elif parent.attr == "__all__" and _may_change(grand):
                self._set(term, "__all__")
        elif isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            self._assigned(term, node, parent)
        elif isinstance(parent, ast.Call) and parent.func is not node:
            known = READERS | {"setattr", "delattr", "vars", "reload"}
            if term.own and last_name(parent.func) not in known:
                self._compute("hands its module over")
        elif term.own and isinstance(parent, (ast.keyword, ast.Return, ast.Yield, ast.List,
                                              ast.Tuple, ast.IfExp, ast.Dict)):  # fmt: skip
            self._compute("hands its module over")

    def _assigned(
        self, term: Term, node: ast.expr, parent: ast.Assign | ast.AnnAssign | ast.NamedExpr
    ) -> None:
        """Another name for it."""
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        if parent.value is not node:
            return
        for target in targets:
            if isinstance(target, ast.Name):
                self._alias(target.id, term, node)
            elif term.own:
                self._compute("hands its module over")

    def _alias(self, name: str, term: Term, node: ast.expr) -> None:
        aliases = self._terms.aliases
        if isinstance(node, (ast.Name, ast.Attribute)) and term.kind is TermKind.MODULE:
            return  # `x = package.module`: what is done by that name is not followed
        if name not in aliases and len(aliases) < _MOST_ALIASES:
            aliases[name] = term
            self._lines = suspicious_lines(self._text, *aliases)
        elif aliases.get(name) != term:
            self._compute("gives its namespace many names")

    def _namespace(self, term: Term, node: ast.expr, parent: ast.AST, grand: ast.AST) -> None:
        """The dict of a module in an expression."""
        if isinstance(parent, ast.Subscript) and parent.value is node:
            if isinstance(parent.ctx, ast.Store):
                self._set(term, self._terms.text(parent.slice))
        elif isinstance(parent, ast.Attribute):
            if isinstance(grand, ast.Call) and grand.func is parent:
                self._namespace_method(term, parent.attr, grand)
            elif term.own and parent.attr not in _LOOKING:
                self._compute("computes names")
        elif isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            self._assigned(term, node, parent)
        elif isinstance(parent, ast.AugAssign):
            self._set(term, None)
        elif term.own and not _reads_namespace(node, parent, grand):
            self._compute("hands its namespace over")

    def _namespace_method(self, term: Term, method: str, call: ast.Call) -> None:
        if method in _LOOKING or method == "pop":
            return
        if method in ("__setitem__", "setdefault") and call.args:
            self._set(term, self._terms.text(call.args[0]))
            return
        strings = strings_of(call.args[0]) if call.args else frozenset()
        words = [word.arg for word in call.keywords]
        if method != "update" or strings is None or None in words:
            self._set(term, None)
            return
        for name in sorted(strings | {word for word in words if word}):
            self._set(term, name)

    def _modules(self, node: ast.expr, parent: ast.AST, grand: ast.AST) -> None:
        """``sys.modules`` in an expression."""
        if isinstance(parent, ast.Subscript) and parent.value is node:
            if isinstance(parent.ctx, ast.Store):
                self._made(parent.slice)
        elif isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            self._assigned(Term(TermKind.MODULES), node, parent)
        elif isinstance(parent, ast.Attribute) and isinstance(grand, ast.Call):
            if parent.attr in ("__setitem__", "setdefault") and grand.args:
                self._made(grand.args[0])
            elif parent.attr == "update":
                given = grand.args[0] if grand.args else None
                for key in given.keys if isinstance(given, ast.Dict) else [None]:
                    self._made(key)
        elif isinstance(parent, ast.AugAssign):
            self._made(None)

    def _made(self, key: ast.expr | None) -> None:
        """Something is put into ``sys.modules``."""
        name = None if key is None else self._terms.text(key)
        if name == self._terms.name:
            self.replaced = self.replaced or f"line {self._line} puts another object in its place"
            return
        if (
            name is None
            and not self._place.in_module
            and not isinstance(key, (ast.JoinedStr, ast.BinOp))
        ):
            return  # what is loaded from elsewhere, under a name that the caller gives
        begins = self._terms.beginning(key) if name is None else name
        self.makes.append(MadeModule(self._line, begins, name is not None, self._certain))

    def _finder(self, parent: ast.AST) -> None:
        """``sys.meta_path.append(…)``: a finder for modules beside the one that brings it."""
        if isinstance(parent, ast.Attribute) and parent.attr in ("append", "insert", "extend"):
            package = self._terms.name.rpartition(".")[0] or self._terms.name
            begins = f"{self._terms.name if self._terms.is_package else package}."
            self.makes.append(MadeModule(self._line, begins, complete=False, certain=False))

    def _dropped(self, node: ast.Expr) -> None:
        """``IntEnum._convert_("AF", __name__, …)``: it is called for what it does to the module."""
        call = node.value
        if not isinstance(call, ast.Call) or not self._place.in_module:
            return
        given = (*call.args, *(word.value for word in call.keywords))
        named = any(isinstance(each, ast.Name) and each.id == "__name__" for each in given)
        if named and last_name(call.func) not in _NAMED | READERS:
            self._compute("hands its name over")


def _is_builtin(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return True
    value = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(value, ast.Name) and value.id in ("builtins", "__builtins__")


def _may_change(node: ast.AST) -> bool:
    """Whether what is done to the ``__all__`` of a module may change it."""
    if isinstance(node, ast.Attribute):
        return node.attr not in _LOOKING | {"index", "count"}
    if isinstance(node, ast.Subscript):
        return not isinstance(node.ctx, ast.Load)
    return False


def _reads_all(node: ast.Name, parent: ast.AST, grand: ast.AST) -> bool:
    """Whether ``__all__`` is only looked at there, or changed as ``StatedNames`` follows it."""
    if isinstance(parent, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete)):
        return not isinstance(node.ctx, ast.Load)
    if not isinstance(node.ctx, ast.Load):
        return isinstance(grand, ast.Assign)  # `a, __all__ = …`: the walk sees it
    if isinstance(parent, ast.Attribute):
        return not isinstance(grand, ast.Call) or parent.attr in (
            "append", "extend", "insert", "remove", "index", "count", "copy", "sort",
        )  # fmt: skip
    if isinstance(parent, ast.Call):
        return last_name(parent.func) in READERS
    return not isinstance(parent, ast.Subscript) or isinstance(parent.ctx, ast.Load)


def _reads_namespace(node: ast.expr, parent: ast.AST, grand: ast.AST) -> bool:
    """Whether a namespace is only looked at there."""
    if isinstance(parent, ast.keyword):
        calls = isinstance(grand, ast.Call) and last_name(grand.func) in ("exec", "eval")
        return parent.arg is None or calls
    if isinstance(parent, ast.Call):
        if parent.func is node:
            return True
        return last_name(parent.func) in READERS | {"exec", "eval"}
    return isinstance(parent, (
        ast.Compare, ast.For, ast.comprehension, ast.Dict, ast.BinOp, ast.Expr, ast.FormattedValue,
    ))  # fmt: skip
