"""Archives made to order, sound ones by :mod:`zipfile`, others by changing their bytes."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

CENTRAL = b"PK\x01\x02"
LOCAL = b"PK\x03\x04"


def archive(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip archive of these members."""
    with zipfile.ZipFile(path, "w", method) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def patched(path: Path, signature: bytes, offset: int, fields: str, *values: int) -> Path:
    """The first record with that signature changed at an offset."""
    data = bytearray(path.read_bytes())
    struct.pack_into(f"<{fields}", data, data.index(signature) + offset, *values)
    path.write_bytes(data)
    return path


class _Unseekable(io.RawIOBase):
    """zipfile writes data descriptors where it cannot go back."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        return self._file.write(data)  # type: ignore[arg-type]


def streamed(path: Path, members: Mapping[str, bytes]) -> Path:
    """An archive with data descriptors: its local headers know no sizes."""
    with path.open("wb") as file, zipfile.ZipFile(_Unseekable(file), "w", 8) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def zip64(path: Path, name: str, content: bytes) -> Path:
    """An archive whose sizes and offsets all stand in zip64 extra fields."""
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = raw.compress(content) + raw.flush()
    full, encoded = 0xFFFFFFFF, name.encode()
    crc = zlib.crc32(content)
    sizes = struct.pack("<HHQQ", 1, 16, len(content), len(packed))
    local = struct.pack(
        "<4sHHHHHIIIHH", LOCAL, 45, 0, 8, 0, 33, crc, full, full, len(encoded), len(sizes)
    )
    body = local + encoded + sizes + packed
    extra = struct.pack("<HHQQQ", 1, 24, len(content), len(packed), 0)
    central = struct.pack(
        "<4sHHHHHHIIIHHHHHII",
        CENTRAL, 45, 45, 0, 8, 0, 33, crc, full, full, len(encoded), len(extra), 0, 0, 0, 0, full,
    )  # fmt: skip
    central += encoded + extra
    end64 = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(central), len(body)
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(body) + len(central), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, full, full, 0)
    path.write_bytes(body + central + end64 + locator + end)
    return path


def raw_deflate(data: bytes, level: int = 6) -> bytes:
    """A deflate stream without header and checksum."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
