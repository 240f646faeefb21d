"""The records of a zip archive.

Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to
4.3.16 (its end), 4.4.4 (flags), 4.5.1 (extra fields), 4.5.3 (zip64).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = [
    "CENTRAL", "DEFLATED", "DESCRIPTOR", "ENCRYPTED", "END", "END_64", "FULL", "FULL_16", "LOCAL",
    "LOCATOR", "STORED", "UTF_8", "VERSION_64", "ZIP64", "extra_field", "extra_fields",
]  # fmt: skip

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END_64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR = struct.Struct("<4sIQI")
FULL, FULL_16 = 0xFFFFFFFF, 0xFFFF
ZIP64, VERSION_64 = 1, 45
DESCRIPTOR, ENCRYPTED, UTF_8 = 0x8, 0x1, 0x800
DEFLATED, STORED = 8, 0


def extra_fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """(kind, contents) of each extra field of a record."""
    at = 0
    while at + 4 <= len(raw):
        kind, size = struct.unpack_from("<HH", raw, at)
        yield kind, raw[at + 4 : at + 4 + size]
        at += 4 + size


def extra_field(kind: int, body: bytes) -> bytes:
    """One extra field."""
    return struct.pack("<HH", kind, len(body)) + body
