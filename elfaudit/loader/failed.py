"""What stops a process: the message, the kind of it, and what it is said of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .linkmap import LinkMapEntry, Opening

__all__ = ["Cause", "Failure", "is_nameless"]


class Cause(Enum):
    """What kind of thing a step fails of."""

    FILE = "file"
    STACK = "executable stack"
    VERSION = "version"
    ISA_LEVEL = "instruction set level"
    SYMBOL = "symbol"
    STATIC_TLS = "static TLS"
    RELOCATION = "relocation type"
    DAMAGE = "damage"


@dataclass(frozen=True, slots=True)
class Failure:
    """The first thing that stops a process.

    Attributes:
        cause: its kind.
        message: the loader's own words.
        entry: the object it is said of.
        opening: the step that fails: what is opened by it is never in the process.
        symbol: the key of the symbol, for SYMBOL.
    """

    cause: Cause
    message: str
    entry: LinkMapEntry
    opening: Opening
    symbol: str | None = None


def is_nameless(opening: Opening, entry: LinkMapEntry) -> bool:
    """Whether an object is the program that starts: to the loader its name is empty."""
    elf = entry.elf
    return opening.mode is None and entry is opening.root and elf is not None and elf.is_program
