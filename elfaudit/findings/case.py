"""What a rule gets to look at."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from ..elf import ElfObject
from ..errors import ElfAuditError
from ..loader import Bindings, Failure, LinkMap, LinkMapEntry
from .providers import Catalogue

__all__ = ["Case"]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One resolved file, and the means to find out more.

    Attributes:
        link_map, bindings: what was loaded and bound.
        damaged: objects whose symbol tables could not be read, and why.
        failure: what stops the loader first, or None.
        catalogue: where to look for what is missing.
        finds: the identity of the file the loader would find for a name on behalf of an entry, or
            None.
    """

    link_map: LinkMap
    bindings: Bindings
    damaged: Mapping[LinkMapEntry, ElfAuditError]
    failure: Failure | None
    catalogue: Catalogue
    finds: Callable[[str, LinkMapEntry], Hashable | None]

    @property
    def model(self) -> ElfObject:
        """The subject: its machine is the one of the whole process."""
        elf = self.link_map.subject.elf
        if elf is None:
            raise ValueError(f"{self.link_map.subject.display}: the subject of a case has a file")
        return elf
