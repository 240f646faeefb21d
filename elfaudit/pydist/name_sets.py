"""Sets of names: some, or all but some."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALL", "NONE", "NameSet"]


@dataclass(frozen=True, slots=True)
class NameSet:
    """A set of names.

    Attributes:
        names: those in it; with ``inverted`` those that are not.
        inverted: whether it is all names but those.
    """

    names: frozenset[str] = frozenset()
    inverted: bool = False

    def __invert__(self) -> NameSet:
        """All others."""
        return NameSet(self.names, not self.inverted)

    def __and__(self, other: NameSet) -> NameSet:
        """What is in both."""
        if self.inverted and other.inverted:
            return NameSet(self.names | other.names, inverted=True)
        if self.inverted:
            return NameSet(other.names - self.names)
        return NameSet(self.names - other.names if other.inverted else self.names & other.names)

    def __or__(self, other: NameSet) -> NameSet:
        """What is in either."""
        return ~(~self & ~other)

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return self.inverted or bool(self.names)


ALL = NameSet(inverted=True)
NONE = NameSet()
