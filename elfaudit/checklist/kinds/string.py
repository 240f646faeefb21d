"""A text that is, or is not, among the constants of a file.

## What it asks

`text`: a NUL-terminated string in read-only data. With `present = false` it must not be there.

```toml
[[check]]
kind = "string"
file = "torch/lib/libtorch_python.so"
text = "_c10d_init"
```

## Why

What Python sees as `torch._C._c10d_init` is an entry of a method table: its name is a string in
read-only data, and no symbol, so `nm -D` cannot say whether it is there.

## How it is decided

The bytes of the text with a NUL behind them, in a segment that is loaded and not writable, and not
in the names of the dynamic symbols. A linker may have merged it with the end of a longer string.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...elf import ElfObject
from ...elf.dynamic import DynamicTag
from ...elf.header import SegmentType
from ...errors import ElfAuditError
from ...findings.checks import Check, Judgement
from ..build import Build
from ..kind import GLOB, NAME, Kind, erred, failed, listed, passed
from ..one_pass import Reading, Wanted
from .elf_files import look_at, no_file

__all__ = ["KIND"]

_WRITABLE = 2


def _needle(check: Check) -> bytes:
    return str(check.parameters["text"]).encode("utf-8", "surrogatepass") + b"\0"


def _wants(check: Check, build: Build) -> Iterator[Wanted]:
    for file in build.matching(str(check.parameters["file"])):
        try:
            yield Wanted(file.member, text=_needle(check), facts=True)
        except ElfAuditError:
            continue


def _judge(check: Check, build: Build) -> Judgement:
    files = look_at(check, build)
    if not files.found and not files.damaged:
        return no_file(check, build, files)
    text, present = check.parameters["text"], check.parameters.get("present", True)
    told: list[str] = []
    wrong: list[str] = []
    unread = list(files.damaged)
    for file, elf in files.found:
        reading = build.reading(file.member)
        if reading is None or reading.error is not None:
            unread.append(str(reading.error) if reading else f"{file.path}: was not read")
            continue
        place = _place(check, reading, elf)
        elf.release()
        has = f"has {text!r} at offset {place:#x}" if place is not None else f"has no {text!r}"
        told.append(f"{file.path} {has} in its read-only data")
        if (place is not None) is not present:
            wrong.append(told[-1])
    if wrong:
        return failed(check, listed(wrong), [*told, *unread])
    if unread:
        return erred(check, listed(unread))
    return passed(check, told[0], [*told[1:], *files.passed_over])


def _place(check: Check, reading: Reading, elf: ElfObject) -> int | None:
    """Where the text is, as a file offset."""
    names = _names_of_symbols(elf)
    for place in reading.places.get(_needle(check), ()):
        if place in names:
            continue
        if any(
            s.type == SegmentType.LOAD
            and not s.flags & _WRITABLE
            and s.offset <= place < s.offset + s.file_size
            for s in elf.segments
        ):
            return place
    return None


def _names_of_symbols(elf: ElfObject) -> range:
    """The file offsets of the dynamic string table."""
    if elf.dynamic is None:
        return range(0)
    address = elf.dynamic.value(DynamicTag.STRTAB)
    size = elf.dynamic.value(DynamicTag.STRSZ) or 0
    for segment in elf.segments:
        start = segment.address
        loaded = segment.type == SegmentType.LOAD and address is not None
        if loaded and start <= (address or 0) < start + segment.file_size:
            offset = segment.offset + (address or 0) - start
            return range(offset, offset + size)
    return range(0)


KIND = Kind(
    "string",
    __doc__,
    _judge,
    {"file": GLOB, "text": NAME, "present": {"type": "boolean"}},
    ("file", "text"),
    _wants,
)
