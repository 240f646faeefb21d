"""What changed of what a distribution says of itself: METADATA and WHEEL.

Source: "Core metadata specifications" and "Dependency specifiers" (packaging.python.org): what two
requirements say is compared, not how it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from ..pydist import Metadata, WheelInfo
from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, some

__all__ = ["changed_metadata", "changed_tags"]

_Key = tuple[str, str]  # project, marker
_Asked = Mapping[_Key, Sequence[tuple[object, str]]]
_NOTABLE, _HARMLESS = ChangeSeverity.NOTABLE, ChangeSeverity.HARMLESS
_MOST_CHARACTERS = 4000  # the parser takes quadratic time for some texts, int() raises at 4300


def changed_metadata(old: Metadata, new: Metadata) -> Iterator[BuildChange]:
    """The changes of METADATA."""
    if canonicalize_name(old.name or "") != canonicalize_name(new.name or ""):
        text = f"is {new.name or 'without a name'} (before {old.name or 'without a name'})"
        yield BuildChange(Aspect.DISTRIBUTION, _NOTABLE, text, (), old.name, new.name)
    if old.version != new.version:
        text = f"is of version {new.version or 'none'} (before {old.version or 'none'})"
        yield BuildChange(Aspect.VERSION, _HARMLESS, text, (), old.version, new.version)
    if not _same_specifier(old.requires_python, new.requires_python):
        was, now = old.requires_python, new.requires_python
        text = f"is for Python {now or 'of any version'} (before {was or 'of any version'})"
        yield BuildChange(Aspect.REQUIRES_PYTHON, _NOTABLE, text, (), was, now)
    yield from _requirements(old.requires_dist, new.requires_dist)
    yield from _extras(old.extras, new.extras)


def changed_tags(old: WheelInfo, new: WheelInfo, *, of: str | None = None) -> Iterator[BuildChange]:
    """The changes of the tags: for which interpreters and platforms a wheel is.

    Args:
        old: the tags that it had.
        new: those that it has.
        of: where they stand, if that is not WHEEL.
    """
    before, after = set(old.tags), set(new.tags)
    if before == after:
        return
    was, now = (some(info.tags) or "none" for info in (old, new))
    gone = [ChangedItem(tag, None, tag, None) for tag in old.tags if tag not in after]
    come = [ChangedItem(tag, None, None, tag) for tag in new.tags if tag not in before]
    severity = _NOTABLE if gone else _HARMLESS
    text = f"has the tags {now}{f' in its {of}' if of else ''} (before {was})"
    yield BuildChange(Aspect.TAGS, severity, text, (*gone, *come), was, now)


def _same_specifier(old: str | None, new: str | None) -> bool:
    if old == new:
        return True
    try:
        return SpecifierSet(_bounded(old)) == SpecifierSet(_bounded(new))
    except ValueError:
        return False


def _bounded(text: str | None) -> str:
    if text is not None and len(text) > _MOST_CHARACTERS:
        raise InvalidSpecifier(text[:20])
    return text or ""


def _requirements(old: Sequence[str], new: Sequence[str]) -> Iterator[BuildChange]:
    """Those that are another one now, new ones and gone ones, together: all of them at a glance."""
    was, now = _by_key(old), _by_key(new)
    # The same project twice with the same marker: both count.
    items: list[tuple[ChangeSeverity, ChangedItem]] = []
    changed = [
        key
        for key in (*was, *(key for key in now if key not in was))
        if [asked for asked, _ in was.get(key, [])] != [asked for asked, _ in now.get(key, [])]
    ]
    for keys in _of_one_project(changed, was, now):
        told = ["; and ".join(_texts(keys, side)) or None for side in (was, now)]
        asked = any(key in now and "extra" not in key[1] for key in keys)
        items.append((_NOTABLE if asked else _HARMLESS, ChangedItem(keys[0][0], None, *told)))
    items.sort(key=lambda row: -row[0])  # what is needed by all comes first
    severity = items[0][0] if items else _HARMLESS
    if items:
        text = f"has {len(items):,} changed requirement{'s' * (len(items) != 1)}"
        told_items = tuple(item for _, item in items)
        yield BuildChange(Aspect.REQUIREMENTS, severity, text, told_items)


def _of_one_project(keys: Sequence[_Key], was: _Asked, now: _Asked) -> Iterator[list[_Key]]:
    """Each key alone; but what is gone and what is new of one project is one change."""
    gone: dict[str, list[_Key]] = {}
    come: dict[str, list[_Key]] = {}
    for key in keys:
        if key not in was or key not in now:
            (gone if key in was else come).setdefault(key[0], []).append(key)
    for key in keys:
        mates = (gone.get(key[0], []), come.get(key[0], []))
        if not all(mates) or (key in was and key in now):
            yield [key]
        elif key == mates[0][0]:
            yield [*mates[0], *mates[1]]


def _texts(keys: Sequence[_Key], side: _Asked) -> list[str]:
    return [text for key in keys for _, text in side.get(key, [])]


def _by_key(requirements: Iterable[str]) -> dict[_Key, list[tuple[object, str]]]:
    """What each asks for, and how it says it, by the project and the marker."""
    found: dict[_Key, list[tuple[object, str]]] = {}
    for text in dict.fromkeys(requirements):
        key, asked = _parsed(text) or ((text, ""), text)
        found.setdefault(key, []).append((asked, text))
    return found


def _parsed(text: str) -> tuple[tuple[str, str], object] | None:
    """((project, marker), what is asked for); None where it is no requirement."""
    if len(text) > _MOST_CHARACTERS:
        return None
    try:
        parsed = Requirement(text)
        marker = str(parsed.marker or "")
    except (ValueError, RecursionError):
        return None
    asked = (parsed.specifier, frozenset(parsed.extras), parsed.url)
    return (canonicalize_name(parsed.name), marker), asked


def _extras(old: Sequence[str], new: Sequence[str]) -> Iterator[BuildChange]:
    was, now = ({canonicalize_name(name): name for name in names} for names in (old, new))
    gone = [was[name] for name in was if name not in now]
    come = [now[name] for name in now if name not in was]
    if gone:
        text = f"has no extra{_plural(gone)} {some(gone)} any more"
        yield BuildChange(Aspect.EXTRAS, _NOTABLE, text, tuple(map(ChangedItem, gone)))
    if come:
        text = f"has the extra{_plural(come)} {some(come)} now"
        yield BuildChange(Aspect.EXTRAS, _HARMLESS, text, tuple(map(ChangedItem, come)))


def _plural(names: Sequence[str]) -> str:
    return "" if len(names) == 1 else "s"
