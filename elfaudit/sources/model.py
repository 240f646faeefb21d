"""The seam between where bytes are kept and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import SourceError
from ..stream import ByteStream, FileStream
from .other import NoFile

__all__ = ["Member", "Packed", "ReadsAt", "Source"]


class ReadsAt(Protocol):
    """An open file."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""


class Packed(Protocol):
    """A member as its archive keeps it."""

    @property
    def archive(self) -> FileStream:
        """The archive; never read itself, but what others over the same file are made like."""

    @property
    def offset(self) -> int:
        """Where in there it begins."""

    def open_in(self, archive: ReadsAt) -> ByteStream:
        """A new stream over its bytes, where it is short from the archive the caller has open."""

    def packed(self) -> tuple[Hashable, ByteStream]:
        """What says how it is kept, and a stream over its bytes as they are kept."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source.

    Attributes:
        path: its absolute POSIX path inside the source, as it was asked for.
        display: how to show it to the user, who can hand it back as a target.
        identity: equal for two members that are the same file (hard links, symlinks).
        size: length in bytes.
        sequential: whether going back in its stream costs reading from the start again.
        open: makes a new stream over its bytes; raises
            :class:`~elfaudit.errors.SourceError` when it cannot.
        checksum: CRC-32 of its bytes as the archive says, which installers hold it to; None where
            nobody says.
        executable: whether it may be run once it is installed; None where nobody says.
        inside: the same in the archive it is in; None where it is in none.
    """

    path: str
    display: str
    identity: Hashable
    size: int
    sequential: bool
    open: Callable[[], ByteStream] = field(compare=False, repr=False)
    checksum: int | None = field(default=None, compare=False, repr=False)
    executable: bool | None = field(default=None, compare=False, repr=False)
    inside: Packed | None = field(default=None, compare=False, repr=False)


class Source(Protocol):
    """A set of files addressed by absolute POSIX paths: a tree, a wheel, a single file."""

    @property
    def label(self) -> str:
        """How the user names the source."""

    @property
    def problems(self) -> tuple[SourceError, ...]:
        """What of the source cannot be used: unsafe member names, directories without access.

        Some of it is only known once all :meth:`names` were asked for.
        """

    def names(self) -> Iterator[str]:
        """Absolute path of every regular file, sorted; symbolic links are not followed."""

    def find(self, path: str) -> Member | None:
        """The regular file at ``path``, symbolic links followed inside the source; or None.

        Raises:
            SourceError: something is there that cannot be looked at.
        """

    def look(self, path: str) -> Member | NoFile:
        """The same, and where there is no regular file, what there is instead.

        Nothing but regular files is ever opened.

        Raises:
            SourceError: as :meth:`find`.
        """

    def is_link(self, path: str) -> bool:
        """Whether the last part of ``path`` is a symbolic link."""

    def listing(self, path: str) -> list[str]:
        """Names in the directory at ``path``, sorted; empty when there is no such directory."""
