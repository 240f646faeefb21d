"""The names that a module binds, as its statements are gone through in order."""

from __future__ import annotations

from .places import Place
from .surface import Constant

__all__ = ["Bindings"]

_COMPUTED = Constant(problem="it is computed")
_MOST_CHARACTERS = 1 << 20  # of all texts of a module that are put together
_CONDITIONAL = Constant(problem="it is assigned under a condition")


class Bindings:
    """Names of a module, and what is known of each.

    Attributes:
        certain, maybe: those that are bound whenever it runs, and those that may be.
        deleted: those that are deleted and not bound again.
        unsure: those that may be deleted.
        defined: those that are defined and not imported.
        origins: the position of the import that bound a name.
        constants: the values of names.
    """

    def __init__(self) -> None:
        self.certain: set[str] = set()
        self.maybe: set[str] = set()
        self.deleted: set[str] = set()
        self.unsure: set[str] = set()
        self.defined: set[str] = set()
        self.origins: dict[str, int] = {}
        self.constants: dict[str, Constant] = {}
        self._left = _MOST_CHARACTERS

    def bind(self, name: str, place: Place, *, origin: int | None = None) -> None:
        """A statement binds a name; by an import, of which the position is given, or else."""
        if not place.binds(name):
            return
        if place.conditional or not place.in_module:
            self.maybe.add(name)
        else:
            self.certain.add(name)
            self.unsure.discard(name)
        self.deleted.discard(name)
        if origin is None:
            self.defined.add(name)
            self.origins.pop(name, None)
            self.constants[name] = _COMPUTED
        else:
            self.origins[name] = origin
            self.constants[name] = Constant(problem="it is imported")

    def may_bind(self, name: str) -> None:
        """Something may set a name on the module."""
        self.maybe.add(name)
        self.defined.add(name)
        self.constants[name] = _COMPUTED

    def give(self, name: str, value: Constant, place: Place, *, put_together: bool = False) -> None:
        """A name that was just bound has a value; a text that is put together takes memory."""
        if put_together and isinstance(value.value, str):
            self._left -= len(value.value)
            value = value if self._left >= 0 else _COMPUTED
        if place.binds(name):
            known = value.problem is None and (place.conditional or not place.in_module)
            self.constants[name] = _CONDITIONAL if known else value

    def delete(self, name: str, place: Place) -> None:
        """``del name``."""
        if not place.binds(name):
            return
        if place.conditional or not place.in_module:
            self.unsure |= {name} & (self.certain | self.maybe)
            return
        self.certain.discard(name)
        self.maybe.discard(name)
        self.unsure.discard(name)
        self.deleted.add(name)
        self.constants.pop(name, None)
