"""A directory as a root: what chroot would make of every path."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from elfaudit.errors import SourceError
from elfaudit.sources import Member, NoFile, Obstacle, TreeSource


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a file outside of it that must never be reached."""
    (tmp_path / "outside").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/a.so").write_bytes(b"a")
    (root / "outside").write_bytes(b"inside")
    (root / "lib").symlink_to("usr/lib")
    return root


def _content(source: TreeSource, path: str) -> bytes | None:
    member = source.find(path)
    return None if member is None else member.open().read()


@pytest.mark.parametrize(
    "target",
    ["/outside", "../../../../outside", "/lib/../../outside", "/../outside", "./../../outside"],
)
def test_links_stay_inside_the_root(root: Path, target: str) -> None:
    (root / "usr/lib/link").symlink_to(target)
    assert _content(TreeSource(str(root)), "/usr/lib/link") == b"inside"


@pytest.mark.parametrize(
    "path",
    ["/../outside", "/usr/../../outside", "/lib/../../../outside", "/./outside", "//outside"],
)
def test_dot_dot_stops_at_the_root(root: Path, path: str) -> None:
    assert _content(TreeSource(str(root)), path) == b"inside"


def test_dot_dot_behind_a_link_starts_from_where_the_link_leads(root: Path) -> None:
    """As the kernel does it: /lib/.. is /usr, not /."""
    assert _content(TreeSource(str(root)), "/lib/../lib/a.so") == b"a"
    assert _content(TreeSource(str(root)), "/lib/../outside") is None


def test_a_symlinked_directory_is_entered_but_not_listed(root: Path) -> None:
    source = TreeSource(str(root))
    assert _content(source, "/lib/a.so") == b"a"
    assert list(source.names()) == ["/outside", "/usr/lib/a.so"]
    assert source.listing("/lib") == ["a.so"]


def test_a_link_and_its_target_are_the_same_file(root: Path) -> None:
    (root / "usr/lib/hard.so").hardlink_to(root / "usr/lib/a.so")
    source = TreeSource(str(root))
    found = [source.find(p) for p in ("/lib/a.so", "/usr/lib/a.so", "/usr/lib/hard.so")]
    assert len({member.identity for member in found if member}) == 1
    assert found[0] is not None
    assert (found[0].path, found[0].size, found[0].sequential) == ("/lib/a.so", 1, False)


def test_loops_and_dangling_links_lead_nowhere(root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    (root / "self").symlink_to("self/x")
    (root / "dangling").symlink_to("/nowhere")
    source = TreeSource(str(root))
    for path in ("/one", "/one/x", "/self", "/dangling", "/dangling/x", "/nowhere"):
        assert source.find(path) is None
    assert source.listing("/one") == []


def test_forty_links_in_a_row_are_followed_as_by_the_kernel(root: Path) -> None:
    (root / "l0").symlink_to("outside")
    for row in range(1, 41):
        (root / f"l{row}").symlink_to(f"l{row - 1}")
    source = TreeSource(str(root))
    for row in (39, 40):
        try:
            expected = (root / f"l{row}").read_bytes()
        except OSError:
            expected = None
        assert _content(source, f"/l{row}") == expected


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib",
        "/usr/lib/",
        "/usr/lib/a.so/",
        "/usr/lib/a.so/.",
        "/usr/lib/a.so/..",
        "/usr/lib/a.so/../a.so",
        "/usr/lib/a.so/x",
        "/usr/absent/../lib/a.so",
        "/usr/lib/\0",
        "/" + "x" * 300,
        "/",
        "",
    ],
)
def test_what_the_kernel_would_not_open_as_a_file_is_not_found(root: Path, path: str) -> None:
    assert TreeSource(str(root)).find(path) is None


def test_fifos_sockets_and_devices_are_no_files(root: Path) -> None:
    """A FIFO without a writer would block whoever opens it."""
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("fifo")
    (root / "null").symlink_to("/dev/null")
    listener = socket.socket(socket.AF_UNIX)
    working = os.getcwd()
    try:
        os.chdir(root)  # the path of a socket is short
        listener.bind("socket")
    finally:
        os.chdir(working)
        listener.close()
    source = TreeSource(str(root))
    for path in ("/fifo", "/link", "/socket", "/null"):
        assert source.find(path) is None
    assert list(source.names()) == ["/outside", "/usr/lib/a.so"]
    assert TreeSource("/").find("/dev/null") is None


def test_names_are_sorted_as_strings(root: Path) -> None:
    for name in ("a.so", "a/z", "a/b/c", "a0", "A"):
        path = root / "d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    names = list(TreeSource(str(root)).names())
    assert names == sorted(names)
    assert set(names) == {
        "/" + path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    } - {"/lib/a.so"}


def test_names_that_are_not_utf_8_are_found_again(root: Path) -> None:
    (root / os.fsdecode(b"\xff.so")).write_bytes(b"x")
    source = TreeSource(str(root))
    assert [_content(source, name) for name in source.names()].count(b"x") == 1


def test_a_directory_that_cannot_be_listed_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refusing(path: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        if path.endswith("/usr/lib/"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    source = TreeSource(str(root), label="tree")
    assert not source.problems
    assert list(source.names()) == ["/outside"]
    assert list(source.names()) == ["/outside"]
    assert [str(e) for e in source.problems] == ["/usr/lib/: cannot be listed: Permission denied"]


def test_members_are_shown_by_their_path_inside(root: Path) -> None:
    inside = TreeSource(str(root)).find("/lib/a.so")
    assert inside is not None
    assert inside.display == "/lib/a.so"


def test_a_root_must_be_a_directory(root: Path) -> None:
    with pytest.raises(SourceError, match=r"outside: is not a directory$"):
        TreeSource(str(root / "outside"))


def test_a_root_may_be_reached_through_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "sysroot").symlink_to(root)
    assert _content(TreeSource(str(tmp_path / "sysroot")), "/lib/a.so") == b"a"


def test_an_absolute_link_of_the_story_stays_in_its_root(story: Path) -> None:
    source = TreeSource(str(story / "root"))
    path = "/opt/rocm-7.1/lib/librocm_smi64.so.1"
    assert _content(source, path) == _content(source, path.replace("-7.1", "") + ".0")


def test_listing_what_is_no_directory_is_empty(root: Path) -> None:
    source = TreeSource(str(root))
    assert source.listing("/outside") == source.listing("/absent") == []
    assert source.listing("/") == ["lib", "outside", "usr"]


def test_what_is_no_file(tmp_path: Path) -> None:
    """The kernel's own word for each, in a root that confines and in the machine's own."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "out").symlink_to("/../../nowhere")
    os.mkfifo(tmp_path / "fifo")
    expected = {
        "folder": Obstacle.DIRECTORY,
        "folder/.": Obstacle.DIRECTORY,
        "folder/": Obstacle.DIRECTORY,
        "file/": Obstacle.NOT_DIRECTORY,
        "file/x": Obstacle.NOT_DIRECTORY,
        "file/.": Obstacle.NOT_DIRECTORY,
        "loop": Obstacle.LOOP,
        "loop/x": Obstacle.LOOP,
        "gone": Obstacle.ABSENT,
        "gone/../file": Obstacle.ABSENT,
        "out": Obstacle.ABSENT,
        "fifo": Obstacle.FIFO,
        "n" * 256: Obstacle.TOO_LONG,
        "./" * 2048: Obstacle.TOO_LONG,
    }
    inside, machine = TreeSource(str(tmp_path)), TreeSource("/")
    for name, kind in expected.items():
        for source, path in ((inside, f"/{name}"), (machine, f"{tmp_path}/{name}")):
            found = source.look(path)
            assert isinstance(found, NoFile), (source.root, name)
            assert found.kind is kind, (source.root, name)
            assert source.find(path) is None
    assert machine.look(f"{tmp_path}/null") == NoFile(Obstacle.NULL_DEVICE)
    assert inside.look("/null") == NoFile(Obstacle.ABSENT)  # its /dev/null is not the machine's
    one, other = inside.look("/folder"), inside.look("/folder/../folder/.")
    assert one == other
    assert isinstance(inside.look("/file"), Member)
    assert [name for name in ("file", "loop", "null") if inside.is_link(f"/{name}")] == [
        "loop",
        "null",
    ]
