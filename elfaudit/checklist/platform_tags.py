"""What the platform tags of a wheel promise: the machine, how new glibc and libstdc++ need to be.

Source: PEP 600 (``manylinux_X_Y`` is glibc X.Y), PEP 513, 571 and 599 for the older names; for
GLIBCXX and CXXABI the policies of auditwheel: of the newest compiler that every distribution has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

__all__ = ["Versions", "is_for_musl", "machines_of", "promised", "true_tag"]

Versions = Mapping[str, tuple[int, ...]]
"""Prefix (GLIBC, GLIBCXX, CXXABI) to the newest version."""

_TAG = re.compile(r"manylinux_(\d+)_(\d+)_(.+)")
_OLD_TAG = re.compile(r"(manylinux(?:1|2010|2014))_(.+)")
_OLD_TAGS = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_PLATFORM = re.compile(r"(?:manylinux(?:1|2010|2014|_\d+_\d+)|musllinux_\d+_\d+|linux)_(.+)")
# Source: ``elf.h``: EM_386, EM_S390 …
_MACHINES: Mapping[str, tuple[int, ...]] = {
    "i686": (3,), "ppc64": (21,), "ppc64le": (21,), "s390x": (22,), "armv6l": (40,),
    "armv7l": (40,), "x86_64": (62,), "aarch64": (183,), "riscv64": (243,), "loongarch64": (258,),
}  # fmt: skip
_POLICIES: tuple[tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]], ...] = (
    ((2, 5), (3, 4, 8), (1, 3, 1)),
    ((2, 12), (3, 4, 13), (1, 3, 3)),
    ((2, 17), (3, 4, 19), (1, 3, 7)),
    ((2, 24), (3, 4, 22), (1, 3, 10)),
    ((2, 26), (3, 4, 24), (1, 3, 11)),
    ((2, 31), (3, 4, 28), (1, 3, 12)),
    ((2, 34), (3, 4, 29), (1, 3, 13)),
    ((2, 35), (3, 4, 30), (1, 3, 13)),
    ((2, 39), (3, 4, 33), (1, 3, 15)),
)
# Where a policy has another compiler for one machine.
_OTHERS: Mapping[tuple[str, tuple[int, int]], tuple[tuple[int, ...], tuple[int, ...]]] = {
    ("x86_64", (2, 26)): ((3, 4, 22), (1, 3, 10)),
    ("loongarch64", (2, 39)): ((3, 4, 32), (1, 3, 15)),
}


def promised(filename: str) -> tuple[str, Versions] | None:
    """The tag of a wheel that promises least, and what; None where there is no such tag.

    Args:
        filename: of the wheel, without a directory.
    """
    tagged = min(_tagged(filename), default=None)
    if tagged is None:
        return None
    least, machine, name = tagged
    return name, _limits(least, machine)


def machines_of(filename: str) -> dict[str, tuple[int, ...]]:
    """The machines that the platform tags of a wheel name, with their ``e_machine``.

    A machine that is not known has none; ``any`` is no machine.

    Args:
        filename: of the wheel, without a directory.
    """
    found = (_PLATFORM.fullmatch(tag.platform) for tag in _tags(filename))
    return {match[1]: _MACHINES.get(match[1], ()) for match in found if match is not None}


def is_for_musl(filename: str) -> bool:
    """Whether all platform tags of a wheel are for musl (PEP 656)."""
    platforms = [tag.platform for tag in _tags(filename)]
    return bool(platforms) and all(each.startswith("musllinux_") for each in platforms)


def _limits(least: tuple[int, int], machine: str) -> Versions:
    limits: dict[str, tuple[int, ...]] = {"GLIBC": least}
    for glibc, glibcxx, cxxabi in _POLICIES:
        if glibc <= least:
            limits |= {"GLIBCXX": glibcxx, "CXXABI": cxxabi}
    other = _OTHERS.get((machine, least))
    return limits if other is None else {**limits, "GLIBCXX": other[0], "CXXABI": other[1]}


def true_tag(filename: str, needs: Versions) -> str | None:
    """The tag that promises what is needed, for the machine of a wheel; None where none does."""
    tagged = min(_tagged(filename), default=None)
    if tagged is None:
        return None
    needed = needs.get("GLIBC", (2, 5))[:2]
    candidates = {needed, *(glibc for glibc, _, _ in _POLICIES if glibc > needed)}
    for glibc in sorted(candidates):
        limits = _limits((glibc[0], glibc[1]), tagged[1]) if len(glibc) == 2 else {}
        if all(number <= limits.get(prefix, ()) for prefix, number in needs.items()):
            return f"manylinux_{glibc[0]}_{glibc[1]}_{tagged[1]}"
    return None


def _tagged(filename: str) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Version of glibc, machine and name of each manylinux tag."""
    for tag in _tags(filename):
        if match := _TAG.fullmatch(tag.platform):
            version = int(match[1]), int(match[2])
            yield version, match[3], f"manylinux_{match[1]}_{match[2]}"
        elif match := _OLD_TAG.fullmatch(tag.platform):
            yield _OLD_TAGS[match[1]], match[2], match[1]


def _tags(filename: str) -> Iterable[Tag]:
    try:
        return parse_wheel_filename(filename)[3]
    except (InvalidWheelFilename, ValueError):
        return ()
