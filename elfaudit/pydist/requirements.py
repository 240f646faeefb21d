"""Whether what distributions require is there, as ``pip check`` says, and with extras.

Source: ``check_package_set`` (pip ``operations/check.py``): a requirement whose marker holds is
missing if no distribution has its normalised name, and conflicts if the version is not in the
specifier, pre-releases allowed. pip does not look into extras (``ray[cgraph]``); here the
requirements of an extra that is asked for count, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from .distributions import Distribution

__all__ = ["Unmet", "environment_of", "unmet_requirements", "unread_fields"]

_MOST_CHARACTERS = 10_000  # the parser takes quadratic time for some texts

_ANY_PATCH = 99  # stands for a patch level that is not known; none is as high


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that is not met, or not understood.

    Attributes:
        distribution: whose it is, with version.
        requirement: as written.
        found: the version that is there; None: none is.
        problem: one sentence.
        extra: the extra of the distribution that brings it, or an empty string.
        understood: whether it is a requirement at all.
    """

    distribution: str
    requirement: str
    found: str | None
    problem: str
    extra: str = ""
    understood: bool = True


def environment_of(python: str, machine: str) -> dict[str, str]:
    """The marker environment of CPython on Linux (PEP 508).

    Args:
        python: ``3.11.7``; or ``3.11``, which is then taken to be up to date.
        machine: as ``uname -m`` says it.
    """
    full = python if python.count(".") > 1 else f"{python}.{_ANY_PATCH}"
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full,
        "python_version": ".".join(full.split(".")[:2]),
        "sys_platform": "linux",
        "extra": "",
    }


def unmet_requirements(
    distributions: Iterable[Distribution], environment: Mapping[str, str]
) -> Iterator[Unmet]:
    """Every requirement that is not met.

    Args:
        distributions: all that is there; of two of one name the first counts, as it is imported.
        environment: as of :func:`environment_of`.
    """
    there: dict[str, Distribution] = {}
    for each in distributions:
        there.setdefault(canonicalize_name(each.name), each)
    wanted = _extras_wanted(there, environment)
    for name, distribution in there.items():
        yield from _of_one(distribution, there, environment, wanted.get(name, frozenset()))
        yield from _python(distribution, environment)


def unread_fields(distributions: Iterable[Distribution]) -> Iterator[str]:
    """What METADATA states in a form that nobody can compare, a sentence each.

    Source: :mod:`packaging`; pip warns of a Requires-Python that is none, and passes over it.
    """
    for each in distributions:
        metadata = each.metadata
        if metadata is None:
            continue
        asked, version = metadata.requires_python, metadata.version
        if version is not None and not _is(Version, version):
            yield f"{each.name} has a Version that is none: {version[:80]!r}"
        if asked is not None and not _is(SpecifierSet, asked):
            yield f"{each.name} has a Requires-Python that is none: {asked[:80]!r}"


def _is(kind: Callable[[str], object], text: str) -> bool:
    try:
        kind(text if len(text) <= _MOST_CHARACTERS else "")
    except ValueError:
        return False
    return len(text) <= _MOST_CHARACTERS


def _of_one(
    distribution: Distribution,
    there: Mapping[str, Distribution],
    environment: Mapping[str, str],
    extras: frozenset[str],
) -> Iterator[Unmet]:
    metadata = distribution.metadata
    told = f"{distribution.name} {distribution.version}".strip()
    for text in metadata.requires_dist if metadata is not None else ():
        requirement = _parsed(text)
        if requirement is None:
            problem = f"{told} has a Requires-Dist that is none: {text[:80]!r}"
            yield Unmet(told, text[:200], None, problem, understood=False)
            continue
        extra = _asked_by(requirement, environment, extras)
        if extra is not None and (unmet := _judged(told, requirement, extra, there)) is not None:
            yield unmet


def _judged(
    told: str, requirement: Requirement, extra: str, there: Mapping[str, Distribution]
) -> Unmet | None:
    found = there.get(canonicalize_name(requirement.name))
    text = str(requirement).partition(";")[0].strip()
    told_extra = f"{told} [{extra}]" if extra else told
    if found is None:
        problem = f"{told_extra} requires {text}, which is not installed"
        return Unmet(told, text, None, problem, extra)
    try:
        met = requirement.specifier.contains(Version(found.version), prereleases=True)
    except ValueError:
        problem = f"{told_extra} requires {text}; the version of {found.name} is no version"
        return Unmet(told, text, found.version, problem, extra)
    if met or requirement.url is not None:
        return None
    problem = f"{told_extra} requires {text}, but {found.name} {found.version} is installed"
    return Unmet(told, text, found.version, problem, extra)


def _python(distribution: Distribution, environment: Mapping[str, str]) -> Iterator[Unmet]:
    asked = distribution.metadata.requires_python if distribution.metadata is not None else None
    if not asked or len(asked) > _MOST_CHARACTERS:
        return
    told, python = f"{distribution.name} {distribution.version}", environment["python_full_version"]
    minor, _, patch = python.rpartition(".")
    levels = range(_ANY_PATCH + 1) if patch == str(_ANY_PATCH) else (patch,)
    try:
        specifiers = SpecifierSet(asked)
        met = any(specifiers.contains(f"{minor}.{each}", prereleases=True) for each in levels)
    except ValueError:
        return
    if not met:
        problem = f"{told} requires Python {asked}, and this is {environment['python_version']}"
        yield Unmet(told, f"Python {asked}", environment["python_version"], problem)


def _parsed(text: str) -> Requirement | None:
    try:
        requirement = Requirement(text) if len(text) <= _MOST_CHARACTERS else None
        str(requirement)  # versions of thousands of digits show only here
    except (ValueError, RecursionError):
        return None
    return requirement


def _asked_by(
    requirement: Requirement, environment: Mapping[str, str], extras: frozenset[str]
) -> str | None:
    """The extra by which a requirement applies, empty for none; None: it does not apply."""
    if requirement.marker is None:
        return ""
    marker = canonicalize_name(str(requirement.marker))
    named = (each for each in sorted(extras) if canonicalize_name(each) in marker)
    for extra in ("", *named):
        try:
            if requirement.marker.evaluate({**environment, "extra": extra}):
                return extra
        except (ValueError, RecursionError):
            return None
    return None


def _extras_wanted(
    there: Mapping[str, Distribution], environment: Mapping[str, str]
) -> dict[str, frozenset[str]]:
    """The extras that others ask for, by normalised name; those of extras likewise."""
    wanted: dict[str, set[str]] = {}
    pending = [(name, "") for name in there]
    seen = set(pending)
    while pending:
        name, extra = pending.pop()
        metadata = there[name].metadata
        for text in metadata.requires_dist if metadata is not None else ():
            if "[" not in text or (requirement := _parsed(text)) is None:
                continue
            if _asked_by(requirement, environment, frozenset({extra} - {""})) != extra:
                continue
            other = canonicalize_name(requirement.name)
            for each in requirement.extras if other in there else ():
                wanted.setdefault(other, set()).add(each)
                if (other, each) not in seen:
                    seen.add((other, each))
                    pending.append((other, each))
    return {name: frozenset(extras) for name, extras in wanted.items()}
