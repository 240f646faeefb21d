"""One pass over a build: which of its files are code, and what may be said of each."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ...checklist.build import Build, BuildFile
from ...checklist.kinds import KINDS
from ...checklist.one_pass import Wanted
from ...checklist.passing import reading_through
from ...elf import ElfObject
from ...elf.fatbin import GpuTargets
from ...elf.header import SegmentType
from ...errors import ElfAuditError, ElfFormatError, NotElfError, PlaceholderError
from ...findings.checks import Check
from ...loader.python import is_extension_name
from ...sources import FileSource, Member
from ...stream import release
from .facts import Binding, Exports, Hardening, binding_of, exports_of
from .next_names import is_copied, next_path

__all__ = ["Code", "CodeRole", "Survey", "is_library", "meaning_more", "surveyed"]

_MAGIC = b"\x7fELF"
_MOST_NAMELESS = 2000  # files without a suffix that are looked into: programs have none
_FOLDERS_OF_PROGRAMS = ("bin", "sbin", "libexec", "scripts")


class CodeRole(Enum):
    """Who uses a file."""

    LIBRARY = "library"  # whoever links with it
    EXTENSION = "extension"  # Python
    COPIED = "copied"  # who was put into the wheel with it
    PROGRAM = "program"  # whoever runs it


@dataclass(frozen=True, slots=True)
class Code:
    """One ELF file, or several that have one name but for what changes from build to build.

    Attributes:
        pattern: what means it in this build and in the next.
        files: the files, and what they find their libraries by.
        role: who uses them.
        size: bytes of the smallest.
        targets: the GPUs that the device code in them is for.
    """

    pattern: str
    files: tuple[tuple[BuildFile, ElfObject], ...]
    role: CodeRole
    size: int
    targets: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path of the first."""
        return self.files[0][0].path

    @property
    def name(self) -> str:
        """The name of the first, without directories."""
        return posixpath.basename(self.path)

    @property
    def binding(self) -> Binding:
        """How they find what they need."""
        return Binding.common([binding_of(elf) for _, elf in self.files])

    def exports(self) -> Exports | None:
        """What they offer; None where their symbols cannot be read."""
        try:
            return Exports.common([exports_of(elf) for _, elf in self.files])
        except ElfAuditError:
            return None


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is in a build.

    Attributes:
        build: the build, its files read.
        code: its ELF files.
        hardening: how every library of it is hardened.
        damaged: files that should be code and cannot be read, and why.
    """

    build: Build
    code: tuple[Code, ...]
    hardening: Hardening
    damaged: tuple[str, ...]


def is_library(path: str) -> bool:
    """Whether a file is one of ``**/*.so*``."""
    return ".so" in posixpath.basename(path)


def surveyed(build: Build, progress: Callable[[str], None] | None = None) -> Survey:
    """Read every file of a build once, for all checks that may be written.

    The digests, the facts of ELF files and the device code in them come from the same pass; its
    readings are then those of the build, and checks can be judged by them.

    Args:
        build: what is looked at.
        progress: called with the name of each file before it is read.
    """
    members = dict(_code_in(build))
    record = Check("record", "record", "record")
    wanted = [*KINDS["record"].wants(record, build)]
    wanted += [Wanted(member, facts=True, device_code=True) for _, member in members.values()]
    with reading_through(wanted, build.store, progress) as build.readings:
        build.readings.finish()
    sound: list[tuple[BuildFile, ElfObject]] = []
    damaged: list[str] = []
    for file, member in members.values():
        try:
            sound.append((file, _whole(build.store.read(member), member)))
        except ElfAuditError as error:
            if isinstance(error, PlaceholderError) or not isinstance(error, NotElfError):
                damaged.append(str(error))
    libraries = [binding_of(elf).hardening for file, elf in sound if is_library(file.path)]
    common = Hardening.common(libraries)
    return Survey(build, tuple(_grouped(build, sound)), common, tuple(damaged))


def _code_in(build: Build) -> Iterator[tuple[Hashable, tuple[BuildFile, Member]]]:
    """The files that begin as ELF files do, each once whatever links lead to it."""
    seen: set[Hashable] = set()
    nameless = 0
    for file in build.files:
        alone = isinstance(file.source, FileSource)
        if not is_library(file.path) and not alone:
            if not _may_be_program(file.path) or nameless == _MOST_NAMELESS:
                continue
            nameless += 1
        try:
            member = file.member
            if member.identity not in seen and (alone or _begins_as_elf(member)):
                yield member.identity, (file, member)
            seen.add(member.identity)
        except ElfAuditError:
            continue  # whoever holds RECORD to the bytes is told


def _may_be_program(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    inside = posixpath.basename(folder) in _FOLDERS_OF_PROGRAMS
    return inside or ("." not in name and ".dist-info" not in folder)


def _begins_as_elf(member: Member) -> bool:
    """Whether the first four bytes are the magic.

    Raises:
        SourceError: they cannot be read.
    """
    stream = member.open()
    try:
        return stream.read(len(_MAGIC)) == _MAGIC
    finally:
        release(stream)


def _whole(elf: ElfObject, member: Member) -> ElfObject:
    """The same, if it is as long as its segments say.

    Raises:
        ElfFormatError: it was cut off.
    """
    for each in elf.segments:
        end = each.offset + each.file_size
        if each.type == SegmentType.LOAD and end > member.size:
            problem = f"a segment ends at {end:#x}, and the file at {member.size:#x}: it is cut off"
            raise ElfFormatError(member.display, each.offset, "PT_LOAD", problem)
    return elf


def _grouped(build: Build, sound: Sequence[tuple[BuildFile, ElfObject]]) -> Iterator[Code]:
    """The files by the pattern that means them in the next build."""
    groups: dict[str, list[tuple[BuildFile, ElfObject]]] = {}
    for file, elf in sound:
        groups.setdefault(_pattern(file, elf), []).append((file, elf))
    for pattern, some in groups.items():
        yield Code(
            pattern,
            tuple(some),
            _role(*some[0]),
            min(file.member.size for file, _ in some),
            _targets(build, [file for file, _ in some]),
        )


def _pattern(file: BuildFile, elf: ElfObject) -> str:
    if isinstance(file.source, FileSource):  # where it lies now is where the next one will not
        return next_path(posixpath.basename(file.place), elf.soname)
    found = next_path(file.path, elf.soname)
    # Without a slash a pattern means the last part of any path.
    return found if "/" in found else f"/{found}" if file.place == f"/{file.path}" else found


def _role(file: BuildFile, elf: ElfObject) -> CodeRole:
    folder, _, name = file.path.rpartition("/")
    if is_extension_name(name):
        return CodeRole.EXTENSION
    if is_copied(name, folder):
        return CodeRole.COPIED
    return CodeRole.PROGRAM if elf.is_program and not is_library(name) else CodeRole.LIBRARY


def _targets(build: Build, files: Sequence[BuildFile]) -> tuple[str, ...]:
    """The GPUs that the device code of some files is for."""
    found: dict[str, None] = {}
    for file in files:
        reading = build.reading(file.member)
        targets = None if reading is None else reading.device_code
        if isinstance(targets, GpuTargets):
            found |= dict.fromkeys((*targets.hip, *targets.cuda))
    return tuple(found)


def meaning_more(code: Code, build: Build) -> Code:
    """The same with all files that its pattern means; those of other groups, too."""
    known = {file.place for file, _ in code.files}
    others: list[tuple[BuildFile, ElfObject]] = []
    for file in build.matching(code.pattern):
        if file.place not in known:
            try:
                others.append((file, build.elf(file)))
            except ElfAuditError:
                continue
    return replace(code, files=(*code.files, *others)) if others else code
