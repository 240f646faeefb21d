"""What the loader looks at before it maps a file: the ELF header, byte by byte.

Source: ``open_verify`` and the first lines of ``_dl_map_object_from_fd`` (glibc ``elf/dl-load.c``),
in their order and words. It is asked of the bytes and not of what :mod:`elfaudit.elf` makes of
them: a file that contradicts the specification is refused for the first thing the loader sees.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..elf import ElfObject, FileType, Layout, Segment, parse_segments
from ..stream import ByteStream
from .linkmap import Outcome

__all__ = ["Abi", "Identity", "phentsize_problem", "read_table"]

_MAGIC = b"\x7fELF"
_OSABIS = (0, 3)  # ELFOSABI_SYSV, ELFOSABI_GNU (VALID_ELF_OSABI)
_OWN_OSABIS = ((40, 97),)  # ELFOSABI_ARM, on ARM
_ABI_VERSIONS = 3  # of ELFOSABI_GNU; libc-abis of glibc
_OWN_ABI_VERSIONS = (8, 10)  # MIPS has more of them
_BUFFER = {64: 832, 32: 512}  # FILEBUF_SIZE: what is read of a file at once


@dataclass(frozen=True, slots=True)
class Abi:
    """What a loader is built for: ``e_machine``, class, byte order."""

    machine: int
    layout: Layout

    @classmethod
    def of(cls, elf: ElfObject) -> Abi:
        """That of a file."""
        return cls(elf.machine, elf.layout)

    @property
    def bits(self) -> int:
        """Of the class."""
        return self.layout.bits

    @property
    def header_size(self) -> int:
        """``sizeof(ElfN_Ehdr)``."""
        return 16 + self.layout.header.size


@dataclass(frozen=True, slots=True)
class Identity:
    """The fields of an ELF header that say whether it is for a loader.

    Attributes:
        ident: ``e_ident``.
        type, machine, version: ``e_type``, ``e_machine``, ``e_version``.
    """

    ident: bytes
    type: int
    machine: int
    version: int

    @classmethod
    def of(cls, elf: ElfObject) -> Identity:
        """That of a file that was read."""
        header, layout = elf.header, elf.layout
        kind = bytes((layout.bits // 32, 1 if layout.little else 2, 1))
        ident = _MAGIC + kind + bytes((header.osabi, header.abi_version)) + header.padding
        return cls(ident, header.type, header.machine, header.version)

    @classmethod
    def read(cls, head: bytes, abi: Abi) -> Identity:
        """That of the first bytes of a file, as a loader of some machine reads them."""
        kind, machine, version = abi.layout.struct("HHI").unpack_from(head, 16)
        return cls(head[:16], kind, machine, version)

    def problem(self, abi: Abi, *, started: bool) -> tuple[Outcome, str | None]:
        """Why a loader does not take the file, or FOUND.

        Args:
            abi: what it is built for.
            started: whether the kernel maps the file; then only it has looked at the header.
        """
        if not self.ident.startswith(_MAGIC):
            return Outcome.NOT_ELF, "invalid ELF header"
        if self.ident[4] != abi.bits // 32:
            # Whatever the byte is, the loader knows of only one other.
            return Outcome.WRONG_CLASS, f"wrong ELF class: ELFCLASS{96 - abi.bits}"
        problem = self._invalid_ident(abi, started=started)
        # Debian's loader looks at the machine first, in its own byte order.
        early = problem is not None
        if not early and not started and self.version != 1:
            problem = "ELF file version does not match current one"
        if self.machine != abi.machine and (early or problem is None):
            return Outcome.WRONG_MACHINE, "cannot open shared object file"
        if problem is None and self.type not in (FileType.DYN, FileType.EXEC):
            problem = "only ET_DYN and ET_EXEC can be loaded"
        return Outcome.FOUND if problem is None else Outcome.NOT_ELF, problem

    def _invalid_ident(self, abi: Abi, *, started: bool) -> str | None:
        """What of the identification is not as the loader expects it."""
        if self.ident[5] != (1 if abi.layout.little else 2):
            order = "little" if abi.layout.little else "big"
            return f"ELF file data encoding not {order}-endian"
        if started:
            return None
        osabi, abi_version = self.ident[7:9]
        if self.ident[6] != 1:
            return "ELF file version ident does not match current one"
        if osabi not in _OSABIS and (abi.machine, osabi) not in _OWN_OSABIS:
            return "ELF file OS ABI invalid"
        highest = _ABI_VERSIONS if osabi == _OSABIS[1] else 0
        if abi_version > highest and abi.machine not in _OWN_ABI_VERSIONS:
            return "ELF file ABI version invalid"
        return "nonzero padding in e_ident" if any(self.ident[9:16]) else None


def phentsize_problem(head: bytes, abi: Abi) -> str | None:
    """Whether the header says that program headers have another size than they have."""
    (size,) = abi.layout.struct("H").unpack_from(head, abi.header_size - 10)
    expected = abi.layout.segment.size
    return None if size == expected else "ELF file's phentsize not the expected size"


def read_table(stream: ByteStream, head: bytes, abi: Abi) -> tuple[Segment, ...] | str:
    """The program headers as the loader gets at them, or its message.

    It takes them out of the first bytes of the file if they end there, computed modulo the word;
    a table that begins just in front of the file begins with the number of these bytes.
    """
    layout, mask = abi.layout, (1 << abi.bits) - 1
    offset, *_, count = layout.struct("Q8xIHHH" if abi.bits == 64 else "I4xIHHH").unpack_from(
        head, 32 if abi.bits == 64 else 28
    )
    size = layout.segment.size * count
    stream.seek(0)
    buffer = stream.read(_BUFFER[abi.bits])
    if offset + size & mask <= len(buffer) < offset + size:
        word = layout.word_size
        before = bytes(64) + len(buffer).to_bytes(word, "little" if layout.little else "big")
        start = len(before) + offset - mask - 1
        raw = (before + buffer)[start : start + size] if start >= 0 else bytes(size)
        return parse_segments(layout, raw)
    if offset > mask >> 1:
        return "cannot read file data: Invalid argument"
    end = stream.seek(0, os.SEEK_END)
    if offset + size > end:
        beyond = offset + size > (1 << 63) - 1
        return "cannot read file data" + (": Invalid argument" if beyond else "")
    stream.seek(offset)
    return parse_segments(layout, stream.read(size))
