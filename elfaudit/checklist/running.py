"""A checklist applied to a build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ..errors import ChecklistError, ElfAuditError
from ..findings.checks import Check, CheckStatus, Judgement
from ..pydist import Distribution
from .build import Build
from .kind import erred, skipped
from .kinds import KINDS
from .one_pass import Wanted
from .passing import reading_through

__all__ = ["judge"]

_MOST_TOLD = 200  # characters of what others wrote


def judge(
    checklists: Sequence[Sequence[Check]],
    build: Build,
    progress: Callable[[str], None] | None = None,
) -> Iterator[tuple[Judgement, ...]]:
    """What becomes of the checks of each checklist, in order.

    The files are read once for all checks that will be made.

    Args:
        checklists: the checks of each; one comes after those it requires.
        build: what is looked at.
        progress: called with what is done next.
    """
    skips = [_skips(checks, build) for checks in checklists]
    made = [
        check
        for checks, not_made in zip(checklists, skips, strict=True)
        for check in checks
        if check.id not in not_made
    ]
    with reading_through(_wanted(made, build), build.store, progress) as build.readings:
        try:
            for checks, not_made in zip(checklists, skips, strict=True):
                yield tuple(_judgements(checks, not_made, build, progress))
        finally:
            build.let_go()


def _skips(checks: Sequence[Check], build: Build) -> dict[str, Judgement]:
    """Checks that do not apply, by their ids."""
    return {check.id: why for check in checks if (why := _inapplicable(check, build)) is not None}


def _judgements(
    checks: Sequence[Check],
    skips: Mapping[str, Judgement],
    build: Build,
    progress: Callable[[str], None] | None,
) -> Iterator[Judgement]:
    done: dict[str, Judgement] = {}
    for number, check in enumerate(checks):
        if progress is not None:
            progress(check.title)
        if check.problem is not None:
            judgement = erred(check, check.problem)
        elif check.id in skips:
            judgement = skips[check.id]
        elif (blocked := _blocked(check, done)) is not None:
            judgement = blocked
        else:
            judgement = _judged(check, build, f"check[{number}]")
        if check.precondition and judgement.status is CheckStatus.FAIL:
            judgement = skipped(check, judgement.message)
        done.setdefault(check.id, judgement)
        yield judgement


def _wanted(checks: Iterable[Check], build: Build) -> Iterator[Wanted]:
    for check in checks:
        kind = KINDS.get(check.kind)
        if kind is None or check.problem is not None:
            continue
        try:
            yield from kind.wants(check, build)
        except ElfAuditError:
            continue  # the check meets the same, and says so


def _inapplicable(check: Check, build: Build) -> Judgement | None:
    """Why a check does not apply here, or None."""
    if check.problem is not None:
        return None
    if check.unset:
        options = " ".join(f"--set {name}=…" for name in check.unset)
        return skipped(check, f"needs {options}")
    if check.when is None:
        return None
    wanted = canonicalize_name(check.when.distribution)
    found = [d for d in build.distributions if canonicalize_name(d.name) == wanted]
    if not found:
        absent = f"there is no distribution {check.when.distribution} here"
        return replace(skipped(check, absent), applies=False)
    return None if check.when.version is None else _of_version(check, found, check.when.version)


def _of_version(check: Check, found: Sequence[Distribution], wanted: str) -> Judgement | None:
    """Why a check is not for a version that is there, or None."""
    try:
        specifier = SpecifierSet(wanted)
        for each in specifier:
            each.contains("0")  # a version of thousands of digits shows only here
    except ValueError as error:
        return erred(check, f"when.version: {str(error)[:_MOST_TOLD]}")
    try:
        applies = any(specifier.contains(each.version, prereleases=True) for each in found)
    except ValueError:
        version = found[0].version[:_MOST_TOLD]
        return skipped(check, f"{found[0].name} has the version {version!r}, which is none")
    if applies:
        return None
    there = " and ".join(dict.fromkeys(each.version for each in found))
    other = skipped(check, f"{found[0].name} is {there}, and the check is for {wanted}")
    return replace(other, applies=False)


def _blocked(check: Check, done: Mapping[str, Judgement]) -> Judgement | None:
    for required in check.requires:
        before = done.get(required)
        if before is None or before.status is not CheckStatus.PASS:
            told = before.status.value if before is not None else "not there"
            title = required if before is None else before.check.title
            return skipped(check, f"only where this passes: {title} ({told})")
    return None


def _judged(check: Check, build: Build, place: str) -> Judgement:
    try:
        return KINDS[check.kind].judge(check, build)
    except ChecklistError as error:
        where = ".".join(filter(None, (place, error.key_path)))
        return erred(check, f"{where}: {error.problem}")
    except ElfAuditError as error:
        return erred(check, error)
