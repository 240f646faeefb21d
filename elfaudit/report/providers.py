"""Who exports a symbol: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence

from ..elf import SymbolBinding, SymbolVisibility
from ..findings import Provider
from .columns import plain_table
from .jsontext import SCHEMA_VERSION, attributes, constant, dump, named
from .style import Style, clean, shorten_path
from .symbols import symbol_name

__all__ = ["providers_document", "providers_table"]

_NARROW = 24


def providers_table(
    names: Sequence[str], providers: Sequence[tuple[str, Provider]], style: Style
) -> str:
    """Who exports each name; a name that nobody exports has a line that says so.

    Args:
        names: what was asked for.
        providers: (one of the names, who has it), in the order in which they were found.
        style: how to lay out.
    """
    rows: list[tuple[str, str, str, str]] = []
    for name in names:
        found = [_row(provider, style) for asked, provider in providers if asked == name]
        rows += found or [(style.words(name), "", "", "")]
    fixed = sum(max((len(row[column]) for row in rows), default=0) for column in (0, 2, 3)) + 6
    room = max(style.columns - fixed, _NARROW)
    nobody = style.paint("nobody has it", "red", "bold")
    fitted = [
        (name, shorten_path(path, room) if path else nobody, *rest) for name, path, *rest in rows
    ]
    headers = ("symbol", "exported by", "soname", "kind")
    table = plain_table(fitted, headers)
    return "\n".join(line.rstrip() for line in table.splitlines())


def providers_document(
    names: Sequence[str], providers: Sequence[tuple[str, Provider]], *, demangled: bool = False
) -> str:
    """The output of ``providers``: every name asked for, also those that nobody has."""
    rows = [
        {
            **named(name, demangled=demangled),
            "providers": [_provider(each) for asked, each in providers if asked == name],
        }
        for name in names
    ]
    document = {"schema_version": SCHEMA_VERSION, "symbols": rows}
    return dump(document, indent=1) + "\n"


def _provider(provider: Provider) -> dict[str, object]:
    symbol = provider.symbol
    version = symbol.version if symbol else None
    return {
        "file": provider.path,
        "soname": provider.elf.soname,
        "version": version,
        "default_version": None if symbol is None or version is None else not symbol.version_hidden,
        **(attributes(symbol) if symbol else {}),
    }


def _row(provider: Provider, style: Style) -> tuple[str, str, str, str]:
    """(symbol, file, SONAME, binding and unusual visibility) of one provider."""
    path, soname = clean(provider.path), clean(provider.elf.soname or "-")
    symbol = provider.symbol
    if symbol is None:
        return "", path, soname, ""
    kind = str(constant(SymbolBinding, symbol.binding)).lower()
    if symbol.visibility != SymbolVisibility.DEFAULT:
        kind += f" {constant(SymbolVisibility, symbol.visibility)}".lower()
    return symbol_name(symbol, style), path, soname, kind
