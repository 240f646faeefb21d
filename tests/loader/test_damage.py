"""Damaged files, field by field: our message is the loader's, whatever number stands there.

Where the loader itself crashes there is nothing to compare. Left out is what depends on memory that
is not the file's: addresses of tables outside of its own segments, and tables that lie in zeros
because their segment has fewer bytes in the file than in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import SegmentType, read_elf
from elfaudit.errors import ElfAuditError, NotLoadableError
from elfaudit.findings import Verdict
from tests.oracle import Workshop, start
from tests.oracle.damage import ask, build_forker, damaged, dynamic_fields, row_fields
from tests.oracle.edit import patch
from tests.oracle.fields import Field, header_fields

pytestmark = pytest.mark.oracle

VALUES = (0, 3, 1 << 31, 1 << 46, 1 << 63, (1 << 64) - 1)
SONAME, STRSZ, RELASZ, RELAENT, PLTRELSZ, PLTREL, RELACOUNT = 14, 10, 8, 9, 2, 20, 0x6FFFFFF9
RELA, JMPREL, VERNEED, VERDEF, VERNEEDNUM = 7, 23, 0x6FFFFFFE, 0x6FFFFFFC, 0x6FFFFFFF
# A program, what is no library at all, and tables in zeros.
_ASIDE = (
    *("e_type = 0x1", "e_type = 0x2", "e_type = 0x4"),
    *("[0:0x1].p_filesz = 0x0", "[0:0x1].p_filesz = 0x3"),
)
MID = """
int low(void); extern int datum; static int own = 1; int *p = &own; int *d = &datum;
int mid(void) { return low() + own; }
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, stubs: Path) -> Workshop:
    """A library that a sound one lists, its own library, and the program that asks."""
    workshop = Workshop(tmp_path_factory.mktemp("damage").resolve(), stubs)
    root = str(workshop.directory)
    low = "int datum = 3; int low(void) { return 1; }"
    first = workshop.library("liblow.so", low, script="V1 { global: low; datum; };")
    workshop.library("libmid.so", MID, needed=[first], runpath=root, script="M1 { global: mid; };")
    return workshop


def _differing(
    place: Workshop, fields: Iterable[Field], values: tuple[int, ...], folder: Path
) -> list[str]:
    """What we say otherwise than the loader of the files themselves."""
    forker = build_forker(place)
    cases = [
        (what, path)
        for what, path in damaged(place.directory / "libmid.so", fields, values, folder)
        if what not in _ASIDE
    ]
    found = []
    for (what, path), real in zip(cases, ask(forker, [path for _, path in cases]), strict=True):
        if real is None:
            continue
        try:
            ours = resolve(str(path), host=str(forker)).error or ""
        except ElfAuditError as error:
            ours = f"{type(error).__name__}: {error}"
        if ours != real:
            found.append(f"{what}: real {real!r}, ours {ours!r}")
    return found


def test_headers_of_the_target(place: Workshop, tmp_path: Path) -> None:
    every = header_fields((place.directory / "libmid.so").read_bytes())
    fields = [field for field in every if not field.name.startswith("EI_MAG")]  # no target at all
    assert _differing(place, fields, VALUES, tmp_path) == []


@pytest.mark.parametrize(("power", "taken"), [(30, True), (45, True), (46, False), (62, False)])
def test_alignments(place: Workshop, tmp_path: Path, power: int, taken: bool) -> None:
    """Twice as much is reserved, which has to go into the largest gap of the address space."""
    fields = header_fields((place.directory / "libmid.so").read_bytes())
    aligned = [field for field in fields if field.name.endswith(": 0x1] p_align")]
    cases = list(damaged(place.directory / "libmid.so", aligned, [1 << power], tmp_path))
    forker = build_forker(place)
    for (what, path), real in zip(cases, ask(forker, [path for _, path in cases]), strict=True):
        assert (real == "") == taken, what
        assert (resolve(str(path), host=str(forker)).error or "") == real, what


def with_segment(path: Path, out: Path, row: int, address: int) -> Path:
    """A copy with one page more of the file, at an address; PT_GNU_RELRO makes room for it."""
    raw = bytearray(path.read_bytes())
    segments = read_elf(path).segments
    headers = [bytes(raw[64 + 56 * each : 120 + 56 * each]) for each in range(len(segments))]
    headers.pop([each.type for each in segments].index(SegmentType.GNU_RELRO))
    loads = [each.type for each in segments[:2]]
    assert loads == [SegmentType.LOAD] * 2
    more = struct.pack("<IIQQQQQQ", SegmentType.LOAD, 4, 0, address, address, 4096, 4096, 4096)
    headers.insert(row, more)
    raw[64 : 64 + 56 * len(headers)] = b"".join(headers)
    out.write_bytes(raw)
    return out


@pytest.mark.parametrize(
    ("row", "address", "words"),
    [
        # The last one: all that lies below it is reserved. What there is room for hangs on chance,
        # but not by so much.
        (2, 1 << 32, None),
        (2, 0x5000_0000_0000, None),
        (2, 0x6000_0000_0000, "failed to map segment from shared object"),
        # One in the middle lies beyond what is reserved: below the stack, or behind all there is.
        (1, 1 << 33, None),
        (1, 1 << 42, "failed to map segment from shared object"),
    ],
)
def test_segments_far_away(
    place: Workshop, tmp_path: Path, row: int, address: int, words: str | None
) -> None:
    path = with_segment(place.directory / "libmid.so", tmp_path / "libmid.so", row, address)
    forker = build_forker(place)
    (real,) = ask(forker, [path])
    assert real == (f"{path}: {words}" if words else "")
    assert (resolve(str(path), host=str(forker)).error or "") == real


def test_numbers_in_the_dynamic_section(place: Workshop, tmp_path: Path) -> None:
    path = place.directory / "libmid.so"
    tags = (SONAME, STRSZ, RELASZ, RELAENT, PLTRELSZ, PLTREL, VERNEEDNUM)
    values = (0, 1, 3, 0x18, (1 << 64) - 1)
    assert _differing(place, dynamic_fields(path, tags), values, tmp_path) == []


def test_relocations_and_versions(place: Workshop, tmp_path: Path) -> None:
    path = place.directory / "libmid.so"
    fields = [
        *row_fields(path, RELA, [(8, 4), (32, 4)]),
        *row_fields(path, JMPREL, [(8, 4)]),
        *row_fields(path, VERNEED, [(0, 2), (2, 2), (16, 4), (20, 2)]),
        *row_fields(path, VERDEF, [(0, 2), (6, 2)]),
    ]
    values = (0, 2, 3, 0x2A, 0xFF, 0x10001)
    assert _differing(place, fields, values, tmp_path) == []


def test_headers_of_a_candidate(place: Workshop, tmp_path: Path) -> None:
    """The name that the message begins with is the one asked for, or the path that was found."""
    forker = build_forker(place)
    code = "int mid(void); int top(void) { return mid(); }"
    sound = place.library("libtop.so", code, needed=["libmid.so"], runpath="$ORIGIN")
    wanted = ("EI_", "e_phoff", "e_phnum", "e_phentsize", "[0:0x1]", "[1:0x1]")
    middle = place.directory / "libmid.so"
    every = header_fields(middle.read_bytes())
    places = [field for field in every if field.name.startswith(wanted)]
    made = damaged(middle, places, (0, 1 << 62), tmp_path)
    cases = [(what, path) for what, path in made if what not in _ASIDE]
    tops = [path.with_name("libtop.so") for _, path in cases]
    for top in tops:
        top.hardlink_to(sound)
    real = ask(forker, tops)
    found = []
    for (what, _), top, words in zip(cases, tops, real, strict=True):
        ours = resolve(str(top), host=str(forker)).error or ""
        if words is not None and ours != words:
            found.append(f"{what}: real {words!r}, ours {ours!r}")
    assert found == []


def test_a_version_table_that_the_loader_cannot_read_in_a_library_of_it(place: Workshop) -> None:
    forker = build_forker(place)
    low = place.directory / "liblow.so"
    sound = low.read_bytes()
    try:
        (field,) = row_fields(low, VERDEF, [(28, 2)])  # the second record, V1
        raw = bytearray(sound)
        raw[field.offset : field.offset + 2] = b"\x03\x00"
        low.write_bytes(raw)
        (real,) = ask(forker, [place.directory / "libmid.so"])
        ours = resolve(str(place.directory / "libmid.so"), host=str(forker))
    finally:
        low.write_bytes(sound)
    assert real == ours.error
    assert real == f"{low}: unsupported version 3 of Verdef record"
    assert [f.rule for f in ours.findings if f.message == real] == ["refused-object"]


@pytest.mark.parametrize(("record", "taken"), [(1, False), (2, True)])
def test_versions_in_front_of_one_that_cannot_be_read(
    workshop: Workshop, record: int, taken: bool
) -> None:
    """They are found before the loader gets there."""
    script = "V1 { global: f; }; V2 { global: g; };"
    low = workshop.library("libf.so", "int f(void) { return 1; } int g;", script=script)
    code = "int f(void); int ask(void) { return f(); }"
    top = workshop.library("libask.so", code, needed=[low], runpath="$ORIGIN")
    (field,) = row_fields(low, VERDEF, [(28 * record, 2)])
    patch(low, field.offset, b"\x03\x00")
    forker = build_forker(workshop)
    (real,) = ask(forker, [top])
    assert real == ("" if taken else f"{low}: unsupported version 3 of Verdef record")
    assert (resolve(str(top), host=str(forker)).error or "") == real


def test_a_library_of_it_that_cannot_be_protected(workshop: Workshop) -> None:
    """PT_GNU_RELRO is nowhere near: it is what is left to do when all else is in order."""
    low = workshop.library("libf.so", "int f(void) { return 1; }")
    code = "int f(void); int ask(void) { return f(); }"
    top = workshop.library("libask.so", code, needed=["libf.so"], runpath="$ORIGIN")
    kinds = [segment.type for segment in read_elf(low).segments]
    place = 64 + 56 * kinds.index(SegmentType.GNU_RELRO)
    forker = build_forker(workshop)
    assert ask(forker, [top]) == [""]
    patch(low, place + 16, struct.pack("<Q", 1 << 45))
    patch(low, place + 40, struct.pack("<Q", 1 << 16))
    (real,) = ask(forker, [top])
    assert real is not None
    assert real.startswith(f"{low}: cannot apply additional memory protection")
    assert resolve(str(top), host=str(forker)).error == real


@pytest.mark.parametrize(
    ("tag", "at", "value"),
    [(RELAENT, None, 1), (PLTREL, None, 3), (RELA, 24 * 8 - 16, 0x2A), (JMPREL, 8, 1)],
)
def test_a_program_has_no_name_when_it_starts(
    place: Workshop, tmp_path: Path, tag: int, at: int | None, value: int
) -> None:
    """Nor is what reads its dynamic section in the same file as for a library."""
    code = '#include <stdio.h>\nint main(void) { return puts("") < 0; }'
    program = place.program("program", code, flags=["-Wl,-z,lazy"])
    (field,) = row_fields(program, tag, [(at, 4)]) if at else dynamic_fields(program, [tag])
    ((_, copy),) = damaged(program, [field], [value], tmp_path)
    copy.chmod(0o755)
    real, ours = start(copy, now=False), resolve(str(copy))
    assert real.error is not None
    assert ours.error == real.error


def test_a_refused_target_is_a_verdict_with_the_field(place: Workshop, tmp_path: Path) -> None:
    raw = bytearray((place.directory / "libmid.so").read_bytes())
    raw[4] = 0
    bad = tmp_path / "bad.so"
    bad.write_bytes(raw)
    for ours in (resolve(str(bad)), resolve(str(bad), host=str(build_forker(place)))):
        assert ours.verdict is Verdict.FAILS
        assert ours.error == f"{bad}: wrong ELF class: ELFCLASS32"
        (finding,) = ours.findings
        assert finding.rule == "refused-object"
        assert finding.evidence == ("EI_CLASS at offset 0x4: is 0, known are [1, 2]",)


@pytest.mark.parametrize("kind", [1, 4])
def test_what_is_no_library_at_all_is_still_no_verdict(
    place: Workshop, tmp_path: Path, kind: int
) -> None:
    raw = bytearray((place.directory / "libmid.so").read_bytes())
    raw[16] = kind
    (tmp_path / "bad.so").write_bytes(raw)
    with pytest.raises(NotLoadableError):
        resolve(str(tmp_path / "bad.so"), host=str(build_forker(place)))
