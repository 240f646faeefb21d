"""Small changes to built files (x86_64), for what no option of a linker writes."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["add_dynamic_entry", "dynamic_entry_offset", "dynamic_value", "patch"]

_PT_DYNAMIC = 2


def dynamic_value(path: Path, tag: int) -> int:
    """The value of a dynamic entry; for a table at the file's start also its file offset."""
    raw = path.read_bytes()
    start, end = _dynamic(raw)
    rows = (struct.unpack_from("<QQ", raw, at) for at in range(start, end, 16))
    return int(next(value for known, value in rows if known == tag))


def dynamic_entry_offset(path: Path, tag: int) -> int:
    """The file offset of the first dynamic entry with a tag."""
    raw = path.read_bytes()
    start, end = _dynamic(raw)
    return next(at for at in range(start, end, 16) if struct.unpack_from("<Q", raw, at)[0] == tag)


def add_dynamic_entry(path: Path, tag: int, value: int = 0) -> None:
    """Write one more entry over the spare ones at the end of the dynamic section."""
    raw = path.read_bytes()
    start, end = _dynamic(raw)
    at = next(at for at in range(start, end, 16) if not any(raw[at : at + 8]))
    assert at + 32 <= end, "no spare entry"
    patch(path, at, struct.pack("<QQ", tag, value))


def patch(path: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes."""
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(data)] = data
    path.write_bytes(raw)


def _dynamic(raw: bytes) -> tuple[int, int]:
    (count,) = struct.unpack_from("<H", raw, 56)
    for row in range(count):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", raw, 64 + row * 56)
        if kind == _PT_DYNAMIC:
            return offset, offset + size
    raise AssertionError("no dynamic section")
