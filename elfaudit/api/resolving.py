"""``resolve``: what the loader would do with files, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..elf import ElfObject
from ..errors import (
    ElfAuditError,
    NotElfError,
    NotLoadableError,
    PlaceholderError,
    RequestError,
)
from ..findings import Case, Resolution, Selection, choose, diagnose, first_error, verdict
from ..loader import LinkMap, LinkMapEntry, Loader, Mode, ObjectStore
from ..loader.lookup import SymbolIndex
from ..loader.python import python_symbols
from .filenames import is_library_name
from .refusing import resolve_refused
from .session import Session
from .siblings import Siblings
from .subject import Subject
from .surroundings import Surroundings

__all__ = ["Passed", "resolve", "resolve_all", "resolve_in", "resolve_name", "resolve_one"]


@dataclass(frozen=True, slots=True)
class Passed:
    """A file that was not resolved.

    Attributes:
        subject: the file, as the user can name it.
        reason: why, one sentence.
        broken: whether it should have been resolvable (a damaged ELF file or archive member), and
            is not merely something else (a text file, a static program).
    """

    subject: str
    reason: str
    broken: bool


def resolve(
    target: str,
    *,
    root: str | None = "/",
    with_: Iterable[str] = (),
    host: str = "auto",
    preload: Iterable[str] = (),
    library_path: Iterable[str] = (),
    dlopen: Iterable[str] = (),
    libc: str = "auto",
    mode: Mode = Mode.LOCAL,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> Resolution:
    """Say what the dynamic loader would do with one file.

    Args:
        target: a shared object or an executable; ``archive::member`` for one in a wheel. A name
            without a slash that is no file here is one of a library that the loader searches for.
        root: the directory that is ``/`` for the process; None: only the target's own archive or
            directory exists, and whatever else is needed is external.
        with_: directories, wheels or files that could supply what is missing; they are suggested,
            not loaded.
        host: the program whose process it is: ``auto`` (for Python extensions an interpreter of
            the root, for other libraries a program that has the C library and nothing else),
            ``none`` (a library is taken for the program, as ``ldd`` does), or a path.
        preload: ``LD_PRELOAD``: names or paths.
        library_path: ``LD_LIBRARY_PATH``: directories.
        dlopen: what the process opens before the target, in order: a path, a name or
            ``archive::member``, and how (``libx.so:global``; also ``lazy``, ``deepbind``). By
            default as ``import`` does: RTLD_NOW and RTLD_LOCAL.
        libc: whose loader it is: ``glibc``, ``musl``, or ``auto``, by what the files ask for.
        mode: how the target is opened, where it is no program; by default as ``import`` does.
        select: the rules whose findings are wanted, by name (``elfaudit explain`` lists them); by
            default all but those that are only asked on request. The verdict does not hang on it.
        ignore: rules whose findings are not wanted.

    Returns:
        The verdict with the link map, the bindings and the findings. A missing library or symbol is
        a finding, not an error.

    Raises:
        SourceError, ElfFormatError: the target cannot be read; where its loader has a message for a
            damaged file, that is a verdict and no error.
        NotLoadableError: no loader takes it (static, relocatable, …).
        RequestError: it is an archive or a directory (see :func:`resolve_all`), the host is not
            there, or there is no such rule.

    Source of the rules: glibc ``elf/dl-load.c``, ``elf/dl-deps.c``, ``elf/dl-lookup.c``.
    """
    selection = choose(select, ignore)
    surroundings = Surroundings.of(
        root=root, with_=with_, host=host, preload=preload, library_path=library_path,
        dlopen=dlopen, libc=libc, mode=mode,
    )  # fmt: skip
    return resolve_one(target, surroundings, selection)


def resolve_one(
    target: str,
    surroundings: Surroundings,
    selection: Selection,
    store: ObjectStore | None = None,
) -> Resolution:
    """The same with what was prepared for it; ``store`` holds what was read before."""
    session = Session([target], surroundings, store)
    for subject in session.subjects():
        if not subject.listed:
            break
        return _told(_resolve(session, subject, selection), selection)
    raise RequestError(f"{target}: holds many files; name one of them, {target}::PATH")


def resolve_in(session: Session, target: str, selection: Selection) -> Resolution:
    """The same in a session that has the files it is installed beside."""
    return _told(_resolve(session, session.named(target), selection), selection)


def resolve_name(
    name: str, surroundings: Surroundings, selection: Selection, store: ObjectStore
) -> Resolution:
    """The same for a name without a slash, which is searched for as ``dlopen`` does.

    Raises:
        SourceError: the loader finds no such library.
    """
    session = Session((), surroundings, store)
    return _told(_resolve(session, session.searched(name), selection), selection)


def resolve_all(
    targets: Sequence[str],
    *,
    root: str | None = "/",
    with_: Iterable[str] = (),
    host: str = "auto",
    preload: Iterable[str] = (),
    library_path: Iterable[str] = (),
    dlopen: Iterable[str] = (),
    libc: str = "auto",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    progress: Callable[[str], None] | None = None,
) -> Iterator[Resolution | Passed]:
    """Resolve any number of files, one by one; every library is read once however many use it.

    Args:
        targets: files, ``archive::member``, wheels (every ELF file in it), directories (likewise).
        root: as for :func:`resolve`, like the next six.
        with_: likewise.
        host: likewise.
        preload: likewise.
        library_path: likewise.
        dlopen: likewise.
        libc: likewise.
        select: likewise.
        ignore: likewise.
        progress: called with the name of each file before it is looked at.

    Yields:
        A :class:`Resolution`, or a :class:`Passed` for what could not or need not be resolved, in
        the order of the targets. Resolutions hold on to the symbols of all their libraries: keep
        what is wanted of each, not all of them, when there are thousands.

    Raises:
        SourceError: a target or the root cannot be opened at all.
        RequestError: the host is not there, or there is no such rule.
    """
    selection = choose(select, ignore)
    surroundings = Surroundings.of(
        root=root, with_=with_, host=host, preload=preload, library_path=library_path,
        dlopen=dlopen, libc=libc,
    )  # fmt: skip
    session = Session(targets, surroundings)
    siblings = Siblings(session, partial(_resolve, session, selection=selection))
    for subject in session.subjects():
        if progress is not None:
            progress(subject.name)
        try:
            yield _told(siblings.judged(subject, _resolve(session, subject, selection)), selection)
        except PlaceholderError as error:
            broken = subject.listed or is_library_name(subject.name)
            yield Passed(subject.name, str(error), broken=broken)
        except (NotElfError, NotLoadableError) as error:
            # Among many files most are no ELF; but one that was named by the user should be.
            yield Passed(subject.name, str(error), broken=subject.listed)
        except ElfAuditError as error:
            yield Passed(subject.name, str(error), broken=True)
    for problem in session.problems:
        yield Passed(problem.name, str(problem), broken=True)


def _resolve(session: Session, subject: Subject, selection: Selection) -> Resolution:
    try:
        elf = session.store.read(subject.member)
        elf.require_loadable()
        loader, python = session.processes.loader(subject, elf)
    except ElfAuditError as error:
        refused = resolve_refused(session, subject, error)
        if refused is None:
            raise
        return refused
    link_map = loader.load(session.started(subject, elf), elf, subject.name, subject.asked)
    indices, damaged = loader.indices(link_map)
    assumed = _assumed(link_map, indices) if python and link_map.host is None else ()
    bindings = loader.bind(link_map, indices, assumed)
    case = Case(
        link_map,
        bindings,
        damaged,
        loader.failure(bindings, elf),
        session.catalogue,
        _finder(loader, elf, link_map),
        session.sizes_of,
        session.files,
        loader.glibc_version(elf),
        loader.glibc_searcher(elf),
    )
    findings = diagnose(case, selection)
    outcome = verdict(case, findings)
    return Resolution(
        subject.name, outcome, first_error(case), link_map.host, link_map, bindings, findings
    )


def _told(resolution: Resolution, selection: Selection) -> Resolution:
    """A resolution with the findings that are wanted only."""
    told = tuple(finding for finding in resolution.findings if finding.rule in selection)
    return replace(resolution, findings=told)


def _assumed(link_map: LinkMap, indices: dict[LinkMapEntry, SymbolIndex]) -> frozenset[str]:
    return frozenset(python_symbols(indices[e].references for e in link_map.own if e in indices))


def _finder(
    loader: Loader, elf: ElfObject, link_map: LinkMap
) -> Callable[[str, LinkMapEntry], Hashable | None]:
    """The search as a function, for rules that ask "and if it were listed?"."""
    searcher = loader.searcher(elf)
    program = link_map.program

    def finds(name: str, requester: LinkMapEntry) -> Hashable | None:
        search = searcher.search(name, requester, program)
        return search.found.identity if search.found is not None else None

    return finds
