"""What is asked about a file, before and after a tool has edited it."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from .machines import Machine, Missing, run

__all__ = ["STRIPS", "Judge", "Sample", "complaints", "needed", "relro_holds_dynamic"]

STRIPS = ("GNU strip", "llvm-strip", "eu-strip")
_LARGE = 1 << 20  # bytes; larger files are not given to eu-elflint, which takes minutes
_NUMBER = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{6,}\b|\d+")


@dataclass(frozen=True)
class Sample:
    """One file of the corpus.

    Attributes:
        name: unique.
        machine: what it is for.
        path: where it is.
        kind: ``lib``, ``exe`` or ``static``.
        directories: where the loader finds its neighbours.
        before: libraries that its host has loaded.
        group: ``built`` or ``real``.
    """

    name: str
    machine: Machine
    path: Path
    kind: str = "lib"
    directories: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    group: str = "built"


class Judge:
    """Loads the files of one sample."""

    def __init__(self, sample: Sample, opener: Path, markers: Path) -> None:
        self._sample = sample
        self._opener = opener
        self._path = ":".join((str(markers), *sample.directories))

    def problem(self, path: Path, expected: Sequence[str] = ()) -> str | None:
        """Why a file does not load, fails its self test or lacks a library; None if all is well."""
        sample = self._sample
        command = [*sample.machine.runner()]
        if sample.kind == "lib":
            command += [str(self._opener), str(path), *sample.before]
        else:
            path.chmod(0o755)
            command.append(str(path))
        done = run(command, {"LD_LIBRARY_PATH": self._path})
        if done.code == 3:
            return "its self test fails"
        if done.problem is not None:
            return done.problem.replace(str(path), path.name)
        told = [each.partition(" ")[2] for each in done.output.splitlines()]
        if sample.kind == "static":
            return None
        if sample.kind == "lib" and str(path) not in told:
            return "it is not among the objects of the process"
        loaded = {each.rpartition("/")[2] for each in told}
        absent = [each for each in expected if each not in loaded]
        return f"{absent[0]} is not loaded" if absent else None

    def strip(self, how: str, source: Path, target: Path) -> str | None:
        """Strip a file; why that fails, or None."""
        name = "strip" if how == "GNU strip" else how
        try:
            tool = self._sample.machine.tool("strip") if name == "strip" else shutil.which(name)
        except Missing as error:
            return str(error)
        if tool is None:
            return f"no {name}"
        done = run([tool, "-o", str(target), str(source)])
        if done.problem is None and not target.exists():
            return "wrote nothing"
        return done.problem


def complaints(path: Path, judge: str, machine: Machine) -> Counter[str] | None:
    """What ``readelf`` or ``eu-elflint`` has to say about a file; None where it is not asked."""
    large = path.stat().st_size > _LARGE
    if judge == "readelf":
        flags = ["-lSdVW"] if large else ["-aW"]
        done = run([shutil.which("readelf") or machine.tool("readelf"), *flags, str(path)])
        lines = [each for each in done.errors.splitlines() if "arning" in each or "rror" in each]
    elif large or shutil.which("eu-elflint") is None:
        return None
    else:
        done = run(["eu-elflint", "--gnu", str(path)])
        lines = [each for each in done.output.splitlines() if each.strip() != "No errors"]
    if done.code is None:
        return None
    found = (_NUMBER.sub("N", each.replace(str(path), "")) for each in lines)
    return Counter(found)


def needed(path: Path) -> list[str] | None:
    """The libraries that a file lists, as pyelftools reads it; None if it cannot."""
    try:
        with path.open("rb") as stream:
            for segment in ELFFile(stream).iter_segments():
                if isinstance(segment, DynamicSegment):
                    return [_text(each) for each in segment.iter_tags("DT_NEEDED")]
    except (ELFError, OSError, ValueError, UnicodeError, AttributeError):
        return None
    return []


def _text(entry: Any) -> str:
    return str(entry.needed)


def relro_holds_dynamic(path: Path) -> bool | None:
    """Whether the dynamic section is made read-only; None if the file cannot be read."""
    try:
        with path.open("rb") as stream:
            segments = [each.header for each in ELFFile(stream).iter_segments()]
    except (ELFError, OSError, ValueError):
        return None
    relro = [each for each in segments if each.p_type == "PT_GNU_RELRO"]
    dynamic = [each for each in segments if each.p_type == "PT_DYNAMIC"]
    return any(
        one.p_vaddr <= other.p_vaddr < one.p_vaddr + one.p_memsz
        for one in relro
        for other in dynamic
    )
