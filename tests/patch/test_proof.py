"""The proof: whatever an editor might do wrong, it is seen before the old file goes.

Plans are damaged here byte by byte, with a way back that is in order, as by a mistake of ours.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from elfaudit.elf import SegmentType
from elfaudit.elf.header import Segment
from elfaudit.elf.reader import Reader
from elfaudit.errors import PatchError
from elfaudit.patch import compose, placement
from elfaudit.patch.compose import Rewrite, Write
from elfaudit.patch.edits import AddNeeded, PatchEdit, ReplaceNeeded
from elfaudit.patch.image import Image, read_image
from elfaudit.patch.journal import with_journal
from elfaudit.patch.overwritten import OverwrittenStream
from elfaudit.patch.planning import Plan, plan_undo
from elfaudit.patch.proof import opinions, prove
from elfaudit.stream import ByteStream

from .patching import X86, copied, patched, planned

_MANY: list[PatchEdit] = [AddNeeded(f"lib{n}.so") for n in range(9)]
_CASES: dict[str, list[PatchEdit]] = {
    X86: [AddNeeded("libnew.so")],
    "linkers/lld/libdemo.so": [AddNeeded("libnew.so")],
    "machines/x86_64/demo": _MANY,
    "machines/s390x/libdemo.so": [ReplaceNeeded("libdep.so.1", "libother.so")],
    "machines/i386/libdemo.so": _MANY,
    "shapes/libdemo-nosections.so": _MANY,
}


@dataclass
class _Work:
    """A file, a plan, and what the plan makes of the file."""

    old: bytes
    plan: Plan
    new: bytes

    def prove(self) -> None:
        prove(io.BytesIO(self.old), io.BytesIO(self.new), self.plan)

    def damaged(self, changes: dict[int, bytes]) -> _Work:
        """With other bytes at some places of the new file, planned so, the way back in order."""
        *body, trailer = self.plan.writes
        now = bytearray(self.new[: trailer.offset])
        for offset, data in changes.items():
            now[offset : offset + len(data)] = data
        wanted = [
            Write(write.offset, bytes(now[write.offset : write.offset + len(write.data)]))
            for write in body
        ]
        reader = Reader(io.BytesIO(self.old), self.plan.name)
        rewrite = with_journal(Rewrite(trailer.offset, tuple(wanted)), reader)
        plan = replace(self.plan, writes=rewrite.writes, size=rewrite.size)
        return _Work(self.old, plan, _made(self.old, plan))


def _made(old: bytes, plan: Plan) -> bytes:
    reader = Reader(io.BytesIO(old), plan.name)
    return OverwrittenStream(reader, plan.size, plan.writes, plan.kept).read()


def _work(name: str, edits: list[PatchEdit], directory: Path) -> _Work:
    path = copied(name, directory)
    plan, old = planned(path, *edits), path.read_bytes()
    return _Work(old, plan, _made(old, plan))


def _executable(offset: int, address: int, end: int, align: int, _: object) -> Segment:
    """A new segment with the wrong flags."""
    return Segment(SegmentType.LOAD, 7, offset, address, end - offset, end - offset, align)


def _after(work: _Work) -> Image:
    return read_image(io.BytesIO(work.new), "new")


@pytest.mark.parametrize("name", _CASES)
def test_what_is_right_is_proven(name: str, tmp_path: Path) -> None:
    work = _work(name, _CASES[name], tmp_path)
    work.prove()
    work.damaged({}).prove()


def _of_no_account(work: _Work) -> Iterator[range]:
    """Bytes that no loader reads: where they are other ones, nothing is wrong."""
    image = _after(work)
    wide, row = image.layout.bits == 64, image.layout.dynamic.size
    header = image.header
    for number, segment in enumerate(image.segments):
        begin = header.segment_offset + number * header.segment_size
        if segment.type == SegmentType.PHDR:
            yield range(begin + 32, begin + 48) if wide else range(begin + 16, begin + 24)
        if segment.type in {SegmentType.LOAD, SegmentType.GNU_RELRO}:  # a larger page, or a hint
            yield range(begin + 48, begin + 56) if wide else range(begin + 28, begin + 32)
    end = image.dynamic.offset + len(image.rows) * row
    yield range(end + row, image.dynamic.offset + image.dynamic.file_size)  # spare entries


@pytest.mark.parametrize("name", _CASES)
def test_every_byte_of_a_plan(name: str, tmp_path: Path) -> None:
    work = _work(name, _CASES[name], tmp_path)
    free = {at for each in _of_no_account(work) for at in each}
    escaped, seen = [], 0
    for write in work.plan.writes[:-1]:
        for at in range(write.offset, write.offset + len(write.data)):
            if at in free:
                continue
            other = work.damaged({at: bytes((work.new[at] ^ 0x41,))})
            seen += 1
            with suppress(PatchError):
                other.prove()
                escaped.append(hex(at))
    assert not escaped
    assert seen > 200


@pytest.mark.parametrize("name", _CASES)
def test_every_write_of_a_plan(name: str, tmp_path: Path) -> None:
    """A table that the editor forgot to correct."""
    work = _work(name, _CASES[name], tmp_path)
    for write in work.plan.writes[:-1]:
        there = work.old[write.offset : write.offset + len(write.data)]
        with pytest.raises(PatchError):
            work.damaged({write.offset: there.ljust(len(write.data), b"\0")}).prove()


@pytest.mark.parametrize(
    ("module", "function", "wrong", "name", "problem"),
    [
        (compose, "_write_symbols", lambda _: None, "linkers/lld/libdemo.so", "symbol [0-9]+ of"),
        (
            compose, "_is_writable", lambda *_: False, "linkers/lld/libdemo.so",
            "cannot write to the dynamic section",
        ),
        (placement, "_alignment", lambda *_: 0x1000, "machines/aarch64/libdemo.so", "aligned to"),
        (
            placement, "_end_of_memory", lambda loads: max(e.address for e in loads) + 1, X86,
            "share a page|overlap|agree",
        ),
        (placement, "_load", _executable, "linkers/lld/libdemo.so", "neither only data"),
    ],
)  # fmt: skip
def test_a_mistake_of_the_editor(  # noqa: PLR0917
    module: ModuleType, function: str, wrong: Callable[..., Any], name: str, problem: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What it gets wrong of its own rules is seen, whatever it says it did."""
    place = compose._Composition if hasattr(compose._Composition, function) else module
    monkeypatch.setattr(place, function, wrong)
    work = _work(name, _MANY, tmp_path)
    with pytest.raises(PatchError, match=problem):
        work.prove()


@pytest.mark.parametrize("name", _CASES)
def test_every_tenth_byte_of_a_file(name: str, tmp_path: Path) -> None:
    """A disk that gives back something else than what was written to it."""
    work = _work(name, _CASES[name], tmp_path)
    for at in range(name == X86, len(work.new), 10):
        wrong = bytearray(work.new)
        wrong[at] ^= 0x41
        with pytest.raises(PatchError):
            prove(io.BytesIO(work.old), io.BytesIO(bytes(wrong)), work.plan)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data + b"\0", "it has [0-9]+ bytes, not"),
        (lambda data: data[:-1], "bytes, not|is there"),
        (lambda _: b"", "cannot be read again: .*the file is empty"),
        (lambda data: b"\x7fELG" + data[4:], "cannot be read again"),
    ],
)
def test_another_file_altogether(
    change: Callable[[bytes], bytes], problem: str, tmp_path: Path
) -> None:
    work = _work(X86, [AddNeeded("libnew.so")], tmp_path)
    with pytest.raises(PatchError, match=problem):
        prove(io.BytesIO(work.old), io.BytesIO(change(work.new)), work.plan)


def test_another_order_than_was_asked(tmp_path: Path) -> None:
    """Each plan is right in itself, but not for what was asked."""
    first = _work(X86, [AddNeeded("libnew.so", first=True)], tmp_path)
    last = _work(X86, [AddNeeded("libnew.so")], tmp_path)
    mixed = replace(last.plan, writes=first.plan.writes, size=first.plan.size)
    with pytest.raises(PatchError, match=r"the dynamic section has .* where .* was to be"):
        prove(io.BytesIO(first.old), io.BytesIO(first.new), mixed)


def test_the_way_back_is_proven_byte_by_byte(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    first = path.read_bytes()
    patched(path, AddNeeded("libnew.so"))
    old = path.read_bytes()
    back = plan_undo(io.BytesIO(old), "name")
    prove(io.BytesIO(old), io.BytesIO(first), back)
    for at in range(0, len(first), 7):
        wrong = bytearray(first)
        wrong[at] ^= 1
        with pytest.raises(PatchError, match="are not what they were"):
            prove(io.BytesIO(old), io.BytesIO(bytes(wrong)), back)
    for other in (first + b"\0", first[:-1]):
        with pytest.raises(PatchError, match="bytes, not"):
            prove(io.BytesIO(old), io.BytesIO(other), back)


@pytest.mark.parametrize("reader", ["pyelftools", "LIEF"])
def test_both_other_readers_are_asked(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one of them cannot read the new file, but could read the old one, it is dropped."""
    work = _work(X86, [AddNeeded("libnew.so")], tmp_path)
    real = opinions._pyelftools if reader == "pyelftools" else opinions._lief
    place = real.__name__

    def astonished(stream: ByteStream, *arguments: Any) -> Iterator[str]:
        if stream.seek(0, io.SEEK_END) == len(work.new):
            yield f"{reader} is astonished"

    monkeypatch.setattr(opinions, place, astonished)
    with pytest.raises(PatchError, match=f"{reader} is astonished"):
        work.prove()
