"""The link map: what ends a search before it begins, and the order of the objects.

Judged by the real loader: ``judge`` compares load order, paths, providers and the error.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import SegmentType, read_elf
from elfaudit.errors import NotLoadableError
from elfaudit.findings import Verdict
from tests.oracle import Workshop, dlopen, start
from tests.oracle.compare import answer_of, judge
from tests.oracle.edit import patch

pytestmark = pytest.mark.oracle

WHO = "int who(void) { return 1; }"
ASK = "int who(void); int ask(void) { return who(); }"


class TestAlreadyLoaded:
    """By name, by SONAME, by inode: an object in the process ends the search."""

    def test_by_soname_before_any_search(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libother.so", WHO, soname="libwho.so")
        workshop.library("b/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/b")
        _, ours = judge(host, ask, preload=[a])
        assert answer_of(ours).bindings[(str(ask), "who", None)] == str(a)

    def test_by_the_name_another_object_asked_for(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libwho.so", WHO, soname="")
        workshop.library("b/libwho.so", WHO)
        workshop.library("libone.so", needed=["libwho.so"], rpath="$ORIGIN/a")
        workshop.library("libtwo.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/b")
        top = workshop.library("libtop.so", needed=["libone.so", "libtwo.so"], runpath="$ORIGIN")
        real, ours = judge(host, top)
        assert real.objects[-1] == str(a)
        assert answer_of(ours).objects[-1] == str(a)

    def test_by_inode_of_a_symbolic_link(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libwho.so.1", WHO, soname="libwho.so.1")
        (workshop.directory / "a/libwho.so").symlink_to("libwho.so.1")
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so.1", "libwho.so"], runpath="$ORIGIN/a"
        )
        real, ours = judge(host, ask)
        assert real.loaded == (str(ask), str(a))
        assert len(ours.link_map.edges[ours.link_map.subject]) == 2

    def test_by_inode_of_a_hard_link(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libwho.so.1", WHO, soname="libwho.so.1")
        (workshop.directory / "a/libwho.so").hardlink_to(a)
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so", "libwho.so.1"], runpath="$ORIGIN/a"
        )
        real, _ = judge(host, ask)
        assert len(real.loaded) == 2

    def test_a_preload_masks_a_missing_rpath(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        _, ours = judge(host, ask)
        assert ours.error is not None
        _, ours = judge(host, ask, preload=[a])
        assert ours.error is None

    def test_of_two_files_of_one_soname_the_second_is_not_loaded(
        self, workshop: Workshop, host: Path
    ) -> None:
        a = workshop.library("a/libone.so", WHO, soname="libwho.so")
        workshop.library("a/libwho.so", WHO)
        ask = workshop.library(
            "libask.so", ASK, needed=["libone.so", "libwho.so"], runpath="$ORIGIN/a"
        )
        real, _ = judge(host, ask)
        assert real.loaded == (str(ask), str(a))

    def test_the_subject_is_known_by_its_path_not_by_the_name_it_was_typed_as(
        self, workshop: Workshop, host: Path
    ) -> None:
        ask = workshop.library("libask.so", ASK, soname="", needed=["libmid.so"], runpath="$ORIGIN")
        workshop.library("libmid.so", needed=["libask.so"], runpath="$ORIGIN/b")
        b = workshop.library("b/libask.so", WHO)
        real = dlopen(host, f"./{ask.name}", cwd=workshop.directory)
        before = os.getcwd()
        os.chdir(workshop.directory)
        try:
            ours = resolve(ask.name, host=str(host))
        finally:
            os.chdir(before)
        assert os.path.samefile(real.objects[-1], b)
        assert answer_of(ours).objects[-1] == str(b)

    def test_a_library_that_needs_itself(self, workshop: Workshop, host: Path) -> None:
        ask = workshop.library("libask.so", WHO + ASK, needed=["libask.so"], runpath="$ORIGIN")
        real, _ = judge(host, ask)
        assert real.loaded == (str(ask),)

    def test_a_missing_library_is_tried_again_for_each_object_that_needs_it(
        self, workshop: Workshop, host: Path
    ) -> None:
        a = workshop.library("a/libwho.so", WHO)
        workshop.library("libone.so", needed=["libwho.so"], runpath="$ORIGIN/b")
        workshop.library("libtwo.so", needed=["libwho.so"], runpath="$ORIGIN/a")
        top = workshop.library("libtop.so", needed=["libtwo.so", "libone.so"], runpath="$ORIGIN")
        judge(host, top)  # found for the first, and so for the second
        top = workshop.library("libtop.so", needed=["libone.so", "libtwo.so"], runpath="$ORIGIN")
        _, ours = judge(host, top)
        assert ours.error is not None
        assert [e.path for e in ours.link_map.entries if e.name == "libwho.so"] == [None, str(a)]


class TestLoadOrder:
    """Breadth first."""

    def test_breadth_first(self, workshop: Workshop, host: Path) -> None:
        workshop.library("libdeep.so", WHO)
        workshop.library("libone.so", needed=["libdeep.so"], runpath="$ORIGIN")
        workshop.library("libtwo.so", WHO)
        top = workshop.library(
            "libtop.so", ASK, needed=["libone.so", "libtwo.so"], runpath="$ORIGIN"
        )
        real, _ = judge(host, top)
        names = [os.path.basename(path) for path in real.loaded]
        assert names == ["libtop.so", "libone.so", "libtwo.so", "libdeep.so"]

    def test_diamond_and_cycle(self, workshop: Workshop, host: Path) -> None:
        edges = {
            "top": "one two",
            "one": "deep",
            "two": "deep three",
            "three": "one top",
            "deep": "two",
        }
        for name, targets in edges.items():
            needed = [f"lib{target}.so" for target in targets.split()]
            code = f"int {name}(void) {{ return 1; }} int top(void);"
            code += f"int use_{name}(void) {{ return top(); }}"
            workshop.library(f"lib{name}.so", code, needed=needed, runpath="$ORIGIN")
        judge(host, workshop.directory / "libtop.so")

    def test_preloads_before_what_the_program_needs(self, workshop: Workshop) -> None:
        a = workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libpre.so", WHO, needed=["libdeep.so"], runpath="$ORIGIN")
        deep = workshop.library("b/libdeep.so", WHO)
        code = "int who(void); int main(void) { return who() - 1; }"
        program = workshop.program("ask", code, needed=[a, "libwho.so"], rpath="$ORIGIN/a")
        real = start(program, preload=[b])
        ours = resolve(str(program), preload=[str(b)])
        assert real.error is None
        assert real.bindings[(str(program), "who", None)] == str(b)
        assert answer_of(ours).bindings[(str(program), "who", None)] == str(b)
        paths = answer_of(ours).objects
        assert paths.index(str(a)) < paths.index(str(deep))


class TestAuxiliary:
    """``DT_AUXILIARY``: a filtee that may be absent."""

    def test_absent_for_one_and_needed_by_another(self, workshop: Workshop, host: Path) -> None:
        workshop.library("libaux.so", WHO, flags=["-Wl,-f,libopt.so"])
        workshop.library("libuser.so", needed=["libopt.so"])
        for needed in (["libaux.so", "libuser.so"], ["libuser.so", "libaux.so"]):
            top = workshop.library("libtop.so", needed=needed, runpath="$ORIGIN")
            real, ours = judge(host, top)
            assert real.error is not None
            assert [entry.name for entry in ours.link_map.missing] == ["libopt.so"]

    def test_optional_and_needed_in_one_object(self, workshop: Workshop, host: Path) -> None:
        top = workshop.library("libtop.so", needed=["libopt.so"], flags=["-Wl,-f,libopt.so"])
        real, _ = judge(host, top)
        assert real.error is not None

    @pytest.mark.parametrize("name", ["$ORIGIN/libopt.so", "libopt.so", "/nowhere/libopt.so"])
    def test_absent(self, workshop: Workshop, host: Path, name: str) -> None:
        top = workshop.library("libtop.so", WHO, flags=[f"-Wl,-f,{name}"])
        real, ours = judge(host, top)
        assert real.error is None
        assert not ours.link_map.missing


def test_a_program_whose_interpreter_is_not_there(workshop: Workshop, tmp_path: Path) -> None:
    flags = ["-Wl,--dynamic-linker,/nowhere/ld.so"]
    program = workshop.program("ask", "int main(void) { return 0; }", flags=flags)
    with pytest.raises(FileNotFoundError):  # the kernel's ENOENT
        start(program)
    ours = resolve(str(program))
    assert ours.verdict is Verdict.FAILS
    assert ours.error is not None
    assert "its interpreter /nowhere/ld.so is not there" in ours.error
    (tmp_path / "empty").mkdir()
    partial = resolve(str(program), root=str(tmp_path / "empty"))
    assert partial.verdict is Verdict.UNDECIDED


HEADERS = {
    "osabi": (7, b"\x09"),
    "abi version": (8, b"\x01"),
    "gnu abi version": (7, b"\x03\x03"),
    "gnu abi version unknown": (7, b"\x03\x04"),
    "padding": (12, b"\x01"),
    "e_version": (20, b"\x02"),
    "both": (16, b"\x01\x00\x3e\x00\x02"),
}


class TestHeader:
    """What the loader looks at before anything else, of a candidate and of the file itself."""

    @pytest.mark.parametrize("change", HEADERS)
    def test_of_the_subject(self, workshop: Workshop, host: Path, change: str) -> None:
        ask = workshop.library("libask.so", WHO, needed=["libgone.so"])
        patch(ask, *HEADERS[change])
        if change == "both":  # no type of its own: we do not even try
            assert dlopen(host, ask).error is not None
            with pytest.raises(NotLoadableError):
                resolve(str(ask), host=str(host))
            return
        real, ours = judge(host, ask)
        refused = change != "gnu abi version"
        assert ours.verdict is Verdict.FAILS
        assert (ours.findings[0].rule == "refused-object") is refused
        assert real.error is not None

    @pytest.mark.parametrize("change", HEADERS)
    def test_of_a_candidate(self, workshop: Workshop, host: Path, change: str) -> None:
        patch(workshop.library("libwho.so", WHO), *HEADERS[change])
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN")
        judge(host, ask)

    def test_a_segment_that_cannot_be_mapped(self, workshop: Workshop, host: Path) -> None:
        who = workshop.library("libwho.so", WHO, flags=["-Wl,-z,separate-code"])
        segments = read_elf(who).segments
        code = next(s for s in segments if s.type == SegmentType.LOAD and s.flags & 1)
        offset = 64 + 56 * segments.index(code) + 8
        patch(who, offset, struct.pack("<Q", code.offset + 8))
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN")
        _, ours = judge(host, ask)
        assert ours.error == "libwho.so: ELF load command address/offset not page-aligned"
        judge(host, who)

    def test_a_program_is_the_kernels(self, workshop: Workshop) -> None:
        program = workshop.program("ask", "int main(void) { return 0; }")
        patch(program, 7, b"\x09")
        assert start(program).error is None
        assert resolve(str(program)).verdict is Verdict.LOADS
