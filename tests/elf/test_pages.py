"""Files as a loader sees them: by whole pages, and strings behind the end that they are given."""

from __future__ import annotations

import io
import struct

import pytest

from elfaudit.elf import SegmentType
from elfaudit.elf.object import map_elf
from elfaudit.elf.pages import PageMap
from elfaudit.errors import ElfFormatError

NEEDED, STRTAB, STRSZ = 1, 5, 10
MANY = 256  # segments up to which strings are looked for
PAGE = 4096


def crowded(loads: int, names: int) -> bytes:
    """A file of so many PT_LOADs and DT_NEEDEDs, all of whose names lie behind its DT_STRSZ.

    The last of the segments is the whole file, the others are empty.
    """
    dynamic = 64 + 56 * (loads + 1)
    rows = [(NEEDED, 1 + 2 * number) for number in range(names)]
    strings = dynamic + 16 * (names + 3)
    rows += [(STRTAB, strings), (STRSZ, 1), (0, 0)]
    total = strings + 1 + 2 * names
    headers = [(SegmentType.LOAD, 0, (1 << 30) + PAGE * number, 0) for number in range(1, loads)]
    headers.append((SegmentType.LOAD, 0, 0, total))
    headers.append((SegmentType.DYNAMIC, dynamic, dynamic, 16 * len(rows)))
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, len(headers), 0, 0, 0,
    )  # fmt: skip
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, 6, offset, address, address, size, size, PAGE)
        for kind, offset, address, size in headers
    )
    return (
        head + table + b"".join(struct.pack("<QQ", *row) for row in rows) + b"\0" + b"x\0" * names
    )


def test_a_string_behind_the_end_of_its_table_is_found() -> None:
    """As glibc does, which never reads DT_STRSZ."""
    elf = map_elf(io.BytesIO(crowded(MANY, 3)), name="libx.so")
    assert elf.needed == ("x", "x", "x")


def test_in_a_file_of_very_many_segments_it_is_not_looked_for() -> None:
    raw = crowded(MANY + 1, 3)
    with pytest.raises(ElfFormatError, match=r"index 0x1 lies outside the string table of 0x1"):
        map_elf(io.BytesIO(raw), name="libx.so")


def test_many_strings_times_many_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five megabytes that ask for three billion steps."""
    steps = 0
    locate = PageMap.locate

    def counting(pages: PageMap, address: int, field: str, where: int) -> tuple[int, int]:
        nonlocal steps
        steps += len(pages.loads)
        assert steps < 1_000_000, "all segments are gone through for each string"
        return locate(pages, address, field, where)

    monkeypatch.setattr(PageMap, "locate", counting)
    with pytest.raises(ElfFormatError, match="lies outside the string table"):
        map_elf(io.BytesIO(crowded(60_000, 60_000)), name="libx.so")
    assert steps
