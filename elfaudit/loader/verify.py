"""What the loader takes: a candidate's own header, or what is there instead of a file.

Source: ``open_verify`` and the first lines of ``_dl_map_object_from_fd`` (glibc ``elf/dl-load.c``).
"""

from __future__ import annotations

from ..elf import ElfObject, FileType, Flags1
from ..sources import Member, NoFile, Obstacle
from .identity import Abi, Identity, phentsize_problem, read_table
from .linkmap import Outcome
from .machines import layouts_of
from .mapping import segments_problem
from .rtld import Version

__all__ = [
    "ends_list",
    "guessed_abi",
    "outcome_below",
    "outcome_of_other",
    "refusal",
    "refusal_of_bytes",
    "refusal_of_subject",
    "words_of",
    "words_of_refusal",
]

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


def refusal(
    elf: ElfObject, abi: Abi, version: Version | None, *, started: bool
) -> tuple[Outcome, str | None]:
    """Why the loader does not take an ELF file, in its own words (``open_verify``); or FOUND.

    Args:
        elf: the file.
        abi: what the loader is built for.
        version: the release of its glibc; None: a new one.
        started: whether the kernel maps the file, as the program; it is less particular.
    """
    outcome, problem = Identity.of(elf).problem(abi, started=started)
    if outcome is not Outcome.FOUND:
        return outcome, problem
    if not started:
        if elf.header.extended:  # the loader knows no PN_XNUM
            return Outcome.NOT_ELF, "cannot read file data"
        executable = elf.header.type == FileType.EXEC
        problem = segments_problem(elf.segments, abi.bits, version, executable=executable)
        if problem is not None:
            return Outcome.NOT_ELF, problem
    if elf.dynamic is None:
        return Outcome.NOT_ELF, "object file has no dynamic section"
    if not started and Flags1.PIE in elf.dynamic.flags_1:
        return Outcome.NOT_ELF, "cannot dynamically load position-independent executable"
    return Outcome.FOUND, None


def refusal_of_subject(elf: ElfObject, version: Version | None = None) -> str | None:
    """Why ``dlopen`` does not take a file of the process's own machine; None if it does."""
    return refusal(elf, Abi.of(elf), version, started=False)[1]


def refusal_of_bytes(member: Member, abi: Abi, version: Version | None) -> tuple[Outcome, str]:
    """The same for a file that cannot be read as ELF; FOUND if the loader does not see why not.

    Args:
        member: the file.
        abi: what the loader is built for.
        version: the release of its glibc; None: a new one.
    """
    stream = member.open()
    head = stream.read(abi.header_size)
    if len(head) < abi.header_size:
        return Outcome.NOT_ELF, "file too short"
    identity = Identity.read(head, abi)
    outcome, problem = identity.problem(abi, started=False)
    if outcome is not Outcome.FOUND:
        return outcome, problem or ""
    if (problem := phentsize_problem(head, abi)) is not None:
        return Outcome.NOT_ELF, problem
    segments = read_table(stream, head, abi)
    if isinstance(segments, str):
        return Outcome.NOT_ELF, segments
    executable = identity.type == FileType.EXEC
    problem = segments_problem(segments, abi.bits, version, executable=executable)
    return (Outcome.FOUND, "") if problem is None else (Outcome.NOT_ELF, problem)


def guessed_abi(member: Member) -> Abi | None:
    """What the loader of a file is built for, by what is left of its header; None: nobody knows.

    A class or byte order that its machine does not have is taken to be the damage.
    """
    head = member.open().read(20)
    if len(head) < 20:
        return None
    machine = int.from_bytes(head[18:], "big" if head[5] == 2 else "little")
    known = layouts_of(machine) or layouts_of(int.from_bytes(head[18:], "little"))
    own = [each for each in known if (each.bits // 32, 2 - each.little) == (head[4], head[5])]
    layout = next(iter((*own, *known)), None)
    return Abi(machine, layout) if layout is not None else None


def words_of_refusal(outcome: Outcome, detail: str | None) -> str | None:
    """What ``dlopen`` says behind the name of a file that it was given; None if it takes it."""
    if outcome is Outcome.WRONG_MACHINE:  # as if it were not there
        return f"{detail}: {Obstacle.ABSENT.value}"
    return detail if outcome is not Outcome.FOUND else None
