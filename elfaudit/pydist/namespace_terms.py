"""Expressions that stand for a module, for its namespace, or for ``sys.modules``."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .conditions import last_name
from .literals import value_of
from .surface import Constant

__all__ = ["Term", "TermKind", "Terms", "is_namespace"]

_FRAMES = frozenset(("__globals__", "f_globals"))


class TermKind(Enum):
    """What an expression stands for."""

    MODULE = "a module"
    NAMESPACE = "the dict of a module"
    MODULES = "sys.modules"


@dataclass(frozen=True, slots=True)
class Term:
    """What an expression stands for.

    Attributes:
        kind: what it is.
        own: whether it is that of the module itself.
        level, module: which module else, as of an import; None: it is not known which.
    """

    kind: TermKind
    own: bool = False
    level: int = 0
    module: str | None = None


_MODULES = Term(TermKind.MODULES)
_OWN_NAMESPACE = Term(TermKind.NAMESPACE, own=True)


@dataclass(slots=True)
class Terms:
    """What the names of a module stand for.

    Attributes:
        name: of the module; empty where it is not known.
        is_package: whether it is one.
        constants: values of names.
        imported: names that imports bind, anywhere: level and dotted path of what each is.
        aliases: names that are assigned such a thing.
    """

    name: str
    is_package: bool
    constants: Mapping[str, Constant]
    imported: dict[str, tuple[int, str]] = field(default_factory=dict)
    aliases: dict[str, Term] = field(default_factory=dict)

    def term(self, node: ast.AST, *, in_module: bool) -> Term | None:
        """What an expression stands for; None for anything else.

        Args:
            node: the expression.
            in_module: whether it is at the top level, where ``locals()`` are the module's.
        """
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id) or self._path(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, in_module=in_module)
        if isinstance(node, ast.Subscript):
            container = self.term(node.value, in_module=in_module)
            return self._of_key(node.slice) if container == _MODULES else None
        return self._call(node, in_module=in_module) if isinstance(node, ast.Call) else None

    def _attribute(self, node: ast.Attribute, *, in_module: bool) -> Term | None:
        if node.attr in _FRAMES:
            return Term(TermKind.NAMESPACE)
        if node.attr == "__dict__":
            return _dict_of(self.term(node.value, in_module=in_module))
        return self._path(node)

    def _path(self, node: ast.expr) -> Term | None:
        """A dotted name that begins with something imported."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.imported:
            return None
        level, path = self.imported[node.id]
        dotted = ".".join((path, *reversed(parts))) if path else ".".join(reversed(parts))
        if not level and dotted == "sys.modules":
            return _MODULES
        own = not level and dotted == self.name
        return Term(TermKind.MODULE, own, level, dotted)

    def _call(self, node: ast.Call, *, in_module: bool) -> Term | None:
        function, name = node.func, last_name(node.func)
        if isinstance(function, ast.Name) and name in ("globals", "locals", "vars"):
            if name == "vars" and node.args:
                return _dict_of(self.term(node.args[0], in_module=in_module))
            return _OWN_NAMESPACE if in_module or name == "globals" else None
        if name in ("__import__", "import_module") and len(node.args) == 1:
            return self._of_key(node.args[0])
        if isinstance(function, ast.Attribute) and name in ("get", "__getitem__") and node.args:
            container = self.term(function.value, in_module=in_module)
            return self._of_key(node.args[0]) if container == _MODULES else None
        return None

    def _of_key(self, key: ast.expr) -> Term:
        name = self.text(key)
        return Term(TermKind.MODULE, own=bool(name) and name == self.name, module=name)

    def text(self, node: ast.expr) -> str | None:
        """The text that an expression is, ``__name__`` and ``__package__`` known; or None."""
        value = value_of(node, self._known()).value
        return value if isinstance(value, str) else None

    def beginning(self, node: ast.expr | None) -> str:
        """How the text begins that is made by an expression; empty where that is not known."""
        while isinstance(node, ast.BinOp):
            node = node.left
        first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
        if isinstance(first, ast.FormattedValue):
            first = first.value
        return (self.text(first) or "") if isinstance(first, ast.expr) else ""

    def _known(self) -> Mapping[str, Constant]:
        package = self.name if self.is_package else self.name.rpartition(".")[0]
        own = {"__name__": Constant(self.name), "__package__": Constant(package)}
        return ChainMap(own, self.constants)  # type: ignore[arg-type]  # which it only reads


def _dict_of(module: Term | None) -> Term | None:
    if module is None or module.kind is not TermKind.MODULE:
        return None
    return Term(TermKind.NAMESPACE, module.own, module.level, module.module)


def is_namespace(node: ast.expr) -> bool:
    """Whether it is ``globals()``, ``locals()`` or ``vars()``."""
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args
    return called and node.func.id in ("globals", "locals", "vars")  # type: ignore[attr-defined]
