"""What surrounds a load: the files, the main program, preloads, search paths.

The only module that may look at the machine elfaudit itself runs on (``os.environ``, the CPU, the
running interpreter), and only in the functions that say so.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, Flag

from ..sources import Source

__all__ = [
    "AnyProgram",
    "Dlopen",
    "Libc",
    "LoaderEnvironment",
    "Mode",
    "host_hwcaps",
    "host_library_path",
    "host_platform",
    "host_preload",
    "running_interpreter",
]


class Libc(Enum):
    """Whose loader it is."""

    GLIBC = "glibc"
    MUSL = "musl"


class Mode(Flag):
    """How ``dlopen`` is called; without any of these it is ``RTLD_NOW | RTLD_LOCAL``."""

    LOCAL = 0
    GLOBAL = 1
    LAZY = 2
    DEEPBIND = 4


@dataclass(frozen=True, slots=True)
class Dlopen:
    """One ``dlopen`` that a process does before the subject's: the name or path, and how."""

    name: str
    mode: Mode = Mode.LOCAL


class AnyProgram(Enum):
    """A main program of which no more is known than that there is one."""

    PLAIN = "a program that needs the C library and nothing else"


@dataclass(frozen=True, slots=True)
class LoaderEnvironment:
    """The inputs of a load, beside the file itself.

    Attributes:
        root: every file the loader can see; paths are those inside it.
        main_program: path of the program whose process it is (for a Python extension the
            interpreter), or :class:`AnyProgram`, by which a file is opened and not started. None:
            the subject is the program; a library stands for one, as ``ldd`` has it.
        started_as: how that is written where it is started (``argv[0]``); None: as the path.
        preload: ``LD_PRELOAD``, paths or names.
        library_path: ``LD_LIBRARY_PATH``, split.
        hwcaps: the ``glibc-hwcaps`` subdirectories the CPU can use, best first; None: all of its
            machine.
        platform: value of ``$PLATFORM``; None: the machine's usual one.
        directory: the current directory, for relative paths and empty path elements.
        dlopens: what the process opened before it opens the subject, in order.
        mode: how the subject is opened.
        libc: whose rules apply.
    """

    root: Source
    main_program: str | AnyProgram | None = None
    started_as: str | None = None
    preload: tuple[str, ...] = ()
    library_path: tuple[str, ...] = ()
    hwcaps: tuple[str, ...] | None = None
    platform: str | None = None
    directory: str = "/"
    dlopens: tuple[Dlopen, ...] = ()
    mode: Mode = Mode.LOCAL
    libc: Libc = Libc.GLIBC


def host_library_path(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """``LD_LIBRARY_PATH`` of this process, split as ``_dl_init_paths`` does (``:`` and ``;``)."""
    value = (os.environ if environ is None else environ).get("LD_LIBRARY_PATH", "")
    return tuple(value.replace(";", ":").split(":")) if value else ()


def host_preload(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """``LD_PRELOAD`` of this process, split as ``do_preload`` does (``:`` and spaces)."""
    value = (os.environ if environ is None else environ).get("LD_PRELOAD", "")
    return tuple(value.replace(":", " ").split())


def running_interpreter() -> tuple[str, str] | None:
    """(version such as ``3.11``, path) of the Python this process runs on; None if it hides it."""
    path = getattr(sys, "_base_executable", sys.executable)
    if not path or sys.implementation.name != "cpython":
        return None
    return f"{sys.version_info[0]}.{sys.version_info[1]}", os.path.realpath(path)


_CPU_INFO = 1 << 16  # far more than one CPU takes
_X86_LEVELS = (
    ("x86-64-v2", {"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"}),
    ("x86-64-v3", {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}),
    ("x86-64-v4", {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}),
)


def host_hwcaps() -> tuple[str, ...] | None:
    """The ``glibc-hwcaps`` levels of this machine's CPU, best first; None where unknown.

    Source: the x86-64 psABI, "micro-architecture levels"; each contains the one before.
    """
    flags = _cpu().get("flags")
    if flags is None:
        return None
    levels: list[str] = []
    for level, wanted in _X86_LEVELS:
        if not wanted <= flags:
            break
        levels.insert(0, level)
    return tuple(levels)


_HASWELL = {"avx2", "fma", "bmi1", "bmi2", "abm", "movbe", "popcnt"}
_XEON_PHI = {"avx512cd", "avx512er", "avx512pf"}


def host_platform() -> str | None:
    """``$PLATFORM`` of this machine where it is not simply the machine's name, else None.

    Source: ``init_cpu_features`` (glibc ``sysdeps/x86/cpu-features.c``).
    """
    cpu = _cpu()
    flags = cpu.get("flags", set())
    if "GenuineIntel" not in cpu.get("vendor_id", set()):
        return None
    if flags >= _XEON_PHI:
        return "xeon_phi"
    return "haswell" if flags >= _HASWELL else None


def _cpu() -> dict[str, set[str]]:
    """The words of each line that ``/proc/cpuinfo`` has on the first CPU; nothing if not x86-64."""
    if platform.machine() != "x86_64":
        return {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read(_CPU_INFO).partition("\n\n")[0]
    except OSError:
        return {}
    rows = (line.partition(":") for line in first.splitlines())
    return {name.strip(): set(words.split()) for name, _, words in rows}
