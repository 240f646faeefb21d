"""Resolutions as text: one file in detail, or many in a summary with the findings grouped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..findings import Severity, Verdict
from .columns import plain_table
from .findings import describe, explain, group_findings, undeciding
from .naming import Naming, naming_of
from .rows import FileRow, Tally
from .style import Style, clean, plural, shorten_path, wrap

__all__ = ["file_report", "many_report", "tally_line", "verdict_lines"]

_LOOKS = {
    Verdict.LOADS: ("green", "bold"),
    Verdict.FAILS: ("red", "bold"),
    Verdict.UNDECIDED: ("yellow", "bold"),
    None: ("red", "bold"),
}
_ORDER = (Verdict.FAILS, None, Verdict.UNDECIDED, Verdict.LOADS)
_UNREADABLE = "UNREADABLE"
_MOST_CLEAN = 50  # clean files listed one by one; of more only the number is told
_NARROW = 24  # columns below which a path says nothing


def file_report(row: FileRow, style: Style) -> str:
    """One file: the verdict in the loader's words, who has it, what to type, then the rest."""
    if style.quiet and not row.findings:
        return ""
    lines = [*verdict_lines(row, style)]
    if row.libraries and not style.quiet:
        lines += ["", _library_table(row, style)]
    return "\n".join(lines)


def verdict_lines(row: FileRow, style: Style) -> Iterator[str]:
    """All about one file but its libraries."""
    naming = naming_of([row])
    yield _headline(row, style, naming)
    findings = list(row.findings)
    first = next((f for f in findings if f.severity is Severity.ERROR), None)
    # Unless the rule of what stops the loader is ignored: then the headline stands alone.
    told = first is not None and first.message.startswith(row.error or "\0")
    if first is not None and told and row.verdict is Verdict.FAILS:
        findings.remove(first)
        if row.error is not None and row.label not in row.error:
            yield wrap(f"when {clean(row.label)} is loaded", style.columns, indent=" " * 7)
        yield from explain(first, style, naming)
    for group in group_findings([replace(row, findings=tuple(findings))]):
        yield from describe(group, style, naming, about=row.subject)
    if not style.quiet:
        yield from _surroundings(row, style)


def many_report(rows: Sequence[FileRow], total: Tally, style: Style) -> str:
    """Many files: one line each, failing ones first; every finding once; a tally."""
    naming = naming_of(rows)
    shown = [row for row in rows if not _is_clean(row)]
    clean_rows = [row for row in rows if _is_clean(row)]
    nothing = "warnings" if any(row.findings for row in clean_rows) else "findings"
    folded = 0
    if style.quiet:
        clean_rows = []
    elif len(clean_rows) > _MOST_CLEAN and not style.verbose:
        folded, clean_rows = len(clean_rows), []
    table = _summary([*shown, *clean_rows], style, naming)
    if folded:
        word = style.paint(Verdict.LOADS.value, *_LOOKS[Verdict.LOADS])
        table += (
            f"{chr(10) if table else ''}{word}  {plural(folded, 'more file')} without {nothing}"
        )
        table += " (--verbose lists them)"
    blocks = [table] if table else []
    blocks += ["\n".join(describe(group, style, naming)) for group in group_findings(rows)]
    if not style.quiet or shown:
        blocks.append(tally_line(total, style, naming.place))
    return "\n\n".join(blocks)


def tally_line(total: Tally, style: Style, place: str = "") -> str:
    """``41 files in torch.whl: 38 load, 2 fail, 1 undecided; 12,203 other members …``."""
    counts = [
        f"{total.loads:,} {'loads' if total.loads == 1 else 'load'}",
        f"{total.fails:,} {'fails' if total.fails == 1 else 'fail'}",
        f"{total.undecided:,} undecided",
    ]
    if total.unreadable:
        counts.append(f"{total.unreadable:,} unreadable")
    where = f" in {clean(place)}" if place else ""
    text = f"{plural(total.files, 'file')}{where}: {', '.join(counts)}"
    if total.passed:
        are = "is no ELF file or not" if total.passed == 1 else "are no ELF files or not"
        text += f"; {plural(total.passed, 'other file')} {are} loadable"
    return style.paint(wrap(text, style.columns), "bold")


def _headline(row: FileRow, style: Style, naming: Naming) -> str:
    """``FAILS  torch/lib/libtorch_hip.so: undefined symbol: rsmi_init``."""
    word = row.verdict.value if row.verdict else _UNREADABLE
    statement = style.words(_statement(row, style, naming, row.label))
    first, *others = wrap(statement, style.columns - len(word) - 2).split("\n")
    head = f"{style.paint(word, *_LOOKS[row.verdict])}  {style.paint(first, 'bold')}"
    return "\n".join((head, *(" " * 7 + style.paint(line, "bold") for line in others)))


def _statement(row: FileRow, style: Style, naming: Naming, label: str) -> str:
    if row.verdict in (None, Verdict.FAILS):
        return naming.text(row.error or f"{label}: cannot be loaded")
    if row.verdict is Verdict.UNDECIDED and (outside := undeciding(row, style)):
        return f"{label}: {outside}"
    return label


def _surroundings(row: FileRow, style: Style) -> Iterator[str]:
    """In which process the file was put, and what was taken for granted."""
    if row.host is not None:
        yield wrap(
            f"host:  {clean(row.host)} is the main program", style.columns, indent=" " * 7, first=""
        )
    if row.assumed:
        names = ", ".join(row.assumed if style.verbose else row.assumed[:3])
        more = (
            f" and {len(row.assumed) - 3:,} more"
            if len(row.assumed) > 3 and not style.verbose
            else ""
        )
        text = (
            f"assumed: {plural(len(row.assumed), 'name')} of the Python interpreter ({names}{more})"
        )
        yield wrap(clean(text), style.columns, indent=" " * 7, first="")


def _library_table(file: FileRow, style: Style) -> str:
    """Which file stands for each name, and which rule found it; paths give way to the width."""
    libraries, naming = file.libraries, naming_of([file])
    names = [clean(row.name) for row in libraries]
    hows = [clean(row.how) for row in libraries]
    room = style.columns - 2 - max(map(len, names)) - 2
    beside = room - max(map(len, hows)) - 2
    rows: list[tuple[str, ...]] = []
    for row, name, how in zip(libraries, names, hows, strict=True):
        looks = ("red",) if row.missing else ("yellow",) if row.path is None else ()
        path = clean(naming.name(row.path)) if row.path is not None else "-"
        if beside >= _NARROW:
            rows.append((name, style.paint(shorten_path(path, beside), *looks), how))
        else:
            below = style.paint(shorten_path(path, max(room, _NARROW)), *looks)
            rows.append((name, f"{below}\n[{how}]"))
    headers = (
        ("library", "file", "found by") if beside >= _NARROW else ("library", "file [found by]")
    )
    table = plain_table(rows, headers)
    return "\n".join(f"  {line}".rstrip() for line in table.splitlines())


def _summary(rows: Sequence[FileRow], style: Style, naming: Naming) -> str:
    """The failing files first, those that fail by themselves before those they take with them."""
    ordered = sorted(rows, key=lambda row: (_ORDER.index(row.verdict), not _own_fault(row)))
    if not ordered:
        return ""
    verdicts = [row.verdict.value if row.verdict else _UNREADABLE for row in ordered]
    room = style.columns - max(map(len, verdicts)) - 2
    cells = []
    for row, verdict in zip(ordered, verdicts, strict=True):
        text = wrap(style.words(_line(row, style, naming, room)), room)
        cells.append((style.paint(verdict, *_LOOKS[row.verdict]), text))
    return plain_table(cells)


def _line(row: FileRow, style: Style, naming: Naming, room: int) -> str:
    """What is to be said of a file among many."""
    label = row.searched or naming.name(row.subject)
    if row.verdict is Verdict.LOADS:
        notes = ""
        if row.findings:
            warnings = sum(f.severity is Severity.WARNING for f in row.findings)
            notes = f" ({plural(warnings, 'warning')})" if warnings else " (with notes)"
        return shorten_path(label, room - len(notes)) + notes
    statement = _statement(row, style, naming, label)
    if row.verdict is Verdict.FAILS and label not in statement:
        return f"{shorten_path(label, room)}: {statement}"
    return statement


def _is_clean(row: FileRow) -> bool:
    """Whether a file loads, and there is nothing to say of it but notes."""
    noted = all(finding.severity is Severity.NOTE for finding in row.findings)
    return noted and row.verdict is Verdict.LOADS


def _own_fault(row: FileRow) -> bool:
    first = next((f for f in row.findings if f.severity is Severity.ERROR), None)
    return first is None or first.location == row.subject
