"""Every file of a distribution is what its RECORD says.

## What it asks

Of every distribution (or of `distribution`): each file that RECORD lists is there and has the hash
and size stated; each file of a wheel is listed; in a directory, no module or library lies
unlisted in a package that belongs to a distribution; no project is there twice. `unlisted =
"ignore"` leaves the files out that nobody lists.

```toml
[[check]]
kind = "record"
distribution = "vllm"
```

## Why

A file of another version that was copied over, or left behind, is neither seen by `pip list` nor by
`pip check`; at run time it is an ImportError about a name that "should be there".

## How it is decided

All hashes are computed, each file is read once. Compiled modules (`.pyc`) need not be listed, nor
RECORD and its signatures. Files that an installer adds (INSTALLER, REQUESTED, direct_url.json) are
listed by it. A hash function that is not known leaves the file undecided.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from ...errors import SourceError
from ...findings.checks import Check, Judgement
from ...pydist import Distribution, RecordRow, is_unhashed
from ...sources import Member
from ..build import Build, ImportRoot
from ..kind import NAME, Kind, counted, failed, passed, skipped, undecided
from ..passing import Wanted

__all__ = ["KIND"]

_MOST_SHOWN = 4
_CODE = (".py", ".so", ".pyd")


@dataclass(slots=True)
class _Account:
    """What was found out about the RECORDs."""

    wrong: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    files: int = 0
    distributions: int = 0


def _wants(check: Check, build: Build) -> Iterator[Wanted]:
    for root, distribution in _asked(check, build):
        for row in distribution.record or ():
            if row.algorithm is None or row.digest is None:
                continue
            member = _listed(root, row)
            if isinstance(member, Member):
                yield Wanted(member, algorithm=row.algorithm)


def _asked(check: Check, build: Build) -> Iterator[tuple[ImportRoot, Distribution]]:
    name = check.parameters.get("distribution")
    wanted = None if name is None else canonicalize_name(str(name))
    for root, distributions in build.by_root:
        for each in distributions:
            if wanted is None or canonicalize_name(each.name) == wanted:
                yield root, each


def _listed(root: ImportRoot, row: RecordRow) -> Member | None:
    """The file of a row; None where it is not there, or would be outside of what is audited."""
    path = row.path if row.path.startswith("/") else f"{root.base}/{row.path}"
    if "\0" in path or (root.is_wheel and row.path.startswith("/")):
        return None
    try:
        return root.source.find(posixpath.normpath(path))
    except SourceError:
        return None


def _judge(check: Check, build: Build) -> Judgement:
    account = _Account()
    asked = list(_asked(check, build))
    if not asked:
        name = check.parameters.get("distribution")
        if name is not None:
            return failed(check, f"there is no distribution {name} in {build.label}")
        if any(root.is_wheel for root in build.roots):
            return failed(check, f"{build.label} has no .dist-info: pip does not install it")
        return skipped(check, f"{build.label} holds no distribution: no .dist-info")
    for root, distribution in asked:
        _account_for(root, distribution, build, account)
    account.wrong += _twice(asked)
    wheels = dict.fromkeys(root.source for root, _ in asked if root.is_wheel)
    account.wrong += [str(problem) for wheel in wheels for problem in wheel.problems]
    if check.parameters.get("unlisted") != "ignore":
        account.wrong += _unlisted(asked, build)
    if account.wrong:
        shown, rest = account.wrong[:_MOST_SHOWN], account.wrong[_MOST_SHOWN:]
        more = f" and {len(rest):,} more" if rest else ""
        names = " ".join(dict.fromkeys(each.name for _, each in asked)) if len(asked) == 1 else "it"
        advice = f"install {names} again: pip install --force-reinstall --no-deps"
        return failed(check, "; ".join(shown) + more, rest, advice)
    if account.unsure:
        return undecided(check, account.unsure[0], account.unsure[1:])
    if not account.distributions:
        return skipped(check, f"no distribution in {build.label} has a RECORD")
    told = counted(account.files, "file")
    whose = counted(account.distributions, "distribution")
    return passed(check, f"{told} of {whose} as RECORD says")


def _account_for(
    root: ImportRoot, distribution: Distribution, build: Build, account: _Account
) -> None:
    """Compare every row of one RECORD with the file."""
    if distribution.problem is not None:
        account.unsure.append(distribution.problem)
    if distribution.record is None:
        if root.is_wheel and distribution.problem is None:
            account.wrong.append(f"{distribution.directory} has no RECORD")
        return
    account.distributions += 1
    seen: set[str] = set()
    for row in distribution.record:
        account.files += 1
        if row.path in seen:
            account.wrong.append(f"{row.path} is listed twice")
        seen.add(row.path)
        _compare(root, row, build, account)


def _compare(root: ImportRoot, row: RecordRow, build: Build, account: _Account) -> None:
    if row.problem is not None:
        (account.unsure if row.algorithm is None and "unknown kind" in row.problem
         else account.wrong).append(f"the row of {row.path} {row.problem}")  # fmt: skip
    if row.problem is not None and row.size is None and row.digest is None:
        return
    if not root.is_wheel and row.path.startswith(("/", "..")) and root.base == "":
        return  # beside the directory that is audited, not in it
    member = _listed(root, row)
    if member is None:
        if not row.path.endswith(".pyc"):
            account.wrong.append(f"{row.path} is listed and not there")
        return
    reading = build.reading(member)
    if row.digest is not None and row.algorithm is not None and reading is not None:
        if reading.error is not None:
            account.wrong.append(f"{row.path} cannot be read: {reading.error}")
        elif reading.size != (member.size if row.size is None else row.size):
            stated = member.size if row.size is None else row.size
            account.wrong.append(f"{row.path} has {reading.size:,} bytes, not {stated:,}")
        elif reading.digests.get(row.algorithm) != row.digest:
            account.wrong.append(f"{row.path} is not the file that RECORD describes: "
                                 f"its {row.algorithm} is another")  # fmt: skip
    elif row.size is not None and member.size != row.size:
        account.wrong.append(f"{row.path} has {member.size:,} bytes, not {row.size:,}")
    elif row.digest is None and root.is_wheel and not is_unhashed(row.path) and not row.problem:
        account.wrong.append(f"{row.path} is listed without a hash")


def _twice(asked: list[tuple[ImportRoot, Distribution]]) -> Iterator[str]:
    """Projects of which two are installed in one directory: one was left behind."""
    seen: dict[tuple[int, str], Distribution] = {}
    for root, each in asked:
        key = (id(root), canonicalize_name(each.name))
        if key in seen:
            yield f"{each.name} is there twice: {seen[key].directory} and {each.directory}"
        seen.setdefault(key, each)


def _unlisted(asked: list[tuple[ImportRoot, Distribution]], build: Build) -> Iterator[str]:
    """Files that no distribution lists: in a wheel any, elsewhere code in a package of one."""
    for root in dict.fromkeys(root for root, _ in asked):
        everyone = next(found for each, found in build.by_root if each is root)
        if any(each.record is None for each in everyone):
            continue  # whose files are whose is not known
        if root.is_wheel:
            yield from _unlisted_in_wheel(root, everyone)
        else:
            yield from _unlisted_in(root, everyone, [each for r, each in asked if r is root], build)


def _unlisted_in_wheel(root: ImportRoot, everyone: tuple[Distribution, ...]) -> Iterator[str]:
    if root.base:
        return  # RECORD has the paths of the archive: the other root of the wheel sees them
    listed = {row.path for each in everyone for row in each.record or ()}
    for name in root.source.names():
        path = name.lstrip("/")
        if path not in listed and not is_unhashed(path):
            yield f"{path} is in the wheel and not in RECORD"


def _unlisted_in(
    root: ImportRoot,
    everyone: tuple[Distribution, ...],
    asked: list[Distribution],
    build: Build,
) -> Iterator[str]:
    owners: dict[str, set[str]] = {}
    listed: set[str] = set()
    for each in everyone:
        for row in each.record or ():
            path = posixpath.normpath(row.path)
            listed.add(path)
            if "/" in path and not path.startswith(".."):
                owners.setdefault(path.partition("/")[0], set()).add(each.directory)
    own = {each.directory for each in asked}
    for file in build.files:
        if file.source is not root.source or not file.place.startswith(f"{root.base}/"):
            continue
        path = file.place[len(root.base) + 1 :]
        top = path.partition("/")[0]
        owner = owners.get(top, set())
        if path in listed or not path.endswith(_CODE) or top.endswith((".dist-info", ".egg-info")):
            continue
        if len(owner) == 1 and owner <= own:
            yield f"{path} is in the package of {next(iter(owner))}, which does not list it"


KIND = Kind(
    "record",
    __doc__,
    _judge,
    {"distribution": NAME, "unlisted": {"enum": ["fail", "ignore"]}},
    (),
    _wants,
)
