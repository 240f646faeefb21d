"""Where the sections of a file are, by name: for what cannot be found in any other way.

Source: System V gABI, "Sections". The loader does not read them, and a stripped file has none.
"""

from __future__ import annotations

from ..errors import ElfFormatError
from .header import Header
from .reader import Reader

__all__ = ["find_sections"]

_NOBITS = 8
_MOST = 100_000


def find_sections(reader: Reader, header: Header) -> dict[str, range]:
    """File offsets of the sections that have bytes in the file, by name; of equal names the last.

    Args:
        reader: the file.
        header: its ELF header.

    Raises:
        ElfFormatError: the table is not inside the file.
    """
    layout = header.layout
    row = layout.struct("IIQQQQIIQQ" if layout.bits == 64 else "IIIIIIIIII")
    raw = reader.read(16, layout.header.size, "ELF header")
    offset, entry, count, names = (layout.header.unpack(raw)[n] for n in (5, 10, 11, 12))
    if not offset:
        return {}
    if entry != row.size:
        raise ElfFormatError(reader.name, offset, "e_shentsize", f"is {entry}, not {row.size}")
    first = row.unpack(reader.read(offset, row.size, "section header 0"))
    count = count or first[5]
    names = first[6] if names == 0xFFFF else names
    if count > _MOST or not names < count:
        raise ElfFormatError(reader.name, offset, "e_shnum", f"{count} sections, names in {names}")
    table = reader.read(offset, row.size * count, "e_shoff")
    rows = list(row.iter_unpack(table))
    strings = reader.read(rows[names][4], min(rows[names][5], reader.size), "e_shstrndx")
    found: dict[str, range] = {}
    for each in rows:
        name = strings[each[0] : strings.find(b"\0", each[0])] if each[0] < len(strings) else b""
        if name and each[1] != _NOBITS:
            end = min(each[4] + each[5], reader.size)
            found[name.decode("utf-8", "replace")] = range(each[4], max(end, each[4]))
    return found
