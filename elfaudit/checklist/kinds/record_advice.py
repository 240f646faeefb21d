"""What to do where a RECORD and the files do not agree."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from packaging.utils import canonicalize_name
from packaging.version import Version

from ...pydist import Distribution
from ..build import ImportRoot
from .record_problems import Problem

__all__ = ["advice_for", "project_of"]

_MOST_NAMED = 10  # projects in a command


def project_of(distribution: Distribution) -> str:
    """A distribution as pip takes it."""
    version = distribution.version
    return f"{distribution.name}=={version}" if version else distribution.name


def advice_for(asked: list[tuple[ImportRoot, Distribution]], wrong: Sequence[Problem]) -> str:
    """What to do: a wheel is what it is; what is installed can be installed again."""
    wheel = next((root.source.label for root, _ in asked if root.is_wheel), None)
    if wheel is not None:
        if any(each.of_build for each in wrong):
            return "download or build the wheel again"
        file = shlex.quote(wheel)
        return (
            "download or build the wheel again; if its files are right, write its RECORD anew: "
            f"python -m zipfile -e {file} unpacked && python -m wheel pack unpacked"
        )
    left_behind = list(_left_behind(asked))
    old = {project_of(each) for _, each in left_behind}
    lines = [
        "remove what was left behind: rm -r "
        + shlex.quote(f"{root.source.label.rstrip('/')}{root.base}/{each.directory}")
        for root, each in left_behind
    ]
    current = (project_of(each) for each in _newest(asked).values())
    at_fault = {each.project for each in wrong} - old
    whose = [each for each in current if each in at_fault or each.partition("==")[0] in at_fault]
    if whose:
        names = " ".join(map(shlex.quote, whose[:_MOST_NAMED]))
        again = "it" if len(whose) == 1 else "them"
        lines.append(f"install {again} again: pip install --force-reinstall --no-deps {names}")
    return "\n".join(lines)


def _newest(
    asked: list[tuple[ImportRoot, Distribution]],
) -> dict[tuple[int, str], Distribution]:
    """The newest distribution of each project in each directory."""
    newest: dict[tuple[int, str], Distribution] = {}
    for root, each in asked:
        key = id(root), canonicalize_name(each.name)
        if key not in newest or _order(each) > _order(newest[key]):
            newest[key] = each
    return newest


def _left_behind(
    asked: list[tuple[ImportRoot, Distribution]],
) -> Iterator[tuple[ImportRoot, Distribution]]:
    """Those of which a newer one is there."""
    newest = _newest(asked)
    for root, each in asked:
        if newest[id(root), canonicalize_name(each.name)] is not each:
            yield root, each


def _order(distribution: Distribution) -> Version:
    try:
        return Version(distribution.version)
    except ValueError:  # InvalidVersion, or digits without end
        return Version("0")
