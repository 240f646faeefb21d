"""The text of a log, whatever its size: a megabyte of whole lines at a time.

Colour codes are left out; what gzip made is unpacked on the way, and UTF-16 is told by its mark.
"""

from __future__ import annotations

import codecs
import itertools
import re
import zlib
from collections.abc import Iterator

from ..errors import SourceError
from ..stream import FileStream

__all__ = ["texts_of"]

_COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def texts_of(path: str) -> Iterator[str]:
    """A megabyte of whole lines at a time, with the end of the last one.

    Raises:
        SourceError: the file cannot be read.
    """
    rest = b""
    for chunk in _utf8(_unpacked(path)):
        head, newline, tail = (rest + chunk).rpartition(b"\n")
        if len(tail) > _CHUNK:
            head, newline, tail = head + newline + tail, b"", b""
        if head or newline:
            yield _decoded(head + newline)
        rest = tail
    if rest:
        yield _decoded(rest)


def _unpacked(path: str) -> Iterator[bytes]:
    """The bytes of a file, of one made by gzip those that it was made of."""
    stream = FileStream(path)
    try:
        first = stream.read(_CHUNK)
        chunks = itertools.chain((first,), iter(lambda: stream.read(_CHUNK), b""))
        yield from _inflated(path, chunks) if first.startswith(_GZIP) else chunks
    finally:
        stream.release()


def _inflated(path: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What one or more members of gzip hold, one behind the other (RFC 1952, section 2.2).

    Raises:
        SourceError: they are damaged, or the last one does not end.
    """
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    begun = False
    try:
        for chunk in chunks:
            left = chunk
            while left:
                begun = True
                yield inflate.decompress(left, _CHUNK)
                left = inflate.unconsumed_tail
                if inflate.eof:
                    left, inflate = inflate.unused_data, zlib.decompressobj(_GZIP_WINDOW)
                    begun = False
    except zlib.error as error:
        raise SourceError(path, f"cannot be unpacked: {error}") from error
    if begun:
        raise SourceError(path, "cannot be unpacked: it ends too early")


def _utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same text as UTF-8 where it is UTF-16 and says so, as PowerShell writes it."""
    first = next(chunks, b"")
    if not first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for chunk in itertools.chain((first,), chunks):
        yield decoder.decode(chunk).encode("utf-8", "replace")


def _decoded(raw: bytes) -> str:
    text = _COLOUR.sub(b"", raw) if b"\x1b" in raw else raw
    return text.replace(b"\r\n", b"\n").decode("utf-8", "replace")
