"""What a rule gets to look at."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from ..elf import ElfObject
from ..errors import ElfAuditError
from ..loader import Bindings, Failure, LinkMap, LinkMapEntry
from ..loader.search import Searcher
from ..sources import Source
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
        sizes: the sizes of an object's variables, by name and by key.
        files: the files as the process sees them, or None where they cannot be looked at.
        rtld_version: the release of the C library whose loader it is, or None if it is not known.
        searcher: what found the libraries, where that is glibc's search; or None.
    """

    link_map: LinkMap
    bindings: Bindings
    damaged: Mapping[LinkMapEntry, ElfAuditError]
    failure: Failure | None
    catalogue: Catalogue
    finds: Callable[[str, LinkMapEntry], Hashable | None]
    sizes: Callable[[LinkMapEntry], Mapping[str, int]]
    files: Source | None = None
    rtld_version: tuple[int, int] | None = None
    searcher: Searcher | None = None

    @property
    def model(self) -> ElfObject:
        """The subject: its machine is the one of the whole process."""
        elf = self.link_map.subject.elf
        if elf is None:
            raise ValueError(f"{self.link_map.subject.display}: the subject of a case has a file")
        return elf

    @property
    def opened(self) -> tuple[LinkMapEntry, ...]:
        """The objects that ``dlopen`` brings into a process that runs already.

        A library that is judged alone will be opened by somebody, with all it needs.
        """
        if self.model.is_program:
            return ()
        if len(self.link_map.openings) == 1:
            return self.link_map.own
        later = (entry for step in self.link_map.openings[1:] for entry in step.loaded)
        return tuple(entry for entry in later if not entry.missing)

    def audits(self, entry: LinkMapEntry) -> bool:
        """Whether an object is the subject or lies in the same archive: no library of a system."""
        subject = self.link_map.subject
        if entry is subject:
            return True
        ours, theirs = subject.path or "", entry.path or ""
        return "::" in theirs and theirs.partition("::")[0] == ours.partition("::")[0]
