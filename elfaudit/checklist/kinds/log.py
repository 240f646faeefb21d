r"""What a build log says, and does not say.

## What it asks

`path`: the log, a file of this machine. `must`: regular expressions of which each must be found in
some line. `must_not`: of which none may be.

```toml
[[check]]
kind = "log"
path = "${build_log}"
must = ["USE_ROCM\\s*:\\s*ON"]
must_not = ["undefined reference to"]
```

## Why

`grep "USE_ROCM: ON"` misses the line when CMake aligns its summary with blanks.

## How it is decided

Line by line, from the start to the end, whatever its size; of a line of more than a megabyte each
megabyte is taken for a line. Colour codes are left out; gzip and UTF-16 are seen through. A pattern
that takes more than ten seconds, and one for every 50 MB, is an error.
"""

from __future__ import annotations

import codecs
import itertools
import re
import zlib
from collections.abc import Iterator

from ...errors import SourceError
from ...findings.checks import Check, Judgement
from ...stream import FileStream
from ..build import Build
from ..kind import NAME, REGEXES, Kind, counted, failed, passed, words
from ..patterns import Pattern

__all__ = ["KIND"]

_COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


def _judge(check: Check, build: Build) -> Judgement:  # noqa: ARG001 - a log is of no build
    path = str(check.parameters["path"])
    must = {text: Pattern(text, "must") for text in words(check, "must")}
    must_not = {text: Pattern(text, "must_not") for text in words(check, "must_not")}
    found: dict[str, int] = {}
    bad: list[str] = []
    number, ended = 1, True
    for text in _texts(path):
        ended = text.endswith("\n")
        for pattern in [each for each in must if each not in found]:
            at = must[pattern].first_line(text)
            if at is not None:
                found[pattern] = number + text.count("\n", 0, at)
        for each in must_not.values() if not bad else ():
            at = each.first_line(text)
            if at is not None:
                line = text[at:].partition("\n")[0].strip()[:160]
                bad.append(f"{path}:{number + text.count(chr(10), 0, at)}: {line}")
        if len(found) == len(must) and (bad or not must_not):
            break
        number += text.count("\n")
    missing = [text for text in must if text not in found]
    told = [f"{path}:{line} has {text}" for text, line in found.items()]
    if missing or bad:
        parts = [f"no line of {path} has {text}" for text in missing] + bad[:1]
        return failed(check, "; ".join(parts), bad[1:] + told)
    lines = counted(number - 1 if ended else number, "line")
    return passed(check, "; ".join(told) or f"none of {lines} has what must not be there")


def _texts(path: str) -> Iterator[str]:
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
        inflate = None
        while chunk := stream.read(_CHUNK):
            if inflate is None and not chunk.startswith(_GZIP):
                yield chunk
                yield from iter(lambda: stream.read(_CHUNK), b"")
                return
            inflate = inflate or zlib.decompressobj(16 + zlib.MAX_WBITS)
            while chunk:
                yield inflate.decompress(chunk, _CHUNK)
                chunk = inflate.unconsumed_tail
                if inflate.eof:  # another member may follow
                    chunk, inflate = inflate.unused_data, zlib.decompressobj(16 + zlib.MAX_WBITS)
    except zlib.error as error:
        raise SourceError(path, f"cannot be unpacked: {error}") from error
    finally:
        stream.release()


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


KIND = Kind(
    "log",
    __doc__,
    _judge,
    {"path": NAME, "must": REGEXES, "must_not": REGEXES},
    ("path",),
    one_of=("must", "must_not"),
)
