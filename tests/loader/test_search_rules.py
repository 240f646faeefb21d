"""Clauses of the search that no other test hangs on, one by one, judged by the real loader.

``test_search`` has the order itself; here is what becomes visible only in longer chains, in lists
of several owners, or in which paths are tried.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from elfaudit.api import resolve, resolve_all
from elfaudit.elf import read_elf
from elfaudit.findings import Resolution
from elfaudit.loader import LoaderEnvironment, ObjectStore, Origin, Outcome
from elfaudit.loader.pathlist import Tokens, expanded_elements
from elfaudit.loader.search import Searcher
from elfaudit.sources import TreeSource
from tests.oracle import Workshop, build_host, dlopen, start
from tests.oracle.chroot import Root
from tests.oracle.compare import judge
from tests.oracle.loader import HOST

from .test_hostile import library as forged
from .test_search import ASK, WHO, entry_of

pytestmark = pytest.mark.oracle

LEVEL = "glibc-hwcaps/x86-64-v2"


def emptied(path: Path) -> None:
    """Make the RPATH or RUNPATH ``%%%%`` of a file an empty one."""
    raw = path.read_bytes()
    assert raw.count(b"%%%%\0") == 1
    path.write_bytes(raw.replace(b"%%%%\0", b"\0%%%\0"))


class TestOwners:
    """Whose list it is."""

    def test_the_nearer_of_two_loaders_comes_first(self, workshop: Workshop, host: Path) -> None:
        workshop.library("a/libwho.so", WHO)
        b = workshop.library("b/libwho.so", WHO)
        workshop.library("liblow.so", ASK, needed=["libwho.so"])
        workshop.library("libmid.so", needed=["liblow.so"], rpath="$ORIGIN:$ORIGIN/b")
        top = workshop.library("libtop.so", needed=["libmid.so"], rpath="$ORIGIN:$ORIGIN/a")
        _, ours = judge(host, top)
        assert entry_of(ours).path == str(b)

    def test_the_same_text_of_two_owners(self, workshop: Workshop, host: Path) -> None:
        """Each has a directory of its own for ``$ORIGIN``."""
        for each in "ab":
            workshop.library(f"{each}/sub/libwho{each}.so", f"int who{each};")
            needed = [f"libwho{each}.so"]
            workshop.library(f"{each}/libmid{each}.so", needed=needed, runpath="$ORIGIN/sub")
        needed = ["libmida.so", "libmidb.so"]
        top = workshop.library("libtop.so", needed=needed, runpath="$ORIGIN/a:$ORIGIN/b")
        real, ours = judge(host, top)
        assert real.error is ours.error is None

    def test_the_program_is_asked_once(self, workshop: Workshop) -> None:
        """It is the first of the loaders, too."""
        (workshop.directory / "a").mkdir()
        workshop.library("libmid.so", ASK, needed=["libwho.so"])
        code = "int main(void) { return 0; }"
        path = "$ORIGIN:$ORIGIN/a"
        program = workshop.program("program", code, needed=["libmid.so"], rpath=path)
        real, ours = start(program), resolve(str(program))
        assert real.error == ours.error is not None
        tried = [path for path in real.tried if re.search(r"[^/]/(a/)?libwho\.so$", path)]
        told = [step.path for step in entry_of(ours).steps if step.origin is Origin.RPATH]
        here = str(workshop.directory)
        assert [path for path in tried if path.startswith(here) and "/a/lib" in path] == told[1:]
        assert told == [f"{here}/libwho.so", f"{here}/a/libwho.so"]

    def test_an_empty_rpath_of_a_program_and_a_library_path(self, workshop: Workshop) -> None:
        """One is no list at all, the other one is."""
        b = workshop.library("b/libwho.so", WHO)
        code = "int who(void); int main(void) { return who() - 1; }"
        program = workshop.program("program", code, needed=[b], rpath="%%%%")
        emptied(program)
        real = start(program, library_path=str(b.parent))
        ours = resolve(str(program), library_path=[str(b.parent)])
        assert real.error is ours.error is None
        assert entry_of(ours).path == real.bindings[(str(program), "who", None)] == str(b)

    def test_two_programs_and_one_library_path(self, workshop: Workshop) -> None:
        """Its ``$ORIGIN`` is that of the program that starts."""
        code = "int who(void); int main(void) { return who() - 1; }"
        programs = []
        for each in "ab":
            needed = [workshop.library(f"{each}/libwho.so", WHO)]
            programs.append(workshop.program(f"{each}/program", code, needed=needed))
        results = resolve_all([str(each) for each in programs], library_path=["$ORIGIN"])
        for program, ours in zip(programs, results, strict=True):
            assert isinstance(ours, Resolution)
            real = start(program, library_path="$ORIGIN")
            beside = str(program.with_name("libwho.so"))
            assert entry_of(ours).path == real.bindings[(str(program), "who", None)] == beside


class TestDirectories:
    """Which of them are tried, and in which order."""

    def test_a_level_does_not_beat_the_order_of_directories(
        self, workshop: Workshop, host: Path
    ) -> None:
        a = workshop.library("a/libwho.so", WHO)
        workshop.library(f"b/{LEVEL}/libwho.so", WHO)
        path = "$ORIGIN/a:$ORIGIN/b"
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath=path)
        _, ours = judge(host, ask)
        assert entry_of(ours).path == str(a)

    def test_of_two_spellings_the_first_has_the_place(self, workshop: Workshop, host: Path) -> None:
        a = workshop.library("a/libwho.so", WHO)
        workshop.library("b/libwho.so", WHO)
        path = "$ORIGIN/a:$ORIGIN/b:$ORIGIN/a/"
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath=path)
        _, ours = judge(host, ask)
        assert entry_of(ours).path == str(a)

    @pytest.mark.parametrize("loop", [LEVEL, "."])
    def test_only_the_last_try_of_a_directory_ends_its_list(
        self, workshop: Workshop, host: Path, loop: str
    ) -> None:
        """Its own; what was wrong in a special directory of it is forgotten."""
        special = workshop.directory / "a" / loop
        special.mkdir(parents=True)
        (special / "libwho.so").symlink_to("libwho.so")
        b = workshop.library("b/libwho.so", WHO)
        path = "$ORIGIN/a:$ORIGIN/b"
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath=path)
        _, ours = judge(host, ask)
        assert entry_of(ours).path == (str(b) if loop == LEVEL else None)

    def test_a_directory_of_two_lists_is_tried_in_each(
        self, workshop: Workshop, host: Path
    ) -> None:
        here = workshop.directory / "a"
        here.mkdir()
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], rpath="$ORIGIN/a")
        real, ours = judge(host, ask, library_path=str(here))
        told = [s for s in entry_of(ours).steps if s.path == f"{here}/libwho.so"]
        assert [step.origin for step in told] == [Origin.RPATH, Origin.LD_LIBRARY_PATH]
        assert real.tried.count(f"{here}/libwho.so") == 2

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("nowhere", "No such file or directory"),
            ("file", "Not a directory"),
            ("below a file", "Not a directory"),
            ("loop", "Too many levels of symbolic links"),
        ],
    )
    def test_why_the_last_of_the_directories_has_it_not(
        self, workshop: Workshop, host: Path, kind: str, words: str
    ) -> None:
        """With DF_1_NODEFLIB no other one follows, so that the loader says what was wrong."""
        place = workshop.directory / "a"
        if kind != "nowhere":
            (workshop.directory / "file").touch()
            place.symlink_to({"file": "file", "loop": "a", "below a file": "file/a"}[kind])
        ask = workshop.library(
            "libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a",
            flags=["-Wl,-z,nodefaultlib"],
        )  # fmt: skip
        real, _ = judge(host, ask)
        assert real.error == f"libwho.so: cannot open shared object file: {words}"

    def test_a_special_directory_that_has_it_not_is_not_told(
        self, workshop: Workshop, host: Path
    ) -> None:
        workshop.library(f"a/{LEVEL}/libother.so", WHO)
        a = workshop.library("a/libwho.so", WHO)
        ask = workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/a")
        real, ours = judge(host, ask)
        assert [(s.path, s.outcome) for s in entry_of(ours).steps] == [(str(a), Outcome.FOUND)]
        assert f"{workshop.directory}/a/{LEVEL}/libwho.so" in real.tried


class TestOrigins:
    """Directories whose names are what is looked for in texts."""

    def test_only_one_slash_is_taken_off(self, workshop: Workshop, host: Path) -> None:
        """It stands in the paths of what is found there."""
        workshop.library("sub/libwho.so", WHO)
        workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/sub")
        _, ours = judge(host, Path(f"{workshop.directory}/./libask.so"))
        assert ours.error is None
        real = dlopen(host, f"{workshop.directory}//libask.so")
        again = resolve(f"{workshop.directory}//libask.so", host=str(host))
        assert real.error is again.error is None
        assert entry_of(again).path == real.objects[-1] == f"{workshop.directory}//sub/libwho.so"

    @pytest.mark.parametrize("name", ["$ORIGIN", "$LIB", "${PLATFORM}"])
    @pytest.mark.parametrize("written", ["$ORIGIN/libwho.so", "libwho.so"])
    def test_a_directory_that_is_called_like_a_token(
        self, workshop: Workshop, name: str, written: str
    ) -> None:
        """Found by a name it is as good as any other; not so in a path that is listed."""
        workshop.library(f"{name}/libwho.so", WHO)
        code = "int main(void) { return 0; }"
        program = workshop.program(f"{name}/program", code, needed=[written], runpath="$ORIGIN")
        real = start(program)
        assert resolve(str(program)).error == real.error
        # In a path that is listed the tokens are replaced twice (expand_dst, _dl_map_object).
        assert (real.error is None) == (written == "libwho.so")
        if real.error is not None:
            assert real.error.startswith(str(workshop.directory / name / "libwho.so"))

    @pytest.mark.parametrize("name", ["$ORIGIN", "$LIB"])
    def test_a_program_in_such_a_directory(self, workshop: Workshop, name: str) -> None:
        """The kernel starts it, and has not heard of tokens."""
        host = build_host(workshop, f"{name}/host")
        real, ours = judge(host, workshop.library("libask.so", WHO))
        assert real.error is ours.error is None
        assert ours.link_map.program.path == str(host)


class TestNodeflib:
    """The flag of whoever asks: of the program only where it is the program that asks."""

    @pytest.fixture
    def root(self, workshop: Workshop) -> Root:
        """A root whose program has the flag, and a library in a default directory."""
        root = Root(workshop)
        (root.path / "opt").mkdir()
        (root.path / "opt/libc.so.6").symlink_to(f"/lib/{root.triplet}/libc.so.6")
        workshop.program("host", HOST, rpath="/opt", flags=["-Wl,-z,nodefaultlib"])
        workshop.library(f"usr/lib/{root.triplet}/libwho.so", WHO)
        return root

    def test_of_the_program_it_is_none_of_its_libraries(self, root: Root) -> None:
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        real, ours = self.both(root)
        assert real is ours is None

    def test_of_the_program_it_is_that_of_its_preloads(self, root: Root) -> None:
        root.workshop.library("libask.so", ASK)
        real, ours = self.both(root, "libwho.so")
        assert real == ours == "/libask.so: undefined symbol: who"

    def both(self, root: Root, *preload: str) -> tuple[str | None, str | None]:
        """What the loader says, and what we say."""
        settings = {"LD_PRELOAD": ":".join(preload)} if preload else {}
        real = root.dlopen("/libask.so", **settings)
        ours = resolve(f"{root.path}/libask.so", root=str(root.path), host="/host", preload=preload)
        return real.error, ours.error


class TestGuesses:
    """What is taken for built in where the loader of a root does not tell, and where it does."""

    MULTIARCH = "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    PLAIN = "lib64/ld-linux-x86-64.so.2"
    OWN = b"\0/opt/lib/\0/opt/usr/lib/\0/tmp\0"

    @pytest.mark.parametrize(
        ("machine", "loader", "directories", "token"),
        [
            (
                "x86_64",
                MULTIARCH,
                ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"),
                "lib/x86_64-linux-gnu",
            ),
            ("x86_64", PLAIN, ("/lib64", "/usr/lib64", "/lib", "/usr/lib"), "lib64"),
            ("i386", "lib/ld-linux.so.2", ("/lib", "/usr/lib"), "lib"),
        ],
    )
    def test_a_loader_that_does_not_tell(  # noqa: PLR0917
        self,
        prebuilt: Path,
        tmp_path: Path,
        machine: str,
        loader: str,
        directories: tuple[str, ...],
        token: str,
    ) -> None:
        """By where it is: what Debian's and Fedora's have, and then what all have."""
        found = self.searcher(tmp_path, prebuilt / "machines" / machine / "demo", {loader: b"x"})
        assert found.defaults == directories
        assert found.tokens.lib == token

    def test_what_the_loader_tells_counts(self, prebuilt: Path, tmp_path: Path) -> None:
        model = prebuilt / "machines/x86_64/demo"
        found = self.searcher(tmp_path, model, {self.PLAIN: self.OWN, self.MULTIARCH: b"x"})
        assert found.defaults == ("/opt/lib", "/opt/usr/lib")
        # The end of the first of them: "slibdir" without its slash.
        assert found.tokens.lib == "lib"

    def test_the_loader_of_the_program_is_asked(self, workshop: Workshop, tmp_path: Path) -> None:
        """And not that which its machine usually has, be it there or not."""
        code = "int main(void) { return 0; }"
        flags = ["-Wl,--dynamic-linker=/opt/ld.so"]
        model = workshop.program("program", code, flags=flags)
        found = self.searcher(tmp_path / "root", model, {"opt/ld.so": self.OWN, self.PLAIN: b"x"})
        assert found.defaults == ("/opt/lib", "/opt/usr/lib")

    def searcher(self, root: Path, model: Path, files: dict[str, bytes]) -> Searcher:
        for path, raw in files.items():
            (root / path).parent.mkdir(parents=True)
            (root / path).write_bytes(raw)
        environment = LoaderEnvironment(TreeSource(str(root)))
        return Searcher(environment, ObjectStore(), read_elf(model))

    def test_a_library_path_without_a_program(self, prebuilt: Path, tmp_path: Path) -> None:
        """Its ``$ORIGIN`` is the directory in which all that begins."""
        (tmp_path / "here").mkdir()
        (tmp_path / "here/libwho.so").write_bytes(forged([]))
        environment = LoaderEnvironment(
            TreeSource(str(tmp_path)), library_path=("$ORIGIN",), directory="/here"
        )
        model = read_elf(prebuilt / "machines/x86_64/demo")
        found = Searcher(environment, ObjectStore(), model).search("libwho.so", None, None).found
        assert found is not None
        assert found.path == "/here/libwho.so"

    def test_tokens_without_a_value(self) -> None:
        """An element with one is left out, and so is one that comes to nothing."""
        nothing = Tokens(None, None)
        assert nothing.expand("/$LIB/x", "/") is None
        assert nothing.expand("/$NONE/x", "/") == "/$NONE/x"
        elements = ["$LIB", "${PLATFORM}", "", "$ORIGIN"]
        assert list(expanded_elements(elements, nothing, "/")) == ["", "/"]
        assert list(expanded_elements(elements, Tokens("", "x"), None)) == ["x", ""]
