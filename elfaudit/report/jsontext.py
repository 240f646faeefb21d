r"""What all JSON documents have in common.

Names are any bytes in an ELF file and in a directory, JSON is Unicode: a byte that is not UTF-8
stands as ``\udcff``, as Python's ``surrogateescape`` has it. So a path can be handed back as a
target, byte for byte: ``os.fsencode(json.loads(text)["files"][0]["subject"])``.
"""

from __future__ import annotations

import json
from enum import Enum

from ..elf import Symbol, SymbolBinding, SymbolType, SymbolVisibility
from ..elf.cxxname import demangle

__all__ = ["SCHEMA_VERSION", "attributes", "constant", "dump", "identifier", "named"]

SCHEMA_VERSION = 1


def dump(value: object, *, indent: int | None = None) -> str:
    """JSON text of plain values, in ASCII."""
    return json.dumps(value, indent=indent)


def named(name: str, *, demangled: bool) -> dict[str, object]:
    """The name, and beside it the readable form if that is another one."""
    row: dict[str, object] = {"name": name}
    if demangled and (readable := demangle(name)) != name:
        row["demangled"] = readable
    return row


def identifier(member: Enum) -> str:
    """What an enumeration's member is called in JSON: ``weak-absent`` for ``WEAK_ABSENT``.

    Its value is how people are told, and may be put in better words at any time; its name may not.
    """
    return member.name.lower().replace("_", "-")


def attributes(symbol: Symbol) -> dict[str, object]:
    """Binding, type and visibility of a symbol."""
    return {
        "binding": constant(SymbolBinding, symbol.binding),
        "type": constant(SymbolType, symbol.type),
        "visibility": constant(SymbolVisibility, symbol.visibility),
    }


def constant(kind: type[SymbolBinding | SymbolType | SymbolVisibility], value: int) -> str | int:
    """The name of an ``STB_*``, ``STT_*`` or ``STV_*``; the number where it has none."""
    try:
        return kind(value).name
    except ValueError:
        return value
