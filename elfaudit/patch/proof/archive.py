"""A new archive, read again: its directory, what was copied, and what was written anew."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from ...errors import PatchError, SourceError
from ..archive import Archive, Entry, read_archive, read_entry
from ..record import Digest
from ..zipformat import LOCAL

__all__ = ["prove_archive"]

_TAIL = 64  # bytes compared at the end of a member that was copied


def prove_archive(
    old: Archive, path: str, names: Mapping[int, str], written: Mapping[int, Digest]
) -> None:
    """Check a new archive against the old one; a difference is refused.

    Of a member that was copied the local header, the beginning and the end are compared: the
    kernel copies bytes rightly, but has to be told the right ones.

    Args:
        old: what it was made from.
        path: the new one.
        names: what is to be in it: the members by their places in the old one, and their new names.
        written: what those are to be that were written anew.

    Raises:
        PatchError: the first difference that was not intended.
    """
    try:
        new = read_archive(path)
        if [each.name for each in new.entries] != [*names.values()]:
            raise PatchError(old.path, "the new wheel has other members, it is dropped")
        pairs = list(zip(names, new.entries, strict=True))
        for number, now in pairs:
            if number in written and Digest.over(read_entry(new, now)) != written[number]:
                raise _wrong(old, now)
        copied = [(old.entries[n], now) for n, now in pairs if n not in written]
        wrong = next(_other_copies(old, new, copied), None)
    except (SourceError, OSError) as error:
        raise PatchError(old.path, f"the new wheel cannot be read again: {error}") from error
    if wrong is not None:
        raise _wrong(old, wrong)


def _wrong(old: Archive, entry: Entry) -> PatchError:
    return PatchError(old.path, f"the new {entry.name} is not right, the wheel is dropped")


def _other_copies(old: Archive, new: Archive, copied: list[tuple[Entry, Entry]]) -> Iterator[Entry]:
    """Members that are not what they were copied from, or are not where the directory says."""
    with open(old.path, "rb") as before, open(new.path, "rb") as after:
        for was, now in copied:
            told = (was.checksum, was.packed, was.size) == (now.checksum, now.packed, now.size)
            ends = _ends(after.fileno(), now)
            if not told or ends is None or ends != _ends(before.fileno(), was):
                yield now


def _ends(descriptor: int, entry: Entry) -> tuple[bytes, bytes, bytes] | None:
    """The local header but for the name, and the last bytes; None if the name is another one."""
    raw = os.pread(descriptor, LOCAL.size + len(entry.raw_name), entry.offset)
    if len(raw) < LOCAL.size or raw[LOCAL.size :] != entry.raw_name:
        return None
    *_, name, extra = LOCAL.unpack_from(raw)
    size = min(entry.packed, _TAIL)
    end = entry.offset + LOCAL.size + name + extra + entry.packed
    sizes = LOCAL.size - 4  # of name and extra field, at the end of the header
    return raw[:sizes], raw[sizes + 2 : LOCAL.size], os.pread(descriptor, size, end - size)
