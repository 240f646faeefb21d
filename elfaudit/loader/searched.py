"""What a search comes to, and one that is under way."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from ..elf import ElfObject
from ..sources import Member
from .ldcache import CacheEntry
from .ldconfig import FreshEntry
from .linkmap import Origin, SearchStep

__all__ = ["Found", "Progress", "Refreshed", "Search"]


@dataclass(frozen=True, slots=True)
class Found:
    """The file a search ended at.

    Attributes:
        path: from the root on.
        member, elf: the file.
        origin: the rule that named it.
        written: the path as the loader has it, which may be relative to the current directory.
    """

    path: str
    member: Member
    elf: ElfObject
    origin: Origin
    written: str

    @property
    def identity(self) -> Hashable:
        """Equal for two paths of one file."""
        return self.member.identity


@dataclass(frozen=True, slots=True)
class Search:
    """The outcome of one search.

    Attributes:
        found: the file, if there is one.
        steps: every path tried, in order.
        fatal: why the loader gives up at the last of them.
        problem: else, why the last try failed, as the loader puts it behind "cannot open shared
            object file: "; None: nothing was tried, and it has no words for that.
        doubt: why it cannot be told whether the loader takes the last of them.
    """

    found: Found | None
    steps: tuple[SearchStep, ...]
    fatal: str | None = None
    problem: str | None = None
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A name in the cache, and in one made now.

    Attributes:
        cached: what the cache has, or None.
        now: the identity of the file it leads to; None: there is none.
        fresh: what a new one would have, or None.
        then: the identity of that file.
    """

    cached: CacheEntry | None
    now: Hashable | None
    fresh: FreshEntry | None
    then: Hashable | None


@dataclass(slots=True)
class Progress:
    """One search under way.

    Attributes:
        name: what is looked for.
        started: whether it is a program, which the kernel maps.
        tried: the directories that did not have it; whether that ended their list.
    """

    name: str
    started: bool = False
    steps: list[SearchStep] = field(default_factory=list)
    tried: dict[Hashable, bool] = field(default_factory=dict)
    found: Found | None = None
    fatal: str | None = None
    problem: str | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing more to look for."""
        return self.found is not None or self.fatal is not None
