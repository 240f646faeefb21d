"""What a patch would do, before anything is written.

A file that was patched before is planned from its first state: what it says now, with the new
edits, is made out of the old file again. So growth does not add up, and an edit with its inverse
gives the old file back, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..elf.reader import Reader
from ..errors import PatchError
from ..stream import ByteStream
from .compose import Rewrite, Write, compose
from .edits import Change, PatchEdit, changed
from .image import Image, Row, read_image
from .journal import read_journal, with_journal
from .overwritten import OverwrittenStream
from .tags import TEXTS
from .validate import validate
from .verneed import requirements

__all__ = ["Plan", "plan", "plan_undo"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The bytes of one patch.

    Attributes:
        name: the file, as the user names it.
        image: the file as it is now.
        change: what its dynamic section will say.
        size: of the new file, in bytes.
        kept: how many bytes of the file as it is now the new one begins with, but for ``writes``.
        writes: what is written over them and behind them, in this order.
        how: where what has grown goes, for whoever asks.
        restores: whether the new file is what the file was before it was first patched.
    """

    name: str
    image: Image
    change: Change
    size: int
    kept: int
    writes: tuple[Write, ...]
    how: tuple[str, ...]
    restores: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether the file would change at all."""
        return bool(self.writes) or self.size != self.image.size


def plan(stream: ByteStream, name: str, edits: Sequence[PatchEdit]) -> Plan:
    """Plan some edits of a file.

    Args:
        stream: its bytes.
        name: how the user names it.
        edits: what to change, in order.

    Raises:
        PatchError: an edit cannot be made, or there is no safe way to make it.
        NotElfError, ElfFormatError: it is no sound ELF file.
        SourceError: it cannot be read.
    """
    image = read_image(stream, name)
    change = changed(image, edits, [each.library for each in requirements(image)])
    if not _differs(image, change):
        return Plan(name, image, change, image.size, image.size, (), ())
    journal = read_journal(image.reader)
    if journal is None:
        validate(image)
        rewrite = with_journal(compose(image, change), image.reader)
        return Plan(name, image, change, rewrite.size, image.size, rewrite.writes, rewrite.how)
    first = read_image(OverwrittenStream(image.reader, journal.size, journal.writes), name)
    validate(first)
    rebased = _rebased(image, change, first)
    rewrite = Rewrite(first.size, ())
    if _differs(first, rebased):
        rewrite = with_journal(compose(first, rebased), first.reader)
    writes = (*journal.writes, *rewrite.writes)
    restores = not rewrite.writes
    return Plan(name, image, change, rewrite.size, first.size, writes, rewrite.how, restores)


def plan_undo(stream: ByteStream, name: str) -> Plan:
    """Plan the way back to what a file was before it was first patched.

    Raises:
        PatchError: it does not carry the way back.
        NotElfError, ElfFormatError: it is no sound ELF file.
        SourceError: it cannot be read.
    """
    reader = Reader(stream, name)
    journal = read_journal(reader)
    if journal is None:
        raise PatchError(
            name, "carries no way back: it was not patched by elfaudit, or was changed since"
        )
    image = read_image(stream, name)
    first = read_image(OverwrittenStream(reader, journal.size, journal.writes), name)
    change = Change(
        tuple(_by_text(first, row) for row in first.rows),
        tuple((now, old) for old, now in _libraries(first, image) if old != now),
        told=("the file is what it was before it was patched",),
    )
    return Plan(name, image, change, journal.size, journal.size, journal.writes, (), restores=True)


def _differs(image: Image, change: Change) -> bool:
    """Whether a change is one for a file."""
    return (
        change.rows != image.rows
        or bool(change.renamed)
        or (change.clear_execstack and image.has_execstack)
    )


def _rebased(image: Image, change: Change, first: Image) -> Change:
    """A change of a patched file as one of what it was before.

    Texts that the first state has not are given as texts; addresses are those of the first state.
    """
    values: dict[int, Iterator[int]] = {
        tag: iter([row.value for row in first.rows if row.tag == tag])
        for tag in {row.tag for row in change.rows}
    }
    rows = [
        _as_text(image, row, first)
        if row.tag in TEXTS
        else Row(row.tag, next(values[row.tag], row.value))
        for row in change.rows
    ]
    renamed = dict(change.renamed)
    finally_ = [(old, renamed.get(now, now)) for old, now in _libraries(first, image)]
    cleared = first.has_execstack and not image.has_execstack
    return replace(
        change,
        rows=tuple(rows),
        renamed=tuple((old, new) for old, new in finally_ if old != new),
        clear_execstack=change.clear_execstack or cleared,
    )


def _libraries(first: Image, image: Image) -> list[tuple[bytes, bytes]]:
    """Whose versions a file required in its first state, and whose it requires now.

    Raises:
        PatchError: one is without the other: no patch of ours has made the one out of the other.
    """
    before, now = requirements(first), requirements(image)
    if len(before) != len(now):
        raise PatchError(image.name, "is not what was made of the file that its way back leads to")
    return [(old.library, new.library) for old, new in zip(before, now, strict=True)]


def _by_text(image: Image, row: Row) -> Row:
    """A row with the text that it stands for, if it does."""
    return replace(row, text=image.string(row.value)) if row.tag in TEXTS else row


def _as_text(image: Image, row: Row, first: Image) -> Row:
    """A row with a text in terms of the first state: the offset it had there, or the text."""
    text = row.text if row.text is not None else image.string(row.value)
    same = (each for each in first.rows if each.tag == row.tag and first.string(each.value) == text)
    return next(same, Row(row.tag, 0, text))
