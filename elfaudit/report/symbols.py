"""Symbols: a table or plain lines for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..elf import Symbol, SymbolBinding, SymbolType, SymbolVisibility
from .jsontext import SCHEMA_VERSION, attributes, constant, dump, named
from .style import Style, clean, demangled_text

__all__ = ["symbol_lines", "symbol_name", "symbols_document", "symbols_table"]


def symbol_lines(symbols: Iterable[Symbol], style: Style) -> Iterator[str]:
    """One symbol a line, as ``nm -D`` names it: ``name@@VERSION``."""
    return (symbol_name(symbol, style) for symbol in symbols)


def symbols_table(symbols: Iterable[Symbol], style: Style) -> Iterator[str]:
    """Type, binding, visibility, size and name of each, a line at a time; names are never cut.

    The columns before the name have fixed widths, so that nothing waits for the last symbol.
    """
    yield style.paint(f"{'size':>9}  {'type':<9}  {'binding':<10}  {'':<9}  symbol", "dim")
    for symbol in symbols:
        kind = _word(SymbolType, symbol.type)
        binding = _word(SymbolBinding, symbol.binding)
        state = "undefined"
        if symbol.defined:
            default = symbol.visibility == SymbolVisibility.DEFAULT
            state = "" if default else _word(SymbolVisibility, symbol.visibility)
        size = f"{symbol.size:,}" if symbol.size else ""
        head = f"{size:>9}  {kind:<9}  {binding:<10}  {state:<9}"
        yield f"{head}  {symbol_name(symbol, style)}"


def _symbol(symbol: Symbol, *, demangled: bool = False) -> dict[str, object]:
    """One symbol of ``symbols``."""
    return {
        **named(symbol.name, demangled=demangled),
        "version": symbol.version,
        "default_version": _is_default(symbol) if symbol.version is not None else None,
        "library": symbol.library,
        "defined": symbol.defined,
        **attributes(symbol),
        "value": symbol.value,
        "size": symbol.size,
    }


def _is_default(symbol: Symbol) -> bool:
    return symbol.defined and not symbol.version_hidden and symbol.library is None


def symbols_document(
    target: str, symbols: Iterable[Symbol], *, demangled: bool = False
) -> Iterator[str]:
    """The output of ``symbols``, piece by piece."""
    yield f'{{\n"schema_version": {SCHEMA_VERSION},\n"target": {dump(target)},\n"symbols": ['
    count = 0
    for count, symbol in enumerate(symbols, 1):
        yield ("\n" if count == 1 else ",\n") + dump(_symbol(symbol, demangled=demangled))
    yield f'\n],\n"count": {count}\n}}\n'


def symbol_name(symbol: Symbol, style: Style) -> str:
    """``name@@VERSION`` as ``nm -D`` has it, demangled if that is asked for."""
    name = str(symbol)
    if style.demangle:
        suffix = name[len(symbol.name) :]
        name = demangled_text(symbol.name) + suffix
    return clean(name)


def _word(kind: type[SymbolBinding | SymbolType | SymbolVisibility], value: int) -> str:
    return str(constant(kind, value)).lower()
