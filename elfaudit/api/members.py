"""Which files of a wheel or a directory are meant: by path, by pattern, or by SONAME."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ..elf import read_elf
from ..errors import ElfAuditError, RequestError
from ..sources import Source
from .filenames import TEXT_SUFFIXES

__all__ = ["matching"]

_MAGIC = b"\x7fELF"
_MOST_HINTS = 3


def matching(source: Source, patterns: Sequence[str]) -> list[str]:
    """The files that some patterns mean, without a leading slash, each once, sorted.

    Args:
        source: the wheel or the directory.
        patterns: each a path in it, or else a pattern (``torch/lib/*.so``; of the last part of a
            path if it has no slash, ``libc10*.so``) of which the ELF files count, or else a SONAME.

    Raises:
        RequestError: a pattern means none of the files.
        SourceError: one that a pattern means cannot be read.
    """
    names = [name.lstrip("/") for name in source.names()]
    found: dict[str, None] = {}
    for pattern in patterns:
        found.update(dict.fromkeys(_meant(source, names, pattern)))
    return sorted(found)


def _meant(source: Source, names: Sequence[str], pattern: str) -> Sequence[str]:
    """The files that one pattern means."""
    if pattern.lstrip("/") in names:
        return [pattern.lstrip("/")]
    some = list(_named(names, pattern))
    if some:
        files = [name for name in some if _is_elf(source, name)]
        if not files:
            raise RequestError(f"{source.label}: nothing that {pattern} means is an ELF file")
        return files
    files = list(_with_soname(source, names, pattern))
    if not files:
        raise RequestError(f"{source.label}: there is no {pattern} in it{_hint(names, pattern)}")
    return files


def _named(names: Iterable[str], pattern: str) -> Iterator[str]:
    wanted = pattern.lstrip("/")
    for name in names:
        place = name if "/" in wanted else name.rpartition("/")[2]
        if fnmatchcase(place, wanted):
            yield name


def _is_elf(source: Source, name: str) -> bool:
    member = None if name.endswith(TEXT_SUFFIXES) else source.find(f"/{name}")
    return member is not None and member.open().read(len(_MAGIC)) == _MAGIC


def _with_soname(source: Source, names: Iterable[str], soname: str) -> Iterator[str]:
    if "/" in soname:
        return
    for name in names:
        member = None if name.endswith(TEXT_SUFFIXES) else source.find(f"/{name}")
        if member is None:
            continue
        try:
            stream = member.open()
            if stream.read(len(_MAGIC)) == _MAGIC and read_elf(stream, name=name).soname == soname:
                yield name
        except ElfAuditError:
            continue  # what cannot be read is nobody's library


def _hint(names: Sequence[str], pattern: str) -> str:
    last = pattern.rpartition("/")[2]
    by_last = {name.rpartition("/")[2]: name for name in names}
    near = [by_last[each] for each in get_close_matches(last, by_last, n=_MOST_HINTS)]
    return f"; did you mean {' or '.join(near)}?" if near else ""
