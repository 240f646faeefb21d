"""Findings in words: what is wrong, what shows it, and what to type."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..findings import Finding, Fix, Severity
from .naming import Naming
from .rows import FileRow
from .style import Style, clean, plural, wrap

__all__ = ["Group", "describe", "explain", "group_findings", "undeciding"]

_MARGIN = " " * 7
_FEW_SYMBOLS = 8
_FEW_FILES = 6
_LOOKS = {
    Severity.ERROR: ("red", "bold"),
    Severity.WARNING: ("yellow", "bold"),
    Severity.NOTE: ("cyan", "bold"),
}
# Rules that have one symbol in a message; the symbols of one file can be told together.
_SYMBOL_BY_SYMBOL = frozenset(("undecided-symbol", "unresolved-symbol"))
# In an audit without a system's root every file has a handful of these: told in one line.
_OUTSIDE = "external-library"


@dataclass(slots=True)
class Group:
    """One finding and the files it was made for."""

    finding: Finding
    files: list[str] = field(default_factory=list)


def group_findings(rows: Iterable[FileRow]) -> list[Group]:
    """Findings of the same rule and message together: errors first, the most frequent first.

    Libraries outside of what is audited are left out: :func:`undeciding` tells of them.
    """
    every = tuple(rows)
    names = _names(every)
    groups: dict[tuple[str, str], Group] = {}
    for row in every:
        for found in row.findings:
            if found.rule == _OUTSIDE or row.verdict is None:
                continue
            finding = _renamed(found, row, names)
            group = groups.setdefault((finding.rule, finding.message), Group(finding))
            if not group.files or group.files[-1] != row.subject:
                group.files.append(row.subject)
    merged = _merged(groups.values())
    return sorted(merged, key=lambda group: (-group.finding.severity, -len(group.files)))


def _names(rows: Iterable[FileRow]) -> dict[Hashable, tuple[str, str]]:
    """What each file is called that the report is about, by us and by the loader."""
    names: dict[Hashable, tuple[str, str]] = {}
    for row in rows:
        place = row.places.get(row.subject)
        if place is not None:
            names.setdefault(place.identity, (row.subject, place.label))
    return names


def _renamed(finding: Finding, row: FileRow, names: Mapping[Hashable, tuple[str, str]]) -> Finding:
    """A finding located in a file by the one name that the report has for it.

    Other files of it come upon the same file by other ways: a link, a path with ``..`` in it.
    """
    place = row.places.get(finding.location)
    name, label = names.get(place.identity, ("", "")) if place is not None else ("", "")
    if place is None or name in ("", finding.location):
        return finding
    head = f"{place.label}: "
    message = finding.message
    if message.startswith(head):
        message = f"{label}: {message.removeprefix(head)}"
    return replace(finding, location=name, message=message)


def _merged(groups: Iterable[Group]) -> list[Group]:
    """Symbols of one file that nobody has are told together: there is no more to say of each."""
    together: dict[tuple[object, ...], list[Group]] = {}
    for number, group in enumerate(groups):
        finding = group.finding
        alike = (finding.rule, finding.location, finding.evidence, tuple(group.files))
        single = finding.rule in _SYMBOL_BY_SYMBOL and len(finding.symbols) == 1
        alone = bool(finding.fixes) or not single
        together.setdefault((number,) if alone else alike, []).append(group)
    return [_joined(same) if len(same) > 1 else same[0] for same in together.values()]


def _joined(groups: list[Group]) -> Group:
    first = groups[0].finding
    symbols = tuple(symbol for group in groups for symbol in group.finding.symbols)
    message = f"{first.message} (and {len(symbols) - 1} more)"
    return Group(replace(first, message=message, symbols=symbols), groups[0].files)


def undeciding(row: FileRow, style: Style) -> str:
    """What is outside of what is audited, one sentence; empty if nothing is."""
    names = row.outside
    if not names:
        return ""
    listed = ", ".join(names) if style.verbose else _some(names, _FEW_FILES)
    verb = "is" if len(names) == 1 else "are"
    return clean(f"{listed} {verb} not in what is audited (--root, --with)")


def describe(
    group: Group, style: Style, naming: Naming, *, about: str | None = None
) -> Iterator[str]:
    """One group of findings, with a headline of its own.

    Args:
        group: the finding, and the files it was made for.
        style: how to lay out.
        naming: what to call files.
        about: the file that all of the report is about, which need not be named again.
    """
    finding = group.finding
    word = finding.severity.name.lower()
    location = naming.name(finding.location)
    message = finding.message
    if finding.location != about and not any(
        location in text for text in (message, *finding.evidence)
    ):
        message = f"{location}: {message}"
    head = " " * (len(word) + 2)
    text = wrap(style.words(naming.text(message)), style.columns, indent=_MARGIN, first=head)
    yield f"{style.paint(word, *_LOOKS[finding.severity])}  {text[len(head) :]}"
    yield from explain(finding, style, naming)
    others = [naming.name(file) for file in group.files if file not in (finding.location, about)]
    if others:
        more = "also: " if len(others) < len(group.files) else "for: "
        told = ", ".join(others) if style.verbose else _some(others, _FEW_FILES)
        count = f" ({plural(len(group.files), 'file')})" if len(group.files) > 1 else ""
        yield wrap(clean(more + told + count), style.columns, indent=f"{_MARGIN}  ", first=_MARGIN)


def explain(finding: Finding, style: Style, naming: Naming) -> Iterator[str]:
    """What a finding is concluded from, and how to repair it; all but the message itself."""
    for sentence in finding.evidence:
        text = style.words(naming.text(sentence))
        yield wrap(text, style.columns, indent=f"{_MARGIN}  ", first=_MARGIN)
    if len(finding.symbols) > 1:
        yield _symbols(finding.symbols, style)
    elif style.demangle and (mangled := _mangled(finding.symbols, style)):
        yield f"{_MARGIN}mangled: {mangled}"
    for number, fix in enumerate(finding.fixes):
        yield from _fix(fix, style, first=number == 0)


def _mangled(symbols: tuple[str, ...], style: Style) -> str:
    """The only symbol, if it is shown demangled everywhere else."""
    return "".join(clean(name) for name in symbols if style.words(name) != clean(name))


def _symbols(symbols: tuple[str, ...], style: Style) -> str:
    names = list(map(style.words, symbols))
    listed = ", ".join(names) if style.verbose else _some(names, _FEW_SYMBOLS)
    return wrap(f"symbols: {listed}", style.columns, indent=f"{_MARGIN}  ", first=_MARGIN)


def _fix(fix: Fix, style: Style, *, first: bool) -> Iterator[str]:
    head = f"  {style.paint('fix:', 'green', 'bold')} " if first else _MARGIN
    title = wrap(clean(fix.title), style.columns, indent=_MARGIN)
    yield head + title[len(_MARGIN) :]
    if fix.command is not None:  # whole, however long: it is there to be copied
        yield f"{_MARGIN}  {style.paint(clean(fix.command), 'bold')}"


def _some(names: Sequence[str], most: int) -> str:
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"
