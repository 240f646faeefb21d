"""The static block of thread-local storage, and what ``dlopen`` may still take of it.

Source: ``_dl_determine_tlsoffset`` and ``_dl_tls_static_surplus_init`` (glibc ``elf/dl-tls.c``),
``_dl_try_allocate_static_tls`` (``elf/dl-reloc.c``). What the process starts with gets its place at
once, plus a surplus of 1664 bytes; an object opened later that addresses its variables relative to
the thread pointer must fit into that surplus. Relocations of the descriptor kind (TLSDESC) take
some of it too, as long as there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..elf import ElfObject, Flags, SegmentType
from .references import keys_of, rows_looked_up
from .relocclass import classes_of

__all__ = ["StaticReference", "StaticTls", "static_references"]

_AARCH64 = 183
_TLSDESC_PLT = 0x6FFFFEF6
_SURPLUS = 1664
_OPTIONAL = 512  # of the surplus, for what could do without (glibc.rtld.optional_static_tls)
_ABOVE = (3, 62, 22, 2, 18, 43)  # TLS_TCB_AT_TP: the blocks stand below the thread pointer
_TCB_SIZE = {183: 16, 40: 8}  # TLS_DTV_AT_TP: the block begins with the thread control block
_TCB_ALIGN = {62: 64, 3: 64}
_USUAL_TCB_ALIGN = 32


class StaticTls:
    """The block of one process.

    Args:
        machine: ``e_machine`` of the process.
        started: the objects the process starts with, in load order.
    """

    def __init__(self, machine: int, started: Sequence[ElfObject]) -> None:
        self._placed = set(started)
        self._below = machine in _ABOVE
        blocks = [block for elf in started if (block := _block(elf)) is not None]
        own = _TCB_ALIGN.get(machine, _USUAL_TCB_ALIGN)
        self._align = max([own, *(block.align for block in blocks)])
        self._used = (
            _laid_out(blocks) if self._below else _laid_up(blocks, _TCB_SIZE.get(machine, 0))
        )
        self._size = _round_up(self._used + _SURPLUS, self._align if self._below else own)
        self._optional = _OPTIONAL

    @property
    def free(self) -> int:
        """Bytes of the surplus that are left."""
        return self._size - self._used

    def take(self, elf: ElfObject, *, optional: bool = False) -> bool:
        """Give an object its place; False if there is not enough room, or not aligned enough.

        Args:
            elf: the object.
            optional: whether it can do without: for such a part of the surplus is set apart.
        """
        block = _block(elf)
        if block is None or elf in self._placed:
            return True
        used = self._behind(block) if block.align <= self._align else None
        if used is None or (optional and used - self._used > self._optional):
            return False
        if optional:
            self._optional -= used - self._used
        self._used = used
        self._placed.add(elf)
        return True

    def _behind(self, block: _Block) -> int | None:
        """The bytes used once a block has its place; None if there is none."""
        if not self._below:
            start = _round_up(self._used - block.first, block.align) + block.first
            return start + block.size if start + block.size <= self._size else None
        left = self.free - block.size - block.first
        if left < 0:
            return None
        return self._used + self.free - left // block.align * block.align - block.first


@dataclass(frozen=True, slots=True)
class StaticReference:
    """A relocation that takes room in the block.

    Attributes:
        key: the symbol whose object gets its place there; None: the object's own.
        optional: whether it can do without (TLSDESC).
        lazy: whether it is in ``DT_JMPREL``, which may wait for the first call.
    """

    key: str | None
    optional: bool
    lazy: bool


def static_references(elf: ElfObject) -> tuple[StaticReference, ...]:
    """What the relocations of an object take, in their order, each once.

    Raises:
        ElfFormatError: its symbol or relocation tables are damaged.
    """
    if not _wants_static_tls(elf):
        return ()
    classes, symbols = classes_of(elf.machine), elf.symbols
    taking = dict.fromkeys(
        (row, type_ == classes.descriptor, lazy)
        for lazy in (False, True)
        for row, type_ in elf.relocations.rows_of(classes.taking, lazy=lazy)
    )
    named = rows_looked_up(symbols, dict.fromkeys(row for row, *_ in taking))
    keys = dict(zip(named, keys_of(symbols, named), strict=True))
    return tuple(dict.fromkeys(StaticReference(keys.get(row), *how) for row, *how in taking))


def _wants_static_tls(elf: ElfObject) -> bool:
    """Whether the relocations of an object may take room in the block.

    Linkers mark what must have it (``DF_STATIC_TLS``). Descriptors are the rule on AArch64; on
    other machines they are told by ``DT_TLSDESC_PLT``, which an object bound at once need not have.
    """
    if elf.dynamic is None:
        return False
    if Flags.STATIC_TLS in elf.dynamic.flags:
        return True
    descriptors = elf.machine == _AARCH64 or elf.dynamic.value(_TLSDESC_PLT) is not None
    return elf.tls is not None and descriptors


@dataclass(frozen=True, slots=True)
class _Block:
    """A ``PT_TLS``: bytes, alignment, address modulo alignment."""

    size: int
    align: int
    first: int

    @property
    def lead(self) -> int:
        """Bytes by which the block begins before an aligned address."""
        return -self.first & (self.align - 1)


def _block(elf: ElfObject) -> _Block | None:
    for segment in elf.segments:
        if segment.type == SegmentType.TLS and segment.memory_size:
            align = max(segment.align, 1)
            return _Block(segment.memory_size, align, segment.address % align)
    return None


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _laid_out(blocks: Iterable[_Block]) -> int:
    """Bytes used where blocks stand below the thread pointer; gaps are filled where they can be."""
    used = top = bottom = 0
    for block in blocks:
        if bottom - top >= block.size:
            end = _round_up(top + block.size - block.lead, block.align) + block.lead
            if end <= bottom:
                top = end
                continue
        end = _round_up(used + block.size - block.lead, block.align) + block.lead
        if end > used + block.size + (bottom - top):
            top, bottom = used, end - block.size
        used = end
    return used


def _laid_up(blocks: Iterable[_Block], used: int) -> int:
    """The same where they stand above it, behind ``used`` bytes."""
    top = bottom = 0
    for block in blocks:
        if block.size <= top - bottom:
            start = _behind(bottom, block)
            if start + block.size <= top:
                bottom = start + block.size
                continue
        start = _behind(used, block)
        if start - used > top - bottom:
            top, bottom = start, used
        used = start + block.size
    return used


def _behind(position: int, block: _Block) -> int:
    """Where a block begins behind some bytes."""
    aligned = _round_up(position, block.align)
    if aligned - position < block.lead:
        aligned += block.align
    return aligned - block.lead
