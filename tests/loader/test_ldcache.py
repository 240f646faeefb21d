"""``/etc/ld.so.cache``: as ldconfig writes it, as the loader uses it, and damaged in any way."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elfaudit.api import resolve
from elfaudit.elf import read_elf
from elfaudit.findings import Resolution
from elfaudit.loader import (
    LinkMapEntry,
    Loader,
    LoaderEnvironment,
    ObjectStore,
    Origin,
    Outcome,
)
from elfaudit.loader.environment import host_hwcaps, host_platform
from elfaudit.loader.ldcache import CACHE_PATH, CacheEntry, LoaderCache, read_cache
from elfaudit.sources import TreeSource
from tests.oracle import Workshop
from tests.oracle.chroot import Root
from tests.oracle.compare import answer_of, differences

WHO = "int who(void) { return 1; }"
ASK = "int who(void); int ask(void) { return who(); }"
X86_64 = 0x303


def new_format(
    entries: list[tuple[str, str, int, int]],
    *,
    order: str = "<",
    flags: int = 2,
    levels: list[str] | None = None,
    start: int = 0,
) -> bytes:
    """A cache: (name, path, flags, hwcap) of each entry."""
    texts = b""
    base = 48 + 24 * len(entries)
    rows = []

    def text(value: str) -> int:
        nonlocal texts
        place = base + len(texts)
        texts += value.encode() + b"\0"
        return place

    for name, path, kind, hwcap in entries:
        rows.append(struct.pack(f"{order}iIIIQ", kind, text(name), text(path), 0, hwcap))
    extension = 0
    tail = b""
    if levels is not None:
        places = [text(level) for level in levels]
        texts += bytes(-len(texts) % 8)
        extension = base + len(texts)
        names = struct.pack(f"{order}{len(places)}I", *places)
        tail = struct.pack(f"{order}II", 0xEAA42174, 1)
        tail += struct.pack(f"{order}IIII", 1, 0, extension + 8 + 16, len(names)) + names
    head = b"glibc-ld.so.cache1.1"
    head += struct.pack(f"{order}IIB3xI12x", len(entries), len(texts), flags, extension)
    return head + b"".join(rows) + texts + tail


def cache_of(tmp_path: Path, raw: bytes) -> LoaderCache:
    (tmp_path / "etc").mkdir(exist_ok=True)
    (tmp_path / "etc/ld.so.cache").write_bytes(raw)
    return read_cache(TreeSource(str(tmp_path)))


class TestFormat:
    """What is read out of the bytes."""

    ROWS = [("liba.so", "/one/liba.so", X86_64, 0), ("libb.so", "/two/libb.so", 3, 0)]  # noqa: RUF012

    @pytest.mark.parametrize(("order", "flags"), [("<", 2), (">", 3), ("<", 0), (">", 0)])
    def test_byte_orders(self, tmp_path: Path, order: str, flags: int) -> None:
        cache = cache_of(tmp_path, new_format(self.ROWS, order=order, flags=flags))
        assert cache.entries == {
            "liba.so": (CacheEntry(X86_64, "/one/liba.so", None),),
            "libb.so": (CacheEntry(3, "/two/libb.so", None),),
        }

    def test_behind_one_of_the_old_format(self, tmp_path: Path) -> None:
        old = b"ld.so-1.7.0\0" + struct.pack("<I", 1) + struct.pack("<iII", 1, 0, 0)
        old += bytes(-len(old) % 8)
        assert cache_of(tmp_path, old + new_format(self.ROWS)).entries.keys() == {
            "liba.so",
            "libb.so",
        }

    def test_only_the_old_format(self, tmp_path: Path) -> None:
        old = b"ld.so-1.7.0\0" + struct.pack("<I", 0) + bytes(64)
        assert not cache_of(tmp_path, old).entries

    def test_more_entries_than_there_is_room_for(self, tmp_path: Path) -> None:
        raw = bytearray(new_format(self.ROWS))
        struct.pack_into("<I", raw, 20, 1000)
        assert not cache_of(tmp_path, bytes(raw)).entries

    def test_no_cache(self, tmp_path: Path) -> None:
        assert not read_cache(TreeSource(str(tmp_path))).entries

    def test_a_directory_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "etc/ld.so.cache").mkdir(parents=True)
        assert not read_cache(TreeSource(str(tmp_path))).entries

    def test_levels(self, tmp_path: Path) -> None:
        level = 1 << 62
        rows = [
            ("liba.so", "/v2/liba.so", X86_64, level | 0),
            ("liba.so", "/v3/liba.so", X86_64, level | 1),
            ("liba.so", "/legacy/liba.so", X86_64, 1 << 5),
            ("liba.so", "/plain/liba.so", X86_64, 0),
            ("liba.so", "/other/liba.so", X86_64, level | 7),
        ]
        cache = cache_of(tmp_path, new_format(rows, levels=["x86-64-v2", "x86-64-v3"]))
        every = ("x86-64-v4", "x86-64-v3", "x86-64-v2")

        def best(*levels: str) -> str:
            entry = cache.lookup("liba.so", (X86_64,), levels)
            assert entry is not None
            return entry.path

        assert best(*every) == "/v3/liba.so"
        assert best("x86-64-v2") == "/v2/liba.so"
        assert best() == "/plain/liba.so"
        assert cache.lookup("liba.so", (3,), every) is None
        assert cache.lookup("libz.so", (X86_64,), every) is None

    @settings(max_examples=200, deadline=None)
    @given(data=st.data())
    def test_damage_is_never_an_error(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        order = data.draw(st.sampled_from("<>"))
        flags = {"<": 2, ">": 3}[order]
        rows = [*self.ROWS, ("libc.so", "/v2/libc.so", X86_64, 1 << 62)]
        raw = bytearray(new_format(rows, order=order, flags=flags, levels=["x86-64-v2"]))
        places = st.integers(0, len(raw) - 4)
        for at in data.draw(st.lists(places, max_size=6)):
            value = data.draw(st.one_of(st.integers(0, 255), st.integers(0, 2**32 - 1)))
            struct.pack_into("<I", raw, at, value)
        cut = data.draw(st.integers(0, len(raw)))
        folder = tmp_path_factory.mktemp("cache")
        cache = cache_of(folder, bytes(raw[:cut]))
        for name, entries in cache.entries.items():
            assert name
            assert all(entry.path for entry in entries)

    @settings(max_examples=50, deadline=None)
    @given(raw=st.binary(max_size=200), old=st.booleans())
    def test_any_bytes(
        self, tmp_path_factory: pytest.TempPathFactory, raw: bytes, *, old: bool
    ) -> None:
        head = b"ld.so-1.7.0\0" if old else b"glibc-ld.so.cache1.1"
        cache_of(tmp_path_factory.mktemp("cache"), head + raw)


def entry_of(resolution: Resolution) -> LinkMapEntry:
    return next(e for e in resolution.link_map.entries if e.name == "libwho.so")


def judged(root: Root, path: str = "/libask.so", **environment: str) -> Resolution:
    """Ours in that root, which must be what the loader there says."""
    real = root.dlopen(path, **environment)
    ours = resolve(
        str(root.path / path.lstrip("/")),
        root=str(root.path),
        host="/host",
        library_path=[p for p in environment.get("LD_LIBRARY_PATH", "").split(":") if p],
    )
    found = differences(real, answer_of(ours))
    assert not found, found
    return ours


def chosen(root: Root, library_path: str | None = None) -> str | None:
    """The path of the last library, which must be the real one; the CPU is this machine's."""
    tree = TreeSource(str(root.path))
    environment = LoaderEnvironment(
        tree,
        main_program="/host",
        library_path=(library_path,) if library_path else (),
        hwcaps=host_hwcaps(),
        platform=host_platform(),
    )
    member = tree.find("/libask.so")
    assert member is not None
    elf = read_elf(root.path / "libask.so")
    path = Loader(environment, ObjectStore()).load(member, elf, "/libask.so").entries[-1].path
    real = root.dlopen("/libask.so", **({"LD_LIBRARY_PATH": library_path} if library_path else {}))
    assert (real.error is None) == (path is not None)
    assert path is None or real.objects[-1] == path
    return path


@pytest.mark.oracle
class TestInARoot:
    """The cache and the default directories, judged by the loader in a chroot."""

    @pytest.fixture
    def root(self, workshop: Workshop) -> Root:
        return Root(workshop)

    def test_runpath_before_the_cache(self, root: Root) -> None:
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("run/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="/run")
        root.make_cache("/opt")
        assert entry_of(judged(root)).path == "/run/libwho.so"

    def test_library_path_before_the_cache(self, root: Root) -> None:
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("run/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        root.make_cache("/opt")
        assert entry_of(judged(root, LD_LIBRARY_PATH="/run")).path == "/run/libwho.so"

    def test_the_cache_before_the_default_directories(self, root: Root) -> None:
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        root.make_cache("/opt")
        root.workshop.library(f"usr/lib/{root.triplet}/libwho.so", WHO)
        entry = entry_of(judged(root))
        assert (entry.path, entry.origin) == ("/opt/libwho.so", Origin.LD_SO_CACHE)

    def test_a_stale_entry_of_the_cache(self, root: Root) -> None:
        old = root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        root.make_cache("/opt")
        old.unlink()
        root.workshop.library(f"usr/lib/{root.triplet}/libwho.so", WHO)
        entry = entry_of(judged(root))
        assert entry.origin is Origin.DEFAULT
        assert next(s.outcome for s in entry.steps) is Outcome.ABSENT

    def test_default_directories_in_their_order(self, root: Root) -> None:
        places = [f"lib/{root.triplet}", f"usr/lib/{root.triplet}", "lib", "usr/lib"]
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        for place in reversed(places):
            built = root.workshop.library(f"{place}/libwho.so", WHO)
            entry = entry_of(judged(root))
            assert (entry.path, entry.origin) == (
                f"/{built.relative_to(root.path)}",
                Origin.DEFAULT,
            )

    def test_usr_local_only_through_the_cache(self, root: Root) -> None:
        root.workshop.library("usr/local/lib/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        assert judged(root).error is not None
        root.make_cache("/usr/local/lib")
        assert judged(root).error is None

    def test_levels_of_the_cpu(self, root: Root) -> None:
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("opt/glibc-hwcaps/x86-64-v2/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        root.make_cache("/opt")
        judged(root)
        judged(root, LD_LIBRARY_PATH="/opt")

    def test_nodeflib(self, root: Root) -> None:
        root.workshop.library(f"usr/lib/{root.triplet}/libwho.so", WHO)
        root.workshop.library("opt/libyes.so", "int yes(void) { return 1; }")
        flags = ["-Wl,-z,nodefaultlib"]
        root.workshop.library("libask.so", ASK, needed=["libwho.so"], flags=flags)
        root.workshop.library("libask2.so", needed=["libyes.so"], flags=flags)
        root.make_cache("/opt")
        assert judged(root).error is not None
        assert judged(root, "/libask2.so").error is None

    def test_a_library_of_another_machine_in_the_cache(self, root: Root, prebuilt: Path) -> None:
        (root.path / "opt").mkdir()
        raw = (prebuilt / "machines/i386/libdep.so.1").read_bytes()
        (root.path / "opt/libdep.so.1").write_bytes(raw)
        root.make_cache("/opt")
        root.workshop.library("libask.so", needed=["libdep.so.1"])
        assert judged(root).error is not None

    def test_a_damaged_cache_is_passed_over(self, root: Root) -> None:
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        root.make_cache("/opt")
        cache = root.path / CACHE_PATH.lstrip("/")
        sound = cache.read_bytes()
        for at, data in ((0, b"X"), (20, b"\xff\xff\xff\x7f"), (28, b"\3")):
            cache.write_bytes(sound[:at] + data + sound[at + len(data) :])
            assert judged(root).error is not None

    def test_symbolic_links_stay_inside(self, root: Root) -> None:
        root.workshop.library("opt/real/libwho.so", WHO)
        (root.path / "opt/link").symlink_to("/opt/real")
        root.workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="/opt/link/../link")
        assert entry_of(judged(root)).path == "/opt/link/../link/libwho.so"

    def test_origin_at_the_root(self, root: Root) -> None:
        root.workshop.library("libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN")
        judged(root)
        root.workshop.library("sub/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="$ORIGIN/sub")
        judged(root)

    def test_a_loop_of_symbolic_links_ends_only_its_own_list(self, root: Root) -> None:
        (root.path / "loop").mkdir()
        (root.path / "loop/libwho.so").symlink_to("libwho.so")
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"], runpath="/loop")
        root.make_cache("/opt")
        assert entry_of(judged(root)).path == "/opt/libwho.so"

    @pytest.mark.parametrize("where", ["opt", "usr/lib/x86_64-linux-gnu/sub", "usr/library"])
    def test_nodeflib_compares_the_text_of_the_path(self, root: Root, where: str) -> None:
        """A directory below one of the loader's own is refused too; the end of a name counts."""
        root.workshop.library(f"{where}/libwho.so", WHO)
        flags = ["-Wl,-z,nodefaultlib"]
        root.workshop.library("libask.so", ASK, needed=["libwho.so"], flags=flags)
        root.make_cache(f"/{where}")
        assert (judged(root).error is None) == (where != "usr/lib/x86_64-linux-gnu/sub")

    def test_numbers_in_names_are_numbers(self, root: Root) -> None:
        root.workshop.library("opt/libwho.so.1", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so.01"])
        root.make_cache("/opt")
        ours = judged(root)
        assert ours.link_map.entries[-1].path == "/opt/libwho.so.1"

    def test_the_best_level_of_the_cache(self, root: Root) -> None:
        for level in ("x86-64-v4", "x86-64-v3", "x86-64-v2", "x86-64-v9"):
            root.workshop.library(f"opt/glibc-hwcaps/{level}/libwho.so", WHO)
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        root.make_cache("/opt")
        for level in (host_hwcaps() or ()) + ("",):
            place = f"/opt/glibc-hwcaps/{level}" if level else "/opt"
            assert chosen(root) == f"{place}/libwho.so"
            shutil.rmtree(root.path / place.lstrip("/"), ignore_errors=True)
            root.make_cache("/opt")

    def test_a_level_of_a_later_directory_beats_the_plain_one_in_the_cache(
        self, root: Root
    ) -> None:
        root.workshop.library("one/libwho.so", WHO)
        best = (host_hwcaps() or ("x86-64-v2",))[-1]
        root.workshop.library(f"two/glibc-hwcaps/{best}/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        root.make_cache("/one", "/two")
        assert chosen(root) == f"/two/glibc-hwcaps/{best}/libwho.so"
        assert entry_of(judged(root, LD_LIBRARY_PATH="/one:/two")).path == "/one/libwho.so"

    @pytest.mark.parametrize(
        "place", ["tls", "haswell", "tls/haswell", "x86_64", "i686", "xeon_phi", "avx512_1/x86_64"]
    )
    def test_older_subdirectories(self, root: Root, place: str) -> None:
        """Up to glibc 2.36: in the directories and, by their bits, in the cache."""
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library(f"opt/{place}/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        chosen(root, "/opt")
        root.make_cache("/opt")
        chosen(root)
        (root.path / "opt/libwho.so").unlink()
        chosen(root)
        chosen(root, "/opt")

    def test_a_cache_that_is_not_sorted(self, root: Root) -> None:
        for name in ("liba.so", "libm.so", "libwho.so"):
            root.workshop.library(f"opt/{name}", WHO)
        rows = [(f"lib{each}.so", f"/opt/lib{each}.so", X86_64, 0) for each in ("a", "m", "who")]
        (root.path / "etc/ld.so.cache").write_bytes(new_format(rows))
        for each in ("a", "m", "who"):
            root.workshop.library("libask.so", ASK, needed=[f"lib{each}.so"])
            judged(root)

    @pytest.mark.parametrize("kind", ["old", "compat", "new"])
    def test_formats(self, root: Root, kind: str) -> None:
        level = (host_hwcaps() or ("x86-64-v2",))[0]
        root.workshop.library(f"opt/glibc-hwcaps/{level}/libwho.so", WHO)
        root.workshop.library("opt/libwho.so", WHO)
        root.workshop.library("libask.so", ASK, needed=["libwho.so"])
        root.make_cache("/opt")
        ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin") or ""
        subprocess.run([ldconfig, "-X", "-c", kind, "-r", root.path], check=True)
        chosen(root)
