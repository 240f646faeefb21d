"""``elfaudit providers``."""

from __future__ import annotations

import click

from ..api.providing import answers, find_providers
from ..report.providers import providers_document, providers_table
from .options import demangle_option, format_option
from .output import Progress, terminal_style, write

__all__ = ["providers"]


@click.command(no_args_is_help=True)
@click.argument("names", nargs=-1, required=True, metavar="SYMBOL...")
@click.option(
    "--in",
    "places",
    multiple=True,
    metavar="PATH",
    help="A directory or wheel (searched to its end) or a file. Repeatable. Without it: the "
    "library directories of this machine.",
)
@format_option("table", "json")
@demangle_option
@click.pass_context
def providers(
    ctx: click.Context,
    names: tuple[str, ...],
    *,
    places: tuple[str, ...],
    form: str,
    demangle: bool,
) -> None:
    """Say which libraries export some symbols, with version and visibility.

    A SYMBOL is written as the file has it (mangled); name@VERSION asks for that version only. Exits
    with 1 if one of them has no provider.

    \b
    Examples:
      elfaudit providers rsmi_init --in /opt/rocm/lib
      elfaudit providers memcpy@GLIBC_2.14
      elfaudit providers _ZN4c10d5Store3getEv --in torch.whl --demangle
    """  # noqa: D301
    style = terminal_style(demangle=demangle)
    with Progress() as progress:
        found = list(find_providers(names, places or None, progress=progress))
    asked = tuple(dict.fromkeys(names))
    pairs = [(name, each) for name in asked for each in found if answers(each, name)]
    if form == "json":
        write(providers_document(asked, pairs, demangled=demangle))
    else:
        write(providers_table(asked, pairs, style) + "\n")
    if {name for name, _ in pairs} != set(asked):
        ctx.exit(1)
