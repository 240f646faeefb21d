"""The Python side of a difference: what the distributions say of themselves, and their modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ..errors import SourceError
from ..findings.changed_metadata import changed_metadata, changed_tags
from ..findings.changed_modules import changed_modules
from ..findings.changes import Aspect, BuildChange, ChangeSeverity
from ..pydist import Metadata, read_metadata, read_wheel_info
from .compared_builds import ComparedBuild
from .compared_modules import compared_modules

__all__ = ["PublicNames", "distribution_changes", "module_changes"]

PublicNames = Callable[[str], Mapping[str, frozenset[str]]]

_METADATA = re.compile(r"(?P<directory>(?:.*/)?[^/]+\.dist-info)/METADATA")
_MOST_BYTES = 8 << 20  # the headers come first


def distribution_changes(before: ComparedBuild, after: ComparedBuild) -> Iterator[BuildChange]:
    """What changed of METADATA and WHEEL of every distribution, by its name without the version."""
    was, now = _directories(before), _directories(after)
    if len(was) == len(now) == 1:  # one each: the name is what may have changed
        (old,), (new,) = was.values(), now.values()
        yield from _changes(before, old, after, new)
        return
    for name, old in was.items():
        if name in now:
            yield from _changes(before, old, after, now[name])
        else:
            yield _gone_or_come(before, old, "is not there any more")
    for name, new in now.items():
        if name not in was:
            yield _gone_or_come(after, new, "is new")


def module_changes(
    before: ComparedBuild, after: ComparedBuild, public_names: PublicNames | None
) -> Iterator[BuildChange]:
    """What changed of the modules that can be imported: by their text, or as somebody says."""
    if public_names is not None:
        return changed_modules(public_names(before.target), public_names(after.target))
    return changed_modules(*compared_modules(before, after))


def _directories(build: ComparedBuild) -> dict[str, str]:
    """The ``.dist-info`` directories that have METADATA."""
    found = {}
    for name, path in build.keys().items():
        match = _METADATA.fullmatch(path)
        if match:
            found[name] = match["directory"]
    return found


def _changes(
    before: ComparedBuild, old: str, after: ComparedBuild, new: str
) -> Iterator[BuildChange]:
    metadata = [_metadata(before, old), _metadata(after, new)]
    name = metadata[1].name or metadata[0].name or new
    changes = [*changed_metadata(*metadata)]
    infos = [_text(before, f"{old}/WHEEL"), _text(after, f"{new}/WHEEL")]
    if None not in infos:
        changes += changed_tags(*(read_wheel_info(text or "") for text in infos))
    yield from (replace(each, message=f"{name} {each.message}") for each in changes)


def _gone_or_come(build: ComparedBuild, directory: str, text: str) -> BuildChange:
    name = _metadata(build, directory).name or directory
    return BuildChange(Aspect.DISTRIBUTION, ChangeSeverity.NOTABLE, f"{name} {text}")


def _metadata(build: ComparedBuild, directory: str) -> Metadata:
    return read_metadata(_text(build, f"{directory}/METADATA") or "")


def _text(build: ComparedBuild, path: str) -> str | None:
    """A text of a build; None where there is none, or none to be read."""
    member = build.members.get(path)
    if member is None:
        return None
    try:
        raw = member.open().read(_MOST_BYTES)
    except SourceError:
        return None
    return raw.decode("utf-8", "surrogateescape")
