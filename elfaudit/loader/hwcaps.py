"""The subdirectories that a loader looks into before each directory itself.

Source: ``_dl_important_hwcaps`` (glibc ``elf/dl-hwcaps.c``) for their order, ``dl-hwcap.h`` and
``dl-procinfo.h`` of each port for the names, ``search_cache`` (``elf/dl-cache.c``) for the bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from .environment import LoaderEnvironment
from .isalevel import isa_of
from .machines import Machine
from .rtld import Rtld

__all__ = ["Capabilities", "capabilities"]

_GLIBC_HWCAPS = "glibc-hwcaps"
_TLS = "tls"
_TLS_BIT = 1 << 63
_INTEL = frozenset(("haswell", "xeon_phi"))  # what only a CPU of that maker is called


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the simulated CPU and loader take beyond the plain libraries.

    Attributes:
        levels: of ``glibc-hwcaps``, best first.
        subdirectories: relative to each directory, each with a slash behind it, in the order in
            which they are tried; the directory itself, an empty one, comes last.
        legacy: the bits that an entry of the cache may have.
        platforms: those that only one platform has.
        isa: the instruction set levels of the CPU, as bits; None: its machine has none.
    """

    levels: tuple[str, ...]
    subdirectories: tuple[str, ...]
    legacy: int = 0
    platforms: int = 0
    isa: int | None = None


def capabilities(environment: LoaderEnvironment, machine: Machine, rtld: Rtld) -> Capabilities:
    """What counts for one machine in one environment.

    The older mechanism (``tls``, the platform, bits of ``AT_HWCAP``; every combination of them)
    was taken out in glibc 2.37.
    """
    levels = (
        machine.hwcaps
        if environment.hwcaps is None
        else tuple(level for level in environment.hwcaps if level in machine.hwcaps)
    )
    isa = isa_of(machine, environment.hwcaps)
    named = tuple(f"{_GLIBC_HWCAPS}/{level}/" for level in levels)
    if not rtld.has_legacy_subdirectories:
        return Capabilities(levels, (*named, ""), isa=isa)
    platform = environment.platform or machine.platform
    active = tuple(name for name in machine.legacy if _has(name, platform, levels))
    parts = (*active, *((platform,) if platform else ()), _TLS)
    bits = sum(machine.legacy_bits.get(name, 0) for name in active)
    platforms = sum(machine.legacy_bits.get(name, 0) for name in machine.legacy_platforms)
    own = machine.legacy_bits.get(platform or "", 0) & platforms
    subdirectories = (*named, *_power_set(parts))
    return Capabilities(levels, subdirectories, bits | own | _TLS_BIT, platforms, isa)


def _has(name: str, platform: str | None, levels: tuple[str, ...]) -> bool:
    """Whether the CPU has it: all that its machine can have, but for what only some makers name."""
    if name != "avx512_1":
        return True
    return platform == "haswell" and "x86-64-v4" in levels


def _power_set(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Every combination, the fullest first, the last part outermost."""
    chosen = (
        [part for bit, part in reversed([*enumerate(parts)]) if number >> bit & 1]
        for number in reversed(range(1 << len(parts)))
    )
    return tuple("".join(f"{part}/" for part in each) for each in chosen)
