"""One of two builds that are compared: its files by path, and which of them are the same."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..elf import ElfObject, map_elf
from ..errors import ElfAuditError, SourceError
from ..sources import HOST, FileSource, Member, Source, open_source, split_address
from .filenames import TEXT_SUFFIXES, is_library_name

__all__ = ["ComparedBuild", "is_elf", "open_build", "read_build_file", "same_bytes"]

_MAGIC = b"\x7fELF"
_STEP = 1 << 20
# foo-1.2.dist-info is the directory of foo, whatever the version.
_VERSIONED = re.compile(r"(?P<name>[^/-]+)-[^/-]+(?P<kind>\.(?:dist-info|data)/)")


@dataclass(frozen=True, slots=True)
class ComparedBuild:
    """The files of one side.

    Attributes:
        target: what was named.
        members: each file, by its path in there; a file that was named itself by its own name.
        links: symbolic links to one of these, by their paths.
        single: whether it is one file that was named itself.
        problems: what cannot be looked at, one sentence each.
    """

    target: str
    members: Mapping[str, Member]
    links: frozenset[str] = frozenset()
    single: bool = False
    problems: tuple[str, ...] = ()

    def keys(self) -> dict[str, str]:
        """The path of each file by what it is called in every version of the build."""
        if self.single:
            return dict.fromkeys([""], next(iter(self.members)))
        return {_VERSIONED.sub(r"\g<name>\g<kind>", path): path for path in self.members}

    def subjects(self) -> dict[str, str]:
        """The path of each file by the name by which it can be asked for."""
        return {member.display: path for path, member in self.members.items()}

    def without_place(self, text: str) -> str:
        """A sentence without the directory or archive, which are others on the other side."""
        container = split_address(self.target)[0]
        folder = container if os.path.isdir(container) else os.path.dirname(container)
        if not folder:
            return text.replace(f"{container}::", "")
        for place in dict.fromkeys((folder, os.path.abspath(folder), os.path.realpath(folder))):
            prefix = f"{place.rstrip('/')}/"
            text = re.sub(rf"(?:{re.escape(HOST)})?(?<![\w./-]){re.escape(prefix)}", "", text)
        return text.replace(f"{os.path.basename(container)}::", "")


def open_build(target: str) -> ComparedBuild:
    """The files of a target: a file, a wheel, a directory, or one member of those.

    Raises:
        SourceError: there is no such file, or it cannot be opened.
    """
    container, inside = split_address(target)
    source = open_source(container)
    if isinstance(source, FileSource):
        if inside is not None:
            raise SourceError(container, f"is a file, not an archive: it has no {inside!r} in it")
        return ComparedBuild(target, {os.path.basename(container): source.member}, single=True)
    if inside is not None:
        member = source.find(f"/{inside}")
        if member is None:
            raise SourceError(target, "there is no such file in it")
        return ComparedBuild(target, {os.path.basename(inside): member}, single=True)
    members, links = _listed(source)
    return ComparedBuild(target, members, links, problems=tuple(map(str, source.problems)))


def _listed(source: Source) -> tuple[dict[str, Member], frozenset[str]]:
    found: dict[str, Member] = {}
    linked: dict[str, Member] = {}
    for path in source.names():
        member = source.find(path)
        if member is not None:
            (linked if source.is_link(path) else found)[path.lstrip("/")] = member
    own = {member.identity for member in found.values()}
    links = {path for path, member in linked.items() if member.identity in own}
    found.update((path, member) for path, member in linked.items() if path not in links)
    return found, frozenset(links)


def is_elf(member: Member) -> bool:
    """Whether a file begins as an ELF file does, or should but cannot be read.

    Raises:
        SourceError: it cannot be read, and is not named like a library.
    """
    if member.path.endswith(TEXT_SUFFIXES):
        return False
    try:
        stream = member.open()
        head = stream.read(len(_MAGIC))
    except SourceError:
        if is_library_name(member.path):
            return True
        raise
    _release(stream)
    return head == _MAGIC


def read_build_file(member: Member) -> ElfObject | str:
    """The facts of a file as the loader reads them, or why there are none."""
    try:
        return map_elf(member.open(), name=member.display)
    except ElfAuditError as error:
        return str(error)


def same_bytes(old: Member, new: Member) -> bool:
    """Whether two files are the same, byte by byte.

    Of archives the CRC-32 and the size in their directories are compared, to which whoever unpacks
    them holds the bytes; nothing is inflated where both sides have one.

    Raises:
        SourceError: one of them cannot be read.
    """
    if old.size != new.size:
        return False
    if old.checksum is not None and new.checksum is not None:
        return old.checksum == new.checksum
    if old.identity == new.identity:
        return True
    if old.checksum is not None or new.checksum is not None:
        return checksum_of(old) == checksum_of(new)
    return all(mine == theirs for mine, theirs in zip(_pieces(old), _pieces(new), strict=False))


def checksum_of(member: Member) -> int:
    """The CRC-32 of a file: as its archive says, else counted.

    Raises:
        SourceError: it cannot be read.
    """
    if member.checksum is not None:
        return member.checksum
    checksum = 0
    for piece in _pieces(member):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _pieces(member: Member) -> Iterator[bytes]:
    """The bytes of a file by steps of the same size; the last one may be shorter."""
    stream = member.open()
    for start, end in pairwise((*range(0, member.size, _STEP), member.size)):
        yield stream.read(end - start)
    _release(stream)


def _release(stream: object) -> None:
    release = getattr(stream, "release", None)
    if release is not None:
        release()
