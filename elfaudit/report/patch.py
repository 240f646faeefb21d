"""What a patch does, or did: text for people, JSON for programs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..findings import Effects, FilePatch, Rebound
from .jsontext import SCHEMA_VERSION, dump, named
from .style import Style, clean, plural, wrap

__all__ = ["Failure", "Outcome", "patch_document", "patch_text"]

_MOST = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan, and what has become of it.

    Attributes:
        target: what is patched, as it was given.
        files: each ELF file of it.
        needed: whether anything would change.
        paths: what was written; None: nothing was, the plan is only shown.
        backups: where what was there before was kept.
        undo: whether it is the way back.
    """

    target: str
    files: tuple[FilePatch, ...]
    needed: bool
    paths: tuple[str, ...] | None
    backups: tuple[str, ...] = ()
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A target that could not be patched.

    Attributes:
        target: as it was given.
        error: why not.
    """

    target: str
    error: str


def patch_text(outcome: Outcome, style: Style) -> str:
    """What is done to each file, and what becomes of it; with ``quiet`` warnings only."""
    lines = [line for file in outcome.files for line in _file_lines(file, outcome, style)]
    if not style.quiet:
        lines += _ending(outcome, style)
    return "\n".join(lines)


def _file_lines(file: FilePatch, outcome: Outcome, style: Style) -> Iterator[str]:
    effects = file.effects
    warnings = list(_warnings(effects, style)) if effects is not None else []
    if style.quiet and not warnings:
        return
    state = "would be patched" if outcome.paths is None else "patched"
    if outcome.undo:
        state = "would be restored" if outcome.paths is None else "restored"
    if not file.needed:
        state = "nothing to do"
    looks = ("green", "bold") if file.needed else ("dim",)
    yield f"{clean(file.name)}: {style.paint(state, *looks)}"
    if not style.quiet:
        for clause in (*file.done, *file.notes):
            yield wrap(clean(clause), style.columns, indent="    ", first="  ")
        if file.needed:
            for clause in (*file.how, _sizes(file)):
                yield style.paint(wrap(clause, style.columns, indent="    ", first="  "), "dim")
        if effects is not None:
            yield from _effects(effects, style)
    for warning in warnings:
        head = style.paint("warning:", "yellow", "bold")
        yield wrap(f"  {head} {warning}", style.columns, indent="    ", first="")


def _sizes(file: FilePatch) -> str:
    grown = file.new_size - file.old_size
    size = "as long as before"
    if grown:
        size = f"{plural(abs(grown), 'byte')} {'longer' if grown > 0 else 'shorter'}"
    return f"{plural(file.written, 'byte')} written, {size}"


def _effects(effects: Effects, style: Style) -> Iterator[str]:
    """What was not right and is now, and what still is not."""
    verdicts = f"{effects.before.value} before, {effects.after.value} after"
    if effects.before is effects.after:
        verdicts = f"{effects.after.value}, as before"
    yield f"  {verdicts}"
    if effects.error_after is not None:
        yield wrap(clean(effects.error_after), style.columns, indent="      ", first="    ")
    for name in effects.missing:
        yield wrap(
            f"{clean(name)} is not where the loader looks here: it has to be, where the file is "
            "used", style.columns, indent="    ", first="  ",
        )  # fmt: skip
    for name in effects.lent:
        yield wrap(
            f"{clean(name)} is only found because it was named with --provider: the loader does "
            "not look there (--add-runpath DIR)", style.columns, indent="    ", first="  ",
        )  # fmt: skip
    if effects.bound:
        told = [f"{style.words(each.name)} ({clean(each.after or '')})" for each in effects.bound]
        line = f"bound now: {_some(told, style)}"
        yield wrap(line, style.columns, indent="    ", first="  ")


def _warnings(effects: Effects, style: Style) -> Iterator[str]:
    if effects.spoils:
        yield "the file loads as it is, and would not load any more"
    for what, rows in (
        ("supplied by another library then: ", effects.moved),
        ("not supplied by anybody then: ", effects.lost),
    ):
        if rows:
            shown = rows if style.verbose else rows[:_MOST]
            text = ", ".join(_rebound(each, style) for each in shown)
            more = (
                f" and {len(rows) - len(shown):,} more (--verbose)"
                if len(shown) < len(rows)
                else ""
            )
            yield f"{plural(len(rows), 'reference')} {what}{text}{more}"


def _rebound(each: Rebound, style: Style) -> str:
    name = style.words(each.name)
    if each.after is None:
        return f"{name} (of {clean(each.object)}, now {clean(each.before or '')})"
    return f"{name} ({clean(each.before or '')} → {clean(each.after)})"


def _some(told: Sequence[str], style: Style) -> str:
    """The first few, and how many more there are; with ``verbose`` all."""
    shown = told if style.verbose else told[:_MOST]
    more = f" and {len(told) - len(shown):,} more (--verbose)" if len(shown) < len(told) else ""
    return ", ".join(shown) + more


def _ending(outcome: Outcome, style: Style) -> Iterator[str]:
    if outcome.paths is None:
        yield style.paint("nothing was written (--dry-run)", "dim")
        return
    for path in outcome.paths if outcome.needed else ():
        if path != outcome.target and len(outcome.paths) == 1:
            yield f"written: {clean(path)}"
    for path in outcome.backups:
        yield f"kept: {clean(path)}"
    if any(file.reversible for file in outcome.files):
        yield style.paint("the way back is in the file:", "dim")
        yield f"  elfaudit patch-needed {_command(outcome)} --undo"


def _command(outcome: Outcome) -> str:
    """What was changed, as the command takes it."""
    paths = list(outcome.paths or ())
    files = [each for each in outcome.files if each.reversible]
    if len(paths) == len(outcome.files):
        paths = [path for path, each in zip(paths, outcome.files, strict=True) if each.reversible]
    members = [name for each in files if (name := each.name.partition("::")[2])]
    words = [*paths, *(word for name in members for word in ("--member", name))]
    return " ".join(shlex.quote(clean(word)) for word in words)


def patch_document(
    outcomes: Sequence[Outcome], failures: Sequence[Failure] = (), *, demangled: bool = False
) -> str:
    """The output of ``patch-needed`` as JSON."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "targets": [_plan_row(each, demangled=demangled) for each in outcomes],
        "refused": [{"target": each.target, "error": each.error} for each in failures],
    }
    return dump(document, indent=1) + "\n"


def _plan_row(outcome: Outcome, *, demangled: bool) -> dict[str, object]:
    return {
        "target": outcome.target,
        "changed": outcome.needed,
        "written": None if outcome.paths is None else list(outcome.paths),
        "backups": list(outcome.backups),
        "files": [_file_row(each, demangled=demangled) for each in outcome.files],
    }


def _file_row(file: FilePatch, *, demangled: bool) -> dict[str, object]:
    effects = file.effects
    return {
        "file": file.name,
        "changed": file.needed,
        "done": list(file.done),
        "placement": list(file.how),
        "notes": list(file.notes),
        "old_size": file.old_size,
        "new_size": file.new_size,
        "bytes_written": file.written,
        "reversible": file.reversible,
        "effects": None if effects is None else _effects_row(effects, demangled=demangled),
    }


def _effects_row(effects: Effects, *, demangled: bool) -> dict[str, object]:
    def rows(some: Sequence[Rebound]) -> list[dict[str, object]]:
        return [
            {
                **named(each.name, demangled=demangled),
                "version": each.version,
                "file": each.object,
                "before": each.before,
                "after": each.after,
            }
            for each in some
        ]

    return {
        "before": {"verdict": effects.before.value, "error": effects.error},
        "after": {"verdict": effects.after.value, "error": effects.error_after},
        "missing": list(effects.missing),
        "lent": list(effects.lent),
        "bound": rows(effects.bound),
        "provider_changes": rows(effects.moved),
        "lost": rows(effects.lost),
    }
