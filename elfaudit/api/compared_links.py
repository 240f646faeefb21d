"""The symbolic links of two builds: what they led to, and what they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from posixpath import basename

from ..elf import ElfObject
from ..findings.changed_names import asked_names, changed_links
from ..findings.changes import BuildChange
from ..findings.stems import role_of
from .compared_bytes import read_build_file
from .compared_files import ComparedFiles

__all__ = ["compare_links"]


def compare_links(files: ComparedFiles) -> Iterator[BuildChange]:
    """What changed of the links to libraries.

    Of links that lead to another file, which is not what took the place of the first one, the files
    are put among those to be compared, each pair once.
    """
    before, after = files.before, files.after
    retargeted = list(_retargeted(files))
    lost: list[tuple[str, str, bool]] = []
    dangling: list[tuple[str, str, bool]] = []
    place = dict(chain(files.same, files.changed))  # of one that moved its own row says it
    for link, end in before.links.items():
        if end is None or after.reached(link) is not None or not _matters(files, link, end):
            continue
        row = link, end, _is_asked(files, link, end, place.get(end))
        (dangling if link in after.links else lost).append(row)
    lost += [(path, "a directory", False) for path in before.folders if not after.has_folder(path)]
    gained = [
        link
        for link, end in after.links.items()
        if end is not None and ".so" in basename(link) and before.reached(link) is None
    ]
    yield from changed_links(lost, dangling, retargeted, gained)


def _matters(files: ComparedFiles, link: str, end: str) -> bool:
    return ".so" in basename(link) or files.is_elf(files.before, end)


def _is_asked(files: ComparedFiles, link: str, end: str, now: str | None) -> bool:
    """Whether programs ask by that name for a file that is still there, as another one or not.

    Where the file is gone, or has another SONAME, that is what is told as breaking.
    """
    if now is None:
        return False
    elf = read_build_file(files.before.members[end])
    if not isinstance(elf, ElfObject):
        return False
    soname, program = elf.soname, elf.is_program
    elf.release()
    role = role_of(end, program=program)
    if basename(link) not in asked_names(files.before.names_of(end), soname, role):
        return False
    other = read_build_file(files.after.member(now))
    if not isinstance(other, ElfObject):
        return True
    kept = other.soname
    other.release()
    return soname in (None, kept)


def _retargeted(files: ComparedFiles) -> Iterator[tuple[str, str, str]]:
    before, after = files.before, files.after
    pairs = files.pairs()
    compared: set[tuple[str, str]] = set()
    for link, end in sorted(before.links.items()):
        now = after.reached(link)
        if end is None or now is None or (end, now) in pairs or not _matters(files, link, end):
            continue
        if (end, now) not in compared:
            if files.state(link, link):
                pairs.add((end, now))
                continue
            compared.add((end, now))
            files.changed.append((link, link))
        yield link, end, now
