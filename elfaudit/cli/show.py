"""``elfaudit show``."""

from __future__ import annotations

import sys

import click

from ..api.asking import open_elf
from ..elf import ElfObject
from ..errors import ElfAuditError
from ..report.sheet import show_document, show_sheet
from .options import format_option
from .output import Progress, printable, terminal_style, write

__all__ = ["show"]


@click.command(no_args_is_help=True)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--symbols-count", is_flag=True, help="Count the symbols, too.")
@format_option("table", "json")
@click.pass_context
def show(ctx: click.Context, targets: tuple[str, ...], *, symbols_count: bool, form: str) -> None:
    """Show the dynamic facts of ELF files: what they ask of the loader.

    NEEDED, SONAME, RUNPATH, flags, versions, thread-local storage, stack, RELRO, build-id, notes.
    Read from the program headers, so files without section headers are no different.

    \b
    Examples:
      elfaudit show /usr/bin/ls
      elfaudit show torch.whl::torch/lib/libc10.so --symbols-count
      elfaudit show --format json *.so
    """  # noqa: D301
    style = terminal_style()
    shown: list[ElfObject] = []
    failures: list[ElfAuditError] = []
    for target in targets:
        try:
            with Progress() as progress:
                progress(target)  # a large member of an archive takes a while
                elf = open_elf(target)
                # Rendered even for JSON: damage shows before anything is printed.
                text = show_sheet(elf, style, count_symbols=symbols_count)
        except ElfAuditError as error:
            failures.append(error)
            continue
        if form == "table":
            write(f"{text}\n" if not shown else f"\n{text}\n")
        shown.append(elf)
    if form == "json" and shown:
        write(show_document(shown, count_symbols=symbols_count))
    for failure in failures:
        click.echo(printable(f"elfaudit: {failure}", sys.stderr), err=True)
    if failures:
        ctx.exit(1 if shown else 2)
