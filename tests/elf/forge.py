"""Small ELF files made to order, for what no linker would write."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence

from elfaudit.elf import DynamicTag, SegmentType, read_elf

EHDR, PHDR = 64, 56


def forge(
    entries: Sequence[tuple[int, int | str]],
    blobs: Mapping[str, bytes],
    *,
    segments: Sequence[tuple[int, str]] = (),
    null: bool = True,
) -> bytes:
    """A shared object, x86_64, in which every address equals its file offset.

    Args:
        entries: the dynamic section; a name as value stands for the address of that blob.
        blobs: the tables, laid out in this order, 8-byte aligned.
        segments: further (``p_type``, blob) program headers.
        null: whether the dynamic section, which comes last, ends with ``DT_NULL``.
    """
    position = EHDR + PHDR * (2 + len(segments))
    places: dict[str, int] = {}
    body = b""
    for name, blob in blobs.items():
        body += bytes(-(position + len(body)) % 8)
        places[name] = position + len(body)
        body += blob
    body += bytes(-(position + len(body)) % 8)
    rows = [(tag, places[value] if isinstance(value, str) else value) for tag, value in entries]
    rows += [(0, 0)] * null
    dynamic = b"".join(struct.pack("<qQ", *row) for row in rows)
    start = position + len(body)
    total = start + len(dynamic)
    headers = segment(SegmentType.LOAD, 0, total)
    headers += segment(SegmentType.DYNAMIC, start, len(dynamic))
    for kind, name in segments:
        headers += segment(kind, places[name], len(blobs[name]))
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    count = 2 + len(segments)
    ehdr = struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, EHDR, 0, 0, EHDR, PHDR, count, 0, 0, 0)
    return ident + ehdr + headers + body + dynamic


def segment(kind: int, offset: int, size: int) -> bytes:
    """A program header whose address is its offset."""
    return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, size, size, 8)


def symbol(name: int, *, info: int = 0x12, section: int = 1, value: int = 1) -> bytes:
    """An ``Elf64_Sym``; a defined global function by default."""
    return struct.pack("<IBBHQQ", name, info, 0, section, value, 0)


def sysv_table(buckets: Sequence[int], chains: Sequence[int]) -> bytes:
    """A ``DT_HASH`` that is what it says it is."""
    words = [len(buckets), len(chains), *buckets, *chains]
    return struct.pack(f"<{len(words)}I", *words)


def strings_and_symbols(
    strings: bytes, symbols: Sequence[bytes], *hashes: tuple[DynamicTag, bytes]
) -> bytes:
    """A file with a symbol table; the null symbol is put in front."""
    blobs = {"strings": strings, "symbols": symbol(0, info=0, section=0) + b"".join(symbols)}
    entries: list[tuple[int, int | str]] = [
        (DynamicTag.STRTAB, "strings"),
        (DynamicTag.STRSZ, len(strings)),
        (DynamicTag.SYMTAB, "symbols"),
    ]
    for tag, table in hashes:
        blobs[tag.name] = table
        entries.append((tag, tag.name))
    return forge(entries, blobs)


def dynamic_offset_of(data: bytes | bytearray, tag: int) -> int:
    """The file offset of the table whose address the dynamic section gives under ``tag``."""
    elf = read_elf(io.BytesIO(bytes(data)))
    assert elf.dynamic is not None
    offset, _ = elf.dynamic.locate(DynamicTag(tag), elf._addresses)
    return offset
