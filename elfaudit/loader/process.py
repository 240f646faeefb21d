"""A process: a main program, its preloads, and what it opens one after the other.

Source: glibc ``elf/rtld.c`` and ``elf/dl-open.c``; for Python, ``_PyImport_FindSharedFuncptr``
(``Python/dynload_shlib.c``), which is ``dlopen`` with RTLD_NOW and RTLD_LOCAL.
"""

from __future__ import annotations

from ..elf import ElfObject, Layout
from ..sources import Member
from .environment import LoaderEnvironment
from .glibc import GlibcProcess, refused_to_dlopen
from .linkmap import LinkMap, LinkMapEntry, Origin
from .search import Searcher, refusal_of_subject
from .store import ObjectStore

__all__ = ["Loader"]


class Loader:
    """Loads files in one environment, each into a process of its own.

    Args:
        environment: root, program, preloads, what is opened before, search paths.
        store: reads the libraries; may serve many loaders.
    """

    def __init__(self, environment: LoaderEnvironment, store: ObjectStore) -> None:
        self.environment = environment
        self._store = store
        self._searchers: dict[tuple[int, Layout, str | None], Searcher] = {}

    def searcher(self, elf: ElfObject) -> Searcher:
        """The search order as it is for objects of that file's machine."""
        key = (elf.machine, elf.layout, elf.interp)
        if key not in self._searchers:
            self._searchers[key] = Searcher(self.environment, self._store, elf)
        return self._searchers[key]

    def load(self, member: Member, elf: ElfObject, name: str) -> LinkMap:
        """The link map of a process after it has loaded one file.

        With a main program in the environment the file is opened as ``dlopen`` would, after what
        the environment says is opened before it; without one it is the program itself.

        Args:
            member: the file asked about.
            elf: its facts.
            name: the name the file is asked for by.

        Raises:
            NotLoadableError: the file is nothing a dynamic loader takes.
        """
        elf.require_loadable()
        searcher = self.searcher(elf)
        searcher.begin()
        process = GlibcProcess(self.environment, searcher)
        subject = LinkMapEntry(
            name, member.path, member.display, elf, member.identity, None, Origin.DIRECT
        )
        program = self.environment.main_program
        if program is None:
            refused = None if elf.is_program else refusal_of_subject(elf)
            process.start(subject, refused)
            return process.link_map(subject)
        process.start(process.find_program(program))
        for dlopen in self.environment.dlopens:
            entry = process.find(dlopen.name)
            refused = _refusal_of_opened(entry.elf) if entry.elf else None
            process.open(entry, dlopen.mode, refused)
        process.open(subject, self.environment.mode, _refusal_of_opened(elf))
        return process.link_map(subject)


def _refusal_of_opened(elf: ElfObject) -> str | None:
    return refusal_of_subject(elf) or refused_to_dlopen(elf)
