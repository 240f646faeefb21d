"""What a machine's loader is called and where its system directories are.

Source: the psABI of each machine for the interpreter's path; Debian's multiarch tuples; for the
cache flags ``sysdeps/generic/ldconfig.h`` and each port's ``dl-cache.h`` in glibc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..elf import ElfObject, Layout

__all__ = ["INTERPRETERS", "Machine", "layouts_of", "machine_of"]


@dataclass(frozen=True, slots=True)
class Machine:
    """One ABI as its loader sees it.

    Attributes:
        name: as ``uname -m`` has it.
        triplet: Debian's multiarch directory name.
        interpreter: the usual ``PT_INTERP``.
        wide: whether libraries live in ``lib64`` on distributions without multiarch.
        cache_flags: how ``ld.so.cache`` marks its libraries, the way the loader likes best first;
            empty where this is not known.
        platform: ``$PLATFORM`` (``AT_PLATFORM``) of the best CPU; None: the kernel gives none.
        hwcaps: ``glibc-hwcaps`` subdirectories this machine can have, best first.
        legacy: the names in ``HWCAP_IMPORTANT``, lowest bit first (up to glibc 2.36).
        legacy_platforms: the platforms that ldconfig knew then.
        legacy_bits: the bits of both in ``ld.so.cache``.
    """

    name: str
    triplet: str
    interpreter: str
    wide: bool
    cache_flags: tuple[int, ...]
    platform: str | None = None
    hwcaps: tuple[str, ...] = ()
    legacy: tuple[str, ...] = ()
    legacy_platforms: tuple[str, ...] = ()
    legacy_bits: Mapping[str, int] = field(default_factory=dict)


_X86_HWCAPS = ("x86-64-v4", "x86-64-v3", "x86-64-v2")
_S390_HWCAPS = ("z16", "z15", "z14", "z13")
_POWER_HWCAPS = ("power10", "power9")
_X86_NAMES = ("sse2", "x86_64", "avx512_1")  # of dl_x86_hwcap_flags
_X86_PLATFORMS = ("i586", "i686", "haswell", "xeon_phi")
_X86_BITS = {name: 1 << bit for bit, name in enumerate(_X86_NAMES)} | {
    name: 1 << bit for bit, name in enumerate(_X86_PLATFORMS, 48)
}
_S390_NAMES = ("zarch", "ldisp", "eimm", "dfp", "vx", "vxe", "vxe2")

# By e_machine, bits, and whether little-endian.
_MACHINES = {
    (62, 64, True): Machine(
        "x86_64",
        "x86_64-linux-gnu",
        "/lib64/ld-linux-x86-64.so.2",
        wide=True,
        cache_flags=(0x0303,),
        platform="x86_64",
        hwcaps=_X86_HWCAPS,
        legacy=_X86_NAMES[1:],
        legacy_platforms=_X86_PLATFORMS,
        legacy_bits=_X86_BITS,
    ),
    (62, 32, True): Machine(
        "x32",
        "x86_64-linux-gnux32",
        "/libx32/ld-linux-x32.so.2",
        wide=False,
        cache_flags=(0x0803,),
        platform="x86_64",
        hwcaps=_X86_HWCAPS,
        legacy=_X86_NAMES[1:],
        legacy_platforms=_X86_PLATFORMS,
        legacy_bits=_X86_BITS,
    ),
    (3, 32, True): Machine(
        "i686",
        "i386-linux-gnu",
        "/lib/ld-linux.so.2",
        wide=False,
        cache_flags=(0x0003, 0x0001),
        platform="i686",
        legacy=_X86_NAMES[:1],
        legacy_platforms=_X86_PLATFORMS,
        legacy_bits=_X86_BITS,
    ),
    (183, 64, True): Machine(
        "aarch64",
        "aarch64-linux-gnu",
        "/lib/ld-linux-aarch64.so.1",
        wide=True,
        cache_flags=(0x0A03,),
        platform="aarch64",
        legacy=("atomics",),
        legacy_bits={"atomics": 1 << 8},
    ),
    (40, 32, True): Machine(
        "armv7l",
        "arm-linux-gnueabihf",
        "/lib/ld-linux-armhf.so.3",
        wide=False,
        cache_flags=(0x0903, 0x0003),
        platform="v7l",
        legacy=("vfp", "neon"),
        legacy_bits={"vfp": 1 << 6, "neon": 1 << 12},
    ),
    (243, 64, True): Machine(
        "riscv64",
        "riscv64-linux-gnu",
        "/lib/ld-linux-riscv64-lp64d.so.1",
        wide=True,
        cache_flags=(0x1003,),
    ),
    (22, 64, False): Machine(
        "s390x",
        "s390x-linux-gnu",
        "/lib/ld64.so.1",
        wide=True,
        cache_flags=(0x0403,),
        platform="z16",
        hwcaps=_S390_HWCAPS,
        legacy=_S390_NAMES,
    ),
    (21, 64, True): Machine(
        "ppc64le",
        "powerpc64le-linux-gnu",
        "/lib64/ld64.so.2",
        wide=True,
        cache_flags=(0x0503,),
        platform="power10",
        hwcaps=_POWER_HWCAPS,
        legacy=("dfp", "altivec"),
    ),
    (21, 64, False): Machine(
        "ppc64",
        "powerpc64-linux-gnu",
        "/lib64/ld64.so.1",
        wide=True,
        cache_flags=(0x0503,),
        platform="power10",
        legacy=("dfp", "altivec"),
    ),
    (258, 64, True): Machine(
        "loongarch64",
        "loongarch64-linux-gnu",
        "/lib64/ld-linux-loongarch-lp64d.so.1",
        wide=True,
        cache_flags=(0x1203,),
        platform="loongarch",
    ),
}

INTERPRETERS = tuple(machine.interpreter for machine in _MACHINES.values())
"""The ``PT_INTERP`` of glibc on every machine that is known."""


def machine_of(elf: ElfObject) -> Machine:
    """The ABI of a file; one without known directories for a machine not listed here."""
    layout = elf.layout
    known = _MACHINES.get((elf.machine, layout.bits, layout.little))
    if known is not None:
        return known
    return Machine(f"machine-{elf.machine}", "", elf.interp or "", layout.bits == 64, ())


def layouts_of(machine: int) -> tuple[Layout, ...]:
    """The classes and byte orders that an ``e_machine`` is known with, the usual one first."""
    return tuple(
        Layout(bits, little=little) for known, bits, little in _MACHINES if known == machine
    )
