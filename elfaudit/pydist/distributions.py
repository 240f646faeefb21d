"""The distributions that are installed in a directory of an import path, or that a wheel holds.

Source: "Recording installed projects" (packaging.python.org); the ``.egg-info`` of what setuptools
and Debian install (a directory with PKG-INFO and requires.txt, or the first alone).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ..errors import ElfAuditError
from .metadata import Metadata, read_metadata, read_requires
from .record import RecordRow, blank_line, read_record
from .wheel_info import WheelInfo, read_wheel_info

__all__ = ["Distribution", "find_distributions"]

_TEXTS = ("METADATA", "WHEEL", "PKG-INFO", "RECORD")
_DIRECTORY = re.compile(
    r"(?P<directory>[^/]+\.dist-info)/(?:METADATA|RECORD|WHEEL)$"
    r"|(?P<egg>[^/]+\.egg-info)(?:/PKG-INFO|/requires\.txt)?$"
)
_ESCAPED = re.compile("[\udc80-\udcff]")  # what a byte that is no UTF-8 becomes
_MOST_BYTES = 64 << 20  # the RECORD of the largest wheels has 2 MB


@dataclass(frozen=True, slots=True)
class Distribution:
    """One distribution.

    Attributes:
        directory: the name of its ``.dist-info`` or ``.egg-info``, beside the modules.
        metadata: METADATA; None where it cannot be read.
        record: the rows of RECORD; None where there is none (Debian, editable installations).
        problem: why metadata or record is None though the file is there; None otherwise.
        wheel: WHEEL; None where it cannot be read.
        not_utf8: those of METADATA, WHEEL, PKG-INFO and RECORD that are not UTF-8.
        blank_line: the number of a line of RECORD that is blank; 0 without one.
    """

    directory: str
    metadata: Metadata | None
    record: tuple[RecordRow, ...] | None
    problem: str | None = None
    wheel: WheelInfo | None = None
    not_utf8: tuple[str, ...] = ()
    blank_line: int = 0

    @property
    def name(self) -> str:
        """The name of the project: of METADATA, else of the directory."""
        if self.metadata is not None and self.metadata.name:
            return self.metadata.name
        return self._parts[0]

    @property
    def version(self) -> str:
        """The version: of METADATA, else of the directory; empty where neither says."""
        if self.metadata is not None and self.metadata.version:
            return self.metadata.version
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str, str]:
        stem = self.directory.rpartition(".")[0]
        name, _, version = stem.partition("-")
        return name, re.sub(r"-py\d+(\.\d+)*$", "", version)


def find_distributions(
    names: Iterable[str], read: Callable[[str, int], bytes]
) -> tuple[Distribution, ...]:
    """The distributions of one directory of an import path.

    Args:
        names: the files below it, as relative paths.
        read: gives at most so many bytes of a file; raises
            :class:`~elfaudit.errors.SourceError`.

    Returns:
        Them, sorted by directory.
    """
    found: dict[str, set[str]] = {}
    for name in names:
        if match := _DIRECTORY.match(name):
            directory = match["directory"] or match["egg"]
            found.setdefault(directory, set()).add(name)
    return tuple(_read(directory, found[directory], read) for directory in sorted(found))


def _read(directory: str, files: set[str], read: Callable[[str, int], bytes]) -> Distribution:
    problems: list[str] = []
    odd: list[str] = []

    def text(*names: str) -> Iterator[str]:
        for name in names:
            if name in files:
                try:
                    raw = read(name, _MOST_BYTES + 1)
                except ElfAuditError as error:
                    problems.append(str(error))
                    continue
                if len(raw) > _MOST_BYTES:
                    problems.append(f"{name} has more than {_MOST_BYTES:,} bytes")
                    continue
                told = raw.decode("utf-8", "surrogateescape")
                if _ESCAPED.search(told):
                    odd.append(name.rpartition("/")[2])
                yield told

    metadata = next(text(f"{directory}/METADATA", f"{directory}/PKG-INFO", directory), None)
    record = next(text(f"{directory}/RECORD"), None)
    wheel = next(text(f"{directory}/WHEEL"), None)
    read_of = None if metadata is None else read_metadata(metadata)
    if read_of is not None and not read_of.requires_dist:
        required = next(text(f"{directory}/requires.txt"), "")
        read_of = replace(read_of, requires_dist=tuple(read_requires(required)))
    return Distribution(
        directory,
        read_of,
        None if record is None else read_record(record),
        "; ".join(problems) or None,
        None if wheel is None else read_wheel_info(wheel),
        tuple(each for each in odd if each in _TEXTS),
        0 if record is None else blank_line(record),
    )
