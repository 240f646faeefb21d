"""x86: objects that need a higher instruction set level than the CPU has.

Source: ``dl_isa_level_check`` (glibc ``sysdeps/x86/dl-prop.h``) for objects,
``dl_cache_hwcap_isa_level_compatible`` (``sysdeps/x86/dl-isa-level.h``) for entries of the cache;
the x86-64 psABI for ``GNU_PROPERTY_X86_ISA_1_NEEDED`` and the levels.
"""

from __future__ import annotations

from collections.abc import Iterable

from .linkmap import LinkMap, LinkMapEntry, Opening, Origin
from .machines import Machine
from .rtld import Version

__all__ = ["REFUSAL", "isa_of", "level_names", "too_new"]

REFUSAL = "CPU ISA level is lower than required"

_NAMES = ("i686", "x86_64", "x32")
_CHECKED_SINCE = (2, 33)
_LEVELS = {"x86-64-baseline": 1, "x86-64-v2": 2, "x86-64-v3": 4, "x86-64-v4": 8}


def isa_of(machine: Machine, levels: Iterable[str] | None) -> int | None:
    """The levels of a CPU as bits (``GNU_PROPERTY_X86_ISA_1_*``); None where there are none.

    Args:
        machine: its ABI.
        levels: the ``glibc-hwcaps`` directories it can use; None: all there are.
    """
    if machine.name not in _NAMES:
        return None
    named = _LEVELS if levels is None else levels
    return 1 | sum({_LEVELS.get(level, 0) for level in named if level != "x86-64-baseline"})


def level_names(isa: int) -> tuple[str, ...]:
    """The levels that some bits stand for; those that have no name yet by their numbers."""
    names = {bit: name for name, bit in _LEVELS.items()}
    bits = (1 << number for number in range(isa.bit_length()) if isa >> number & 1)
    return tuple(names.get(bit, f"level {bit:#x}") for bit in bits)


def too_new(
    link_map: LinkMap, opening: Opening, isa: int | None, version: Version | None
) -> LinkMapEntry | None:
    """The first object of a step that the CPU is too old for, in the order of relocation; or None.

    Args:
        link_map: the process.
        opening: the step.
        isa: what the CPU has (:func:`isa_of`).
        version: the release of the glibc; None: a new one.
    """
    if isa is None or (version is not None and version < _CHECKED_SINCE):
        return None
    doubtful = {
        entry
        for entry in opening.loaded
        if entry.elf is not None
        and entry.origin is not Origin.LOADED  # the loader would not run itself
        and entry.elf.isa_needed & ~isa
    }
    order = link_map.relocated_by(opening) if doubtful else ()
    return next((entry for entry in order if entry in doubtful), None)
