"""What changed between two builds: the types that the comparison and every report of it speak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

__all__ = [
    "MOST_IN_MESSAGE",
    "Aspect",
    "BuildChange",
    "ChangeSeverity",
    "ChangedItem",
    "Difference",
    "FileDifference",
    "FileStatus",
    "OtherFile",
    "OtherFiles",
    "counted",
    "some",
]

MOST_IN_MESSAGE = 8


def some(names: Sequence[str], *, separator: str = ", ") -> str:
    """The first few of some names, for a message; the items have them all."""
    shown = separator.join(names[:MOST_IN_MESSAGE])
    more = len(names) - MOST_IN_MESSAGE
    return f"{shown} and {more:,} more" if more > 0 else shown


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    """``1 symbol``, ``2,000 symbols``."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


class ChangeSeverity(IntEnum):
    """What a change does to those who use the old build; comparable.

    HARMLESS: nothing; NOTABLE: it may matter to some; BREAKING: what worked does not any more.
    """

    HARMLESS = 1
    NOTABLE = 2
    BREAKING = 3


class Aspect(Enum):
    """What it is that changed; the value is how elfaudit says it."""

    VERDICT = "verdict"
    MISSING = "missing libraries"
    UNRESOLVED = "unresolved symbols"
    UNREADABLE = "unreadable"
    FILE_REMOVED = "file removed"
    FILE_ADDED = "file added"
    FILE_RENAMED = "file renamed"
    LINK_REMOVED = "link removed"
    LINK_ADDED = "link added"
    LINK_CHANGED = "link retargeted"
    EXECUTABLE_BIT = "executable bit"
    MACHINE = "machine"
    LIBC = "C library"
    KIND = "kind of file"
    INTERPRETER = "interpreter"
    SONAME = "SONAME"
    NEEDED_ADDED = "NEEDED added"
    NEEDED_REMOVED = "NEEDED removed"
    NEEDED_REPLACED = "NEEDED replaced"
    NEEDED_ORDER = "order of NEEDED"
    FILTERS = "filters"
    RPATH = "RPATH"
    RUNPATH = "RUNPATH"
    FLAGS = "flags"
    STACK = "stack"
    RELRO = "RELRO"
    TEXT_RELOCATIONS = "text relocations"
    TLS = "thread-local storage"
    ISA_LEVEL = "instruction set"
    VERSIONS_LOST = "versions lost"
    VERSIONS_GAINED = "versions gained"
    EXPORTS_LOST = "exports lost"
    EXPORTS_MOVED = "exports moved"
    COPIES_LOST = "copies lost"
    EXPORTS_GAINED = "exports gained"
    EXPORT_VERSION = "version of exports"
    DEFAULT_VERSION = "default version"
    EXPORT_TYPE = "type of exports"
    OBJECT_SIZE = "size of variables"
    BINDING = "binding of exports"
    VISIBILITY = "visibility of exports"
    REFERENCES_ADDED = "references added"
    REFERENCES_REMOVED = "references removed"
    REFERENCE_BINDING = "binding of references"
    VERSION_NEEDED = "version needed"
    DISTRIBUTION = "distribution"
    VERSION = "version"
    REQUIREMENTS = "requirements"
    REQUIRES_PYTHON = "Python required"
    EXTRAS = "extras"
    TAGS = "wheel tags"
    ENTRY_POINTS = "entry points"
    MODULES_LOST = "modules lost"
    MODULES_BROKEN = "modules broken"
    MODULES_GAINED = "modules gained"
    NAMES_LOST = "names lost"
    NAMES_GAINED = "names gained"
    NAMES_UNTOLD = "names undecided"


class FileStatus(Enum):
    """What became of an ELF file."""

    CHANGED = "changed"
    RENAMED = "renamed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class ChangedItem:
    """One of the things that changed alike.

    Attributes:
        name: a symbol (mangled), a library, a requirement, a module.
        version: the symbol's version, or None.
        old: what was of it before, if that is to be told; of a variable its size in bytes.
        new: what is of it now.
    """

    name: str
    version: str | None = None
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True, slots=True)
class BuildChange:
    """One change.

    Attributes:
        aspect: what it is that changed.
        severity: what it does to those who use the old build.
        message: a clause without the name of the file.
        items: all that changed so, none left out.
        old: what was before, where that is one thing.
        new: what is now.
    """

    aspect: Aspect
    severity: ChangeSeverity
    message: str
    items: tuple[ChangedItem, ...] = ()
    old: str | None = None
    new: str | None = None

    @property
    def rank(self) -> tuple[int, bool]:
        """Sorts the worst first; of those alike what the loader says, which is what users see."""
        return -self.severity, self.aspect is not Aspect.VERDICT


@dataclass(frozen=True, slots=True)
class FileDifference:
    """An ELF file that is not what it was; or one that is, and whose verdict is not.

    Attributes:
        old: its path in the old build; None: it is new.
        new: its path in the new build; None: it is gone.
        old_size, new_size: in bytes; None likewise.
        changes: what changed, the most severe first; empty where only code or data did.
    """

    old: str | None
    new: str | None
    old_size: int | None
    new_size: int | None
    changes: tuple[BuildChange, ...]

    @property
    def name(self) -> str:
        """Its path now, or the last one it had."""
        return self.new if self.new is not None else self.old or ""

    @property
    def status(self) -> FileStatus:
        """What became of it."""
        if self.old is None:
            return FileStatus.ADDED
        if self.new is None:
            return FileStatus.REMOVED
        renamed = any(change.aspect is Aspect.FILE_RENAMED for change in self.changes)
        return FileStatus.RENAMED if renamed else FileStatus.CHANGED

    @property
    def severity(self) -> ChangeSeverity:
        """That of the worst change."""
        severities = (change.severity for change in self.changes)
        return max(severities, default=ChangeSeverity.HARMLESS)


@dataclass(frozen=True, slots=True)
class OtherFile:
    """A file that is no ELF file and not what it was; sizes in bytes, None where it is not."""

    path: str
    old_size: int | None
    new_size: int | None


@dataclass(frozen=True, slots=True)
class OtherFiles:
    """The files that are no ELF files, as far as they changed."""

    added: tuple[OtherFile, ...] = ()
    removed: tuple[OtherFile, ...] = ()
    changed: tuple[OtherFile, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two builds.

    Attributes:
        old, new: what was compared, as it was named.
        changes: what changed of the whole: the distribution's metadata, its modules, links.
        files: the ELF files that changed, the worst first.
        others: the other files that changed.
        identical: how many files are the same, byte by byte.
        problems: what of the two could not be looked at, one sentence each.
    """

    old: str
    new: str
    changes: tuple[BuildChange, ...] = ()
    files: tuple[FileDifference, ...] = ()
    others: OtherFiles = OtherFiles()
    identical: int = 0
    problems: tuple[str, ...] = ()

    def every(self) -> Iterator[tuple[FileDifference | None, BuildChange]]:
        """All changes, the worst first, each with its file; None where it is of the whole."""
        rows: list[tuple[FileDifference | None, BuildChange]] = [
            (file, change) for file in self.files for change in file.changes
        ]
        rows += [(None, change) for change in self.changes]
        return iter(sorted(rows, key=lambda row: row[1].rank))

    def count(self, severity: ChangeSeverity) -> int:
        """How many changes are of that severity."""
        return sum(change.severity is severity for _, change in self.every())

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.changes or self.files or self.others)

    @property
    def severity(self) -> ChangeSeverity | None:
        """That of the worst change; None where nothing changed."""
        if self.is_empty:
            return None
        severities = (change.severity for _, change in self.every())
        return max(severities, default=ChangeSeverity.HARMLESS)
