"""What a Python module offers and imports: the facts of one file.

Source: the language reference, "Naming and binding" and "The import statement".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

__all__ = [
    "AllNames", "Constant", "Grade", "Imported", "LazyNames", "MadeModule", "SetName", "Surface",
]  # fmt: skip


class Grade(Enum):
    """When an import is carried out, and what comes of it when it fails."""

    PLAIN = "when the module is imported"
    CONDITIONAL = "under a condition"
    GUARDED = "in a try that catches it"
    DEFERRED = "when a function is called"
    TYPE_CHECKING = "for type checkers only"


@dataclass(frozen=True, slots=True)
class Imported:
    """One name of one import statement.

    Attributes:
        line: where.
        level: how many dots there are in front.
        module: the module as written, without the dots; may be empty after dots.
        name: what is imported from it; None for ``import module``; ``*`` for all.
        grade: when it is carried out.
    """

    line: int
    level: int
    module: str
    name: str | None
    grade: Grade


@dataclass(frozen=True, slots=True)
class AllNames:
    """``__all__``.

    Attributes:
        names: those stated.
        of_modules: names bound in the module whose own ``__all__`` is added.
        complete: whether that is all of it.
        wrong: what is certainly stated and no text, as source; or None.
    """

    names: frozenset[str] = frozenset()
    of_modules: tuple[str, ...] = ()
    complete: bool = True
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class LazyNames:
    """What the ``__getattr__`` of a module knows (PEP 562).

    Attributes:
        names: those it compares with, or looks up in a literal of the module.
        complete: whether there are no others.
    """

    names: frozenset[str] = frozenset()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class SetName:
    """A name that a module sets on another module, or on itself by its name.

    Attributes:
        line: where.
        level, module: the other module, as of :class:`Imported`.
        name: the name; None for names that are computed.
        certain: whether that is done whenever the module is imported.
    """

    line: int
    level: int
    module: str
    name: str | None
    certain: bool


@dataclass(frozen=True, slots=True)
class MadeModule:
    """A module that is put into ``sys.modules``, and has no file.

    Attributes:
        line: where.
        module: its name in full; or how it begins, where the rest is computed.
        complete: whether that is all of the name.
        certain: whether that is done whenever the module that does it is imported.
    """

    line: int
    module: str
    complete: bool
    certain: bool


@dataclass(frozen=True, slots=True)
class Constant:
    """The value of a name, if it is a literal.

    Attributes:
        value: the value.
        problem: why it is not known; None if it is.
    """

    value: object = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Surface:
    """The facts of one module.

    Attributes:
        bound: names that its top level binds when it runs.
        conditional: those of them that are only bound under a condition.
        defined: those of them that are defined here and not imported.
        imports: every import statement, wherever it is.
        stars: positions in ``imports`` of the star imports of its top level.
        origins: name to the import that bound it, where one did.
        all_names: ``__all__``, or None.
        lazy: what its ``__getattr__`` knows, or None without one.
        computed: why there may be names that nobody can see, or None.
        replaced: why another object may stand for the module, or None.
        deleted: names that its top level deletes, and does not bind again.
        unsure: those of ``bound`` that may be deleted, under a condition.
        open_path: why the package may have modules from elsewhere, or None.
        shares_path: whether those are the ones that other roots have below its name.
        sets: names that it sets on other modules.
        makes: modules that it puts into ``sys.modules``.
        fills_others: why those that call it may get names from it, or None.
        raises: the line of a statement at which importing it always ends; 0 without one.
        constants: the last value of each name that is assigned at the top level.
        problem: why the file has no facts, or None.
    """

    bound: frozenset[str] = frozenset()
    conditional: frozenset[str] = frozenset()
    defined: frozenset[str] = frozenset()
    imports: tuple[Imported, ...] = ()
    stars: tuple[int, ...] = ()
    origins: Mapping[str, int] = field(default_factory=dict)
    all_names: AllNames | None = None
    lazy: LazyNames | None = None
    computed: str | None = None
    replaced: str | None = None
    deleted: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    open_path: str | None = None
    shares_path: bool = False
    sets: tuple[SetName, ...] = ()
    makes: tuple[MadeModule, ...] = ()
    fills_others: str | None = None
    raises: int = 0
    constants: Mapping[str, Constant] = field(default_factory=dict)
    problem: str | None = None
