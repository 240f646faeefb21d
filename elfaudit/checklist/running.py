"""A checklist applied to a build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from ..errors import ElfAuditError
from ..findings.checks import Check, CheckStatus, Judgement
from ..pydist import Distribution
from .build import Build
from .kind import erred, skipped
from .kinds import KINDS
from .passing import Wanted, read_through

__all__ = ["judge"]


def judge(
    checks: Sequence[Check], build: Build, progress: Callable[[str], None] | None = None
) -> Iterator[Judgement]:
    """What becomes of each check, in order.

    The files are read first, once for all checks that will be made.

    Args:
        checks: the checks; one comes after those it requires.
        build: what is looked at.
        progress: called with what is done next.
    """
    skips = {check.id: why for check in checks if (why := _inapplicable(check, build)) is not None}
    wanted = _wanted([check for check in checks if check.id not in skips], build)
    build.readings = read_through(wanted, build.store, progress)
    done: dict[str, CheckStatus] = {}
    for check in checks:
        if progress is not None:
            progress(check.title)
        if check.problem is not None:
            judgement = erred(check, check.problem)
        elif check.id in skips:
            judgement = skips[check.id]
        elif (blocked := _blocked(check, done)) is not None:
            judgement = blocked
        else:
            judgement = _judged(check, build)
        if check.precondition and judgement.status is CheckStatus.FAIL:
            judgement = skipped(check, judgement.message)
        done.setdefault(check.id, judgement.status)
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
    found = next((d for d in build.distributions if canonicalize_name(d.name) == wanted), None)
    if found is None:
        return skipped(check, f"there is no distribution {check.when.distribution} here")
    return None if check.when.version is None else _of_version(check, found, check.when.version)


def _of_version(check: Check, found: Distribution, wanted: str) -> Judgement | None:
    """Why a check is not for the version that is there, or None."""
    try:
        applies = SpecifierSet(wanted).contains(found.version, prereleases=True)
    except InvalidSpecifier as error:
        return erred(check, f"when.version: {error}")
    if applies:
        return None
    return skipped(check, f"{found.name} is {found.version}, and the check is for {wanted}")


def _blocked(check: Check, done: dict[str, CheckStatus]) -> Judgement | None:
    for required in check.requires:
        status = done.get(required)
        if status is not CheckStatus.PASS:
            told = status.value if status is not None else "not there"
            return skipped(check, f"needs {required!r} to pass, and that is {told}")
    return None


def _judged(check: Check, build: Build) -> Judgement:
    try:
        return KINDS[check.kind].judge(check, build)
    except ElfAuditError as error:
        return erred(check, error)
