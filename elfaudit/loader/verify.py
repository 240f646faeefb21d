"""What the loader takes: a candidate's own header, or what is there instead of a file.

Source: ``open_verify`` and the first lines of ``_dl_map_object_from_fd`` (glibc ``elf/dl-load.c``).
"""

from __future__ import annotations

from ..elf import ElfObject, FileType, Flags1, SegmentType
from ..errors import ElfFormatError, NotElfError
from ..sources import Member, NoFile, Obstacle
from .linkmap import Outcome
from .rtld import Version

__all__ = [
    "ends_list",
    "outcome_below",
    "outcome_of_other",
    "refusal",
    "refusal_of_bytes",
    "refusal_of_subject",
    "words_of",
]

_OSABIS = (0, 3)  # ELFOSABI_SYSV, ELFOSABI_GNU (VALID_ELF_OSABI)
_OWN_OSABIS = ((40, 97),)  # ELFOSABI_ARM, on ARM
_ABI_VERSIONS = 3  # of ELFOSABI_GNU; libc-abis of glibc
_OWN_ABI_VERSIONS = (8, 10)  # MIPS has more of them
_PAGE = 4096  # the smallest there is
_BY_PAGE_SINCE = (2, 35)
_WORD = (1 << 64) - 1

# What can be opened, and then is no library; the loader gives up there.
_FATAL = {
    Obstacle.DIRECTORY: "cannot read file data: Is a directory",
    Obstacle.NULL_DEVICE: "file too short",
    Obstacle.DATA_DEVICE: "invalid ELF header",
    Obstacle.FIFO: "is a FIFO: the loader waits until somebody writes to it",
}


_ERRORS = (Obstacle.ABSENT, Obstacle.DENIED, Obstacle.LOOP, Obstacle.TOO_LONG)
_ENDING = frozenset(
    kind.value
    for kind in (Obstacle.NOT_DIRECTORY, Obstacle.LOOP, Obstacle.TOO_LONG, Obstacle.SOCKET)
)
_OPENING = "cannot be opened: "  # what a SourceError says of a file that may not be read


def outcome_of_other(other: NoFile) -> tuple[Outcome, str | None]:
    """What becomes of a try where there is no regular file, and the reason if that is not plain."""
    if other.kind in _FATAL:
        return Outcome.NOT_ELF, _FATAL[other.kind]
    if other.kind is Obstacle.ABSENT:
        return Outcome.ABSENT, None
    absent = other.kind is Obstacle.NOT_DIRECTORY
    return Outcome.ABSENT if absent else Outcome.UNREADABLE, other.kind.value


def outcome_below(directory: NoFile) -> tuple[Outcome, str | None]:
    """The same for a file in a directory that is none."""
    known = directory.kind in _ERRORS
    return outcome_of_other(directory if known else NoFile(Obstacle.NOT_DIRECTORY))


def ends_list(outcome: Outcome, detail: str | None) -> bool:
    """Whether a failed try ends the list of directories it was met in (``open_path``)."""
    return words_of(outcome, detail) in _ENDING


def words_of(outcome: Outcome, detail: str | None) -> str:
    """Why a try failed, in the C library's words alone: what its ``errno`` then says."""
    if detail is None or outcome not in (Outcome.ABSENT, Outcome.UNREADABLE):
        return Obstacle.ABSENT.value  # a file of another kind counts as none
    return detail.removeprefix(_OPENING)


def refusal(  # noqa: PLR0911  one return for each thing the loader looks at, in its order
    elf: ElfObject, model: ElfObject, version: Version | None, *, started: bool
) -> tuple[Outcome, str | None]:
    """Why the loader does not take an ELF file, in its own words (``open_verify``); or FOUND.

    Args:
        elf: the file.
        model: an object of the machine whose loader it is.
        version: the release of its glibc; None: a new one.
        started: whether the kernel maps the file, as the program; it is less particular.
    """
    header = elf.header
    if header.layout.bits != model.layout.bits:
        return Outcome.WRONG_CLASS, f"wrong ELF class: ELFCLASS{header.layout.bits}"
    if (header.machine, header.layout.little) != (model.machine, model.layout.little):
        return Outcome.WRONG_MACHINE, "cannot open shared object file"
    invalid = None if started else _invalid_header(elf)  # the kernel does not look at these
    if invalid is not None:
        return Outcome.NOT_ELF, invalid
    if header.type not in (FileType.DYN, FileType.EXEC):
        return Outcome.NOT_ELF, "only ET_DYN and ET_EXEC can be loaded"
    if not started and (problem := _mapping_problem(elf, version)) is not None:
        return Outcome.NOT_ELF, problem
    if not started and header.type == FileType.EXEC:
        return Outcome.NOT_ELF, "cannot dynamically load executable"
    if elf.dynamic is None:
        return Outcome.NOT_ELF, "object file has no dynamic section"
    if not started and Flags1.PIE in elf.dynamic.flags_1:
        return Outcome.NOT_ELF, "cannot dynamically load position-independent executable"
    return Outcome.FOUND, None


def refusal_of_subject(elf: ElfObject, version: Version | None = None) -> str | None:
    """Why ``dlopen`` does not take a file of the process's own machine; None if it does."""
    return refusal(elf, elf, version, started=False)[1]


def _invalid_header(elf: ElfObject) -> str | None:
    """What of the identification ``open_verify`` does not accept."""
    header = elf.header
    if header.osabi not in _OSABIS and (header.machine, header.osabi) not in _OWN_OSABIS:
        return "ELF file OS ABI invalid"
    highest = _ABI_VERSIONS if header.osabi == _OSABIS[1] else 0
    if header.abi_version > highest and header.machine not in _OWN_ABI_VERSIONS:
        return "ELF file ABI version invalid"
    if any(header.padding):
        return "nonzero padding in e_ident"
    return None if header.version == 1 else "ELF file version does not match current one"


def _mapping_problem(elf: ElfObject, version: Version | None) -> str | None:
    """Why a segment cannot be mapped; None if all can.

    Address and offset are alike within a page; before glibc 2.35, within the segment's alignment.
    """
    loads = [segment for segment in elf.segments if segment.type == SegmentType.LOAD]
    old = version is not None and version < _BY_PAGE_SINCE
    for load in loads:
        if not old and (load.address - load.offset) % _PAGE:
            return "ELF load command address/offset not page-aligned"
        if old and load.align % _PAGE:
            return "ELF load command alignment not page-aligned"
        if old and (load.address - load.offset) & (load.align - 1) & _WORD:
            return "ELF load command address/offset not properly aligned"
    return None


_WORDS = {
    "EI_VERSION": "ELF file version ident does not match current one",
    "e_phentsize": "ELF file's phentsize not the expected size",
}


def refusal_of_bytes(  # noqa: PLR0911
    member: Member, error: ElfFormatError, model: ElfObject
) -> tuple[Outcome, str]:
    """The same for a file that cannot be read as ELF."""
    if member.size < (64 if model.layout.bits == 64 else 52):
        return Outcome.NOT_ELF, "file too short"
    if isinstance(error, NotElfError):
        return Outcome.NOT_ELF, "invalid ELF header"
    ident = member.open().read(20)
    if ident[4] != (2 if model.layout.bits == 64 else 1):
        return Outcome.WRONG_CLASS, f"wrong ELF class: ELFCLASS{32 * ident[4]}"
    # The machine is looked at before the byte order, and in the order of the loader's own.
    if int.from_bytes(ident[18:], "little" if model.layout.little else "big") != model.machine:
        return Outcome.WRONG_MACHINE, "cannot open shared object file"
    if ident[5] != (1 if model.layout.little else 2):
        order = "little" if model.layout.little else "big"
        return Outcome.NOT_ELF, f"ELF file data encoding not {order}-endian"
    if error.field in _WORDS:
        return Outcome.NOT_ELF, _WORDS[error.field]
    if error.field == "e_phoff":  # the program headers are not all in the file
        return Outcome.NOT_ELF, "cannot read file data"
    return Outcome.NOT_ELF, f"{error.field} at offset {error.offset:#x}: {error.problem}"
