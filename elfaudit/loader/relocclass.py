"""What a relocation asks of a lookup: a function to call, a copy, or anything of that name.

Source: ``elf_machine_type_class`` of each port of glibc (``sysdeps/*/dl-machine.h``); the numbers
are those of each machine's psABI. A lookup of class PLT does not take an undefined symbol with a
value (a program's own PLT entry); one of class COPY does not look in the program.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["RelocationClasses", "classes_of"]


@dataclass(frozen=True, slots=True)
class RelocationClasses:
    """The relocation types of one machine that are special to a lookup.

    Attributes:
        plt: types of ``ELF_RTYPE_CLASS_PLT``: function slots and thread-local storage.
        copy: the type of ``ELF_RTYPE_CLASS_COPY``, or None.
        descriptor: the type that takes room in the static block of thread-local storage if there is
            any (TLSDESC), or None.
        taking: that one, and the types that must have their symbol there.
        known: the types ``elf_machine_rela`` works through; empty where that is not known.
        lazy: those that ``elf_machine_lazy_rel`` does.
        silent: those that name no symbol, whatever their rows say.
        relative: those of the rows that ``DT_RELACOUNT`` counts.
    """

    plt: frozenset[int] = frozenset()
    copy: int | None = None
    descriptor: int | None = None
    taking: frozenset[int] = frozenset()
    known: frozenset[int] = frozenset()
    lazy: frozenset[int] = frozenset()
    silent: frozenset[int] = frozenset()
    relative: frozenset[int] = frozenset()


def classes_of(machine: int) -> RelocationClasses:
    """The classes of a machine (``e_machine``); nothing special where it is not known."""
    return _CLASSES.get(machine, _NONE)


def _classes(
    copy: int,
    plt: tuple[int, ...] | range,
    static_tls: tuple[int, ...] = (),
    descriptor: int | None = None,
) -> RelocationClasses:
    own = () if descriptor is None else (descriptor,)
    taking = frozenset((*static_tls, *own))
    return RelocationClasses(taking.union(plt), copy, descriptor, taking)


_NONE = RelocationClasses()
_X86_64 = replace(
    _classes(5, (7, 16, 17), (18,), 36),  # JUMP_SLOT, DTPMOD, DTPOFF; TPOFF; TLSDESC
    known=frozenset((0, 1, 2, 5, 6, 7, 8, 10, 16, 17, 18, 32, 33, 36, 37, 38)),
    lazy=frozenset((7, 36, 37)),
    silent=frozenset((0, 8, 38)),
    relative=frozenset((8, 38)),
)
_CLASSES = {
    62: _X86_64,
    3: _classes(5, (7, 35, 36), (14, 37), 41),  # i386
    183: _classes(1024, (1026, 1028, 1029), (1030,), 1031),  # AArch64
    40: _classes(20, (22, 17, 18), (19,), 13),  # ARM
    22: _classes(9, (11, 54, 55), (56,)),  # s390x
    # 64-bit PowerPC: JMP_SLOT, ADDR24 and everything about thread-local storage
    21: _classes(19, (21, 2, *range(67, 107), *range(110, 118)), (73,)),
    243: _classes(4, (5, 6, 7, 8, 9), (10, 11)),  # RISC-V
    258: _classes(4, (5,), (10, 11)),  # LoongArch
    8: _classes(126, (127,), (47, 50)),  # MIPS
}  # fmt: skip
