"""A first checklist from what a good build contains now."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ...checklist.build import Build
from ...errors import RequestError
from ...pydist import ModuleKind
from ...sources import FileSource, Source
from ..build_targets import builds_of, grouped
from ..surroundings import Surroundings
from .document import document
from .draft import Draft, Holding, Section
from .identifiers import slug
from .libraries import LibraryDrafts
from .modules import constant_drafts, module_drafts
from .next_names import shown
from .selecting import selected
from .survey import Code, Survey, meaning_more, surveyed
from .whole_build import distribution_drafts, flavor_drafts, library_drafts, size_drafts

__all__ = ["first_checklist"]

_MOST_NAMED = 3


def first_checklist(
    targets: Sequence[str],
    *,
    root: str | None = "/",
    with_: Iterable[str] = (),
    host: str = "auto",
    preload: Iterable[str] = (),
    library_path: Iterable[str] = (),
    dlopen: Iterable[str] = (),
    libc: str = "auto",
    progress: Callable[[str], None] | None = None,
) -> str:
    """A checklist, as TOML, of what good targets contain now.

    Args:
        targets: as for :func:`~elfaudit.verify`; taken as one build.
        root: as for :func:`~elfaudit.resolve`, like the next six: what loads there is held to that.
        with_: likewise.
        host: likewise.
        preload: likewise.
        library_path: likewise.
        dlopen: likewise.
        libc: likewise.
        progress: called with the name of what is looked at next.

    Raises:
        SourceError: a target cannot be opened.
        RequestError: there is nothing in a target that the next build could be held to, or two
            of them are wheels of one project.
    """
    surroundings = Surroundings.of(
        root=root, with_=with_, host=host, preload=preload, library_path=library_path,
        dlopen=dlopen, libc=libc,
    )  # fmt: skip
    groups = grouped(targets, together=True)
    _require_one_build(groups[0])
    (build,) = builds_of(groups, surroundings)
    survey = surveyed(build, progress)
    for source in build.sources:
        _require_something(source, survey)
    holding = Holding(build)
    sections = tuple(_sections(survey, holding, progress))
    if not any(each.drafts for each in sections):
        raise RequestError(f"{build.label}: nothing in it could be held against the next build")
    damaged = [f"what is in a file that cannot be read: {each}" for each in survey.damaged]
    left_out = [_inside(each, build.sources) for each in (*damaged, *holding.left_out)]
    return document(_name(build), build.label, sections, left_out)


def _require_one_build(targets: Sequence[str]) -> None:
    """Raise where two wheels are of one project: they are never installed together."""
    seen: dict[str, str] = {}
    for target in targets:
        try:
            project = str(parse_wheel_filename(os.path.basename(target))[0])
        except (InvalidWheelFilename, ValueError):
            continue
        if project in seen:
            both = f"{seen[project]} and {target} are two builds of {project}"
            raise RequestError(f"{both}: a checklist is written from one of them")
        seen[project] = target


def _inside(text: str, sources: Sequence[Source]) -> str:
    """A sentence in which files are named as they are in the target, wherever that lies."""
    for source in sources:
        label = source.label.rstrip("/")
        if label:
            text = re.sub(rf"(?<![\w./-]){re.escape(label)}(?:::|/)", "", text)
    return text


def _require_something(source: Source, survey: Survey) -> None:
    """Raise if there is nothing in a target that a check could be about."""
    if any(file.source is source for each in survey.code for file, _ in each.files):
        return
    build = survey.build
    roots = [number for number, root in enumerate(build.roots) if root.source is source]
    if any(build.by_root[number][1] for number in roots):
        return
    if any(m.root in roots and m.kind is not ModuleKind.NAMESPACE for m in build.modules.all()):
        return
    mine = [each for each in survey.damaged if each.startswith(source.label)]
    if mine:
        raise RequestError(f"nothing to hold the next build to: {mine[0]}")
    what = "it is no ELF file" if isinstance(source, FileSource) else (
        "no ELF file, no Python module and no distribution is in it"
    )  # fmt: skip
    raise RequestError(f"{source.label}: nothing to hold the next build to: {what}")


def _sections(
    survey: Survey, holding: Holding, progress: Callable[[str], None] | None
) -> Iterator[Section]:
    """The checks that hold now: a whole, then its parts, then what comes of them."""
    build = survey.build
    yield Section("Distributions", holding.kept(distribution_drafts(build)))
    kept = holding.kept([*flavor_drafts(), *constant_drafts(build)])
    yield Section("What it is built for", kept)
    chosen = selected(survey.code)
    libraries = [_held(each, survey, holding, progress) for each in chosen]
    files = tuple(draft for there, _, _ in libraries for draft in there)
    yield Section("Files", (*files, *holding.kept(size_drafts(build))))
    every: list[Draft] = []
    for draft in library_drafts(survey, chosen):
        every += holding.kept([draft])
        for each in survey.code:  # there may be more of them than a process may have open
            _let_go(each)
    yield Section("Every library", tuple(every))
    for code, (_, own, _) in zip(chosen, libraries, strict=True):
        yield Section(shown(code.pattern), own)
    yield Section(
        "What loads now", tuple(draft for _, _, loading in libraries for draft in loading)
    )
    yield Section("Python modules", holding.kept(module_drafts(build)))


Held = tuple[tuple[Draft, ...], tuple[Draft, ...], tuple[Draft, ...]]


def _held(
    code: Code, survey: Survey, holding: Holding, progress: Callable[[str], None] | None
) -> Held:
    """What one file is held to: that it is there, what it is, that it loads."""
    if progress is not None:
        progress(code.path)
    whole = meaning_more(code, survey.build)
    releases = {each.version for each in survey.build.distributions}
    drafts = LibraryDrafts(whole, survey.hardening, releases)
    there, own = holding.kept(drafts.there), holding.kept(drafts.own)
    _let_go(whole)
    return there, own, holding.kept([drafts.loading])


def _let_go(code: Code) -> None:
    """Close the files of it, and forget their symbols."""
    for _, elf in code.files:
        elf.release()


def _name(build: Build) -> str:
    """A name for the checklist: that of the projects, without a version; else of the target."""
    projects = list(dict.fromkeys(canonicalize_name(each.name) for each in build.distributions))
    if projects and len(projects) <= _MOST_NAMED:
        return slug("-".join(projects), 60) or "ours"
    return slug(build.label, 60) or "ours"
