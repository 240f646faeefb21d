"""``verify``: whether builds are what checklists say they must be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from ..checklist import Checklist, load_checklist
from ..checklist.build import Build
from ..checklist.kind import erred
from ..checklist.running import judge
from ..errors import RequestError
from ..findings.checks import Judgement, Runner
from ..stream import FileStream
from .build_targets import Unopened, grouped, opened_builds
from .surroundings import Surroundings

__all__ = ["BuildReport", "checklist_named", "shipped_checklists", "verify", "verify_builds"]

_SUFFIX = ".toml"
_MOST_BYTES = 5 << 20


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What became of the checks of one checklist on one build.

    Attributes:
        build: how the user names the build.
        checklist: the name of the checklist.
        judgements: one for each check, in its order.
    """

    build: str
    checklist: str
    judgements: tuple[Judgement, ...]


def shipped_checklists() -> tuple[str, ...]:
    """The names of the checklists that come with elfaudit."""
    folder = files("elfaudit") / "checklist" / "profiles"
    names = (each.name for each in folder.iterdir() if each.name.endswith(_SUFFIX))
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names))


def checklist_named(name: str, settings: Mapping[str, str] | None = None) -> Checklist:
    """A checklist that is shipped, or one of a file.

    Args:
        name: the name of a shipped one, or a path (which has a slash or ends in ``.toml``).
        settings: variable to value.

    Raises:
        RequestError: there is none of that name.
        SourceError: the file cannot be read.
        ChecklistError: it is no checklist.
    """
    if name.endswith(_SUFFIX) or "/" in name:
        stream = FileStream(name)
        data = stream.read(_MOST_BYTES)
        stream.release()
        return load_checklist(data, name, settings)
    if name not in shipped_checklists():
        there = ", ".join(shipped_checklists())
        hint = f"; the file is ./{name}" if os.path.exists(name) else ""
        raise RequestError(f"{name}: there is no such checklist; there are {there}{hint}")
    data = (files("elfaudit") / "checklist" / "profiles" / f"{name}{_SUFFIX}").read_bytes()
    return load_checklist(data, name, settings)


def verify(
    targets: str | Sequence[str],
    checklists: str | Iterable[str] = ("python-wheel",),
    *,
    settings: Mapping[str, str] | None = None,
    root: str | None = "/",
    with_: Iterable[str] = (),
    host: str = "auto",
    preload: Iterable[str] = (),
    library_path: Iterable[str] = (),
    dlopen: Iterable[str] = (),
    libc: str = "auto",
    together: bool | None = None,
    runner: Runner | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[BuildReport, ...]:
    """Judge builds by checklists, without running anything of them.

    Args:
        targets: wheels, directories (site-packages, a build tree, the root of a file system),
            files. Wheels of different projects are one build, everything else is one each.
        checklists: names of shipped ones, or paths of TOML files.
        settings: values for the variables of the checklists.
        root: as for :func:`~elfaudit.resolve`, like the next six; a target that is the root of a
            file system is the root, if none is given.
        with_: likewise.
        host: likewise.
        preload: likewise.
        library_path: likewise.
        dlopen: likewise.
        libc: likewise.
        together: take all targets as one build, or each as its own.
        runner: runs the checks of the kind ``run``; None: they are skipped.
        progress: called with the name of what is looked at next.

    Returns:
        A report for each build and checklist. A check that cannot be judged is a judgement with
        the status ERROR, and no exception.

    Raises:
        SourceError: no target, or a checklist, cannot be opened; of several builds one that cannot
            is reported with the status ERROR.
        ChecklistError: a file is no checklist.
        RequestError: there is no such checklist, or no checklist has a variable that is set.
    """
    surroundings = Surroundings.of(
        root=root, with_=with_, host=host, preload=preload, library_path=library_path,
        dlopen=dlopen, libc=libc,
    )  # fmt: skip
    named = (checklists,) if isinstance(checklists, str) else tuple(checklists)
    loaded = _loaded(named, settings or {})
    given = (targets,) if isinstance(targets, str) else tuple(targets)
    builds = opened_builds(grouped(given, together=together), surroundings, runner=runner)
    return tuple(verify_builds(builds, loaded, progress))


def verify_builds(
    builds: Iterable[Build | Unopened],
    checklists: Sequence[Checklist],
    progress: Callable[[str], None] | None = None,
) -> Iterator[BuildReport]:
    """The same with what was prepared for it; the files are read once for all checklists."""
    lists = [each.checks for each in checklists]
    for build in builds:
        if isinstance(build, Unopened):
            for each in checklists:
                judged = tuple(erred(check, build.error) for check in each.checks)
                yield BuildReport(build.label, each.name, judged)
            continue
        for each, done in zip(checklists, judge(lists, build, progress), strict=True):
            yield BuildReport(build.label, each.name, done)


def _loaded(names: Sequence[str], settings: Mapping[str, str]) -> list[Checklist]:
    loaded = [checklist_named(name, settings) for name in dict.fromkeys(names)]
    known = {variable.name for each in loaded for variable in each.variables}
    for name in settings:
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise RequestError(f"--set {name}: no checklist has this variable; there are: {there}")
    return loaded
