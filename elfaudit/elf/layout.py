"""How the structures of one ELF file are laid out: its class (32 or 64 bits) and byte order.

Source: System V gABI, chapters "ELF Header", "Symbol Table", "Relocation", "Program Header",
"Dynamic Section". Field order differs between the classes, so every structure is unpacked through
here and leaves in one common order.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from functools import cached_property
from struct import Struct

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """Class and byte order of a file, with the structures they imply.

    Args:
        bits: 32 or 64 (``EI_CLASS``).
        little: whether the file is little-endian (``EI_DATA``).
    """

    bits: int
    little: bool

    @property
    def order(self) -> str:
        """The :mod:`struct` prefix of the byte order."""
        return "<" if self.little else ">"

    def struct(self, fields: str) -> Struct:
        """A structure in this file's byte order; ``fields`` as in :mod:`struct`, no padding."""
        return Struct(self.order + fields)

    @cached_property
    def header(self) -> Struct:
        """``ElfN_Ehdr`` after ``e_ident``."""
        return self.struct("HHIQQQIHHHHHH" if self.bits == 64 else "HHIIIIIHHHHHH")

    @cached_property
    def segment(self) -> Struct:
        """``ElfN_Phdr`` in the file's own field order (see ``header.read_segments``)."""
        return self.struct("IIQQQQQQ" if self.bits == 64 else "IIIIIIII")

    @cached_property
    def dynamic(self) -> Struct:
        """``ElfN_Dyn``: a signed tag, an unsigned value."""
        return self.struct("qQ" if self.bits == 64 else "iI")

    @property
    def symbol_size(self) -> int:
        """``sizeof(ElfN_Sym)`` in bytes."""
        return 24 if self.bits == 64 else 16

    @property
    def word_size(self) -> int:
        """Size of an address in bytes."""
        return self.bits // 8

    def words(self, raw: bytes, size: int) -> array[int]:
        """``raw`` as unsigned integers of ``size`` bytes (2, 4 or 8) in native order.

        Trailing bytes that do not fill an integer are left out. Columns of a table are then strides
        of the result, cut in C instead of unpacked row by row.
        """
        column: array[int] = array({2: "H", 4: "I", 8: "Q"}[size])
        column.frombytes(raw[: len(raw) // size * size])
        if self.little != (sys.byteorder == "little"):
            column.byteswap()
        return column
