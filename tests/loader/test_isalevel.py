"""Objects that say they need another CPU than this: a level is made up that no CPU has."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import SegmentType, read_elf
from elfaudit.findings import Severity
from elfaudit.loader import Origin
from elfaudit.loader.isalevel import too_new
from elfaudit.loader.rtld import Version
from tests.api.test_process import STEPS, told
from tests.oracle import Workshop, start
from tests.oracle.chroot import Root
from tests.oracle.compare import judge
from tests.oracle.edit import patch

pytestmark = pytest.mark.oracle

F = "int f(void) { return 1; }"
ASK = "int f(void); int ask(void) { return f(); }"
MARKED = ["-Wl,-z,x86-64-baseline"]
UNKNOWN = 0x10
NOTE = r"""
__asm__(".pushsection %s, \"a\", @note\n .align 8\n .long 4, 16, 5\n .asciz \"GNU\"\n"
        ".long 0xc0008002, 4, 16, 0\n .popsection");
"""
TWO_PROPERTIES = r"""
__asm__(".pushsection .note.own, \"a\", @note\n .align 8\n .long 4, 32, 5\n .asciz \"GNU\"\n"
        ".long %#x, 4, 0, 0, 0xc0008002, 4, 16, 0\n .popsection");
"""
_PROPERTY = bytes.fromhex("028000c004000000")


def mark(path: Path, needed: int = UNKNOWN) -> None:
    """Set what a file built with ``MARKED`` says it needs."""
    at = path.read_bytes().index(_PROPERTY) + len(_PROPERTY)
    patch(path, at, needed.to_bytes(4, "little"))


def library(workshop: Workshop, path: str, code: str = F, needed: int = UNKNOWN) -> Path:
    made = workshop.library(path, code, flags=MARKED)
    mark(made, needed)
    assert read_elf(made).isa_needed == needed
    return made


@pytest.mark.parametrize("needed", [0, 1, 1 << 4, 1 << 31, 1 << 4 | 1])
def test_a_library(workshop: Workshop, host: Path, needed: int) -> None:
    ask = library(workshop, "libask.so", needed=needed)
    real, ours = judge(host, ask)
    assert (real.error is None) == (needed < UNKNOWN)
    found = [each for each in ours.findings if each.rule == "isa-level"]
    assert [each.severity for each in found] == [Severity.ERROR] * bool(real.error)


def test_of_several_the_first_that_is_relocated(workshop: Workshop, host: Path) -> None:
    for name in ("libf.so", "libg.so"):
        library(workshop, name)
    ask = workshop.library(
        "libask.so", "int gone(void); int (*ask)(void) = gone;", needed=["libf.so", "libg.so"],
        runpath="$ORIGIN",
    )  # fmt: skip
    real, _ = judge(host, ask)
    assert real.error is not None
    assert "libg.so: CPU" in real.error


def test_after_the_versions(workshop: Workshop, host: Path) -> None:
    two = workshop.library("libf.so", F, script="V2 { global: f; };")
    ask = workshop.library("libask.so", ASK, needed=[two], runpath="$ORIGIN", flags=MARKED)
    mark(ask)
    workshop.library("libf.so", F, script="V1 { global: f; };")
    real, _ = judge(host, ask)
    assert "`V2' not found" in (real.error or "")


@pytest.mark.parametrize("of", ["program", "library"])
def test_a_program(workshop: Workshop, of: str) -> None:
    needed = [library(workshop, "libf.so", needed=UNKNOWN if of == "library" else 1)]
    code = NOTE % ".note.gnu.property" + "int main(void) { return 0; }"
    program = workshop.program("p", code, needed=needed, runpath="$ORIGIN")
    mark(program, UNKNOWN if of == "program" else 1)
    real = start(program)
    assert resolve(str(program)).error == real.error is not None


def test_what_is_in_the_process_already(workshop: Workshop) -> None:
    """A failed step leaves nothing behind; the next one is judged by itself."""
    bad = library(workshop, "libbad.so")
    good = workshop.library("libgood.so", F)
    program = workshop.program("steps", STEPS)
    real = told(program, (bad, "l"), (good, "l"))
    assert [resolve(str(bad), host=str(program)).error, ""] == real


@pytest.mark.parametrize("change", ["none", "align", "size", "order", "owner"])
def test_a_note_that_does_not_count(workshop: Workshop, host: Path, change: str) -> None:
    ask = library(workshop, "libask.so")
    at = ask.read_bytes().index(_PROPERTY)
    if change == "align":
        for row, segment in enumerate(read_elf(ask).segments):
            if segment.type == SegmentType.NOTE and segment.align == 8:
                patch(ask, 64 + row * 56 + 48, (4).to_bytes(8, "little"))
    elif change == "size":
        patch(ask, at + 4, b"\x08")
    elif change == "order":
        patch(ask, at, b"\x03")
    elif change == "owner":
        patch(ask, at - 4, b"FOO")
    real, _ = judge(host, ask)
    assert (real.error is None) == (change != "none")


@pytest.mark.parametrize(
    ("before", "counts"),
    [(0xC0000003, True), (0xC0008001, True), (0xC0008003, False), (0xC0010001, False)],
)
def test_properties_out_of_order(workshop: Workshop, host: Path, before: int, counts: bool) -> None:
    """What comes behind a property of a greater number is not looked at."""
    ask = workshop.library("libask.so", TWO_PROPERTIES % before + F)
    assert read_elf(ask).properties == ((before, bytes(4)), (0xC0008002, b"\x10\0\0\0"))
    real, _ = judge(host, ask)
    assert (real.error is not None) == counts
    assert read_elf(ask).isa_needed == (UNKNOWN if counts else 0)


@pytest.mark.parametrize("number", [1, 2])
def test_two_notes_side_by_side(workshop: Workshop, host: Path, number: int) -> None:
    """As an old linker left them: what is taken out of both is nothing."""
    code = "".join(NOTE % f".note.other{each}" for each in range(number))
    ask = workshop.library("libask.so", code + F)
    raw = ask.read_bytes()
    assert raw.count(_PROPERTY) == number
    real, _ = judge(host, ask)
    assert (real.error is None) == (number == 2)


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory, stubs: Path) -> Root:
    """A small root of its own."""
    return Root(Workshop(tmp_path_factory.mktemp("root"), stubs))


@pytest.mark.parametrize("needed", [1, UNKNOWN])
def test_an_entry_of_the_cache(root: Root, needed: int) -> None:
    """A library for a level of this CPU that says it needs another: its entry is passed over."""
    workshop = root.workshop
    workshop.library("opt/libf.so", F)
    library(workshop, "opt/glibc-hwcaps/x86-64-v2/libf.so", needed=needed)
    workshop.library("libask.so", ASK, needed=["libf.so"])
    root.make_cache("/opt")
    real = root.dlopen("/libask.so")
    ours = resolve(f"{root.path}/libask.so", root=str(root.path), host="/host")
    paths = [entry.path for entry in ours.link_map.entries]
    assert real.error is ours.error is None
    assert real.objects[-1] == paths[-1] == ours.link_map.edges[ours.link_map.subject][0].path
    assert ("hwcaps" in real.objects[-1]) == (needed == 1)
    assert not [each for each in ours.findings if each.rule == "stale-cache"]


def needing_more(loader: Path) -> None:
    """Write over the build-id of a loader that it needs a level that no CPU has."""
    note = struct.pack("<III4sIIII", 4, 16, 5, b"GNU", 0xC0008002, 4, UNKNOWN, 0)
    (row, old), *more = (
        (row, segment)
        for row, segment in enumerate(read_elf(loader).segments)
        if segment.type == SegmentType.NOTE
    )
    if more or old.file_size < len(note) or old.address % 8:
        pytest.skip("the notes of the loader here are laid out otherwise")
    patch(loader, old.offset, note)
    patch(loader, 64 + row * 56 + 32, struct.pack("<QQQ", len(note), len(note), 8))
    assert read_elf(loader).isa_needed == UNKNOWN


def test_the_loader_itself_is_not_looked_at(root: Root) -> None:
    """It runs, whatever it says of itself; whoever lists it may be loaded, too."""
    root.workshop.library("libask.so", F, needed=["ld-linux-x86-64.so.2"])
    needing_more(root.path / "lib" / root.triplet / "ld-linux-x86-64.so.2")
    real = root.dlopen("/libask.so")
    ours = resolve(f"{root.path}/libask.so", root=str(root.path), host="/host")
    loaders = [each for each in ours.link_map.entries if each.origin is Origin.LOADED]
    assert [each.elf.isa_needed for each in loaders if each.elf is not None] == [UNKNOWN]
    assert loaders[0] in ours.link_map.edges[ours.link_map.subject]
    assert real.error is ours.error is None
    assert not [each for each in ours.findings if each.rule == "isa-level"]


@pytest.mark.parametrize(
    ("version", "checked"),
    [((2, 31), False), ((2, 32), False), ((2, 33), True), ((2, 36), True), (None, True)],
)
def test_since_when_it_is_checked(
    workshop: Workshop, host: Path, version: Version | None, checked: bool
) -> None:
    """Source: ``dl_isa_level_check`` is new in glibc 2.33 (``sysdeps/x86/dl-prop.h``)."""
    ask = library(workshop, "libask.so")
    link_map = resolve(str(ask), host=str(host)).link_map
    found = too_new(link_map, link_map.openings[-1], 1, version)
    assert found is (link_map.subject if checked else None)
