"""``resolve`` of a file that the loader refuses before it looks at what is in it.

There may be no facts of such a file: then what is said of it is the loader's message, and where the
file contradicts the specification.
"""

from __future__ import annotations

from ..elf import FileType
from ..errors import (
    ElfAuditError,
    ElfFormatError,
    NotElfError,
    NotLoadableError,
    RequestError,
)
from ..findings import Finding, Resolution, Severity, Verdict
from ..loader import Libc, Loader
from ..loader.assertions import dynamic_assertion, said_of
from ..loader.identity import Abi
from ..loader.rtld import Version
from ..loader.verify import guessed_abi, refusal_of_bytes, words_of_refusal
from .session import Session
from .subject import Subject

__all__ = ["resolve_refused"]

_REFUSALS = (ElfFormatError, NotLoadableError, RequestError)
_NEVER = (FileType.REL, FileType.EXEC, FileType.CORE)  # nobody takes these for a library


def resolve_refused(session: Session, subject: Subject, error: ElfAuditError) -> Resolution | None:
    """What a glibc process says of a file that cannot be resolved; None if nothing is known of it.

    Args:
        session: the surroundings.
        subject: the file.
        error: why it cannot be resolved.

    Source: ``open_verify``, ``_dl_map_object_from_fd`` (glibc ``elf/dl-load.c``).
    """
    if isinstance(error, NotElfError) or not isinstance(error, _REFUSALS) or not subject.listed:
        return None  # of many files each may be anything
    loader, main = session.processes.loader_of_refused(subject)
    abi = Abi.of(main) if main is not None else guessed_abi(subject.member)
    if abi is None or loader.environment.libc is Libc.MUSL:
        return None
    if isinstance(error, RequestError):
        known = main is not None
    else:
        known = isinstance(error, ElfFormatError) or _passes_for_library(subject, abi)
    version = loader.glibc_version(main) if main is not None else None
    refused = words_of_refusal(*refusal_of_bytes(subject.member, abi, version))
    if refused is None and isinstance(error, ElfFormatError):
        refused = _assertion(session, subject, version)
    return _refused(loader, subject, refused, error) if known and refused is not None else None


def _assertion(session: Session, subject: Subject, version: Version | None) -> str | None:
    """What the loader says of a file whose headers it takes, before it reads its tables."""
    try:
        return dynamic_assertion(session.store.read(subject.member), version)
    except ElfAuditError:
        return None


def _passes_for_library(subject: Subject, abi: Abi) -> bool:
    """Whether a file that no loader takes has not the type of something else than a library."""
    head = subject.member.open().read(18)
    (kind,) = abi.layout.struct("H").unpack_from(head, 16)
    return kind not in _NEVER


def _refused(loader: Loader, subject: Subject, refused: str, error: ElfAuditError) -> Resolution:
    link_map = loader.load_refused(subject.member, subject.name, refused, subject.asked)
    indices, _ = loader.indices(link_map)
    bindings = loader.bind(link_map, indices)
    failure = loader.failure(bindings, link_map.program.elf)
    own = said_of(link_map.subject.label, refused)
    message = failure.message if failure is not None else own
    why = str(error).removeprefix(f"{subject.member.display}: ")
    finding = Finding("refused-object", Severity.ERROR, subject.member.display, own, (why,))
    return Resolution(
        subject.name, Verdict.FAILS, message, link_map.host, link_map, bindings, (finding,)
    )
