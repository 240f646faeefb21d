"""What each machine's musl is called, and which relocations it knows.

Source: ``LDSO_ARCH`` and the ``REL_*`` definitions of musl's ``arch/*/reloc.h``, the relocation
numbers those stand for from each machine's psABI.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..elf import ElfObject

__all__ = ["MuslMachine", "musl_machine_of"]


@dataclass(frozen=True, slots=True)
class MuslMachine:
    """One machine as musl's loader sees it.

    Attributes:
        architecture: as in ``ld-musl-ARCH.so.1``.
        slot: ``REL_PLT``, which takes nothing but a definition; None where nothing is known.
        got: ``REL_GOT``, put off like a slot where binding is lazy; None where there is none.
        copy: ``REL_COPY``.
        static_tls: ``REL_TPOFF`` and ``REL_TPOFF_NEG``.
        others: every other type it acts upon; no other type is supported.
    """

    architecture: str
    slot: int | None = None
    got: int | None = None
    copy: int | None = None
    static_tls: frozenset[int] = frozenset()
    others: frozenset[int] = frozenset()

    @property
    def interpreter(self) -> str:
        """The usual ``PT_INTERP``."""
        return f"/lib/ld-musl-{self.architecture}.so.1"

    def supports(self, kind: int) -> bool:
        """Whether ``do_relocs`` knows a relocation type (type 0 is passed over)."""
        if self.slot is None:
            return True
        named = (0, self.slot, self.got, self.copy)
        return kind in named or kind in self.static_tls or kind in self.others


# By e_machine, bits, and whether little-endian.
_MACHINES = {
    (62, 64, True): MuslMachine(
        "x86_64", 7, 6, 5, frozenset((18,)), frozenset((1, 2, 8, 16, 17, 36))
    ),
    (62, 32, True): MuslMachine("x32", 7, 6, 5, frozenset((18,)), frozenset((10, 2, 8, 16, 17))),
    (3, 32, True): MuslMachine(
        "i386", 7, 6, 5, frozenset((14, 37)), frozenset((1, 2, 8, 35, 36, 41))
    ),
    (183, 64, True): MuslMachine(
        "aarch64", 1026, 1025, 1024, frozenset((1030,)), frozenset((257, 1027, 1028, 1029, 1031))
    ),
    (40, 32, True): MuslMachine(
        "armhf", 22, 21, 20, frozenset((19,)), frozenset((2, 13, 17, 18, 23))
    ),
    (22, 64, False): MuslMachine("s390x", 11, 10, 9, frozenset((56,)), frozenset((22, 12, 54, 55))),
    (243, 64, True): MuslMachine(
        "riscv64", 5, None, 4, frozenset((11,)), frozenset((2, 3, 7, 9, 12))
    ),
    (21, 64, True): MuslMachine(
        "powerpc64le", 21, 20, 19, frozenset((73,)), frozenset((38, 22, 43, 68, 78))
    ),
    (258, 64, True): MuslMachine(
        "loongarch64", 5, None, 4, frozenset((11,)), frozenset((2, 3, 7, 9))
    ),
}


def musl_machine_of(elf: ElfObject) -> MuslMachine:
    """The machine of a file; one of which no relocation is known where it is not listed here."""
    layout = elf.layout
    known = _MACHINES.get((elf.machine, layout.bits, layout.little))
    return known if known is not None else MuslMachine(f"machine-{elf.machine}")
