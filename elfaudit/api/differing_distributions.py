"""The Python side of a difference: what the distributions say of themselves, and their modules."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from ..errors import SourceError
from ..findings.changed_entry_points import changed_entry_points
from ..findings.changed_metadata import changed_metadata, changed_tags
from ..findings.changed_modules import changed_modules, difference_of_names
from ..findings.changes import Aspect, BuildChange, ChangeSeverity
from ..pydist import Metadata, WheelInfo, read_metadata, read_wheel_info
from .compared_builds import ComparedBuild, paired_keys
from .compared_modules import compared_modules

__all__ = ["PublicNames", "distribution_changes", "module_changes"]

PublicNames = Callable[[str], Mapping[str, frozenset[str]]]

_METADATA = re.compile(r"(?P<directory>(?:.*/)?[^/]+\.dist-info)/METADATA")
_MOST_BYTES = 8 << 20  # the headers come first


def distribution_changes(before: ComparedBuild, after: ComparedBuild) -> Iterator[BuildChange]:
    """What changed of METADATA and WHEEL of every distribution, by its name without the version."""
    was, now = map(_directories, paired_keys(before, after))
    if len(was) == len(now) == 1:  # one each: the name is what may have changed
        (old,), (new,) = was.values(), now.values()
        yield from _changes(before, old, after, new)
        return
    for key, old in was.items():
        if key in now:
            yield from _changes(before, old, after, now[key])
        else:
            yield _gone_or_come(before, old, key, "is not there any more")
    for key, new in now.items():
        if key not in was:
            yield _gone_or_come(after, new, key, "is new")


def module_changes(
    before: ComparedBuild, after: ComparedBuild, public_names: PublicNames | None
) -> Iterator[BuildChange]:
    """What changed of the modules that can be imported: by their text, or as somebody says."""
    if public_names is not None:
        names = public_names(before.target), public_names(after.target)
        return changed_modules(difference_of_names(*names))
    return changed_modules(compared_modules(before, after))


def _directories(paths: Mapping[str, str]) -> dict[str, str]:
    """The ``.dist-info`` directories that have METADATA."""
    found = {}
    for name, path in paths.items():
        match = _METADATA.fullmatch(path)
        if match:
            found[name] = match["directory"]
    return found


def _changes(
    before: ComparedBuild, old: str, after: ComparedBuild, new: str
) -> Iterator[BuildChange]:
    metadata = [_metadata(before, old), _metadata(after, new)]
    name = metadata[1].name or metadata[0].name or new
    changes = [*changed_metadata(*metadata), *_tags(before, old, after, new)]
    points = [
        _text(build, f"{place}/entry_points.txt") for build, place in ((before, old), (after, new))
    ]
    changes += changed_entry_points(*(text or "" for text in points))
    yield from (replace(each, message=f"{name} {each.message}") for each in changes)


def _tags(before: ComparedBuild, old: str, after: ComparedBuild, new: str) -> Iterator[BuildChange]:
    """Installers go by the name of the file; where that says the same, what is in WHEEL is told."""
    names = [_tags_of_name(before, old), _tags_of_name(after, new)]
    if None not in names:
        told = list(changed_tags(*(WheelInfo(tags or ()) for tags in names), of="file name"))
        if told:
            yield from told
            return
    infos = [_text(before, f"{old}/WHEEL"), _text(after, f"{new}/WHEEL")]
    if None not in infos:
        yield from changed_tags(*(read_wheel_info(text or "") for text in infos))


def _tags_of_name(build: ComparedBuild, directory: str) -> tuple[str, ...] | None:
    """The tags in the file name of the wheel that a distribution is of."""
    prefix = directory[: directory.rfind("::") + 2] if "::" in directory else ""
    wheels = [each for each in build.targets if build.prefixes.get(each, "") == prefix]
    try:
        (wheel,) = wheels
        return tuple(sorted(map(str, parse_wheel_filename(os.path.basename(wheel))[3])))
    except (InvalidWheelFilename, ValueError):
        return None


def _gone_or_come(build: ComparedBuild, directory: str, key: str, text: str) -> BuildChange:
    metadata = _metadata(build, directory)
    name = metadata.name or directory
    if key == f"{directory}/METADATA" and metadata.version:  # one of several versions
        name = f"{name} {metadata.version}"
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
