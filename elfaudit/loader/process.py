"""A process: a main program, its preloads, and what it opens one after the other.

Source: glibc ``elf/rtld.c`` and ``elf/dl-open.c``; for Python, ``_PyImport_FindSharedFuncptr``
(``Python/dynload_shlib.c``), which is ``dlopen`` with RTLD_NOW and RTLD_LOCAL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..elf import ElfObject, Layout
from ..errors import ElfAuditError
from ..sources import Member
from .bindings import GlibcBindings, bind
from .environment import AnyProgram, Libc, LoaderEnvironment
from .failed import Failure
from .failure import first_failure
from .fork import fork
from .glibc import GlibcProcess, refused_to_dlopen
from .linkmap import AS_NAMED, Asked, LinkMap, LinkMapEntry, Opening, supposed_program
from .lookup import SymbolIndex
from .musl import MuslProcess
from .musl_bindings import MuslBindings, bind_musl
from .musl_failure import first_musl_failure
from .musl_search import MuslSearcher
from .musl_verify import RefusedError, UntoldError, doubt_of_program, verified
from .scope import Lookup, Walked
from .search import Searcher, refusal_of_subject
from .store import ObjectStore

__all__ = ["Loader"]


class Loader:
    """Loads files in one environment, each into a process of its own, by the rules of its libc.

    Args:
        environment: root, program, preloads, what is opened before, search paths, C library.
        store: reads the libraries; may serve many loaders.
    """

    def __init__(self, environment: LoaderEnvironment, store: ObjectStore) -> None:
        self.environment = environment
        self._store = store
        self._searchers: dict[tuple[int, Layout, str | None], Searcher | MuslSearcher] = {}
        self._walked: dict[Lookup, Walked] = {}
        self._processes: dict[Searcher | MuslSearcher, GlibcProcess | MuslProcess] = {}

    def searcher(self, elf: ElfObject) -> Searcher | MuslSearcher:
        """The search order as it is for objects of that file's machine."""
        key = (elf.machine, elf.layout, elf.interp)
        if key not in self._searchers:
            kind = MuslSearcher if self.environment.libc is Libc.MUSL else Searcher
            self._searchers[key] = kind(self.environment, self._store, elf)
        return self._searchers[key]

    def load(self, member: Member, elf: ElfObject, name: str, asked: Asked = AS_NAMED) -> LinkMap:
        """The link map of a process after it has loaded one file.

        With a main program in the environment the file is opened as ``dlopen`` would, after what
        the environment says is opened before it; without one it is the program itself.

        Args:
            member: the file asked about.
            elf: its facts.
            name: the name the file is asked for by.
            asked: how the process names it, and found it.

        Raises:
            NotLoadableError: the file is nothing a dynamic loader takes.
        """
        elf.require_loadable()
        environment = self.environment
        subject = LinkMapEntry(
            asked.name or name, member.path, member.display, elf, member.identity, None,
            asked.origin, asked.steps, asked.written,
        )  # fmt: skip
        later = environment.main_program is not None
        subject, refused = self._judged(subject, member, elf, later=later)
        process = self._begun(elf)
        if process.program is None:
            process.start(subject, refused)
        else:
            process.open(subject, environment.mode, refused)
        return process.link_map()

    def load_refused(
        self, member: Member, name: str, refused: str, asked: Asked = AS_NAMED
    ) -> LinkMap:
        """The link map of a process that is handed a file which it does not take.

        Args:
            member: the file.
            name: the name the file is asked for by.
            refused: why not, in the loader's words.
            asked: how the process names it, and found it.
        """
        subject = LinkMapEntry(
            asked.name or name, member.path, member.display, None, member.identity, None,
            asked.origin, asked.steps, asked.written,
        )  # fmt: skip
        environment, main = self.environment, self._main_program
        if environment.main_program is None or main is None:
            opening = Opening(subject, None, (), (subject,), (), refused)
            return LinkMap((subject,), subject, (opening,), {})
        process = self._begun(main)
        process.open(subject, environment.mode, refused)
        return process.link_map()

    @property
    def _main_program(self) -> ElfObject | None:
        """The facts of the environment's program, if there is one that can be read."""
        path = self.environment.main_program
        if not isinstance(path, str):
            return None
        try:
            member = self.environment.root.find(path)
            return self._store.read(member) if member is not None else None
        except ElfAuditError:
            return None

    def find(self, name: str, model: ElfObject) -> LinkMapEntry:
        """The entry that ``dlopen(name)`` ends at in the process as it is by then, found or not.

        Args:
            name: a name without a slash, which is searched for.
            model: a file of the machine of the process.

        Source: ``_dl_map_object`` (glibc ``elf/dl-load.c``), ``load_library`` (musl
        ``ldso/dynlink.c``).
        """
        return self._begun(model).find(name)

    def index(self, entry: LinkMapEntry, elf: ElfObject) -> SymbolIndex:
        """The lookup tables of an object.

        Raises:
            ElfFormatError: its symbol, version or relocation tables are damaged.
        """
        return self._store.index(entry.identity, elf, self.environment.libc)

    def indices(
        self, link_map: LinkMap
    ) -> tuple[dict[LinkMapEntry, SymbolIndex], dict[LinkMapEntry, ElfAuditError]]:
        """The lookup tables of every object, and why those that are damaged cannot be read."""
        indices: dict[LinkMapEntry, SymbolIndex] = {}
        damaged: dict[LinkMapEntry, ElfAuditError] = {}
        for entry in link_map.entries:
            if entry.elf is None:
                continue
            try:
                index = indices[entry] = self.index(entry, entry.elf)
                if index.damage is not None:
                    damaged[entry] = index.damage
            except ElfAuditError as error:
                damaged[entry] = error
        return indices, damaged

    def bind(
        self,
        link_map: LinkMap,
        indices: Mapping[LinkMapEntry, SymbolIndex],
        assumed: Iterable[str] = (),
    ) -> GlibcBindings | MuslBindings:
        """Bind the references of every object of a link map.

        Args:
            link_map: the objects and their scopes.
            indices: the lookup tables of every object whose tables could be read.
            assumed: names that the process supplies although no object of it is at hand.
        """
        if self.environment.libc is Libc.MUSL:
            damaged = sum(not entry.missing for entry in link_map.entries) > len(indices)
            undecided = bool(link_map.missing) or damaged
            return bind_musl(link_map, indices, assumed, undecided=undecided)
        return bind(link_map, indices, assumed, self._walked)

    def failure(
        self, bindings: GlibcBindings | MuslBindings, elf: ElfObject | None
    ) -> Failure | None:
        """What stops the process first, or None.

        Args:
            bindings: what :meth:`bind` gave.
            elf: the file asked about, or another one of its process; None: nothing is known.
        """
        if not isinstance(bindings, GlibcBindings):
            return first_musl_failure(bindings)
        if elf is None:
            return first_failure(bindings)
        searcher = self.glibc_searcher(elf)
        isa = searcher.capabilities.isa if searcher is not None else None
        return first_failure(bindings, self.glibc_version(elf), isa)

    def glibc_searcher(self, elf: ElfObject) -> Searcher | None:
        """The search order for objects of that file's machine, where it is that of glibc."""
        searcher = self.searcher(elf)
        return searcher if isinstance(searcher, Searcher) else None

    def glibc_version(self, elf: ElfObject) -> tuple[int, int] | None:
        """The release of the glibc of the root, for objects of that file's machine; or None."""
        searcher = self.glibc_searcher(elf)
        return searcher.rtld.version if searcher is not None else None

    def _begun(self, model: ElfObject) -> GlibcProcess | MuslProcess:
        """A process in which everything is done that comes before the subject.

        That is the same for all subjects of a machine; without a program it is nothing.
        """
        searcher = self.searcher(model)
        if searcher not in self._processes:
            process: GlibcProcess | MuslProcess
            if isinstance(searcher, MuslSearcher):
                process = MuslProcess(self.environment, searcher)
            else:
                process = GlibcProcess(self.environment, searcher)
            if self.environment.main_program is not None:
                self._begin(process, self.environment.main_program, model)
            self._processes[searcher] = process
        searcher.begin()
        return fork(self._processes[searcher])

    def _judged(
        self, subject: LinkMapEntry, member: Member, elf: ElfObject, *, later: bool
    ) -> tuple[LinkMapEntry, str | None]:
        """The file asked about, with what there is to doubt of it; and why it is not taken."""
        started = elf.is_program and not later
        if self.environment.libc is not Libc.MUSL:
            return subject, None if started else self._refusal(elf, elf, later=later)
        try:
            doubt = doubt_of_program(elf, member, self._store) if started else None
            if not started:
                verified(member, self._store, elf)
        except RefusedError as refusal:
            return subject, str(refusal)
        except UntoldError as unknown:
            doubt = str(unknown)
        return replace(subject, doubt=doubt), None

    def _begin(
        self, process: GlibcProcess | MuslProcess, program: str | AnyProgram, model: ElfObject
    ) -> None:
        """Start a program, and open what is opened before the subject."""
        if isinstance(program, AnyProgram):
            found = supposed_program()
        else:
            found = process.find_program(program)
        process.start(replace(found, written=self.environment.started_as or found.written))
        for dlopen in self.environment.dlopens:
            entry = process.find(dlopen.name)
            process.open(entry, dlopen.mode, self._refusal(entry.elf, model) if entry.elf else None)

    def _refusal(self, elf: ElfObject, model: ElfObject, *, later: bool = True) -> str | None:
        """Why the loader does not take a file, ``later`` by ``dlopen``; None if it does."""
        if self.environment.libc is Libc.MUSL:
            return None  # what it does not take it does not find
        refused = refusal_of_subject(elf, self.glibc_version(model))
        return refused or (refused_to_dlopen(elf) if later else None)
