"""The search order, each adjacent pair of it, with the chosen path judged by the real loader.

Every test has a library of one name in two places. ``judge`` fails if ours is not the one the real
loader opened, so swapping two rules of the order in the source fails a test here.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from elfaudit.api import resolve, resolve_all
from elfaudit.findings import Resolution
from elfaudit.loader import LinkMapEntry, Origin, Outcome
from elfaudit.loader import search as search_module
from tests.oracle import Workshop, build_host, dlopen, start
from tests.oracle.compare import answer_of, judge
from tests.oracle.edit import add_dynamic_entry, dynamic_value

pytestmark = pytest.mark.oracle

WHO = "int who(void) { return 1; }"
DT_RPATH, DT_RUNPATH = 15, 29
ASK = "int who(void); int ask(void) { return who(); }"


def entry_of(resolution: Resolution, name: str = "libwho.so") -> LinkMapEntry:
    """The entry that was first asked for by a name."""
    return next(e for e in resolution.link_map.entries if e.name == name)


class TestOrder:
    """RPATH, LD_LIBRARY_PATH, RUNPATH, ld.so.cache, default directories."""

    def test_rpath_before_library_path(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/a")
        _, ours = judge(host, ask, library_path=str(b.parent))
        entry = entry_of(ours)
        assert (entry.path, entry.origin) == (str(a), Origin.RPATH)
        assert [(s.origin, s.declared_by) for s in entry.steps] == [(Origin.RPATH, str(ask))]

    def test_library_path_before_runpath(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a")
        _, ours = judge(host, ask, library_path=str(b.parent))
        entry = entry_of(ours)
        assert (entry.path, entry.origin) == (str(b), Origin.LD_LIBRARY_PATH)
        a.unlink()  # and it is the RUNPATH that counts without the variable
        c = workshop.library("a/libwho.so", WHO)
        _, ours = judge(host, ask)
        assert (entry_of(ours).path, entry_of(ours).origin) == (str(c), Origin.RUNPATH)

    def test_runpath_before_the_system(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libz.so.1", "int zlibVersion(void) { return 1; }")
        code = "int zlibVersion(void); int ask(void) { return zlibVersion(); }"
        ask = workshop.library("libask.so", code, needed=["libz.so.1"], runpath="$ORIGIN/a")
        _, ours = judge(host, ask)
        assert entry_of(ours, "libz.so.1").path == str(a)

    def test_system_last(self, workshop: Workshop, host: Path) -> None:
        code = "int cos(void); int ask(void) { return cos(); }"
        ask = workshop.library(
            "libask.so", code, needed=["libm.so.6"], runpath="$ORIGIN/a:/nowhere"
        )
        real, ours = judge(host, ask, library_path="/nowhere/too")
        entry = entry_of(ours, "libm.so.6")
        assert [s.origin for s in entry.steps][:3] == [
            Origin.LD_LIBRARY_PATH,
            Origin.RUNPATH,
            Origin.RUNPATH,
        ]
        assert entry.origin in (Origin.LD_SO_CACHE, Origin.DEFAULT)
        assert [s.outcome for s in entry.steps][-1] is Outcome.FOUND
        tried = [
            path for path in real.tried if path.endswith("/libm.so.6") and "hwcaps" not in path
        ]
        # Of a directory that is not there the loader tries the special ones only.
        assert tried[-1] == entry.path

    def test_a_runpath_object_ignores_its_own_rpath_and_every_inherited_one(
        self, workshop: Workshop
    ) -> None:
        workshop.library("a/libwho.so", WHO)
        host = build_host(workshop, rpath="$ORIGIN/a")
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/b")
        _, ours = judge(host, ask)
        assert ours.error == (
            "libwho.so: cannot open shared object file: No such file or directory"
        )

    def test_rpath_is_inherited_up_the_chain_of_loaders(
        self, workshop: Workshop, host: Path
    ) -> None:
        a = workshop.library("a/libwho.so", WHO)
        workshop.library("libmid.so", ASK, needed=["libwho.so"])
        top = workshop.library("libtop.so", needed=["libmid.so"], rpath="$ORIGIN:$ORIGIN/a")
        _, ours = judge(host, top)
        entry = entry_of(ours)
        assert (entry.path, entry.origin) == (str(a), Origin.RPATH)
        assert entry.steps[-1].declared_by == str(top)

    def test_own_rpath_before_that_of_the_loader(self, workshop: Workshop, host: Path) -> None:
        workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        workshop.library("libmid.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/b")
        top = workshop.library("libtop.so", needed=["libmid.so"], rpath="$ORIGIN:$ORIGIN/a")
        _, ours = judge(host, top)
        assert entry_of(ours).path == str(b)

    def test_rpath_of_the_loader_before_that_of_the_program(self, workshop: Workshop) -> None:
        workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        host = build_host(workshop, rpath="$ORIGIN/a")
        workshop.library("libmid.so", ASK, needed=["libwho.so"])
        top = workshop.library("libtop.so", needed=["libmid.so"], rpath="$ORIGIN:$ORIGIN/b")
        _, ours = judge(host, top)
        assert entry_of(ours).path == str(b)

    def test_rpath_of_the_program_before_library_path(self, workshop: Workshop) -> None:
        a = workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        host = build_host(workshop, rpath="$ORIGIN/a")
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        _, ours = judge(host, ask, library_path=str(b.parent))
        assert entry_of(ours).path == str(a)

    def test_runpath_is_not_inherited(self, workshop: Workshop, host: Path) -> None:
        workshop.library("a/libwho.so", WHO)
        workshop.library("libmid.so", ASK, needed=["libwho.so"])
        top = workshop.library("libtop.so", needed=["libmid.so"], runpath="$ORIGIN:$ORIGIN/a")
        _, ours = judge(host, top)
        assert ours.error == (
            "libwho.so: cannot open shared object file: No such file or directory"
        )

    def test_children_of_a_runpath_object_still_see_the_rpath_of_the_program(
        self, workshop: Workshop
    ) -> None:
        a = workshop.library("a/libwho.so", WHO)
        host = build_host(workshop, rpath="$ORIGIN/a")
        workshop.library("libmid.so", ASK, needed=["libwho.so"])
        top = workshop.library("libtop.so", needed=["libmid.so"], runpath="$ORIGIN")
        _, ours = judge(host, top)
        entry = entry_of(ours)
        assert (entry.path, entry.steps[-1].declared_by) == (str(a), str(host))

    def test_an_rpath_beside_a_runpath_is_not_inherited_either(self, workshop: Workshop) -> None:
        workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        host = build_host(workshop, rpath="$ORIGIN/b")
        workshop.library("libmid.so", ASK, needed=["libwho.so"])
        top = workshop.library("libtop.so", needed=["libmid.so"], rpath="$ORIGIN/a")
        add_dynamic_entry(top, DT_RUNPATH, dynamic_value(top, DT_RPATH))
        _, ours = judge(host, top, library_path=str(workshop.directory))
        assert entry_of(ours).path == str(b)

    def test_elements_in_their_order(self, workshop: Workshop, host: Path) -> None:
        workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], runpath="/nowhere:$ORIGIN/b/:$ORIGIN/a"
        )
        real, ours = judge(host, ask)
        assert entry_of(ours).path == str(b)
        assert [s.path for s in entry_of(ours).steps] == ["/nowhere/libwho.so", str(b)]
        assert "/nowhere/libwho.so" in real.tried

    def test_library_path_in_its_order(self, workshop: Workshop, host: Path) -> None:
        workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        here = workshop.directory
        _, ours = judge(host, ask, library_path=f"/nowhere;{here}/b:{here}/a")
        assert entry_of(ours).path == str(b)


class TestTokens:
    """``$ORIGIN``, ``$LIB``, and what is none."""

    def test_origin_is_the_directory_of_the_path_as_found(
        self, workshop: Workshop, host: Path
    ) -> None:
        here = workshop.directory
        workshop.library("real/libmid.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/sub")
        workshop.library("real/sub/libwho.so", WHO)
        b = workshop.library("link/sub/libwho.so", WHO)
        (here / "link/libmid.so").symlink_to("../real/libmid.so")
        top = workshop.library("libtop.so", needed=["libmid.so"], runpath="$ORIGIN/link")
        _, ours = judge(host, top)
        assert entry_of(ours).path == str(b)

    def test_origin_through_a_symbolic_link_to_a_directory(
        self, workshop: Workshop, host: Path
    ) -> None:
        here = workshop.directory
        workshop.library(
            "deep/er/real/libmid.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/../sub"
        )
        a = workshop.library("deep/er/sub/libwho.so", WHO)
        workshop.library("sub/libwho.so", WHO)
        (here / "link").symlink_to("deep/er/real")
        top = workshop.library("libtop.so", needed=["libmid.so"], runpath="$ORIGIN/link")
        _, ours = judge(host, top)
        entry = entry_of(ours)
        assert entry.path == f"{here}/link/../sub/libwho.so"
        assert entry.path is not None
        assert os.path.samefile(entry.path, a)

    def test_origin_of_the_subject_is_that_of_its_link(
        self, workshop: Workshop, host: Path
    ) -> None:
        workshop.library("real/libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN")
        workshop.library("real/libwho.so", WHO)
        b = workshop.library("link/libwho.so", WHO)
        link = workshop.directory / "link/libask.so"
        link.symlink_to("../real/libask.so")
        _, ours = judge(host, link)
        assert entry_of(ours).path == str(b)

    def test_origin_of_a_program_is_that_of_the_file(self, workshop: Workshop) -> None:
        from elfaudit.api import resolve

        code = "int who(void); int main(void) { return who() - 1; }"
        a = workshop.library("real/libwho.so", WHO)
        workshop.program("real/ask", code, needed=[a], runpath="$ORIGIN")
        workshop.library("link/libwho.so", WHO)
        link = workshop.directory / "link/ask"
        link.symlink_to("../real/ask")
        real = start(link)
        ours = resolve(str(link))
        assert real.bindings[(str(link), "who", None)] == str(a)
        assert entry_of(ours).path == str(a)
        assert ours.subject == str(link)

    def test_origin_of_the_host_is_that_of_the_file(self, workshop: Workshop) -> None:
        host = build_host(workshop, "real/host", rpath="$ORIGIN")
        workshop.library("real/libwho.so", WHO)
        workshop.library("link/libwho.so", WHO)
        link = workshop.directory / "link/host"
        link.symlink_to("../real/host")
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        real = dlopen(link, ask)
        from elfaudit.api import resolve

        ours = resolve(str(ask), host=str(link))
        assert answer_of(ours).objects == real.objects
        assert str(host.parent / "libwho.so") in real.objects

    @pytest.mark.parametrize(
        "element", ["${ORIGIN}/a", "$ORIGIN/../x/a", "$ORIGIN/a/", "$ORIGIN//a", "$ORIGIN/./a"]
    )
    def test_spellings_of_origin(self, workshop: Workshop, host: Path, element: str) -> None:
        workshop.library("x/a/libwho.so", WHO)
        ask = workshop.library("x/libask.so", ASK, needed=["libwho.so"], runpath=element)
        _, ours = judge(host, ask)
        assert ours.error is None

    @pytest.mark.parametrize("element", ["$ORIGINAL", "$FOO", "${ORIGIN", "$", "x$ORIGIN_"])
    def test_what_is_no_token_stays(self, workshop: Workshop, host: Path, element: str) -> None:
        a = workshop.library(f"{element}/libwho.so", WHO)
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], runpath=f"{workshop.directory}/{element}"
        )
        _, ours = judge(host, ask)
        assert entry_of(ours).path == str(a)

    def test_lib(self, workshop: Workshop, host: Path) -> None:
        token = "lib/x86_64-linux-gnu" if Path("/lib/x86_64-linux-gnu").is_dir() else "lib64"
        a = workshop.library(f"{token}/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/$LIB")
        _, ours = judge(host, ask)
        assert entry_of(ours).path == str(a)

    def test_platform(self, workshop: Workshop, host: Path) -> None:
        for name in ("haswell", "xeon_phi", "x86_64"):
            workshop.library(f"{name}/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/$PLATFORM")
        judge(host, ask)

    def test_origin_in_library_path_is_that_of_the_program(self, workshop: Workshop) -> None:
        host = build_host(workshop, "bin/host")
        a = workshop.library("bin/libwho.so", WHO)
        workshop.library("lib/libwho.so", WHO)
        ask = workshop.library("lib/libask.so", ASK, needed=["libwho.so"])
        _, ours = judge(host, ask, library_path="$ORIGIN")
        assert entry_of(ours).path == str(a)

    @pytest.mark.parametrize("element", ["", ":/nowhere", "/nowhere:", "/x::/y"])
    def test_an_empty_element_is_the_current_directory(
        self, workshop: Workshop, host: Path, element: str
    ) -> None:
        here = workshop.library("here/libwho.so", WHO).parent
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"])
        judge(host, ask, library_path=element or None, cwd=here)
        path = "$ORIGIN/b" + (f":{element}" if element else "")
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath=path)
        judge(host, ask, cwd=here)

    def test_an_empty_runpath_is_none_at_all(self, workshop: Workshop, host: Path) -> None:
        here = workshop.library("here/libwho.so", WHO).parent
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="%%%%")
        raw = ask.read_bytes()
        assert raw.count(b"%%%%\0") == 1
        ask.write_bytes(raw.replace(b"%%%%\0", b"\0%%%\0"))
        _, ours = judge(host, ask, cwd=here)
        assert ours.error is not None

    def test_an_element_that_is_there_twice_counts_once(
        self, workshop: Workshop, host: Path
    ) -> None:
        """However it is spelled behind its last slash (``fillin_rpath``)."""
        b = workshop.library("b/libwho.so", WHO)
        (workshop.directory / "a").mkdir()
        path = "$ORIGIN/a:$ORIGIN/a//:/nowhere:$ORIGIN/a/:/nowhere/:$ORIGIN/b"
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath=path)
        real, ours = judge(host, ask)
        told = [step.path for step in entry_of(ours).steps]
        assert told == [f"{workshop.directory}/a/libwho.so", "/nowhere/libwho.so", str(b)]
        plain = [path for path in real.tried if path in told]
        assert plain == told

    def test_levels_of_one_directory_in_their_order(self, workshop: Workshop, host: Path) -> None:
        """``glibc-hwcaps`` best first, then older ones, then the directory itself."""
        workshop.library("a/libwho.so", WHO)
        places = ["tls", *(f"glibc-hwcaps/x86-64-v{level}" for level in (2, 3, 4))]
        for place in places:
            workshop.library(f"a/{place}/libwho.so", WHO)
            ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a")
            judge(host, ask)

    def test_a_relative_element(self, workshop: Workshop, host: Path) -> None:
        workshop.library("here/sub/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="sub")
        _, ours = judge(host, ask, cwd=workshop.directory / "here")
        assert ours.error is None

    def test_the_root_as_an_element(self, workshop: Workshop, host: Path) -> None:
        ask = workshop.library("libask.so", needed=["libwho.so"], runpath="/")
        real, ours = judge(host, ask)
        assert "/libwho.so" in real.tried
        assert entry_of(ours).steps[0].path == "/libwho.so"


class TestPaths:
    """NEEDED with a slash."""

    def test_a_path_is_not_searched_for(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libwho.so", WHO)
        workshop.library("b/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=[str(a)], rpath="$ORIGIN/b")
        _, ours = judge(host, ask)
        assert entry_of(ours, str(a)).origin is Origin.DIRECT

    def test_a_path_that_is_not_there(self, workshop: Workshop, host: Path) -> None:
        ask = workshop.library("libask.so", ASK, needed=["/nowhere/libwho.so"])
        judge(host, ask)

    def test_a_path_with_origin(self, workshop: Workshop, host: Path) -> None:
        workshop.library("a/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["$ORIGIN/a/libwho.so"])
        judge(host, ask)

    def test_the_same_path_with_origin_means_another_file_elsewhere(
        self, workshop: Workshop, host: Path
    ) -> None:
        a = workshop.library("a/libwho.so", WHO, soname="")
        b = workshop.library("b/libwho.so", WHO, soname="")
        workshop.library("a/libone.so", ASK, needed=["$ORIGIN/libwho.so"])
        workshop.library("b/libtwo.so", ASK, needed=["$ORIGIN/libwho.so"])
        top = workshop.library(
            "libtop.so", needed=["libone.so", "libtwo.so"], runpath="$ORIGIN/a:$ORIGIN/b"
        )
        real, _ = judge(host, top)
        assert real.objects[-2:] == (str(a), str(b))

    def test_a_relative_path(self, workshop: Workshop, host: Path) -> None:
        workshop.library("here/a/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["a/libwho.so"])
        _, ours = judge(host, ask, cwd=workshop.directory / "here")
        assert ours.error is None


class TestCandidates:
    """What is no candidate, and what ends the search."""

    def test_another_machine_is_skipped(
        self, workshop: Workshop, host: Path, prebuilt: Path
    ) -> None:
        (workshop.directory / "a").mkdir()
        shutil.copy(prebuilt / "machines/aarch64/libdep.so.1", workshop.directory / "a/libwho.so")
        b = workshop.library("b/libwho.so", WHO)
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a:$ORIGIN/b"
        )
        _, ours = judge(host, ask)
        entry = entry_of(ours)
        assert [s.outcome for s in entry.steps] == [Outcome.WRONG_MACHINE, Outcome.FOUND]
        assert entry.path == str(b)

    def test_another_class_is_skipped(self, workshop: Workshop, host: Path, prebuilt: Path) -> None:
        (workshop.directory / "a").mkdir()
        shutil.copy(prebuilt / "machines/i386/libdep.so.1", workshop.directory / "a/libwho.so")
        workshop.library("b/libwho.so", WHO)
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a:$ORIGIN/b"
        )
        _, ours = judge(host, ask)
        assert [s.outcome for s in entry_of(ours).steps] == [Outcome.WRONG_CLASS, Outcome.FOUND]

    @pytest.mark.parametrize("machine", ["i386", "aarch64"])
    def test_nothing_but_candidates_of_another_kind(
        self, workshop: Workshop, host: Path, prebuilt: Path, machine: str
    ) -> None:
        (workshop.directory / "a").mkdir()
        shutil.copy(
            prebuilt / "machines" / machine / "libdep.so.1", workshop.directory / "a/libwho.so"
        )
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a")
        judge(host, ask)

    @pytest.mark.parametrize("machine", ["i386", "aarch64", "s390x"])
    def test_a_path_to_another_kind(
        self, workshop: Workshop, host: Path, prebuilt: Path, machine: str
    ) -> None:
        path = prebuilt / "machines" / machine / "libdep.so.1"
        ask = workshop.library("libask.so", ASK, needed=[str(path)])
        judge(host, ask)

    @pytest.mark.parametrize(
        "kind",
        [
            "text",
            "long text",
            "empty",
            "git-lfs",
            "relocatable",
            "big-endian",
            "cut off",
            "headers cut off",
            "magic",
            "osabi",
            "program",
            "pie",
        ],
    )
    def test_a_fatal_candidate_ends_the_search(
        self, workshop: Workshop, host: Path, prebuilt: Path, kind: str
    ) -> None:
        bad = workshop.directory / "a/libwho.so"
        workshop.library("a/libwho.so", WHO)
        sound = bad.read_bytes()
        contents = {
            "text": b"INPUT(libwho.so.1)\n",
            "long text": b"/* GNU ld script */\n" * 10,
            "empty": b"",
            "git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64,
            "relocatable": (prebuilt / "shapes/relocatable.o").read_bytes(),
            "big-endian": sound[:5] + b"\2" + sound[6:],
            "cut off": sound[:40],
            "headers cut off": sound[:100],
            "magic": b"\x7fELG" + sound[4:],
            "osabi": sound[:7] + b"\x09" + sound[8:],
            "program": (prebuilt / "shapes/fixed-exe").read_bytes(),
            "pie": (prebuilt / "machines/x86_64/demo").read_bytes(),
        }
        bad.write_bytes(contents[kind])
        workshop.library("b/libwho.so", WHO)
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a:$ORIGIN/b"
        )
        real, ours = judge(host, ask)
        assert real.error is not None
        assert entry_of(ours).steps[-1].outcome is Outcome.NOT_ELF

    @pytest.mark.parametrize(
        "kind", ["directory", "device", "zeros", "loop", "socket", "nowhere", "below a file"]
    )
    def test_a_candidate_that_is_no_file(self, workshop: Workshop, host: Path, kind: str) -> None:
        workshop.library("b/libwho.so", WHO)
        candidate = workshop.directory / "a/libwho.so"
        candidate.parent.mkdir()
        targets = {
            "device": "/dev/null",
            "zeros": "/dev/zero",
            "loop": "libwho.so",
            "nowhere": "gone",
            "below a file": "../b/libwho.so/x",
        }
        if kind == "directory":
            candidate.mkdir()
        elif kind == "socket":
            os.mknod(candidate, stat.S_IFSOCK | 0o600)
        else:
            candidate.symlink_to(targets[kind])
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a:$ORIGIN/b"
        )
        real, ours = judge(host, ask)
        ends = kind in ("loop", "socket", "below a file")
        fatal = kind in ("directory", "device", "zeros")
        assert (real.error is None) == (not ends and not fatal)
        told = entry_of(ours).steps
        assert [s.path.endswith("/b/libwho.so") for s in told if "/usr" not in s.path][-1:] == [
            not ends and not fatal
        ] or ends
        # And by a path, where the error of the one try is the loader's.
        judge(host, workshop.library("libpath.so", ASK, needed=[str(candidate)]))


def test_what_was_not_told_in_full_is_not_remembered(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one process so many steps are told; the next begins anew."""
    monkeypatch.setattr(search_module, "_MOST_STEPS", 9)
    needed = [f"libgone{number}.so" for number in range(4)]
    one = workshop.library("libone.so", needed=needed)
    two = workshop.library("libtwo.so", needed=needed[::-1])
    told = {
        (each.subject, entry.name): len(entry.steps)
        for each in resolve_all([str(one), str(two)])
        if isinstance(each, Resolution)
        for entry in each.link_map.missing
    }
    alone = resolve(str(two)).link_map.missing
    assert [told[str(two), entry.name] for entry in alone] == [len(e.steps) for e in alone]
