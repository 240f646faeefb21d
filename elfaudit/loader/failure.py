"""What the loader says first: the message that ``dlerror()`` returns, or ld.so prints.

Each step of a process (its start, each ``dlopen``) can fail in this order: a file, a version, the
CPU, a relocation. Source: ``dl_main`` (glibc ``elf/rtld.c``), ``dl_open_worker_begin``
(``elf/dl-open.c``).
"""

from __future__ import annotations

from ..errors import ElfAuditError
from .assertions import NO_NEEDED, asserted, dynamic_assertion, said_of
from .bindings import GlibcBindings
from .execstack import REFUSAL, refuses_executable_stack, wants_executable_stack
from .failed import Cause, Failure, is_nameless
from .isalevel import REFUSAL as TOO_NEW
from .isalevel import too_new
from .linkmap import LinkMapEntry, Opening, Origin, Outcome
from .lookup import RELR_VERSION
from .relocation_failure import relocation_failures
from .rtld import Version
from .statictls import StaticTls
from .versioncheck import checks_relr, unmet_of

__all__ = ["absence_message", "first_failure"]


def first_failure(
    bindings: GlibcBindings, glibc_version: Version | None = None, isa: int | None = None
) -> Failure | None:
    """What stops a process, or None.

    Args:
        bindings: of the whole process.
        glibc_version: whose rules apply where versions differ; None: an old one.
        isa: the instruction set levels of the CPU, as bits; None: it has none.
    """
    link_map = bindings.link_map
    start = link_map.openings[0]
    started = [entry.elf for entry in start.searchlist if entry.elf is not None]
    strict = refuses_executable_stack(glibc_version, started)
    tls = None
    if started and len(link_map.openings) > 1:
        tls = StaticTls(started[0].machine, started)
    for opening in link_map.openings:
        later = opening is not start
        failure = (
            _file_failure(bindings, opening, glibc_version, strict=strict and later)
            or _version_failure(bindings, opening, glibc_version)
            or _isa_failure(bindings, opening, isa, glibc_version)
            or next(
                relocation_failures(bindings, opening, tls if later else None, glibc_version), None
            )
        )
        if failure is not None:
            return failure
    return None


def absence_message(entry: LinkMapEntry, *, started: bool = False) -> str:
    """What the loader says of a library that it does not find, or does not take.

    Args:
        entry: what is missing.
        started: whether the process was only about to start. Then the loader has few words for
            ``errno`` and says its number (``__strerror_r`` of glibc ``elf/dl-minimal.c``).
    """
    message = _absence_message(entry)
    words = message.rpartition(": ")[2]
    if started and words in _NUMBERS:
        return f"{message.removesuffix(words)}Error {_NUMBERS[words]}"
    return message


_NUMBERS = {
    "No such device or address": 6,
    "Not a directory": 20,
    "Is a directory": 21,
    "File name too long": 36,
    "Too many levels of symbolic links": 40,
}


def _absence_message(entry: LinkMapEntry) -> str:
    user = entry.loader
    if user is not None and user.elf is not None and entry.name == user.elf.interp:
        return f"{user.label}: cannot be started: its interpreter {entry.name} is not there"
    fatal = next((step for step in entry.steps if step.outcome is Outcome.NOT_ELF), None)
    if fatal is not None:
        detail = fatal.detail or ""
        # These are refused after the file was opened, under the name that was asked for.
        return f"{entry.name if detail.startswith(_BY_NAME) else fatal.path}: {detail}"
    # A candidate of the other class is passed over, but remembered if nothing else is found.
    other = next((step for step in entry.steps if step.outcome is Outcome.WRONG_CLASS), None)
    if other is not None:
        return f"{entry.name}: {other.detail}"
    problem = f": {entry.problem}" if entry.problem is not None else ""
    return f"{entry.name}: cannot open shared object file{problem}"


_BY_NAME = (
    "cannot change memory protections",
    "cannot map zero-fill pages",
    "failed to map segment",
    "cannot dynamically load",
    "ELF load command",
    "object file has no",
    "shared object cannot be dlopen()ed",
)


def _file_failure(
    bindings: GlibcBindings, opening: Opening, version: Version | None, *, strict: bool
) -> Failure | None:
    """The first file that is not there or not taken; ``strict`` about executable stacks."""
    if opening.refused is not None:
        message = said_of(opening.root.label, opening.refused)
        return Failure(Cause.FILE, message, opening.root, opening)
    for entry in opening.loaded:
        if entry.elf is None and entry.origin is not Origin.EXTERNAL:
            message = absence_message(entry, started=opening.mode is None)
            return Failure(Cause.FILE, message, entry, opening)
        if strict and entry.elf is not None and wants_executable_stack(entry.elf):
            return Failure(Cause.STACK, f"{entry.label}: {REFUSAL}", entry, opening)
        assertion = _assertion_of(bindings, entry, version)
        if assertion is not None:
            if is_nameless(opening, entry):  # that code is compiled into another file
                assertion = assertion.replace(": get-dynamic", ": ./get-dynamic")
            return Failure(Cause.DAMAGE, assertion, entry, opening)
    return None


def _assertion_of(
    bindings: GlibcBindings, entry: LinkMapEntry, version: Version | None
) -> str | None:
    """What the loader says of a dynamic section that contradicts itself."""
    index = bindings.indices.get(entry)
    if entry.elf is None or (index is not None and not index.strange):
        return None
    try:
        return dynamic_assertion(entry.elf, version)
    except ElfAuditError:
        return None


def _version_failure(
    bindings: GlibcBindings, opening: Opening, version: Version | None
) -> Failure | None:
    """The first requirement that is not met: object by object, DT_RELR last of each."""
    new = set(opening.loaded)
    for entry in opening.searchlist:
        index = bindings.indices.get(entry) if entry in new else None
        if index is None:
            continue
        if index.revision != 1:
            message = f"{entry.label}: unsupported version {index.revision} of Verneed record"
            return Failure(Cause.DAMAGE, message, entry, opening)
        for unmet in unmet_of(bindings.link_map, bindings.indices, opening, entry):
            if unmet.provider is None:
                message = asserted(NO_NEEDED, version)
                return Failure(Cause.VERSION, message, entry, opening)
            if unmet.revision is not None:
                owner, number = unmet.provider, unmet.revision
                message = f"{owner.label}: unsupported version {number} of Verdef record"
                return Failure(Cause.DAMAGE, message, owner, opening)
            if not unmet.need.weak:
                lacking, name = unmet.provider.label, unmet.need.name
                message = f"{lacking}: version `{name}' not found (required by {entry.label})"
                return Failure(Cause.VERSION, message, entry, opening)
        if index.lacks_relr_version and checks_relr(version):
            message = f"{entry.label}: DT_RELR without {RELR_VERSION} dependency"
            return Failure(Cause.VERSION, message, entry, opening)
    return None


def _isa_failure(
    bindings: GlibcBindings, opening: Opening, isa: int | None, version: Version | None
) -> Failure | None:
    entry = too_new(bindings.link_map, opening, isa, version)
    if entry is None:
        return None
    return Failure(Cause.ISA_LEVEL, f"{entry.label}: {TOO_NEW}", entry, opening)
