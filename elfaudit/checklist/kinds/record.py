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

All hashes are computed, each file is read once; of a wheel also the checksums of the archive, to
which installers hold it, and what pip refuses to install for: no WHEEL file or no Wheel-Version in
it, a blank line in RECORD, a RECORD that is not UTF-8. Compiled modules (`.pyc`) do not count, nor
do RECORD and its signatures; nor the packages of Debian in /usr/lib/python3/dist-packages, of which
dpkg keeps account. Files that an installer adds (INSTALLER, REQUESTED, direct_url.json) are listed
by it. A hash function that is not known leaves the file undecided. What is wrong is told once for
all files with which it is: the files follow as evidence.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from ...errors import ElfAuditError, SourceError, WheelError
from ...findings.checks import Check, Judgement
from ...pydist import Distribution, RecordRow, is_unhashed
from ...sources import Member
from ..build import Build, ImportRoot
from ..kind import NAME, Kind, counted, failed, passed, skipped, undecided
from ..observers import CHECKSUM
from ..one_pass import Wanted
from .record_advice import advice_for, project_of
from .record_problems import Problem, Sort, sentences

__all__ = ["KIND"]

_MOST_SHOWN = 4
_MOST_LISTED = 50  # files of one sort
_MOST_TOPS = 65_536  # bytes of a top_level.txt
_WEAK = ("md5", "sha1")
_CODE = (".py", ".so", ".pyd")


@dataclass(slots=True)
class _Account:
    """What was found out about the RECORDs."""

    wrong: list[Problem] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    files: int = 0
    distributions: int = 0


def _wants(check: Check, build: Build) -> Iterator[Wanted]:
    for root, distribution in _asked(check, build):
        for row in distribution.record or ():
            hashed = row.algorithm is not None and row.digest is not None
            if not hashed and not root.is_wheel:
                continue
            member = _listed(root, row)
            if isinstance(member, Member):
                held_to = () if member.checksum is None else (CHECKSUM,)
                own = (row.algorithm,) if hashed and row.algorithm is not None else ()
                yield Wanted(member, (*own, *held_to))


def _asked(check: Check, build: Build) -> Iterator[tuple[ImportRoot, Distribution]]:
    name = check.parameters.get("distribution")
    wanted = None if name is None else canonicalize_name(str(name))
    for root, distributions in build.by_root:
        for each in distributions:
            if wanted is None or canonicalize_name(each.name) == wanted:
                yield root, each


def _is_of_system(root: ImportRoot) -> bool:
    """Whether a directory is that of Debian's own packages, whose RECORD nobody keeps right.

    Source: Debian Python Policy, "Module path"; what pip installs is below /usr/local.
    """
    place = f"{root.source.label.rstrip('/')}{root.base}"
    return place.endswith("/usr/lib/python3/dist-packages")


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
    everyone = list(_asked(check, build))
    asked = [each for each in everyone if not _is_of_system(each[0])]
    if everyone and not asked:
        return skipped(check, "its files are kept by the package manager of the system: "
                       "dpkg --verify compares them")  # fmt: skip
    if not asked:
        name = check.parameters.get("distribution")
        if name is not None:
            return failed(check, f"there is no distribution {name} in {build.label}")
        if any(root.is_wheel for root in build.roots):
            return failed(check, f"{build.label} has no .dist-info: pip does not install it")
        return skipped(check, f"{build.label} holds no distribution: no .dist-info")
    for root, distribution in asked:
        _account_for(root, distribution, build, account)
    account.wrong += _twice(asked, build)
    wheels = dict.fromkeys(root.source for root, _ in asked if root.is_wheel)
    account.wrong += [
        Problem(Sort.WHOLE, detail=str(problem)) for wheel in wheels for problem in wheel.problems
    ]
    if check.parameters.get("unlisted") != "ignore":
        account.wrong += _unlisted(asked, build)
    if account.wrong:
        return _failed(check, asked, account)
    if account.unsure:
        return undecided(check, account.unsure[0], account.unsure[1:])
    if not account.distributions:
        return skipped(check, f"no distribution in {build.label} has a RECORD")
    told = counted(account.files, "file")
    whose = counted(account.distributions, "distribution")
    return passed(check, f"{told} of {whose} as RECORD says")


def _failed(
    check: Check, asked: list[tuple[ImportRoot, Distribution]], account: _Account
) -> Judgement:
    told = list(sentences(account.wrong))
    shown = [sentence for sentence, _ in told[:_MOST_SHOWN]]
    more = f" and {len(told) - _MOST_SHOWN:,} more" if len(told) > _MOST_SHOWN else ""
    evidence = [sentence for sentence, _ in told[_MOST_SHOWN:]]
    for _, files in told:
        evidence += files[:_MOST_LISTED]
        evidence += [f"and {len(files) - _MOST_LISTED:,} more"] if files[_MOST_LISTED:] else []
    return failed(check, "; ".join(shown) + more, evidence, advice_for(asked, account.wrong))


def _account_for(
    root: ImportRoot, distribution: Distribution, build: Build, account: _Account
) -> None:
    """Compare every row of one RECORD with the file."""
    if distribution.problem is not None:
        account.unsure.append(distribution.problem)
    if root.is_wheel:
        account.wrong += _refused(distribution)
    if distribution.record is None:
        if root.is_wheel and (damage := _damage_of_record(root, distribution)):
            account.wrong.append(Problem(Sort.WHOLE, detail=damage))
        elif root.is_wheel and distribution.problem is None:
            detail = f"{distribution.directory} has no RECORD"
            account.wrong.append(Problem(Sort.WHOLE, detail=detail))
        return
    account.distributions += 1
    project = project_of(distribution)
    if not distribution.record:
        detail = f"{distribution.directory}/RECORD lists nothing"
        account.wrong.append(Problem(Sort.WHOLE, detail=detail, project=project))
    seen: set[str] = set()
    itself = f"{distribution.directory}/RECORD"  # what it states of itself, nobody looks at
    for row in distribution.record:
        account.files += 1
        path = posixpath.normpath(row.path)
        if not path.endswith(".pyc"):  # made anew by whoever imports the module
            if path in seen:
                account.wrong.append(Problem(Sort.TWICE, row.path, project=project))
            if path != itself:
                _account_for_row(root, row, build, account, project)
            elif (problem := _packed_badly(root, row, build)) is not None:
                account.wrong.append(Problem(problem[0], row.path, problem[1], project))
        seen.add(path)


def _damage_of_record(root: ImportRoot, distribution: Distribution) -> str:
    """What is wrong in the archive with the RECORD of a wheel; empty where nothing is.

    Raises:
        SourceError: nothing is, but the archive is gone, or another now.
    """
    member = root.source.find(f"{root.base}/{distribution.directory}/RECORD")
    try:
        if member is not None:
            member.open().read(1)
    except WheelError as error:
        return f"its RECORD cannot be read: {error}"
    return ""


def _packed_badly(root: ImportRoot, row: RecordRow, build: Build) -> tuple[Sort, str] | None:
    """What is wrong in an archive with a file of which RECORD has no hash: its checksum, say."""
    member = _listed(root, row)
    reading = None if member is None else build.reading(member)
    if member is None or reading is None:
        return None
    if reading.error is not None:
        if not isinstance(reading.error, WheelError):
            raise reading.error
        return Sort.UNREADABLE, str(reading.error)
    if member.checksum is not None and reading.digests.get(CHECKSUM) != _crc(member.checksum):
        return Sort.CHECKSUM, ""
    return None


def _refused(distribution: Distribution) -> Iterator[Problem]:
    """Why pip does not install a wheel, whatever its RECORD lists.

    Source: ``parse_wheel``, ``check_compatibility`` (pip ``utils/wheel.py``).
    """
    directory, wheel = distribution.directory, distribution.wheel
    details = [f"its {name} is not UTF-8" for name in distribution.not_utf8]
    if distribution.problem is None:
        details += [f"{directory} has no METADATA"] if distribution.metadata is None else []
        details += [f"{directory} has no WHEEL"] if wheel is None else []
    if wheel is not None:
        version = wheel.version
        if version is None:
            details.append(f"{directory}/WHEEL states no Wheel-Version")
        elif not all(part.strip().isdecimal() for part in version.split(".")):
            details.append(f"its Wheel-Version is none: {version[:40]!r}")
        elif version.partition(".")[0].strip().lstrip("0") not in ("", "1"):
            details.append(f"its Wheel-Version is {version[:40]}")
    for detail in details:
        yield Problem(Sort.WHOLE, detail=f"{detail}: pip does not install it", of_build=True)
    if line := distribution.blank_line:
        detail = f"line {line} of RECORD is blank: pip does not install it"
        yield Problem(Sort.WHOLE, detail=detail)


def _account_for_row(
    root: ImportRoot, row: RecordRow, build: Build, account: _Account, project: str
) -> None:
    """Compare one row with the file."""
    # A directory that may not be listed is no directory without files.
    closed = "" if root.is_wheel else "; ".join(map(str, root.source.problems[:1]))
    if row.algorithm is None and "unknown kind" in (row.problem or ""):
        account.unsure.append(f"the row of {row.path} {row.problem}")
    elif row.problem is not None:
        account.wrong.append(Problem(Sort.ROW, row.path, row.problem, project))
    problem = _compared(root, row, build)
    if problem is not None and problem[0] is Sort.MISSING and closed:
        account.unsure.append(f"whether {row.path} is there: {closed}")
    elif problem is not None:
        account.wrong.append(Problem(problem[0], row.path, problem[1], project))


def _compared(root: ImportRoot, row: RecordRow, build: Build) -> tuple[Sort, str] | None:
    """What is wrong with the file of a row; None if nothing is."""
    if row.problem is not None and row.size is None and row.digest is None:
        return None
    if not root.is_wheel and row.path.startswith(("/", "..")) and root.base == "":
        return None  # beside the directory that is audited, not in it
    member = _listed(root, row)
    if member is None:
        return Sort.MISSING, ""
    reading = build.reading(member)
    size = member.size if row.size is None else row.size
    if row.digest is not None and row.algorithm is not None and reading is not None:
        if root.is_wheel and not isinstance(reading.error, WheelError | None):
            raise reading.error  # nothing is wrong with the archive: it is gone, or another now
        if reading.error is not None:
            return Sort.UNREADABLE, str(reading.error)
        if reading.size != size:
            return Sort.SIZE, f"{reading.size:,} bytes, not {size:,}"
        if reading.digests.get(row.algorithm) != row.digest:
            return Sort.CONTENT, f"its {row.algorithm} is another"
        if member.checksum is not None and reading.digests.get(CHECKSUM) != _crc(member.checksum):
            return Sort.CHECKSUM, ""
        weak = root.is_wheel and row.algorithm in _WEAK
        return (Sort.WEAK, row.algorithm) if weak else None
    if member.size != size:
        return Sort.SIZE, f"{member.size:,} bytes, not {size:,}"
    if root.is_wheel and (problem := _packed_badly(root, row, build)) is not None:
        return problem
    unhashed = row.digest is None and root.is_wheel and not row.problem
    return (Sort.UNHASHED, "") if unhashed and not is_unhashed(row.path) else None


def _crc(checksum: int) -> bytes:
    return checksum.to_bytes(4, "big")


def _twice(asked: list[tuple[ImportRoot, Distribution]], build: Build) -> Iterator[Problem]:
    """Projects of which two are in one directory: one was left behind; and two in a wheel."""
    for root, everyone in build.by_root:
        if root.is_wheel and len(everyone) > 1 and any(root is each for each, _ in asked):
            names = " and ".join(each.directory for each in everyone[:_MOST_SHOWN])
            detail = f"the wheel has {names}: pip does not install it"
            yield Problem(Sort.WHOLE, detail=detail, of_build=True)
    seen: dict[tuple[int, str], Distribution] = {}
    for root, each in asked:
        # Wheels that are given together are installed into one directory.
        key = (0 if root.is_wheel else id(root), canonicalize_name(each.name))
        if key in seen:
            detail = f"{each.name} is there twice: {seen[key].directory} and {each.directory}"
            yield Problem(Sort.WHOLE, detail=detail, project=each.name)
        seen.setdefault(key, each)


def _unlisted(asked: list[tuple[ImportRoot, Distribution]], build: Build) -> Iterator[Problem]:
    """Files that no distribution lists: in a wheel any, elsewhere code in a package of one."""
    for root in dict.fromkeys(root for root, _ in asked):
        everyone = next(found for each, found in build.by_root if each is root)
        if root.is_wheel:
            yield from _unlisted_in_wheel(root, everyone)
        else:
            yield from _unlisted_in(root, everyone, [each for r, each in asked if r is root], build)


def _tops_without_record(root: ImportRoot, everyone: tuple[Distribution, ...]) -> set[str]:
    """The packages of distributions that do not say which files are theirs, in lower case."""
    tops: set[str] = set()
    for each in everyone:
        if each.record is None:
            tops.add(canonicalize_name(each.name).replace("-", "_"))
            stated = root.source.find(f"{root.base}/{each.directory}/top_level.txt")
            if stated is not None:
                with suppress(ElfAuditError):
                    tops |= set(
                        stated.open().read(_MOST_TOPS).decode(errors="replace").lower().split()
                    )
    return tops


def _unlisted_in_wheel(root: ImportRoot, everyone: tuple[Distribution, ...]) -> Iterator[Problem]:
    if any(each.problem and each.record is None for each in everyone):
        return  # the RECORD cannot be read: that is told
    if root.base:
        return  # RECORD has the paths of the archive: the other root of the wheel sees them
    listed = {posixpath.normpath(row.path) for each in everyone for row in each.record or ()}
    for name in root.source.names():
        path = name.lstrip("/")
        if path not in listed and not is_unhashed(path):
            yield Problem(Sort.UNLISTED, path)


def _unlisted_in(
    root: ImportRoot,
    everyone: tuple[Distribution, ...],
    asked: list[Distribution],
    build: Build,
) -> Iterator[Problem]:
    owners: dict[str, set[str]] = {}
    listed: set[str] = set()
    for each in everyone:
        for row in each.record or ():
            path = posixpath.normpath(row.path)
            listed.add(path)
            if "/" in path and not path.startswith(".."):
                owners.setdefault(path.partition("/")[0], set()).add(each.directory)
    own = {each.directory: each for each in asked}
    unknown = _tops_without_record(root, everyone)
    for file in build.files:
        if file.source is not root.source or not file.place.startswith(f"{root.base}/"):
            continue
        path = file.place[len(root.base) + 1 :]
        top = path.partition("/")[0]
        owner = owners.get(top, set())
        if path in listed or not path.endswith(_CODE) or top.endswith((".dist-info", ".egg-info")):
            continue
        regular = f"{top}/__init__.py" in listed  # others may add to a namespace package
        if top.lower() in unknown or (unknown and not regular):
            continue
        if len(owner) == 1 and owner <= own.keys():
            whose = next(iter(owner))
            yield Problem(Sort.FOREIGN, path, whose, project_of(own[whose]))


KIND = Kind(
    "record",
    __doc__,
    _judge,
    {"distribution": NAME, "unlisted": {"enum": ["fail", "ignore"]}},
    (),
    _wants,
)
