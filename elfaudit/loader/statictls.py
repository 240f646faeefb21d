"""The static block of thread-local storage, and what ``dlopen`` may still take of it.

Source: ``_dl_determine_tlsoffset`` and ``_dl_tls_static_surplus_init`` (glibc ``elf/dl-tls.c``),
``_dl_try_allocate_static_tls`` (``elf/dl-reloc.c``). What the process starts with gets its place at
once, plus a surplus of 1664 bytes; an object opened later that addresses its variables relative to
the thread pointer must fit into that surplus.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..elf import ElfObject, SegmentType

__all__ = ["StaticTls"]

_SURPLUS = 1664
_ABOVE = (3, 62, 22, 2, 18, 43)  # TLS_TCB_AT_TP: the blocks stand below the thread pointer
_TCB_SIZE = {183: 16, 40: 8}  # TLS_DTV_AT_TP: the block begins with the thread control block
_TCB_ALIGN = {62: 64, 3: 64, 183: 16}


class StaticTls:
    """The block of one process.

    Args:
        machine: ``e_machine`` of the process.
        started: the objects the process starts with, in load order.
    """

    def __init__(self, machine: int, started: Iterable[ElfObject]) -> None:
        self._below = machine in _ABOVE
        self._align = _TCB_ALIGN.get(machine, 16)
        self._used = 0 if self._below else _TCB_SIZE.get(machine, 0)
        blocks = [block for elf in started if (block := _block(elf)) is not None]
        for size, align, first in blocks:
            self._align = max(self._align, align)
            self._used = self._end(self._used, size, align, first)
        total = self._used + _SURPLUS
        self._size = -(-total // self._align) * self._align

    @property
    def free(self) -> int:
        """Bytes of the surplus that are left."""
        return self._size - self._used

    def take(self, elf: ElfObject) -> bool:
        """Give an object its place; False if there is not enough room, or not aligned enough."""
        block = _block(elf)
        if block is None:
            return True
        size, align, first = block
        if align > self._align:
            return False
        if not self._below:
            used = self._end(self._used, size, align, first)
            if used > self._size:
                return False
            self._used = used
            return True
        left = self.free - size - first
        if left < 0:
            return False
        self._used += self.free - left // align * align - first
        return True

    def _end(self, used: int, size: int, align: int, first: int) -> int:
        """Where the block is used up to, once an object has its place behind ``used`` bytes."""
        if self._below:
            lead = -first & (align - 1)
            return -(-(used + size - lead) // align) * align + lead
        return -(-(used - first) // align) * align + first + size


def _block(elf: ElfObject) -> tuple[int, int, int] | None:
    """(size, alignment, address modulo alignment) of an object's ``PT_TLS``; None without one."""
    for segment in elf.segments:
        if segment.type == SegmentType.TLS and segment.memory_size:
            align = max(segment.align, 1)
            return segment.memory_size, align, segment.address % align
    return None
