"""The numbers in the headers of a 64-bit file, to be overwritten one after the other."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Field", "header_fields"]

_HEADER = {
    "EI_MAG0": (0, 1), "EI_MAG3": (3, 1), "EI_CLASS": (4, 1), "EI_DATA": (5, 1),
    "EI_VERSION": (6, 1), "EI_OSABI": (7, 1), "EI_ABIVERSION": (8, 1), "EI_PAD": (9, 1),
    "e_type": (16, 2), "e_machine": (18, 2), "e_version": (20, 4), "e_entry": (24, 8),
    "e_phoff": (32, 8), "e_shoff": (40, 8), "e_flags": (48, 4), "e_ehsize": (52, 2),
    "e_phentsize": (54, 2), "e_phnum": (56, 2), "e_shentsize": (58, 2), "e_shnum": (60, 2),
}  # fmt: skip
_SEGMENT = {
    "p_type": (0, 4), "p_flags": (4, 4), "p_offset": (8, 8), "p_vaddr": (16, 8),
    "p_paddr": (24, 8), "p_filesz": (32, 8), "p_memsz": (40, 8), "p_align": (48, 8),
}  # fmt: skip
_PROGRAM_HEADER = 56


@dataclass(frozen=True)
class Field:
    """A number in a file: its name, where it is, and how many bytes it has."""

    name: str
    offset: int
    size: int

    @property
    def largest(self) -> int:
        """What fits into it."""
        return (1 << 8 * self.size) - 1

    def of(self, raw: bytes) -> int:
        """The number that is there."""
        return int.from_bytes(raw[self.offset : self.offset + self.size], "little")

    def replaced(self, raw: bytes, value: int) -> bytes:
        """The file with another number there."""
        number = value.to_bytes(self.size, "little")
        return raw[: self.offset] + number + raw[self.offset + self.size :]


def header_fields(raw: bytes) -> Iterator[Field]:
    """The ELF header and every program header."""
    yield from (Field(name, *place) for name, place in _HEADER.items())
    (start,), (count,) = struct.unpack_from("<Q", raw, 32), struct.unpack_from("<H", raw, 56)
    for row in range(count):
        at = start + row * _PROGRAM_HEADER
        (kind,) = struct.unpack_from("<I", raw, at)
        for name, (offset, size) in _SEGMENT.items():
            yield Field(f"[{row}:{kind:#x}].{name}", at + offset, size)
