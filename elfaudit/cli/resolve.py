"""``elfaudit resolve``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click

from ..api.resolving import Passed, resolve_all
from ..errors import RequestError
from ..findings import Resolution, Selection, Severity, Verdict, choose
from ..report.document import OPENING, SEPARATOR, ending, file_document
from ..report.patch import patch_text
from ..report.rows import FileRow, Tally, unreadable
from ..report.style import Style
from ..report.table import file_report, many_report, tally_line
from ..report.tree import tree_report
from .options import demangle_option, format_option, loader_inputs, rule_options, surroundings
from .output import Progress, complain, terminal_style, write
from .questions import question_options, write_bindings, write_why
from .repairs import repaired

__all__ = ["resolve"]


@dataclass(slots=True)
class _Results:
    """What comes in, one by one, and what must be kept of it to the end."""

    stream: Iterator[Resolution | Passed]
    progress: Progress
    targets: tuple[str, ...]
    selection: Selection
    counts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    broken: list[FileRow] = field(default_factory=list)
    passed: int = 0
    worst: int = 0

    def __iter__(self) -> Iterator[Resolution]:
        """The files that could be resolved; the others are noted."""
        for result in self.stream:
            if isinstance(result, Resolution):
                self.counts[result.verdict] += 1
                self.worst = max([self.worst, *(f.severity for f in result.findings)])
                self.progress.clear()
                yield result
            elif result.broken:
                row = unreadable(result.subject, result.reason)
                findings = tuple(f for f in row.findings if f.rule in self.selection)
                self.broken.append(replace(row, findings=findings))
                self.worst = max([self.worst, *(f.severity for f in findings)])
            else:
                self.passed += 1

    @property
    def tally(self) -> Tally:
        return Tally(
            self.counts[Verdict.LOADS],
            self.counts[Verdict.FAILS],
            self.counts[Verdict.UNDECIDED],
            len(self.broken),
            self.passed,
        )


@click.command(no_args_is_help=True)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@surroundings
@rule_options
@question_options
@format_option("table", "tree", "json")
@demangle_option
@click.option(
    "--fail-on",
    type=click.Choice([severity.name.lower() for severity in reversed(Severity)]),
    default="error",
    show_default=True,
    help="The least severe finding to exit with 1 for; undecided files are warnings.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print problems only.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Leave nothing out; in JSON, list all bindings."
)
@click.option(
    "--fix",
    is_flag=True,
    help="First make the repairs that are safe (patch-needed), then say what is left.",
)
@click.option(
    "--unsafe-fixes", is_flag=True, help="With --fix: also those that ask for a look first."
)
@click.pass_context
def resolve(
    ctx: click.Context,
    /,
    targets: tuple[str, ...],
    *,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    why: str | None,
    bindings: re.Pattern[str] | None,
    form: str,
    demangle: bool,
    fail_on: str,
    quiet: bool,
    verbose: bool,
    fix: bool,
    unsafe_fixes: bool,
    **surrounding: Any,
) -> None:
    """Say what the dynamic loader would do with files: LOADS, FAILS or UNDECIDED.

    For what is missing it names who has it and how to repair it. A TARGET is a shared object, an
    executable, a wheel or a directory (every ELF file in it), or ARCHIVE::MEMBER. A bare name is
    that of a file in the current directory; where there is none, of a library that the loader
    searches for.

    \b
    Examples:
      elfaudit resolve libtorch_hip.so
      elfaudit resolve libssl.so.3
      elfaudit resolve torch.whl --root /srv/rocm-image --with /opt/rocm/lib
      elfaudit resolve torch.whl::torch/lib/libtorch_hip.so --format tree
      elfaudit resolve build/ --preload /opt/rocm/lib/librocm_smi64.so.1
      elfaudit resolve libtorch_hip.so --why librccl.so.1
      elfaudit resolve libtorch_hip.so --bindings rsmi_
      elfaudit resolve _C.so --host /usr/bin/python3 --dlopen ./libtorch_global_deps.so:global
      elfaudit resolve dist/*.whl --quiet --fail-on warning --ignore duplicate-definition
      elfaudit resolve dist/torch.whl --fix
    """  # noqa: D301
    style = terminal_style(demangle=demangle, quiet=quiet, verbose=verbose)
    selection = choose(select, ignore)
    inputs = loader_inputs(**surrounding)
    refused: list[str] = []
    with Progress() as progress:
        if fix or unsafe_fixes:
            made, refused = repaired(targets, inputs, progress, selection, unsafe=unsafe_fixes)
            if form != "json" and (text := "\n".join(patch_text(each, style) for each in made)):
                write(text + "\n\n")
        stream = resolve_all(targets, select=select, ignore=ignore, progress=progress, **inputs)
        results = _Results(stream, progress, targets, selection)
        if form == "json":
            _write_json(results, style, bindings)
        elif why is not None or bindings is not None:
            _answer(results, why, bindings, style)
        else:
            _WRITERS[form](results, style)
    for error in refused:
        complain(error)
    if refused:
        ctx.exit(2)
    if results.worst >= Severity[fail_on.upper()]:
        ctx.exit(1)


def _write_table(results: _Results, style: Style) -> None:
    rows: list[FileRow] = []
    for resolution in results:
        # A file that turns out to be the only one is shown with its libraries.
        rows.append(FileRow.of(resolution, libraries=not rows))
    _require_any(results)
    if len(rows) == results.tally.files + results.passed == 1:
        text = file_report(rows[0], style)
    else:
        text = many_report([*rows, *results.broken], results.tally, style)
    if text:
        write(text + "\n")


def _write_tree(results: _Results, style: Style) -> None:
    for resolution in results:
        text = tree_report(resolution, style)
        if text:
            write(text + "\n\n")
    _require_any(results)
    if results.broken:
        write(many_report(results.broken, results.tally, style) + "\n")
    elif results.tally.files > 1 and not style.quiet:
        write(tally_line(results.tally, style) + "\n")


def _answer(
    results: _Results, why: str | None, bindings: re.Pattern[str] | None, style: Style
) -> None:
    """Answer a question about the processes instead of reporting them."""
    if why is not None and bindings is not None:
        raise click.UsageError("--why and --bindings are two questions: ask one after the other.")
    if why is not None:
        write_why(results, why, style)
    elif bindings is not None:
        write_bindings(results, bindings, style)
    _require_any(results)


def _write_json(results: _Results, style: Style, bindings: re.Pattern[str] | None) -> None:
    before = OPENING
    for resolution in results:
        row = file_document(
            resolution,
            demangled=style.demangle,
            all_bindings=style.verbose or bindings is not None,
            pattern=bindings,
        )
        write(before + row)
        before = SEPARATOR
    _require_any(results)
    write(ending(results.broken, results.tally))


_WRITERS: dict[str, Callable[[_Results, Style], None]] = {
    "table": _write_table,
    "tree": _write_tree,
}


def _require_any(results: _Results) -> None:
    """Raise what stands in the way if not a single file could be resolved."""
    results.progress.clear()
    if any(results.counts.values()):
        return
    reasons = _reasons(results.broken)
    where = ", ".join(results.targets)
    raise RequestError(reasons or f"{where}: there is no ELF file in it that a loader takes")


def _reasons(broken: Sequence[FileRow]) -> str:
    return "\nelfaudit: ".join(row.error or row.subject for row in broken)
