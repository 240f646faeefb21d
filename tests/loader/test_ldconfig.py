"""What a fresh ldconfig would write, judged by the real one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.loader.ldcache import compare_names
from elfaudit.loader.ldconf import configured_directories
from elfaudit.loader.ldconfig import FreshEntry, Ldconfig
from elfaudit.loader.libabi import cache_flags, system_directories
from elfaudit.loader.machines import machine_of
from elfaudit.loader.rtld import Rtld, read_rtld
from elfaudit.loader.store import ObjectStore
from elfaudit.sources import TreeSource
from tests.elf.forge import forge
from tests.oracle.workshop import LOADER

_KINDS = {0x303: "libc6,x86-64", 0x803: "libc6,x32", 0x003: "libc6", 0x001: "ELF"}
_LINE = re.compile(r"^\t(\S+) \(([^)]*)\) => (.*)$", re.MULTILINE)
NEEDED, STRTAB, STRSZ, SONAME = 1, 5, 10, 14

Row = tuple[str, str, str]


@pytest.fixture(scope="session")
def ldconfig() -> str:
    """The path of the real one."""
    path = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if path is None or not Path(LOADER).exists():
        pytest.skip("there is no ldconfig for x86-64")
    return path


@pytest.fixture(scope="session")
def rtld() -> Rtld:
    """This machine's own loader: its ldconfig is the judge."""
    return read_rtld(TreeSource("/"), [LOADER])


def ours(root: Path | str, rtld: Rtld, model: Path) -> Ldconfig:
    return Ldconfig(TreeSource(str(root)), ObjectStore(), rtld, machine_of(read_elf(model)))


def row(entry: FreshEntry) -> Row:
    kind = _KINDS[entry.entry.flags]
    if entry.entry.hwcap is not None:
        kind += f', hwcap: "{entry.entry.hwcap}"'
    elif entry.entry.legacy:
        kind += f", hwcap: {entry.entry.legacy:#018x}"
    return entry.name, kind, entry.entry.path


def library(soname: str | None, needed: list[str] | None = None) -> bytes:
    text = bytearray(b"\0")
    rows: list[tuple[int, int | str]] = []
    for tag, names in ((SONAME, [soname] if soname else []), (NEEDED, needed or [])):
        for name in names:
            rows.append((tag, len(text)))
            text += name.encode() + b"\0"
    return forge([*rows, (STRTAB, "strings"), (STRSZ, len(text))], {"strings": bytes(text)})


def real(ldconfig: str, root: Path | str, cache: Path, *options: str) -> list[Row]:
    """What the real one writes for a root, in its order."""
    inside = ["-r", str(root)] if str(root) != "/" else []
    command = [ldconfig, *options, "-X", *inside, "-C", str(cache)]
    if inside:
        command[-1] = "/cache"
        cache = Path(root) / "cache"
    subprocess.run(command, check=True, capture_output=True)
    shown = subprocess.run(
        [ldconfig, "-p", "-C", str(cache)], check=True, capture_output=True, text=True
    )
    return _LINE.findall(shown.stdout)


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def several_of_one_soname(root: Path) -> None:
    for name in ("libx.so.1.2", "libx.so.1.10", "libx.so.1.9", "libx-old.so"):
        write(root / "opt" / name, library("libx.so.1"))
    write(root / "opt/libno.so", library(None))
    write(root / "opt/nolib.so", library("libnolib.so"))
    write(root / "opt/libx.txt", library("libtxt.so"))
    write(root / "opt/ld-linux.so.9", library("ld-linux.so.9"))
    write(root / "opt/ld.so.9", library(None))


def links(root: Path) -> None:
    write(root / "opt/libimp.so.9.99", library("libx.so.1"))
    for name, target in (
        ("libx.so.1", "libimp.so.9.99"),
        ("libx.so", "libx.so.1"),
        ("liby.so", "libimp.so.9.99"),
        ("libgone.so.1", "nowhere"),
        ("libloop.so", "libloop.so"),
        ("libdir.so", "."),
        ("libabs.so.1", "/else/libabs.so.1"),
        ("libup.so.1", "../../../else/libabs.so.1"),
    ):
        (root / "opt").mkdir(exist_ok=True)
        (root / "opt" / name).symlink_to(target)
    write(root / "else/libabs.so.1", library("libabs.so.1"))


def the_same_name_in_several_directories(root: Path) -> None:
    for place in ("opt/b", "opt/a", "lib", "usr/lib"):
        write(root / place / "libx.so.1", library("libx.so.1"))
    (root / "opt/twice").symlink_to("a")
    write(root / "etc/ld.so.conf", "/opt/b\n/opt/a/\n /opt/twice \n/opt/none\n/opt/b\n")


def levels(root: Path) -> None:
    for level in ("x86-64-v2", "x86-64-v3", "x86-64-v4", "z15", ".hidden", "a:b"):
        write(root / f"opt/glibc-hwcaps/{level}/libx.so.1.0", library("libx.so.1"))
        write(root / f"usr/lib/glibc-hwcaps/{level}/libx.so.1", library("libx.so.1"))
    (root / "opt/glibc-hwcaps/again").symlink_to("x86-64-v2")
    write(root / "opt/glibc-hwcaps/file", "")
    write(root / "opt/libx.so.1", library("libx.so.1"))
    (root / "opt/glibc-hwcaps/x86-64-v2/odd").symlink_to("libx.so.1.0")
    write(root / "opt/glibc-hwcaps/x86-64-v2/odd.so", library("libodd.so"))


def legacy(root: Path) -> None:
    for place in (
        "tls",
        "haswell",
        "tls/haswell/avx512_1/x86_64",
        "i686",
        "sse2",
        "other",
        "tls/x",
    ):
        write(root / "opt" / place / "libx.so.1", library("libx.so.1"))
    write(root / "opt/libx.so.1", library("libx.so.1"))
    write(root / "lib/haswell/tls/libx.so.1", library("libx.so.1"))
    (root / "opt/xeon_phi").symlink_to("other")
    write(root / "opt2/tls/libx.so.1", library("libx.so.1"))
    write(root / "etc/ld.so.conf", "/opt\n/opt2/tls\n")


def damaged(root: Path) -> None:
    sound = library("libx.so.1")
    for name, data in {
        "libempty.so": b"",
        "libscript.so": b"/* GNU ld script */ GROUP ( libx.so.1 )",
        "libtext.so": b"nothing of the kind" * 10,
        "libshort.so": sound[:40],
        "libexec.so": sound[:16] + b"\2" + sound[17:],
        "libarm.so": sound[:18] + b"\x28" + sound[19:],
        "liba.so.#prelink#": sound,
        "liba.so.#prelink#.ABCDEF": sound,
        "libdpkg.so.1.dpkg-new": library("libdpkg.so.1"),
        "librpm.so.1;5f": library("librpm.so.1"),
    }.items():
        write(root / "opt" / name, data)
    os.mkfifo(root / "opt/libfifo.so")
    (root / "opt/libfolder.so").mkdir()


def included(root: Path) -> None:
    for place in "abcdefgh":
        write(root / "opt" / place / f"lib{place}.so", library(f"lib{place}.so"))
    write(
        root / "etc/ld.so.conf",
        "# nothing\n\n  include /etc/conf.d/*.conf  /etc/[x-z]?.c\n"
        "hwcap 0 nosegneg\nHWCAP 1 x\ninclude\t/etc/none /etc/later.conf\n/opt/h# there\n"
        "include/opt/x\n",
    )
    write(root / "etc/conf.d/b.conf", "/opt/b \t\n")
    write(root / "etc/conf.d/a.conf", "/opt/a\n")
    write(root / "etc/conf.d/.c.conf", "/opt/c\n")
    write(root / "etc/conf.d/d.other", "/opt/d\n")
    write(root / "etc/conf.d/B.conf", "/opt/g\r\n")
    write(root / "etc/y1.c", "/opt/e")
    write(root / "etc/w1.c", "/opt/c")
    write(root / "etc/later.conf", "/opt/f//\n/\n\n")


def of_other_abis(root: Path) -> None:
    prebuilt = Path(__file__).resolve().parents[2] / "fixtures/prebuilt/machines"
    for machine in ("x86_64", "i386", "aarch64", "armhf", "s390x"):
        for name in ("libdemo.so", "libdep.so.1"):
            write(root / machine / name, (prebuilt / machine / name).read_bytes())
    names = ("s390x", "i386", "x86_64", "aarch64", "armhf")
    write(root / "etc/ld.so.conf", "".join(f"/{name}\n" for name in names))


ROOTS = [
    several_of_one_soname, links, the_same_name_in_several_directories, levels, legacy, damaged,
    included, of_other_abis,
]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("make", ROOTS)
def test_a_small_root(
    tmp_path: Path, prebuilt: Path, ldconfig: str, rtld: Rtld, make: Callable[[Path], None]
) -> None:
    root = tmp_path / "root"
    make(root)
    if not (root / "etc/ld.so.conf").exists():
        write(root / "etc/ld.so.conf", "/opt\n")
    found = ours(root, rtld, prebuilt / "machines/x86_64/demo")
    expected = real(ldconfig, root, tmp_path / "cache")
    assert expected
    assert [row(entry) for entry in found.entries] == expected
    # The same when each is asked for by its name, and less is read.
    other = ours(root, rtld, prebuilt / "machines/x86_64/demo")
    for name in {name for name, _, _ in expected}:
        named = [row(entry) for entry in other.named(name)]
        assert named == [each for each in expected if each[0] == name]


@pytest.mark.oracle
def test_this_machine(tmp_path: Path, prebuilt: Path, ldconfig: str, rtld: Rtld) -> None:
    found = ours("/", rtld, prebuilt / "machines/x86_64/demo")
    expected = real(ldconfig, "/", tmp_path / "cache")
    assert len(expected) > 100
    assert [row(entry) for entry in found.entries] == expected


def test_by_name_only_what_looks_like_it_is_read(
    tmp_path: Path, prebuilt: Path, rtld: Rtld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        write(tmp_path / f"opt/lib{chr(97 + number % 26)}{number}.so.1", library(None))
    write(tmp_path / "opt/libwho-1.so", library("libwho.so.7"))
    write(tmp_path / "etc/ld.so.conf", "/opt\n")
    read: list[str] = []
    before = ObjectStore.read

    def counting(store: ObjectStore, member: object) -> object:
        read.append(member.path)  # type: ignore[attr-defined]
        return before(store, member)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "read", counting)
    found = ours(tmp_path, rtld, prebuilt / "machines/x86_64/demo")
    (entry,) = found.named("libwho.so.7")
    assert (entry.entry.path, entry.file) == ("/opt/libwho.so.7", "/opt/libwho-1.so")
    assert read == ["/opt/libwho-1.so"]
    assert not found.named("libnone.so")


class TestConfiguration:
    """Configurations that no ldconfig gets to the end of, and relative ones."""

    def test_relative_to_the_file(self, tmp_path: Path) -> None:
        write(tmp_path / "etc/ld.so.conf", "include sub/*.conf\n")
        write(tmp_path / "etc/sub/a.conf", "/a\ninclude b.txt\n")
        write(tmp_path / "etc/sub/b.txt", "/b")
        assert configured_directories(TreeSource(str(tmp_path))) == ("/a", "/b")

    def test_files_that_include_each_other(self, tmp_path: Path) -> None:
        write(tmp_path / "etc/ld.so.conf", "/a\ninclude ld.so.conf ld.so.conf\n")
        found = configured_directories(TreeSource(str(tmp_path)))
        assert set(found) == {"/a"}
        assert len(found) <= 4096

    @pytest.mark.parametrize("pattern", ["[", "[]", "[!]", "\\", "[a-", "*" * 50 + "b", "[z-a]"])
    def test_odd_patterns(self, tmp_path: Path, pattern: str) -> None:
        write(tmp_path / "etc/ld.so.conf", f"include /etc/{pattern}\n/last\n")
        write(tmp_path / f"etc/{'a' * 40}", "/odd\n")
        assert configured_directories(TreeSource(str(tmp_path)))[-1] == "/last"

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "etc/ld.so.conf").mkdir(parents=True)
        assert not configured_directories(TreeSource(str(tmp_path)))


@pytest.mark.parametrize(
    ("machine", "rtld", "expected"),
    [
        (
            "x86_64",
            Rtld("/lib64/ld", (2, 40), ("/lib64", "/usr/lib64"), "lib64"),
            ("/lib", "/lib64", "/libx32", "/usr/lib", "/usr/lib64", "/usr/libx32"),
        ),
        (
            "aarch64",
            Rtld("/lib/ld", (2, 40), ("/lib64", "/usr/lib64"), "lib64"),
            ("/lib", "/lib64", "/libilp32", "/usr/lib", "/usr/lib64", "/usr/libilp32"),
        ),
        ("s390x", Rtld("/lib/ld", (2, 40), ("/lib64",), "lib64"), ("/lib64",)),
    ],
)
def test_directories_where_there_is_no_multiarch(
    prebuilt: Path, machine: str, rtld: Rtld, expected: tuple[str, ...]
) -> None:
    model = machine_of(read_elf(prebuilt / "machines" / machine / "demo"))
    assert tuple(system_directories(rtld, model)) == expected


@pytest.mark.parametrize(
    ("machine", "flags"),
    [("aarch64", 0xA03), ("armhf", 0x903), ("riscv64", 0x1003), ("s390x", 0x403)],
)
def test_flags_of_other_machines(prebuilt: Path, machine: str, flags: int) -> None:
    elf = read_elf(prebuilt / "machines" / machine / "libdep.so.1")
    own = machine_of(elf)
    assert cache_flags(elf, own, Rtld(version=(2, 41))) == flags == own.cache_flags[0]
    other = machine_of(read_elf(prebuilt / "machines/x86_64/demo"))
    assert cache_flags(elf, other, Rtld(version=(2, 41))) is None


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        (b"libx.so.1", b"libx.so.1", 0),
        (b"libx.so.9", b"libx.so.10", -1),
        (b"libx.so.01", b"libx.so.1", 0),
        (b"libx.so.1", b"libx.so", 1),
        (b"libx.so", b"libx.so.1", -1),
        (b"lib1", b"liba", 1),
        (b"liba", b"lib1", -1),
        (b"liba", b"libb", -1),
        (b"lib\xff", b"liba", -1),
        (b"lib4294967297", b"lib1", 0),
        (b"lib" + b"1" * 5000, b"lib1", -1),
        (b"lib12", b"lib1a", 1),
    ],
)
def test_order_of_names(one: bytes, other: bytes, order: int) -> None:
    """``_dl_cache_libcmp``, with ``int`` and ``char`` as they are on x86-64."""
    found = compare_names(one, other)
    assert (found > 0) - (found < 0) == order
