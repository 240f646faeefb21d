"""What the bytes of a new file are: those of the old one but where something was to be written."""

from __future__ import annotations

from collections.abc import Iterator

from ...elf.reader import Reader
from ...stream import ByteStream
from ..journal import read_journal
from ..overwritten import OverwrittenStream
from ..planning import Plan

__all__ = ["changed_bytes", "missing_writes", "unrestored"]

_CHUNK = 1 << 20


def unrestored(old: ByteStream, new: ByteStream, plan: Plan) -> Iterator[str]:
    """Where a new file is not what it was before it was patched."""
    reader = Reader(new, plan.name)
    if reader.size != plan.size:
        yield f"it has {reader.size} bytes, not {plan.size}"
    first = OverwrittenStream(Reader(old, plan.name), plan.size, plan.writes, plan.kept)
    for position in range(0, plan.size, _CHUNK):
        first.seek(position)
        if first.read(_CHUNK) != reader.read_available(position, _CHUNK):
            yield f"bytes near offset {position:#x} are not what they were"


def changed_bytes(old: Reader, new: Reader, plan: Plan) -> Iterator[str]:
    """Bytes that differ where nothing was to be written."""
    written = sorted((each.offset, each.offset + len(each.data)) for each in plan.writes)
    position = 0
    for begin, end in (*written, (plan.kept, plan.kept)):
        while position < min(begin, plan.kept):
            size = min(_CHUNK, min(begin, plan.kept) - position)
            if old.read_available(position, size) != new.read_available(position, size):
                yield f"bytes near offset {position:#x} have changed"
                return
            position += size
        position = max(position, end)


def missing_writes(old: Reader, new: Reader, plan: Plan) -> Iterator[str]:
    """Places that do not have what was written there, and a way back that is none."""
    expected = OverwrittenStream(old, plan.size, plan.writes, plan.kept)
    behind = (plan.kept, max(plan.size - plan.kept, 0))
    for begin, length in (*((each.offset, len(each.data)) for each in plan.writes), behind):
        for offset in range(begin, begin + length, _CHUNK):
            size = min(_CHUNK, begin + length - offset)
            expected.seek(offset)
            if expected.read(size) != new.read_available(offset, size):
                yield f"not all that was written to {offset:#x} is there"
    if read_journal(new) is None:
        yield "there is no way back from it"
