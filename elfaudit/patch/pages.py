"""The largest page a system of some machine may have: what a new segment is aligned to.

Source: ``MAXPAGESIZE`` of the linkers (binutils ``bfd/elfNN-*.c``, lld ``ELF/Arch``).
"""

from __future__ import annotations

__all__ = ["largest_page"]

_SMALL = {
    3: 0x1000,  # EM_386
    22: 0x1000,  # EM_S390
    62: 0x1000,  # EM_X86_64
    243: 0x1000,  # EM_RISCV
}
_LARGE = {2: 0x10000, 43: 0x100000, 18: 0x10000}  # EM_SPARC, EM_SPARCV9, EM_SPARC32PLUS
_USUAL = 0x10000


def largest_page(machine: int) -> int:
    """In bytes, by ``e_machine``; 64 KiB for a machine that is not known to do with less."""
    return _SMALL.get(machine) or _LARGE.get(machine, _USUAL)
