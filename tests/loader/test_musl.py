"""musl: the search order, what is loaded already, lookups, messages; the real loader is the judge.

Every test asks musl's own loader and fails where ours says anything else, so swapping two rules of
the order in the source fails a test here.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
from pathlib import Path

import pytest

from elfaudit.elf import DynamicTag, read_elf
from elfaudit.loader import Origin
from tests.oracle import Workshop
from tests.oracle.edit import add_dynamic_entry, dynamic_value
from tests.oracle.musl import (
    MUSL_LOADER,
    build_musl_host,
)
from tests.oracle.musl_prediction import judge_musl

pytestmark = [pytest.mark.oracle, pytest.mark.usefixtures("musl_host")]

DT_RUNPATH = 29


def who(number: int) -> str:
    return f"int who(void) {{ return {number}; }}"


ASK = "int who(void); int ask(void) { return who(); }"


class TestOrder:
    """LD_LIBRARY_PATH, the paths along needed_by, the system's."""

    def test_library_path_before_own_path(self, workshop: Workshop, musl_host: Path) -> None:
        a = workshop.library("a/libwho.so", who(1))
        b = workshop.library("b/libwho.so", who(2))
        for tag in ("rpath", "runpath"):
            ask = workshop.library(f"{tag}.so", ASK, needed=["libwho.so"], **{tag: "$ORIGIN/a"})
            real, ours = judge_musl(musl_host, ask, probes=["ask"], library_path=str(b.parent))
            assert real.probes == {"ask": 2}
            assert (ours.entry("libwho.so").path, ours.entry("libwho.so").origin) == (
                str(b),
                Origin.LD_LIBRARY_PATH,
            )
            _, ours = judge_musl(musl_host, ask)
            assert ours.entry("libwho.so").path == str(a)

    def test_own_path_before_that_of_whoever_needs_it(
        self, workshop: Workshop, musl_host: Path
    ) -> None:
        a = workshop.library("a/libwho.so", who(1))
        workshop.library("b/libwho.so", who(2))
        workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a")
        top = workshop.library("libtop.so", needed=["libask.so"], runpath="$ORIGIN/b:$ORIGIN")
        _, ours = judge_musl(musl_host, top)
        entry = ours.entry("libwho.so")
        assert (entry.path, entry.origin) == (str(a), Origin.RUNPATH)

    def test_runpath_is_inherited(self, workshop: Workshop, musl_host: Path) -> None:
        b = workshop.library("b/libwho.so", who(2))
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        top = workshop.library("libtop.so", needed=["libask.so"], runpath="$ORIGIN/b:$ORIGIN")
        _, ours = judge_musl(musl_host, top)
        entry = ours.entry("libwho.so")
        assert entry.path == str(b)
        assert {step.declared_by for step in entry.steps} == {str(top)}
        _, ours = judge_musl(musl_host, ask)  # nobody with a path needs it now
        assert ours.error is not None

    def test_the_nearer_before_the_program(self, workshop: Workshop) -> None:
        a = workshop.library("a/libwho.so", who(1))
        workshop.library("b/libwho.so", who(2))
        workshop.library("libask.so", ASK, needed=["libwho.so"])
        top = workshop.library("libtop.so", needed=["libask.so"], rpath="$ORIGIN/a:$ORIGIN")
        program = build_musl_host(workshop, flags=["-Wl,-rpath,$ORIGIN/b"])
        _, ours = judge_musl(program, top)
        assert ours.entry("libwho.so").path == str(a)

    def test_the_program_is_the_last_of_them(self, workshop: Workshop) -> None:
        b = workshop.library("b/libwho.so", who(2))
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        program = build_musl_host(workshop, flags=["-Wl,-rpath,$ORIGIN/b"])
        _, ours = judge_musl(program, ask)
        assert ours.entry("libwho.so").path == str(b)
        _, ours = judge_musl(program, "libwho.so")  # dlopen of a name: the program asks
        assert (ours.link_map.subject.path, ours.link_map.subject.origin) == (
            str(b),
            Origin.DLOPEN,
        )

    def test_nobody_needs_a_preload(self, workshop: Workshop) -> None:
        workshop.library("b/libwho.so", who(2))
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        program = build_musl_host(workshop, flags=["-Wl,-rpath,$ORIGIN/b"])
        _, ours = judge_musl(program, preload=[ask])
        assert ours.error == (
            f"Error loading shared library libwho.so: No such file or directory (needed by {ask})"
        )

    def test_runpath_wins_over_rpath(self, workshop: Workshop, musl_host: Path) -> None:
        workshop.library("a/libwho.so", who(1))
        b = workshop.library("b/libwho.so", who(2))
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/a", soname="$ORIGIN/b"
        )
        add_dynamic_entry(ask, 29, dynamic_value(ask, DynamicTag.SONAME))
        _, ours = judge_musl(musl_host, ask)
        assert ours.entry("libwho.so").path == str(b)

    def test_own_path_before_the_system(self, tmp_path: Path, workshop: Workshop) -> None:
        root = tmp_path.resolve() / "root"
        program, inside = rooted(workshop, root)
        for folder, number in (("lib", 1), ("usr/local/lib", 2), ("usr/lib", 3), ("own", 4)):
            workshop.library(f"root/{folder}/libwho.so", who(number))
        ask = workshop.library("root/libask.so", ASK, needed=["libwho.so"], runpath=f"{root}/own")
        for expected in (4, 1, 2, 3):
            real, ours = judge_musl(program, ask, probes=["ask"])
            assert real.probes == {"ask": expected}
            last = ours.entry("libwho.so").path
            assert last is not None
            os.unlink(last)
        _, ours = judge_musl(program, ask)
        assert [step.origin for step in ours.entry("libwho.so").steps] == [
            Origin.RUNPATH,
            *[Origin.DEFAULT] * 3,
        ]
        del inside


def rooted(workshop: Workshop, root: Path) -> tuple[Path, Path]:
    """A program whose loader is below ``root``, so that its system directories are to order.

    The path file is looked for beside the loader's directory; the default directories are the
    machine's own, unless the file says otherwise.
    """
    loader = root / "lib/ld-musl-x86_64.so.1"
    loader.parent.mkdir(parents=True)
    shutil.copy(os.path.realpath(MUSL_LOADER), loader)
    (root / "etc").mkdir()
    paths = root / "etc/ld-musl-x86_64.path"
    paths.write_text(f"{root}/lib:{root}/usr/local/lib\n{root}/usr/lib\n")
    flags = [f"-Wl,--dynamic-linker={loader}"]
    return build_musl_host(workshop, "root/host", flags=flags), paths


class TestSystemPath:
    """``/etc/ld-musl-ARCH.path``, beside the directory of the loader."""

    def test_a_file_that_is_empty_leaves_nothing(self, workshop: Workshop) -> None:
        root = workshop.directory / "root"
        program, paths = rooted(workshop, root)
        workshop.library("root/lib/libwho.so", who(1))
        ask = workshop.library("root/libask.so", ASK, needed=["libwho.so"])
        assert judge_musl(program, ask)[1].error is None
        paths.write_text("")
        _, ours = judge_musl(program, ask)
        assert ours.error == (
            f"Error loading shared library libwho.so: No error information (needed by {ask})"
        )

    def test_without_the_file_the_default_directories(self, workshop: Workshop) -> None:
        root = workshop.directory / "root"
        program, paths = rooted(workshop, root)
        workshop.library("root/lib/libwho.so", who(1))
        ask = workshop.library("root/libask.so", ASK, needed=["libwho.so"])
        paths.unlink()
        _, ours = judge_musl(program, ask)
        assert [step.path for step in ours.entry("libwho.so").steps] == [
            "/lib/libwho.so",
            "/usr/local/lib/libwho.so",
            "/usr/lib/libwho.so",
        ]

    def test_a_file_nobody_can_read_leaves_nothing(self, workshop: Workshop) -> None:
        root = workshop.directory / "root"
        program, paths = rooted(workshop, root)
        ask = workshop.library("root/libask.so", ASK, needed=["libz.so.1"])
        paths.unlink()
        paths.parent.rmdir()
        paths.parent.write_text("a file where the directory should be")
        _, ours = judge_musl(program, ask)
        assert [step.path for step in ours.entry("libz.so.1").steps] == [str(paths)]

    def test_it_ends_at_the_first_nul(self, workshop: Workshop) -> None:
        root = workshop.directory / "root"
        program, paths = rooted(workshop, root)
        workshop.library("root/lib/libwho.so", who(1))
        ask = workshop.library("root/libask.so", ASK, needed=["libwho.so"])
        paths.write_text(f"/nowhere\0:{root}/lib")
        _, ours = judge_musl(program, ask)
        assert ours.error is not None


class TestTokens:
    """``$ORIGIN`` and nothing else."""

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("$ORIGIN/a", True),
            ("${ORIGIN}/a", True),
            ("{top}/none:$ORIGIN/a", True),
            ("$ORIGINAL/a", False),  # is $ORIGIN and "AL"
            ("$ORIGIN/a:$LIB", False),
            ("{top}/a:$PLATFORM", False),
            ("{top}/a:$", False),
            ("${ORIGIN/a", False),
            ("{top}/a\n/nowhere", True),
            ("::{top}/a", True),
            ("", False),
        ],
    )
    def test_paths(self, workshop: Workshop, musl_host: Path, path: str, found: bool) -> None:
        workshop.library("a/libwho.so", who(1))
        top = str(workshop.directory)
        own = path.replace("{top}", top)
        # The linker would drop an empty path; the name is the file's own end.
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], soname=own or "x")
        offset = dynamic_value(ask, DynamicTag.SONAME)
        add_dynamic_entry(ask, DT_RUNPATH, offset if own else offset + 1)
        assert read_elf(ask).dynamic.runpath == own  # type: ignore[union-attr]
        _, ours = judge_musl(musl_host, ask)
        assert (ours.error is None) == found

    def test_origin_is_the_directory_of_the_path_as_opened(
        self, workshop: Workshop, musl_host: Path
    ) -> None:
        workshop.library("real/libwho.so", who(1))
        linked = workshop.library("linked/a/libwho.so", who(2))
        ask = workshop.library("real/libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/a")
        workshop.library("real/a/libwho.so", who(3))
        link = workshop.directory / "linked/libask.so"
        link.symlink_to(ask)
        _, ours = judge_musl(musl_host, link)
        assert ours.entry("libwho.so").path == str(linked)

    def test_an_empty_origin_is_no_directory(self, workshop: Workshop, musl_host: Path) -> None:
        ask = Path("/libask-of-a-test.so")
        try:
            shutil.copy(workshop.library("x.so", ASK, needed=["libwho.so"], rpath="$ORIGIN"), ask)
        except OSError:
            pytest.skip("may not write to /")
        try:
            _, ours = judge_musl(musl_host, ask)
        finally:
            ask.unlink()
        assert {step.origin for step in ours.entry("libwho.so").steps} == {Origin.DEFAULT}

    def test_library_path_has_no_tokens_and_no_empty_elements(
        self, workshop: Workshop, musl_host: Path
    ) -> None:
        workshop.library("libwho.so", who(1))
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        here = workshop.directory
        for path in ("$ORIGIN", ":", "::"):
            _, ours = judge_musl(musl_host, ask, library_path=path, cwd=here)
            assert ours.error is not None
        _, ours = judge_musl(musl_host, ask, library_path=":.", cwd=here)
        assert ours.error is None


class TestPathOpen:
    """What ends the search, and what does not."""

    @pytest.mark.parametrize(
        "what",
        ["text", "empty", "directory", "object", "32", "big", "short", "loop", "null", "hollow",
         "socket"],
    )  # fmt: skip
    def test_the_first_that_opens_ends_it(
        self, workshop: Workshop, musl_host: Path, what: str
    ) -> None:
        bad = workshop.directory / "bad/libwho.so"
        workshop.library("good/libwho.so", who(1))
        sound = (workshop.library("bad/libwho.so", who(2))).read_bytes()
        bad.unlink()
        if what == "directory":
            (bad / "x").mkdir(parents=True)
        elif what == "hollow":
            bad.mkdir()
        elif what == "loop":
            bad.symlink_to("libwho.so")
        elif what == "null":
            bad.symlink_to("/dev/null")
        elif what == "socket":
            os.mknod(bad, 0o600 | stat.S_IFSOCK)
        else:
            bytes_ = {
                "text": b"INPUT(libother.so) /* a linker script */" + b" " * 80,
                "empty": b"",
                "object": sound[:16] + struct.pack("<H", 1) + sound[18:],
                "32": sound[:4] + b"\1" + sound[5:16] + b"\3\0" + bytes(len(sound)),
                "big": sound[:5] + b"\2" + sound[6:16] + b"\0\3" + sound[18:],
                "short": sound[:40],
            }[what]
            bad.write_bytes(bytes_)
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/bad:$ORIGIN/good"
        )
        _, ours = judge_musl(musl_host, ask)
        why = {
            "directory": "Is a directory",
            "hollow": "Is a directory",
            "loop": "Symbolic link loop",
            "socket": "No such device or address",
        }.get(what, "Exec format error")
        assert ours.error == f"Error loading shared library libwho.so: {why} (needed by {ask})"
        assert len(ours.entry("libwho.so").steps) == 1
        judge_musl(musl_host, bad)

    def test_what_is_not_there_does_not(self, workshop: Workshop, musl_host: Path) -> None:
        file = workshop.library("file", who(1))
        good = workshop.library("good/libwho.so", who(2))
        long = "d" * 300
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"],
            rpath=f"{file}:/nowhere:$ORIGIN/{long}:$ORIGIN/good",
        )  # fmt: skip
        _, ours = judge_musl(musl_host, ask)
        assert ours.entry("libwho.so").path == str(good)

    def test_the_last_path_says_why(self, workshop: Workshop) -> None:
        file = workshop.library("file", who(1))
        root = workshop.directory / "second"
        program, paths = rooted(workshop, root)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        paths.write_text(f"/nowhere:{file}")
        _, ours = judge_musl(program, ask)
        assert "Not a directory (needed" in (ours.error or "")
        paths.write_text(f"{file}:/nowhere")
        _, ours = judge_musl(program, ask)
        assert "No such file or directory (needed" in (ours.error or "")
        paths.unlink()
        paths.mkdir()  # can be opened, but not read
        _, ours = judge_musl(program, ask)
        assert "Is a directory (needed" in (ours.error or "")
        paths.rmdir()
        # A path that does not fit the loader's buffer is not tried, one that does may be too long.
        paths.write_text(f"{file}:/{'/'.join(['d' * 200] * 3)}")
        _, ours = judge_musl(program, ask)
        assert "Not a directory (needed" in (ours.error or "")
        paths.write_text(f"{file}:/{'d' * 300}")
        _, ours = judge_musl(program, ask)
        assert "Filename too long (needed" in (ours.error or "")

    def test_where_nothing_is_tried_what_failed_before_says_why(
        self, workshop: Workshop, musl_host: Path
    ) -> None:
        file = workshop.library("file", who(1))
        workshop.library("libwho.so", who(1))
        long = "lib" + "w" * 260 + ".so"
        stub = workshop.library("stub.so", soname=long)
        ask = workshop.library("libask.so", needed=["libwho.so", stub], rpath=f"{file}:$ORIGIN")
        _, ours = judge_musl(musl_host, ask)
        assert ours.error == (
            f"Error loading shared library {long}: Not a directory (needed by {ask})"
        )

    def test_names(self, workshop: Workshop, musl_host: Path) -> None:
        workshop.library("libwho.so", who(1))
        here = workshop.directory
        for name in ("./libwho.so", f"{here}/../{here.name}/libwho.so", "./none", "", "./", "."):
            judge_musl(musl_host, name, cwd=here)
        for needed in ("./libwho.so", "./none.so", f"{here}/libwho.so", "$ORIGIN/libwho.so"):
            ask = workshop.library("libask.so", ASK, needed=[needed])
            judge_musl(musl_host, ask, cwd=here)
        long = "lib" + "w" * 250 + ".so"
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], soname=long)
        judge_musl(musl_host, ask)


class TestIdentity:
    """Short names and inodes; a SONAME is nothing."""

    def test_a_soname_does_not_count(self, workshop: Workshop, musl_host: Path) -> None:
        workshop.library("libreal.so", who(1), soname="libwho.so")
        ask = workshop.library(
            "libask.so", ASK, needed=["libreal.so", "libwho.so"], rpath="$ORIGIN"
        )
        _, ours = judge_musl(musl_host, ask)
        assert ours.entry("libwho.so").missing

    def test_a_path_gives_no_short_name_until_a_search_meets_the_file(
        self, workshop: Workshop, musl_host: Path
    ) -> None:
        first = workshop.library("x/libwho.so", who(1))
        other = workshop.library("y/libwho.so", who(2))
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/y")
        _, ours = judge_musl(musl_host, first, ask)
        assert ours.entry("libwho.so").path == str(other)
        # A link found by a search leads to the first one, which is known by its own name from now.
        (workshop.directory / "y/liblink.so").symlink_to(first)
        ask = workshop.library(
            "libask2.so", ASK, needed=["liblink.so", "libwho.so"], rpath="$ORIGIN/y"
        )
        _, ours = judge_musl(musl_host, first, ask)
        assert ours.entry("libwho.so").path == str(first)

    def test_of_two_of_one_name_the_one_loaded_first(
        self, workshop: Workshop, musl_host: Path
    ) -> None:
        first = workshop.library("x/libwho.so", who(1))
        workshop.library("y/libwho.so", who(2))
        (workshop.directory / "y/liblink.so").symlink_to(first)
        top = workshop.library(
            "libtop.so", needed=["libwho.so", "liblink.so", "libask.so"], rpath="$ORIGIN/y:$ORIGIN"
        )
        workshop.library("libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/y")
        _, ours = judge_musl(musl_host, first, top)
        ask = ours.entry("libask.so")
        assert [e.path for e in ours.link_map.edges[ask]] == [str(first)]

    def test_short_names_before_the_search(self, workshop: Workshop, musl_host: Path) -> None:
        a = workshop.library("a/libwho.so", who(1))
        workshop.library("b/libwho.so", who(2))
        workshop.library("libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/b")
        top = workshop.library(
            "libtop.so", needed=["libwho.so", "libask.so"], rpath="$ORIGIN/a:$ORIGIN"
        )
        _, ours = judge_musl(musl_host, top)
        assert [e.path for e in ours.link_map.edges[ours.entry("libask.so")]] == [str(a)]

    def test_hard_links_and_preloads(self, workshop: Workshop, musl_host: Path) -> None:
        a = workshop.library("a/libwho.so", who(1))
        (workshop.directory / "b").mkdir()
        os.link(a, workshop.directory / "b/libwho.so")
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/b")
        _, ours = judge_musl(musl_host, ask, preload=[a, "libgone.so"])
        assert ours.entry("libwho.so").path == str(a)
        assert [e.name for e in ours.link_map.ignored_preloads] == ["libgone.so"]

    def test_the_program_is_not_found_by_its_file(self, workshop: Workshop) -> None:
        program = build_musl_host(workshop)
        _, ours = judge_musl(program, program)
        assert ours.objects[-1] == str(program)

    @pytest.mark.parametrize(
        "name",
        ["libc.so.6", "libm.so", "libpthread.so.0", "librt.so.1", "libdl.so.2", "libutil.so.1",
         "libxnet.so", "libc.musl-x86_64.so.1", MUSL_LOADER, "libcrypt.so.1", "libresolv.so.2",
         "ld-musl-x86_64.so.1", "libmath.so", "libc-other.so"],
    )  # fmt: skip
    def test_names_of_the_loader(self, workshop: Workshop, musl_host: Path, name: str) -> None:
        ask = workshop.library("libask.so", needed=[name])
        _, ours = judge_musl(musl_host, ask)
        assert (MUSL_LOADER in ours.objects) is True
        judge_musl(musl_host, name)

    def test_any_c_library_is_the_loader(self, workshop: Workshop, musl_host: Path) -> None:
        copy = workshop.directory / "libcopy.so"
        shutil.copy(os.path.realpath(MUSL_LOADER), copy)
        _, ours = judge_musl(musl_host, copy)
        assert ours.link_map.subject.path == MUSL_LOADER
        ask = workshop.library("libask.so", needed=["libcopy.so"], rpath="$ORIGIN")
        judge_musl(musl_host, ask)
        for path in ("/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6"):
            if Path(path).exists():
                judge_musl(musl_host, path)
