"""What pyelftools and LIEF make of a file: they must see what we see."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from elftools.common.utils import parse_cstring_from_stream, struct_parse
from elftools.elf.elffile import ELFFile

from ...elf.dynamic import DynamicTag
from ...errors import ElfAuditError
from ...stream import ByteStream
from ..image import Image

__all__ = ["other_opinions"]

_LARGEST_FOR_LIEF = 64 << 20
"""LIEF holds a file in memory three times over; a larger one is left to the other two readers."""


class _Raw(io.RawIOBase):
    """A stream of ours as one of the standard library's, which pyelftools asks for."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.seek(0, io.SEEK_CUR)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def other_opinions(old: ByteStream, before: Image, new: ByteStream, after: Image) -> Iterator[str]:
    """Where another reader sees something else in a new file than we do, a clause each.

    What one of them has against the old file as well is no news: LIEF takes the attributes of
    RISC-V for a broken segment, and the hash tables of s390x, which are twice as wide, for short.

    Args:
        old: the file before.
        before: what we see in it.
        new: the file after.
        after: what we see in that.
    """
    found = list(_opinions(new, after))
    known = {_NUMBER.sub("", each) for each in _opinions(old, before)} if found else set()
    yield from (each for each in found if _NUMBER.sub("", each) not in known)


_NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


def _opinions(stream: ByteStream, image: Image) -> Iterator[str]:
    """Where another reader sees something else than ours, a clause each."""
    needed = [text.decode("utf-8", "replace") for text in image.texts(DynamicTag.NEEDED)]
    yield from _pyelftools(stream, image, needed)
    if image.size <= _LARGEST_FOR_LIEF:
        yield from _lief(stream, needed)


def _pyelftools(stream: ByteStream, image: Image, needed: list[str]) -> Iterator[str]:
    try:
        file = ELFFile(io.BufferedReader(_Raw(stream)))
        segments, sections = _headers(file), file.num_sections()
        found = [_decoded(each) for each in _needed(file, segments)]
    except ElfAuditError:
        raise
    except Exception as error:  # noqa: BLE001  of a damaged file it may raise anything
        yield f"pyelftools cannot read it: {error or type(error).__name__}"
        return
    if found != needed:
        yield f"pyelftools finds {found} in DT_NEEDED"
    if (len(segments), sections) != (len(image.segments), len(image.sections)):
        yield f"pyelftools finds {len(segments)} segments and {sections} sections"
    loads = [each for each in segments if each["p_type"] == "PT_LOAD"]
    ours = [(each.offset, each.address, each.memory_size) for each in image.loads]
    if [(each["p_offset"], each["p_vaddr"], each["p_memsz"]) for each in loads] != ours:
        yield "pyelftools finds other segments to load"


def _headers(file: ELFFile) -> list[Any]:
    """The program headers. Its objects for them would read each hash table on the way, in 0.1 s."""
    size, start = file["e_phentsize"], file["e_phoff"]
    places = (start + number * size for number in range(file.num_segments()))
    return [struct_parse(file.structs.Elf_Phdr, file.stream, place) for place in places]


def _needed(file: ELFFile, segments: list[Any]) -> list[bytes]:
    """The names in DT_NEEDED, from where the segments have DT_STRTAB."""
    (dynamic,) = (each for each in segments if each["p_type"] == "PT_DYNAMIC")
    row = file.structs.Elf_Dyn
    places = range(dynamic["p_offset"], dynamic["p_offset"] + dynamic["p_filesz"], row.sizeof())
    entries = (struct_parse(row, file.stream, place) for place in places)
    rows = [*takewhile(lambda entry: entry["d_tag"] != "DT_NULL", entries)]
    (address,) = (entry["d_ptr"] for entry in rows if entry["d_tag"] == "DT_STRTAB")
    begin = next(
        address - load["p_vaddr"] + load["p_offset"]
        for load in segments
        if load["p_type"] == "PT_LOAD" and 0 <= address - load["p_vaddr"] < load["p_filesz"]
    )
    names = (entry["d_val"] for entry in rows if entry["d_tag"] == "DT_NEEDED")
    return [parse_cstring_from_stream(file.stream, begin + name) or b"" for name in names]


def _decoded(text: str | bytes) -> str:
    """A name as both give it: as bytes where it is no UTF-8."""
    return text if isinstance(text, str) else text.decode("utf-8", "replace")


def _lief(stream: ByteStream, needed: list[str]) -> Iterator[str]:
    import lief  # noqa: PLC0415  heavy, and asked here only

    stream.seek(0)
    lief.logging.disable()
    raw = io.BytesIO(stream.read())  # not a list: that is nine times as large, and slow
    try:
        binary = lief.ELF.parse(raw)
        if not isinstance(binary, lief.ELF.Binary):
            yield "LIEF cannot read it"
            return
        fine, problem = lief.ELF.check_layout(binary)
        found = [_decoded(each) for each in binary.libraries]
    except Exception as error:  # noqa: BLE001  of a damaged file it may raise anything
        yield f"LIEF cannot read it: {error}"
        return
    if not fine:
        yield f"LIEF: {problem}"
    if found != needed:
        yield f"LIEF finds {found} in DT_NEEDED"
