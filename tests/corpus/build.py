"""The files that are built: what they are called, and how they are linked."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from .machines import LINKERS, MACHINES, Machine, Missing, run

__all__ = ["MARKERS", "Recipe", "Variant", "Workshop", "recipes"]

_SOURCES = Path(__file__).parent / "src"
_ALL = frozenset(LINKERS)
_GNU = frozenset(("bfd", "gold"))
MARKERS = ("libcorpus_added_first.so.1", "libcorpus_added_second.so.1")


@dataclass(frozen=True)
class Variant:
    """One way to build the library or the program.

    Attributes:
        name: as part of the file's name.
        flags: for compiler and linker.
        kind: ``lib``, ``exe``, or ``static``: a program that no loader loads libraries for.
        linkers: those that know the flags.
        is_core: whether other machines than this one get it too; the rest would be the same.
        after: what is done to the file then: ``sections`` takes the section headers away.
    """

    name: str
    flags: tuple[str, ...] = ()
    kind: str = "lib"
    linkers: frozenset[str] = _ALL
    is_core: bool = True
    after: str = ""


def _lib(name: str, *flags: str, linkers: frozenset[str] = _ALL, core: bool = True) -> Variant:
    return Variant(name, flags, linkers=linkers, is_core=core)


def _exe(name: str, *flags: str, core: bool = True) -> Variant:
    return Variant(name, flags, "exe", is_core=core)


_VARIANTS = (
    _lib("default"),
    _lib("now", "-Wl,-z,relro,-z,now"),
    _lib("norelro", "-Wl,-z,norelro"),
    _lib("separate", "-Wl,-z,separate-code", linkers=_ALL - {"gold"}),
    _lib("noseparate", "-Wl,-z,noseparate-code", linkers=_ALL - {"gold"}),
    _lib("relr", "-Wl,-z,pack-relative-relocs", linkers=frozenset(("bfd",)), core=False),
    _lib("relr", "-Wl,--pack-dyn-relocs=relr", linkers=frozenset(("lld", "mold")), core=False),
    _lib("tls", "-DWITH_TLS"),
    _lib("ifunc", "-DWITH_IFUNC"),
    _lib("versions", "-DWITH_VERSIONS", f"-Wl,--version-script={_SOURCES / 'versions.map'}"),
    _lib("page2m", "-Wl,-z,max-page-size=0x200000"),
    _lib("page4k", "-Wl,-z,max-page-size=0x1000", core=False),
    _lib("aligned64k", "-DALIGNED=65536"),
    _lib("sysv", "-Wl,--hash-style=sysv"),
    _lib("gnu", "-Wl,--hash-style=gnu"),
    _lib("bothhash", "-Wl,--hash-style=both", core=False),
    _lib("debug", "-g3"),
    _lib("nospare", "-Wl,--spare-dynamic-tags=0", linkers=_GNU),
    _lib("rosegment", "-Wl,--rosegment", linkers=frozenset(("gold", "lld"))),
    _lib("norosegment", "-Wl,--no-rosegment", linkers=frozenset(("lld",))),
    _lib("execstack", "-Wl,-z,execstack", core=False),
    _lib("runpath", "-Wl,-rpath,$ORIGIN/../lib,--enable-new-dtags", core=False),
    _lib("noid", "-Wl,--build-id=none"),
    _lib("bare", "-DBARE", "-nostdlib"),
    _lib("bare-nospare", "-DBARE", "-nostdlib", "-Wl,--spare-dynamic-tags=0", linkers=_GNU),
    _lib("bare-sysv", "-DBARE", "-nostdlib", "-Wl,--hash-style=sysv,--build-id=none", core=False),
    Variant("nosections", after="sections"),
    _exe("pie", "-pie", "-fPIE"),
    _exe("pie-now", "-pie", "-fPIE", "-Wl,-z,now", core=False),
    _exe("pie-tls", "-pie", "-fPIE", "-DWITH_TLS", "-DALIGNED=4096", core=False),
    _exe("pie-debug", "-pie", "-fPIE", "-g", core=False),
    _exe("nopie", "-no-pie", "-fno-pie"),
    _exe("nopie-norelro", "-no-pie", "-fno-pie", "-Wl,-z,norelro"),
    _exe("nopie-ifunc", "-no-pie", "-fno-pie", "-DWITH_IFUNC", core=False),
    Variant("nosections-pie", ("-pie", "-fPIE"), "exe", after="sections"),
    Variant("nosections-nopie", ("-no-pie", "-fno-pie"), "exe", after="sections", is_core=False),
    Variant("static-pie", ("-static-pie", "-fPIE"), "static", is_core=False),
)


@dataclass(frozen=True)
class Recipe:
    """One file to build."""

    machine: Machine
    linker: str
    variant: Variant

    @property
    def name(self) -> str:
        """Unique among all."""
        return f"{self.machine.name}-{self.linker}-{self.variant.name}"


def recipes() -> Iterator[Recipe]:
    """All of the corpus; whether the tools are here is seen when it is built."""
    for machine in MACHINES:
        for linker in LINKERS:
            for variant in _VARIANTS:
                wanted = machine.is_native or variant.is_core
                wanted = wanted and (machine.ifunc or "-DWITH_IFUNC" not in variant.flags)
                if wanted and linker in variant.linkers:
                    yield Recipe(machine, linker, variant)


class Workshop:
    """A directory in which files are built; what several of them need is built once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def build(self, recipe: Recipe, target: Path) -> None:
        """Build one file.

        Raises:
            Missing: something for it is not here, or the linker cannot do it.
        """
        kind = recipe.variant.kind
        flags = (
            ["-shared", "-fPIC", "-Wl,-soname,libcorpus.so.1"] if kind == "lib" else ["-DPROGRAM"]
        )
        with_linker = self._linker(recipe.machine, recipe.linker)
        source = str(_SOURCES / "library.c")
        _compile(recipe.machine, source, target, [*with_linker, *flags, *recipe.variant.flags])
        if recipe.variant.after == "sections":
            _without_sections(target)

    def markers(self, machine: Machine) -> Path:
        """The directory of the libraries that are added."""
        directory = self._directory / "markers" / machine.name
        for number, name in enumerate(MARKERS):
            flags = ["-shared", "-fPIC", f"-Wl,-soname,{name}", f"-DMARKER=corpus_marker_{number}"]
            self._once(machine, "marker.c", directory / name, flags)
        return directory

    def opener(self, machine: Machine) -> Path:
        """The program that loads a library."""
        return self._once(machine, "opener.c", self._directory / f"opener-{machine.name}", ["-ldl"])

    def _once(self, machine: Machine, source: str, target: Path, flags: Sequence[str]) -> Path:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(f"{target.name}.{os.getpid()}")  # others may build it as well
            _compile(machine, str(_SOURCES / source), fresh, flags)
            fresh.replace(target)
        return target

    def _linker(self, machine: Machine, linker: str) -> list[str]:
        """The flags that make the compiler use a linker, wherever it would look for its own."""
        path = machine.tool(f"ld.{linker}")
        directory = self._directory / "linkers" / f"{machine.name}-{linker}"
        directory.mkdir(parents=True, exist_ok=True)
        script = directory / "ld"
        if not script.exists():
            fresh = directory / f"ld.{os.getpid()}"
            fresh.write_text(f'#!/bin/sh\nexec {path} "$@"\n')
            fresh.chmod(0o755)
            fresh.replace(script)
        return [f"-B{directory}"]


def _compile(machine: Machine, source: str, target: Path, flags: Sequence[str]) -> None:
    command = [machine.tool("gcc"), "-O1", "-w", source, "-o", str(target), *flags]
    done = run(command, timeout=60)
    if done.problem is not None:
        lines = [each for each in done.errors.splitlines() if "error" in each or "unknown" in each]
        raise Missing(f"not built: {(lines or [done.problem])[0][:200]}")


def _without_sections(path: Path) -> None:
    """Take the section headers away, and all behind the segments, as ``sstrip`` does."""
    data = bytearray(path.read_bytes())
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    offset, counts = (40, 60) if wide else (32, 48)
    with path.open("rb") as stream:
        ends = [each["p_offset"] + each["p_filesz"] for each in ELFFile(stream).iter_segments()]
    struct.pack_into(f"{order}{'Q' if wide else 'I'}", data, offset, 0)
    struct.pack_into(f"{order}HH", data, counts, 0, 0)
    path.write_bytes(data[: max(ends)])
