"""The new file, read again by three readers, before it takes the place of the old one.

What is compared is what the files say, not how they came about: every byte that was not to change,
every table as our reader has it, the rules of the loader for segments, and what pyelftools and LIEF
make of the file. LIEF only reads: what it writes was measured to break one file in ten.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...elf import ElfObject, read_elf
from ...elf.header import SegmentType
from ...elf.reader import Reader
from ...errors import ElfAuditError, PatchError
from ...stream import ByteStream
from ..image import Image, read_image
from ..journal import read_journal
from ..overwritten import OverwrittenStream
from ..planning import Plan
from .contents import changed_bytes, missing_writes, unrestored
from .dynamic import lost_tables, other_entries, other_places, other_strings
from .opinions import other_opinions
from .sections import other_sections
from .segments import broken_rules, other_segments
from .symbols import other_names, other_symbols

__all__ = ["prove"]


def prove(old: ByteStream, new: ByteStream, plan: Plan) -> None:
    """Check a new file against the old one and the plan; a difference is refused.

    What was there before it was first patched has whatever faults it had: only its bytes count.

    Args:
        old: the file that was patched.
        new: what was written.
        plan: what was to change.

    Raises:
        PatchError: the first difference that was not intended.
    """
    try:
        differences = unrestored if plan.restores else _differences
        difference = next(differences(old, new, plan), None)
    except ElfAuditError as error:
        raise PatchError(plan.name, f"the patched file cannot be read again: {error}") from error
    if difference is not None:
        raise PatchError(plan.name, f"the patched file is not right, it is dropped: {difference}")


def _differences(old: ByteStream, new: ByteStream, plan: Plan) -> Iterator[str]:
    """What is wrong with a new file, a clause each; nothing if it is right."""
    before, after = plan.image, read_image(new, plan.name)
    first = _first(before)
    if after.size != plan.size:
        yield f"it has {after.size} bytes, not {plan.size}"
    yield from changed_bytes(Reader(old, plan.name), after.reader, plan)
    yield from missing_writes(Reader(old, plan.name), after.reader, plan)
    yield from other_entries(before, after, plan)
    yield from other_places(before, after, plan)
    yield from broken_rules(after)
    yield from other_segments(first, before, after, plan)
    yield from other_sections(first, after, plan)  # from here on there are as many as there were
    yield from lost_tables(first, after)
    yield from other_strings(first, after)
    yield from other_symbols(first, after)
    one, other = read_elf(old, name=plan.name), read_elf(new, name=plan.name)
    yield from other_names(one, other)
    yield from _other_facts(one, other)
    yield from other_opinions(old, before, new, after)


def _first(image: Image) -> Image:
    """A file as it was before it was first patched."""
    journal = read_journal(image.reader)
    if journal is None:
        return image
    stream = OverwrittenStream(image.reader, journal.size, journal.writes)
    return read_image(stream, image.name)


def _other_facts(old: ElfObject, new: ElfObject) -> Iterator[str]:
    """Tables that our reader, which goes by addresses as the loader does, finds different."""
    if old.dynamic is None or new.dynamic is None:
        yield "the dynamic section is gone"
    if old.notes != new.notes:
        yield "the notes have changed"
    if (old.interp, old.tls) != (new.interp, new.tls):
        yield "the interpreter or the thread-local storage have changed"
    kinds = [{segment.type for segment in each.segments} for each in (old, new)]
    if kinds[0] - kinds[1] - {SegmentType.PHDR, SegmentType.NULL}:
        yield "a program header is gone"
