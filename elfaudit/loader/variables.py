"""How large the variables of an object are: a program keeps room for those that it copies."""

from __future__ import annotations

from ..elf import SymbolTable, SymbolType

__all__ = ["variable_sizes"]

_HIDDEN = 0x8000
_VARIABLES = (SymbolType.OBJECT, SymbolType.NOTYPE, SymbolType.COMMON)


def variable_sizes(symbols: SymbolTable) -> dict[str, int]:
    """``st_size`` in bytes of each variable that others can bind to, by its name.

    Of several versions it is the default one's; each stands under its key, name NUL version, too.
    """
    info, sizes, raw = symbols.info, symbols.sizes, symbols.version_indices
    suffix = {index: f"\0{version.name}" for index, version in symbols.versions.names.items()}
    found: dict[str, int] = {}
    for row in symbols.export_indices:
        if info[row] & 15 not in _VARIABLES:
            continue
        name, size = symbols.names[row], sizes[row]
        index = raw[row] if raw is not None else 1
        if index & ~_HIDDEN in suffix:
            found[name + suffix[index & ~_HIDDEN]] = size
        if index < _HIDDEN or name not in found:
            found[name] = size
    return found
