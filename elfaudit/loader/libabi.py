"""Which files ldconfig takes for libraries, of which ABI, and where it looks unasked.

Source: ``_dl_is_dso`` (glibc ``elf/dl-is_dso.h``), ``process_elf_file`` (``readelflib.c`` of each
port), ``add_system_dir`` (``dl-cache.h`` of each port).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..elf import ElfObject, FileType
from .machines import Machine, machine_of
from .rtld import Rtld

__all__ = ["cache_flags", "is_shared_object", "system_directories"]

_ELF, _LIBC6 = 0x0001, 0x0003
_X86 = ("x86_64", "x32", "i686")
_ARM = ("aarch64", "armv7l")
_EABI5, _ARM_HARD, _ARM_SOFT = 5, 0x400, 0x200
_RISCV_FLOAT, _RISCV_KNOWN = 0x6, 0x7
_RISCV_FLAGS = {0: 0x0F03, 4: 0x1003}
_SIBLINGS = {  # of /lib
    "x86_64": ("", "64", "x32"),
    "x32": ("", "64", "x32"),
    "aarch64": ("", "64", "ilp32"),
    "riscv64": ("", "64/lp64d", "64/lp64", "32/ilp32d", "32/ilp32"),
    "loongarch64": ("", "64", "64/sf"),
}


def is_shared_object(name: str) -> bool:
    """Whether a file is called as a library or a loader is."""
    library = name.startswith(("lib", "ld-")) and ".so" in name
    return library or name.startswith(("ld.so.", "ld64.so."))


def cache_flags(elf: ElfObject, machine: Machine, rtld: Rtld) -> int | None:
    """How the cache marks a library; None: it is none for an ldconfig of that machine."""
    wide = elf.layout.bits == 64
    if elf.header.type != FileType.DYN or not _same_order(elf, machine):
        return None
    if machine.name in _X86:
        return _x86_flags(elf, rtld)
    if machine.name in _ARM:
        return 0x0A03 if wide else _arm_flags(elf, rtld)
    if machine.name == "riscv64":
        unknown = elf.header.flags & ~_RISCV_KNOWN
        return None if unknown else _RISCV_FLAGS.get(elf.header.flags & _RISCV_FLOAT)
    if wide and machine.cache_flags:
        return machine.cache_flags[0]
    return _plain_flags(elf, rtld)


def _same_order(elf: ElfObject, machine: Machine) -> bool:
    return elf.layout.little == (machine.name not in ("s390x", "ppc64"))


def _x86_flags(elf: ElfObject, rtld: Rtld) -> int | None:
    own = machine_of(elf)
    if own.name not in _X86:
        return None
    return own.cache_flags[0] if own.name != "i686" else _plain_flags(elf, rtld)


def _arm_flags(elf: ElfObject, rtld: Rtld) -> int:
    flags = elf.header.flags
    if flags >> 24 != _EABI5:
        return _plain_flags(elf, rtld)
    if flags & _ARM_HARD:
        return 0x0903
    return 0x0B03 if flags & _ARM_SOFT else _LIBC6


def _plain_flags(elf: ElfObject, rtld: Rtld) -> int:
    """Where the machine does not say it: up to 2.36 a library of no known C library is just ELF."""
    if not rtld.has_legacy_subdirectories:
        return _LIBC6
    known = elf.interp is not None or not {"libc.so.6", "libm.so.6"}.isdisjoint(elf.needed)
    return _LIBC6 if known else _ELF


def system_directories(rtld: Rtld, machine: Machine) -> Iterator[str]:
    """The directories that are looked through last, whatever the configuration says.

    Debian's ldconfig has those of its loader; others have ``slibdir`` and ``libdir`` and what the
    other ABIs of the machine call them.
    """
    if rtld.lib is not None and "/" in rtld.lib:
        yield from rtld.system_dirs
        return
    siblings = _SIBLINGS.get(machine.name, ("",))
    for directory in rtld.system_dirs or ("/lib", "/usr/lib"):
        base = next(
            (
                directory.removesuffix(f"/lib{each}")
                for each in sorted(siblings, key=len, reverse=True)
                if directory.endswith(f"/lib{each}")
            ),
            None,
        )
        if base is None:
            yield directory
        else:
            yield from (f"{base}/lib{each}" for each in siblings)
