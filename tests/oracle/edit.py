"""Small changes to built files (64-bit; but for DT_… entries only little-endian ones)."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = [
    "add_dynamic_entry",
    "dynamic_entry_offset",
    "dynamic_extent",
    "dynamic_value",
    "patch",
    "set_symbol",
    "set_version",
    "symbol_rows",
]

_PT_DYNAMIC = 2
_DT_STRTAB, _DT_SYMTAB, _DT_VERSYM = 5, 6, 0x6FFFFFF0
_ROW = 24  # bytes of a symbol


def dynamic_value(path: Path, tag: int) -> int:
    """The value of a dynamic entry; for a table at the file's start also its file offset."""
    raw = path.read_bytes()
    start, end = dynamic_extent(raw)
    rows = (struct.unpack_from("<QQ", raw, at) for at in range(start, end, 16))
    return int(next(value for known, value in rows if known == tag))


def dynamic_entry_offset(path: Path, tag: int) -> int:
    """The file offset of the first dynamic entry with a tag."""
    raw = path.read_bytes()
    start, end = dynamic_extent(raw)
    return next(at for at in range(start, end, 16) if struct.unpack_from("<Q", raw, at)[0] == tag)


def add_dynamic_entry(path: Path, tag: int, value: int = 0) -> None:
    """Write one more entry over the spare ones at the end of the dynamic section."""
    raw = path.read_bytes()
    start, end = dynamic_extent(raw)
    at = next(at for at in range(start, end, 16) if not any(raw[at : at + 8]))
    assert at + 32 <= end, "no spare entry"
    patch(path, at, struct.pack(f"{_order(raw)}QQ", tag, value))


def symbol_rows(path: Path, name: str) -> list[int]:
    """The rows of the dynamic symbols of a name, as ``ld`` lays the table out: before the names."""
    raw = path.read_bytes()
    table, names = dynamic_value(path, _DT_SYMTAB), dynamic_value(path, _DT_STRTAB)
    found = []
    for row in range(1, (names - table) // _ROW):
        (at,) = struct.unpack_from("<I", raw, table + row * _ROW)
        if raw[names + at :].partition(b"\0")[0] == name.encode():
            found.append(row)
    return found


def set_symbol(
    path: Path,
    row: int,
    *,
    kind: int | None = None,
    binding: int | None = None,
    visibility: int | None = None,
    value: int | None = None,
) -> None:
    """Change the type, binding, visibility or value of a dynamic symbol."""
    at = dynamic_value(path, _DT_SYMTAB) + row * _ROW
    raw = path.read_bytes()
    info, other = raw[at + 4], raw[at + 5]
    if kind is not None:
        info = info & 0xF0 | kind
    if binding is not None:
        info = info & 0xF | binding << 4
    patch(path, at + 4, bytes((info, other if visibility is None else visibility)))
    if value is not None:
        patch(path, at + 8, struct.pack("<Q", value))


def set_version(path: Path, row: int, index: int) -> None:
    """Change the version index of a dynamic symbol, hidden bit included."""
    at = dynamic_value(path, _DT_VERSYM) + 2 * row
    patch(path, at, struct.pack("<H", index))


def patch(path: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes."""
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(data)] = data
    path.write_bytes(raw)


def dynamic_extent(raw: bytes) -> tuple[int, int]:
    """Where in a file the dynamic section begins and ends."""
    order = _order(raw)
    (count,) = struct.unpack_from(f"{order}H", raw, 56)
    for row in range(count):
        kind, _, offset, _, _, size = struct.unpack_from(f"{order}IIQQQQ", raw, 64 + row * 56)
        if kind == _PT_DYNAMIC:
            return offset, offset + size
    raise AssertionError("no dynamic section")


def _order(raw: bytes) -> str:
    return "<" if raw[5] == 1 else ">"
