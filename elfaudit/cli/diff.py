"""``elfaudit diff``."""

from __future__ import annotations

from typing import Any

import click

from ..api.differing import diff as compare
from ..findings.changes import ChangeSeverity
from ..report.difference import difference_document, difference_text
from .options import demangle_option, format_option, loader_inputs, surroundings
from .output import Progress, terminal_style, write

__all__ = ["diff"]

_LEAST = {
    "breaking": ChangeSeverity.BREAKING,
    "notable": ChangeSeverity.NOTABLE,
    "any": ChangeSeverity.HARMLESS,
}


@click.command(no_args_is_help=True)
@click.argument("old")
@click.argument("new")
@surroundings
@click.option("--old-root", metavar="DIR", help="What is / for OLD, where it is another one.")
@click.option("--new-root", metavar="DIR", help="What is / for NEW, likewise.")
@format_option("table", "json")
@demangle_option
@click.option(
    "--fail-on",
    type=click.Choice([*_LEAST, "never"]),
    default="breaking",
    show_default=True,
    help="The least severe change to exit with 1 for.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print breaking changes only.")
@click.option("-v", "--verbose", is_flag=True, help="Leave nothing out.")
@click.pass_context
def diff(
    ctx: click.Context,
    /,
    old: str,
    new: str,
    *,
    old_root: str | None,
    new_root: str | None,
    form: str,
    demangle: bool,
    fail_on: str,
    quiet: bool,
    verbose: bool,
    **surrounding: Any,
) -> None:
    """Say what changed between two builds, and what it breaks.

    OLD and NEW are files, wheels or directories; a directory of wheels only stands for these. Of
    each ELF file it tells what changed of the libraries it lists, its SONAME and search paths, the
    symbols and versions it exports and needs, and what the loader makes of it: a file that loads
    with OLD and fails with NEW is told with the loader's message. A file that only has another path
    or name is told as renamed, and whether it is still found by the names that others know. Of
    Python code the modules and public names that are gone are told, and modules that cannot be
    imported any more: they do not parse, always raise an exception, or import what their own
    package does not have. Of wheels the requirements, commands and tags are told.

    A change is breaking where what worked does not any more, notable where it may matter to some,
    else harmless; docs/diff.md lists what is which. It goes by what the loader and import see:
    signatures, types and the code itself are not compared. Where OLD and NEW are roots of file
    systems (with etc and usr in them), each is / for its own files.

    \b
    Examples:
      elfaudit diff libfoo.so.1.0 build/libfoo.so.1.1
      elfaudit diff torch-2.9.1.whl torch-2.10.0.whl --demangle
      elfaudit diff /opt/rocm-7.0 /opt/rocm-7.1 --verbose
      elfaudit diff old.whl new.whl --root /srv/rocm-image --format json
      elfaudit diff dist-old dist-new --old-root /srv/old --new-root /srv/new
      elfaudit diff old.whl new.whl --fail-on any
    """  # noqa: D301
    style = terminal_style(demangle=demangle, quiet=quiet, verbose=verbose)
    with Progress() as progress:
        found = compare(
            old,
            new,
            old_root=old_root,
            new_root=new_root,
            progress=progress,
            **loader_inputs(**surrounding),
        )
    if form == "json":
        write(difference_document(found, demangled=demangle))
    else:
        write(difference_text(found, style) + "\n")
    worst = found.severity
    if worst is not None and fail_on in _LEAST and worst >= _LEAST[fail_on]:
        ctx.exit(1)
