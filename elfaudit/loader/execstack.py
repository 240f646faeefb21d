"""Which objects want a stack that code can be run from, and where that is refused.

Source: ``DEFAULT_STACK_PERMS`` of each port's ``stackinfo.h`` and ``_dl_map_object_from_fd`` (glibc
``elf/dl-load.c``): since 2.41 ``dlopen`` does not make the stack of a running process executable.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..elf import ElfObject, Stack

__all__ = ["REFUSAL", "refuses_executable_stack", "wants_executable_stack"]

REFUSAL = "cannot enable executable stack as shared object requires: Invalid argument"
_REFUSED_SINCE = (2, 41)
# Where an absent PT_GNU_STACK means no executable stack, by e_machine: POWER (64 bit), IA-64,
# AArch64, ARC (two), RISC-V, C-SKY, LoongArch, Nios II.
_SAFE_UNSTATED = frozenset((21, 50, 183, 195, 243, 252, 253, 258, 113))


def wants_executable_stack(elf: ElfObject) -> bool:
    """Whether an object asks for it, be it by saying nothing."""
    unstated = elf.stack is Stack.UNSTATED and elf.machine not in _SAFE_UNSTATED
    return elf.stack is Stack.EXECUTABLE or unstated


def refuses_executable_stack(
    glibc_version: tuple[int, int] | None, started: Iterable[ElfObject]
) -> bool:
    """Whether a process refuses what wants one once it runs.

    Args:
        glibc_version: of its C library, or None if it is not known.
        started: the objects it started with: if one of them wants it, the stack has it already.
    """
    strict = glibc_version is not None and glibc_version >= _REFUSED_SINCE
    return strict and not any(map(wants_executable_stack, started))
