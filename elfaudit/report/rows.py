"""What a report of many files keeps of each: strings and numbers, none of its symbol tables."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..findings import Finding, Resolution, Verdict
from ..findings.unreadable_file import unreadable_file
from ..loader import LinkMap, LinkMapEntry, Origin, Status

__all__ = ["FilePlace", "FileRow", "LibraryRow", "Tally", "found_by", "unreadable"]

_DECLARED = frozenset((Origin.RPATH, Origin.RUNPATH))
_ORIGIN_TOKENS = ("$ORIGIN", "${ORIGIN}")


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """One library of a file's link map, in words.

    Attributes:
        name: what it was asked for by.
        path: where it is, as the user can name it; None if it was not found.
        how: the rule that found it, or why there is none.
        missing: whether it was not found although it should have been.
    """

    name: str
    path: str | None
    how: str
    missing: bool


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file that has been given a name: which it is, and what the loader calls it there."""

    identity: Hashable
    label: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file and what was found out about it.

    Attributes:
        subject: the file, as the user named it or can name it.
        label: the same, short: for a member of an archive its path in there.
        verdict: None if the file could not be read.
        error: the message the loader would print; of an unreadable file, why it is that.
        findings: all findings, in the order in which the loader would complain.
        host: path of the main program of the process, or None.
        assumed: names taken to be supplied by a Python interpreter that was not at hand.
        libraries: the link map without the file itself; empty where that was not asked for.
        path: the file as the loader opens it.
        outside: the libraries that are outside of what is audited, each once.
        places: of the file, and of whatever a finding is located in, by the name it has there.
        searched: the name it was searched for by, and what was found; empty where it was named.
    """

    subject: str
    label: str
    verdict: Verdict | None
    error: str | None
    findings: tuple[Finding, ...] = ()
    host: str | None = None
    assumed: tuple[str, ...] = ()
    libraries: tuple[LibraryRow, ...] = ()
    path: str = ""
    outside: tuple[str, ...] = ()
    places: Mapping[str, FilePlace] = field(default_factory=dict)
    searched: str = ""

    @classmethod
    def of(cls, resolution: Resolution, *, libraries: bool = False) -> FileRow:
        """What a report keeps of one resolution; its libraries only on request."""
        link_map = resolution.link_map
        searched = _searched(link_map)
        return cls(
            resolution.subject,
            searched or _label(resolution.subject),
            resolution.verdict,
            resolution.error,
            resolution.findings,
            resolution.host.display if resolution.host else None,
            _assumed(resolution),
            tuple(_libraries(link_map)) if libraries else (),
            link_map.subject.path or "",
            tuple(dict.fromkeys(_outside(link_map))),
            _places(resolution),
            searched,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """How many files load, fail, are undecided or unreadable, and how many were passed over."""

    loads: int = 0
    fails: int = 0
    undecided: int = 0
    unreadable: int = 0
    passed: int = 0

    @property
    def files(self) -> int:
        """The files that have a verdict or should have one."""
        return self.loads + self.fails + self.undecided + self.unreadable


def unreadable(subject: str, reason: str) -> FileRow:
    """The row of a file that could not be read: a finding of rule ``unreadable-file``."""
    name = subject.rpartition("::")[2].rpartition("/")[2]
    message = reason if f"{name}: " in reason else f"{subject}: {reason}"
    finding = unreadable_file(subject, message)
    return FileRow(subject, _label(subject), None, message, (finding,))


def found_by(entry: LinkMapEntry, link_map: LinkMap, *, owned: bool = True) -> str:
    """Why an entry is what it is: ``RUNPATH $ORIGIN of libtorch_hip.so``, ``ld.so.cache``.

    Args:
        entry: the object.
        link_map: the process it is in.
        owned: whether to say whose RPATH or RUNPATH it was.
    """
    how: str = entry.origin.value
    step = entry.steps[-1] if entry.steps else None
    if step is None or entry.missing or entry.origin not in _DECLARED:
        return how
    owner = next((e for e in link_map.entries if e.display == step.declared_by), None)
    if owner is None:
        return how
    element = _element(entry.origin, owner, step.path)
    name = (owner.path or owner.name).rpartition("/")[2]
    of = f" of {name}" if owned else ""
    return f"{how} {element}{of}" if element else f"{how}{of}"


def _element(origin: Origin, owner: LinkMapEntry, path: str) -> str | None:
    """The element of an RPATH or RUNPATH, as written, that led to ``path``."""
    dynamic = owner.elf.dynamic if owner.elf else None
    if dynamic is None:
        return None
    paths = dynamic.rpath if origin is Origin.RPATH else dynamic.runpath
    directory = (owner.path or "").rpartition("/")[0] or "/"
    for element in (paths or "").split(":"):
        expanded = element
        for token in _ORIGIN_TOKENS:
            expanded = expanded.replace(token, directory)
        if expanded and path.startswith(f"{expanded.rstrip('/')}/"):
            return element
    return None


def _outside(link_map: LinkMap) -> Iterator[str]:
    return (entry.name for entry in link_map.missing if entry.origin is Origin.EXTERNAL)


def _libraries(link_map: LinkMap) -> Iterable[LibraryRow]:
    preloaded = (entry for entry in link_map.entries if entry.preloaded)
    for entry in dict.fromkeys((*preloaded, *link_map.own, *link_map.missing)):
        if entry is link_map.subject or entry is link_map.program:
            continue
        yield LibraryRow(
            entry.name,
            None if entry.missing else entry.display,
            found_by(entry, link_map),
            entry.origin is Origin.MISSING,
        )


def _places(resolution: Resolution) -> dict[str, FilePlace]:
    link_map = resolution.link_map
    located = {finding.location for finding in resolution.findings}
    entries = (e for e in link_map.entries if e.display in located and not e.missing)
    every = (link_map.subject, *entries)
    return {entry.display: FilePlace(entry.identity, entry.label) for entry in every}


def _assumed(resolution: Resolution) -> tuple[str, ...]:
    if resolution.host is not None:
        return ()  # an interpreter that is at hand is asked, nothing is assumed of it
    references = resolution.bindings.open_references()
    return tuple(sorted({b.name for b in references if b.status is Status.ASSUMED}))


def _searched(link_map: LinkMap) -> str:
    subject = link_map.subject
    # What another object asks for is there anyway, by whatever name it is asked about.
    if subject.origin is Origin.DIRECT or not subject.steps or subject.loader is not None:
        return ""
    return f"{subject.name} => {subject.label} ({found_by(subject, link_map)})"


def _label(subject: str) -> str:
    return subject.partition("::")[2].lstrip("/") or subject
