"""What changed between two builds: text for people, JSON for programs."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence

from ..findings.changes import (
    MOST_IN_MESSAGE,
    Aspect,
    BuildChange,
    ChangedItem,
    ChangeSeverity,
    Difference,
    FileDifference,
    FileStatus,
    OtherFile,
)
from .jsontext import SCHEMA_VERSION, dump, identifier, named
from .style import Style, clean, plural, shorten_path, wrap

__all__ = ["difference_document", "difference_text", "gist"]

_BREAKING, _NOTABLE, _HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)
_LOOKS = {_BREAKING: ("red", "bold"), _NOTABLE: ("yellow", "bold"), _HARMLESS: ("dim",)}
_WORDS = {_BREAKING: "breaking", _NOTABLE: "notable", _HARMLESS: "harmless"}
_WIDTH = max(map(len, _WORDS.values())) + 4
_MOST_IN_GIST = 2
_MOST_ITEMS = 5
_MOST_FILES = 12  # files told one by one, beside those with breaking changes
_MOST_BREAKING = 40
_MOST_OTHERS = 3
_WIDEST = 200
_SUBJECTS = ("its ", "it ", "the ", "RELRO ")
# The items of these stand in the message already.
_TOLD = frozenset(
    (
        Aspect.NEEDED_ADDED,
        Aspect.NEEDED_REMOVED,
        Aspect.NEEDED_ORDER,
        Aspect.VERSIONS_LOST,
        Aspect.VERSIONS_GAINED,
        Aspect.MISSING,
        Aspect.VERDICT,
        Aspect.EXTRAS,
        Aspect.TAGS,
        Aspect.LINK_ADDED,
        Aspect.LINK_REMOVED,
        Aspect.LINK_CHANGED,
        Aspect.FILE_RENAMED,
    )
)

# Of these the new value is why, or where.
_EXPLAINED = frozenset((Aspect.MODULES_BROKEN, Aspect.EXPORTS_MOVED, Aspect.UNREADABLE))


def gist(difference: Difference, style: Style) -> str:
    """The whole in one line: ``a.whl → b.whl: 1 breaking change: libx.so no longer exports …``."""
    old, new = _names(difference)
    if difference.is_empty:
        return f"{old} → {new}: {style.paint('no differences', 'green', 'bold')}"
    grave = [row for row in difference.every() if row[1].severity is _BREAKING]
    if not grave:
        count = difference.count(_NOTABLE)
        notable = f", {plural(count, 'notable change')}" if count else ""
        nothing = style.paint("no breaking changes", "green", "bold")
        return f"{old} → {new}: {nothing}{notable}{_files_that_differ(difference)}"
    told = [_brief(file, change, style) for file, change in grave]
    shown = list(dict.fromkeys(told))[:_MOST_IN_GIST]
    more = len(grave) - len(shown)
    rest = f"; and {more:,} more" if more else ""
    head = style.paint(plural(len(grave), "breaking change"), "red", "bold")
    return f"{old} → {new}: {head}: {'; '.join(shown)}{rest}"


def _names(difference: Difference) -> tuple[str, str]:
    """What is compared, without directories where that tells the two apart."""
    old, new = clean(difference.old), clean(difference.new)
    short = tuple(posixpath.basename(name.rstrip("/")) for name in (old, new))
    return (old, new) if short[0] == short[1] or not all(short) else (short[0], short[1])


def difference_text(difference: Difference, style: Style) -> str:
    """The gist, then what changed, file by file; with ``quiet`` breaking changes only."""
    lines = [wrap(gist(difference, style), style.columns, indent="  ", first="")]
    if difference.changes:
        body = _body(_worth(difference.changes, style), style)
        lines += ["", *body] if body else []
    lines += _files(difference, style)
    if not style.quiet:
        lines += _others(difference, style)
    for problem in difference.problems:
        text = f"note: {clean(problem)}"
        lines.append(style.paint(wrap(text, style.columns, indent="  "), "yellow"))
    return "\n".join(lines)


def _brief(file: FileDifference | None, change: BuildChange, style: Style) -> str:
    message = style.words(change.message)
    if file is None:
        return message
    name = clean(posixpath.basename(file.name))
    # Most are clauses without their subject, some have one of their own.
    return f"{name}{':' * message.startswith(_SUBJECTS)} {message}"


def _files_that_differ(difference: Difference) -> str:
    count = len(difference.files)
    told = f"; {plural(count, 'ELF file')} {'differs' if count == 1 else 'differ'}" if count else ""
    unread = sum(change.aspect is Aspect.UNREADABLE for _, change in difference.every())
    return f"{told}; {plural(unread, 'file')} could not be compared" if unread else told


def _worth(changes: Iterable[BuildChange], style: Style) -> list[BuildChange]:
    if style.quiet:
        return [change for change in changes if change.severity is _BREAKING]
    return list(changes)


def _files(difference: Difference, style: Style) -> Iterator[str]:
    """Each file with its changes; files to which the same happened together."""
    groups: dict[tuple[str, ...], list[FileDifference]] = {}
    quiet_rows: list[FileDifference] = []
    for file in difference.files:
        if not style.verbose and file.severity is _HARMLESS:
            quiet_rows.append(file)
            continue
        body = tuple(_body(_worth(file.changes, style), style))
        if body or not style.quiet:
            groups.setdefault(body, []).append(file)
    shown = 0
    left: list[FileDifference] = []
    for body, files in groups.items():
        most = _MOST_BREAKING if files[0].severity is _BREAKING else _MOST_FILES
        if shown >= most and not style.verbose:
            left += files
            continue
        shown += 1
        yield ""
        yield _heading(files, style)
        yield from body
    if left:
        yield ""
        yield f"{plural(len(left), 'more ELF file')} with notable changes (--verbose)"
    if quiet_rows and not style.quiet:
        yield ""
        names = _some([posixpath.basename(file.name) for file in quiet_rows], style)
        text = f"{plural(len(quiet_rows), 'ELF file')} with harmless changes only: {names}"
        yield wrap(text, style.columns, indent="  ", first="")


def _heading(files: Sequence[FileDifference], style: Style) -> str:
    names = [shorten_path(clean(file.name), style.columns) for file in files]
    if len(files) == 1:
        head = style.paint(names[0], "bold")
        return f"{head}  {style.paint(_sizes(files[0]), 'dim')}".rstrip()
    return style.paint(wrap(_some(names, style), style.columns, indent="  ", first=""), "bold")


def _sizes(file: FileDifference) -> str:
    old, new = file.old_size, file.new_size
    if old is None and new is None:
        return "(the same bytes)"
    if old is None or new is None:
        return f"({plural(old or new or 0, 'byte')})"
    return f"({old:,} → {new:,} bytes)" if old != new else f"({plural(new, 'byte')})"


def _body(changes: Sequence[BuildChange], style: Style) -> list[str]:
    if not changes and not style.quiet:
        return [style.paint("  code or data only", "dim")]
    told = [each for each in changes if style.verbose or each.severity is not _HARMLESS]
    lines = [line for change in told for line in _change(change, style)]
    harmless = [style.words(each.message) for each in changes if each not in told]
    if harmless:
        lines.append(_line(_HARMLESS, "; ".join(harmless), style))
    return lines


def _line(severity: ChangeSeverity, message: str, style: Style) -> str:
    word = style.paint(f"{_WORDS[severity]:<{_WIDTH - 4}}", *_LOOKS[severity])
    margin = " " * _WIDTH
    text = wrap(message, style.columns, indent=margin)
    return f"  {word}  {text.removeprefix(margin)}"


def _change(change: BuildChange, style: Style) -> Iterator[str]:
    margin = " " * _WIDTH
    yield _line(change.severity, style.words(change.message), style)
    if not change.items or (change.aspect in _TOLD and not style.verbose):
        return
    if change.aspect in _TOLD and len(change.items) <= MOST_IN_MESSAGE:
        return
    if all(item.new is item.old is None and item.name in change.message for item in change.items):
        return
    items = [_item(change.aspect, item, style) for item in change.items]
    few = 0 if change.aspect is Aspect.COPIES_LOST else _MOST_ITEMS
    shown = items if style.verbose else items[:few]
    for item in shown:
        yield f"{margin}  {item if style.verbose else _cut(item, style)}"
    if len(shown) < len(items):
        yield style.paint(f"{margin}  and {len(items) - len(shown):,} more (--verbose)", "dim")


def _cut(text: str, style: Style) -> str:
    """A text that fits into a line: a few C++ names may be longer than all the rest."""
    room = min(style.columns, _WIDEST) - _WIDTH - 2
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _item(aspect: Aspect, item: ChangedItem, style: Style) -> str:
    name = style.words(item.name)
    if aspect is Aspect.REQUIREMENTS:
        return clean(_requirement(item))
    if item.version is not None:
        name = f"{name}@{clean(item.version)}"
    if aspect is Aspect.OBJECT_SIZE:
        return f"{name}: {int(item.old or 0):,} → {plural(int(item.new or 0), 'byte')}"
    if aspect is Aspect.VERSION_NEEDED:
        return f"{name} ({clean(item.new or '')})"
    if aspect in (Aspect.DEFAULT_VERSION, Aspect.EXPORT_VERSION):
        name = style.words(item.name)
    if item.old is None and item.new is None:
        return name
    if item.old is None and aspect in _EXPLAINED:
        return f"{name}: {clean(item.new or '')}"
    return f"{name}: {clean(item.old or 'none')} → {clean(item.new or 'none')}"


def _requirement(item: ChangedItem) -> str:
    if item.old is None:
        return f"{item.new} is new"
    if item.new is None:
        return f"{item.old} is gone"
    return f"{item.new} (before {item.old})"


def _some(names: Sequence[str], style: Style) -> str:
    """The first few, and how many more there are; with ``verbose`` all."""
    shown = list(names) if style.verbose else list(names[:_MOST_ITEMS])
    text = ", ".join(map(clean, shown))
    more = len(names) - len(shown)
    return f"{text} and {more:,} more (--verbose)" if more else text


def _others(difference: Difference, style: Style) -> Iterator[str]:
    others = difference.others
    if not others:
        return
    yield ""
    for word, files in (
        ("added", others.added),
        ("removed", others.removed),
        ("changed", others.changed),
    ):
        if not files:
            continue
        size = sum((file.new_size or 0) - (file.old_size or 0) for file in files)
        told = f"{plural(len(files), 'other file')} {word} ({size:+,} bytes)"
        if style.verbose:
            yield style.paint(f"{told}:", "dim")
            yield from (f"  {clean(file.path)}" for file in files)
            continue
        listed = files[:_MOST_OTHERS]
        names = ", ".join(clean(file.path) for file in listed)
        more = f" and {len(files) - len(listed):,} more" if len(listed) < len(files) else ""
        text = f"{told}: {names}{more}"
        yield style.paint(wrap(text, style.columns, indent="  ", first=""), "dim")


def difference_document(difference: Difference, *, demangled: bool = False) -> str:
    """The output of ``diff`` as JSON: everything, nothing left out."""
    statuses = [file.status for file in difference.files]
    document = {
        "schema_version": SCHEMA_VERSION,
        "old": difference.old,
        "new": difference.new,
        "summary": {
            **{identifier(each): difference.count(each) for each in reversed(ChangeSeverity)},
            "files": {identifier(each): statuses.count(each) for each in FileStatus},
            "identical": difference.identical,
        },
        "changes": [_change_row(each, demangled=demangled) for each in difference.changes],
        "files": [_file_row(file, demangled=demangled) for file in difference.files],
        "other_files": {
            "added": _other_rows(difference.others.added),
            "removed": _other_rows(difference.others.removed),
            "changed": _other_rows(difference.others.changed),
        },
        "problems": list(difference.problems),
    }
    return dump(document, indent=1) + "\n"


def _file_row(file: FileDifference, *, demangled: bool) -> dict[str, object]:
    return {
        "old": file.old,
        "new": file.new,
        "status": identifier(file.status),
        "severity": identifier(file.severity),
        "old_size": file.old_size,
        "new_size": file.new_size,
        "changes": [_change_row(change, demangled=demangled) for change in file.changes],
    }


def _change_row(change: BuildChange, *, demangled: bool) -> dict[str, object]:
    return {
        "aspect": identifier(change.aspect),
        "severity": identifier(change.severity),
        "message": change.message,
        "old": change.old,
        "new": change.new,
        "items": [
            {
                **named(item.name, demangled=demangled),
                "version": item.version,
                "old": item.old,
                "new": item.new,
            }
            for item in change.items
        ],
    }


def _other_rows(files: Sequence[OtherFile]) -> list[dict[str, object]]:
    return [
        {"path": file.path, "old_size": file.old_size, "new_size": file.new_size} for file in files
    ]
