"""``elfaudit symbols``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from ..api.asking import Side, count_symbols, list_symbols
from ..elf import Symbol
from ..report.style import Style
from ..report.symbols import symbol_lines, symbols_document, symbols_table
from .options import demangle_option, format_option
from .output import Progress, terminal_style, write

__all__ = ["symbols"]


@click.command(no_args_is_help=True)
@click.argument("target")
@click.option("--exports", "side", flag_value="exports", help="Those other files can bind to.")
@click.option("--undefined", "side", flag_value="undefined", help="Those that come from elsewhere.")
@click.option("--match", metavar="REGEX", help="Those whose name has this in it (Python's syntax).")
@click.option("--namespace", metavar="NS", help="Those of a C++ namespace, such as c10d or a::b.")
@demangle_option
@click.option("--count", is_flag=True, help="Print the number only.")
@format_option("table", "plain", "json")
def symbols(
    target: str,
    *,
    side: str | None,
    match: str | None,
    namespace: str | None,
    demangle: bool,
    count: bool,
    form: str,
) -> None:
    """List the dynamic symbols of one file, all of them by default.

    --namespace counts what is really declared in that namespace, the vtables, typeinfos, guards and
    thunks of its members included; a text search also finds names that only mention it. With
    --demangle, --match also looks at the demangled name.

    Symbols are printed as they are found, and a name is never cut: in the table it is the last
    column, and a long one runs over the width of the terminal. With --format plain, names only.

    \b
    Examples:
      elfaudit symbols libdemo.so --exports
      elfaudit symbols torch.whl::torch/lib/libtorch_cpu.so --exports --namespace c10d --count
      elfaudit symbols libtorch_python.so --undefined --match '^Py' --format plain
    """  # noqa: D301
    asked: dict[str, Any] = {"match": match, "namespace": namespace, "demangled": demangle}
    asked["side"] = Side(side) if side else Side.ALL
    with Progress() as progress:
        progress(target)  # a large member of an archive takes a while
        if count:
            texts: Iterable[str] = [f"{count_symbols(target, **asked)}\n"]
        else:
            found = list_symbols(target, **asked)
            texts = _texts(target, found, form, terminal_style(demangle=demangle))
    for text in texts:
        write(text)


def _texts(target: str, found: Iterator[Symbol], form: str, style: Style) -> Iterator[str]:
    if form == "json":
        yield from symbols_document(target, found, demangled=style.demangle)
    else:
        lines = (symbol_lines if form == "plain" else symbols_table)(found, style)
        yield from (f"{line}\n" for line in lines)
