"""The new file in the place of the old one: all that belongs to a file but its bytes, and no harm
where that cannot be done.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from elfaudit.errors import ElfAuditError, PatchError, SourceError
from elfaudit.patch import copying, files, writing
from elfaudit.patch.compose import Write
from elfaudit.patch.edits import AddNeeded, SetRunpath
from elfaudit.patch.files import carry_out
from elfaudit.patch.writing import beside, copy_with, put_in_place
from elfaudit.stream import FileStream

from .outside import said
from .patching import X86, copied, nothing_is_left_over, patched, planned, undone

ADD = AddNeeded("libnew.so.1")
NEEDED = ["libdep.so.1", "libnew.so.1"]


@pytest.mark.parametrize("mode", [0o444, 0o600, 0o644, 0o755, 0o4755, 0o2711, 0o1777, 0o7777])
def test_mode_is_kept(mode: int, tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    path.chmod(mode)
    patched(path, ADD)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    undone(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owner_is_kept(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    os.chown(path, 1234, 5678)
    path.chmod(0o6755)  # what chown(2) takes away again
    patched(path, ADD)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 5678, 0o6755)


def test_attributes_are_kept(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    try:
        os.setxattr(path, "user.elfaudit.test", b"\0\xffvalue")
    except OSError as error:
        pytest.skip(f"the file system has no extended attributes: {error}")
    patched(path, ADD)
    assert os.getxattr(path, "user.elfaudit.test") == b"\0\xffvalue"


def test_times(tmp_path: Path) -> None:
    """Of now, as for every file that was changed, unless the old ones are asked for."""
    path = copied(X86, tmp_path)
    os.utime(path, ns=(10**18, 10**18 + 7))
    patched(path, ADD)
    assert path.stat().st_mtime_ns > 10**18 + 10**17
    os.utime(path, ns=(10**18, 10**18 + 7))
    carry_out(planned(path, AddNeeded("x")), str(path), str(path), keep_times=True)
    assert path.stat().st_mtime_ns == 10**18 + 7


def test_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = copied(X86, tmp_path / "real")
    link, second = tmp_path / "link.so", tmp_path / "second.so"
    link.symlink_to("real/libdemo.so")
    second.symlink_to(link)
    patched(second, ADD)
    assert (os.readlink(link), os.readlink(second)) == ("real/libdemo.so", str(link))
    assert not path.is_symlink()
    assert said(path).needed == NEEDED
    assert nothing_is_left_over(tmp_path)


def test_other_names_of_the_file_keep_the_old_one(tmp_path: Path) -> None:
    """Renamed over, not written to: whoever has the old file mapped, or has it by another name."""
    path = copied(X86, tmp_path)
    first = path.read_bytes()
    other = tmp_path / "other"
    os.link(path, other)
    with path.open("rb") as opened:
        patched(path, ADD)
        assert opened.read() == first
    assert other.read_bytes() == first
    assert said(path).needed == NEEDED


def test_another_target(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    path.chmod(0o751)
    first = path.read_bytes()
    target = tmp_path / "new.so"
    carry_out(planned(path, ADD), str(path), str(target))
    assert (path.read_bytes(), said(target).needed) == (first, NEEDED)
    assert stat.S_IMODE(target.stat().st_mode) == 0o751


def test_backup(tmp_path: Path) -> None:
    path, backup = copied(X86, tmp_path), tmp_path / "libdemo.so.orig"
    path.chmod(0o750)
    first = path.read_bytes()
    carry_out(planned(path, ADD), str(path), str(path), backup=str(backup))
    assert backup.read_bytes() == first
    assert stat.S_IMODE(backup.stat().st_mode) == 0o750
    now = path.read_bytes()
    with pytest.raises(SourceError, match=r"\.orig: is there already, and no backup") as caught:
        carry_out(planned(path, AddNeeded("x")), str(path), str(path), backup=str(backup))
    assert str(caught.value).startswith(str(backup))
    assert (path.read_bytes(), backup.read_bytes()) == (now, first)
    assert nothing_is_left_over(tmp_path)


def test_a_backup_that_cannot_be_written(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    first, backup = path.read_bytes(), tmp_path / "no/such/directory"
    with pytest.raises(SourceError, match="cannot be written: No such file") as caught:
        carry_out(planned(path, ADD), str(path), str(path), backup=str(backup))
    assert str(caught.value).startswith(str(backup))
    assert path.read_bytes() == first
    assert sorted(tmp_path.iterdir()) == [path]


def test_no_backup_is_left_of_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system refuses at the last moment."""
    path, backup = copied(X86, tmp_path), tmp_path / "backup"
    first = path.read_bytes()

    def replace(*names: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(SourceError, match="cannot be written: Operation not permitted"):
        carry_out(planned(path, ADD), str(path), str(path), backup=str(backup))
    assert path.read_bytes() == first
    assert sorted(tmp_path.iterdir()) == [path]


def _appended(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _one_byte(path: Path) -> None:
    """Written to in place; size and inode stay."""
    with path.open("r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes((byte[0] ^ 1,)))


def _another_file_of_that_size(path: Path) -> None:
    other = copied(X86, path.parent, "other")
    data = bytearray(other.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    other.replace(path)


def _patched_by_somebody_else(path: Path) -> None:
    patched(path, SetRunpath("/elsewhere"))


@pytest.mark.parametrize(
    "change", [_appended, _one_byte, _another_file_of_that_size, _patched_by_somebody_else]
)
def test_a_file_that_was_changed_since_the_plan(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = copied(X86, tmp_path)
    os.utime(path, ns=(10**18, 10**18))
    plan = planned(path, ADD)
    change(path)
    now = path.read_bytes()
    with pytest.raises(ElfAuditError, match="changed") as caught:
        carry_out(plan, str(path), str(path))
    assert str(caught.value).startswith(str(path))
    assert path.read_bytes() == now
    assert nothing_is_left_over(tmp_path)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    plan = planned(path, ADD)
    path.unlink()
    with pytest.raises(SourceError, match="No such file"):
        carry_out(plan, str(path), str(path))
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_is_a_directory(tmp_path: Path) -> None:
    path, target = copied(X86, tmp_path), tmp_path / "directory"
    target.mkdir()
    with pytest.raises(SourceError, match="cannot be written: Is a directory"):
        carry_out(planned(path, ADD), str(path), str(target))
    assert nothing_is_left_over(tmp_path)


def test_a_target_where_there_is_no_directory(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    with pytest.raises(SourceError, match="cannot be written: No such file"):
        carry_out(planned(path, ADD), str(path), str(tmp_path / "no/where.so"))
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["n" * 255, "ä" * 127, "\u6f22" * 85, "\udcff" * 255, "-n", " "])
def test_names_of_files(name: str, tmp_path: Path) -> None:
    """As long as a name may be, of any bytes: the temporary one beside it fits too."""
    path = copied(X86, tmp_path, name)
    patched(path, ADD)
    assert said(path).needed == NEEDED
    undone(path)
    assert os.listdir(tmp_path) == [name]


def test_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(X86, tmp_path, "a.so")
    monkeypatch.chdir(tmp_path)
    patched(Path("a.so"), ADD)
    assert said(Path("a.so")).needed == NEEDED
    assert os.listdir() == ["a.so"]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody reaches."""
    directory = Path(tempfile.mkdtemp(prefix="elfaudit-test-"))
    directory.chmod(0o755)
    yield directory
    directory.chmod(0o755)
    shutil.rmtree(directory)


def _nobody_patches(path: Path) -> str:
    """What a process without the rights of root says when it patches a file."""
    reading, writing_end = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            patched(path, ADD)
            status = 0
        except ElfAuditError as error:
            os.write(writing_end, str(error).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing_end)
    with open(reading, "rb") as pipe:
        said_there = pipe.read().decode()
    assert os.waitpid(child, 0)[1] == 0
    return said_there


def test_a_read_only_directory(open_directory: Path) -> None:
    path = copied(X86, open_directory)
    path.chmod(0o666)
    first = path.read_bytes()
    open_directory.chmod(0o555)
    assert _nobody_patches(path) == f"{path}: cannot be written: Permission denied"
    assert path.read_bytes() == first
    assert list(open_directory.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files that are not its own")
def test_a_file_of_somebody_else(open_directory: Path) -> None:
    """Its owner could not be kept, so it stays as it is."""
    path = copied(X86, open_directory)
    path.chmod(0o644)
    first = path.read_bytes()
    open_directory.chmod(0o777)
    assert _nobody_patches(path) == f"{path}: cannot be written: Operation not permitted"
    assert path.read_bytes() == first
    assert path.stat().st_uid == 0
    assert list(open_directory.iterdir()) == [path]


def test_an_own_file_without_rights_of_root(open_directory: Path) -> None:
    path = copied(X86, open_directory)
    open_directory.chmod(0o777)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    assert _nobody_patches(path) == ""
    assert said(path).needed == NEEDED


@pytest.mark.parametrize("function", ["_rows", "fsync", "write"])
def test_interrupted(function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, wherever: nothing is left."""
    path = copied(X86, tmp_path)
    plan = planned(path, ADD)
    first = path.read_bytes()

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    place = {"_rows": (files, "prove"), "fsync": (os, "fsync"), "write": (writing, "write_all")}
    monkeypatch.setattr(*place[function], interrupted)
    with pytest.raises(KeyboardInterrupt):
        carry_out(plan, str(path), str(path))
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_wrong_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copied(X86, tmp_path)
    first = path.read_bytes()
    real = copying.write_all

    def lossy(descriptor: int, data: bytes, offset: int) -> None:
        real(descriptor, data[:-1] + bytes((data[-1] ^ 255,)), offset)

    monkeypatch.setattr(writing, "write_all", lossy)
    with pytest.raises(PatchError, match="the patched file"):
        carry_out(planned(path, ADD), str(path), str(path))
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


# The copy itself.


@pytest.mark.parametrize("problem", [*copying._NO_COPY, None])
def test_copies_where_the_kernel_does_not(
    problem: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file system, an old kernel, /proc: then it is read and written."""
    source, target = tmp_path / "source", tmp_path / "target"
    data = os.urandom(100_000)
    source.write_bytes(data)

    def refuse(*arguments: object) -> int:
        if problem is None:
            return 0  # as of files in /proc, whose size is 0
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(copying, "_CHUNK", 4096)
    copy_with(str(source), str(target), 90_000, [Write(10, b"new"), Write(89_990, b"end")], 80_000)
    expected = bytearray(data[:80_000] + bytes(10_000))
    expected[10:13], expected[89_990:89_993] = b"new", b"end"
    assert target.read_bytes() == expected


def test_a_copy_that_the_kernel_ends_halfway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(5000))
    real, counts = os.copy_file_range, iter((100, 33))

    def short(source: int, target: int, size: int, *places: int) -> int:
        count = next(counts, None)
        if count is None:
            raise OSError(errno.EXDEV, "")
        return real(source, target, min(size, count), *places)

    monkeypatch.setattr(os, "copy_file_range", short)
    copy_with(str(source), str(target), 5000, [], 5000)
    assert target.read_bytes() == source.read_bytes()


def test_other_problems_of_the_kernel_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copied(X86, tmp_path)

    def fail(*arguments: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "copy_file_range", fail)
    with pytest.raises(SourceError, match="cannot be written: Input/output error"):
        patched(path, ADD)
    assert list(tmp_path.iterdir()) == [path]


def test_a_source_that_becomes_shorter(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"short")
    with pytest.raises(OSError, match="became shorter"):
        copy_with(str(source), str(target), 10, [], 10)


def test_nothing_is_written_over_a_temporary_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data")
    with pytest.raises(FileExistsError):
        copy_with(str(source), str(source), 4, [], 4)
    assert source.read_bytes() == b"data"


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    with beside(str(path)) as one, beside(str(path)) as other:
        assert one != other
        assert Path(one).parent == Path(other).parent == tmp_path


def test_put_in_place_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        put_in_place(str(tmp_path / "new"), str(tmp_path / "a"), str(tmp_path / "b"))


# A disk that is full.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount(8)")
    if done.returncode:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.mount
@pytest.mark.parametrize("free", [0, 4096, 8192])
def test_a_full_disk(free: int, small_disk: Path) -> None:
    path = copied(X86, small_disk)
    first = path.read_bytes()
    with (small_disk / "ballast").open("wb", buffering=0) as file:
        file.write(bytes((64 << 10) - (-(-len(first) // 4096) * 4096) - free))
    if free == 8192:  # the copy fits, what comes behind it does not
        plan = planned(path, *(AddNeeded("x" * 4000 + str(n)) for n in range(2)))
    else:
        plan = planned(path, ADD)
    with pytest.raises(SourceError, match="cannot be written: No space left") as caught:
        carry_out(plan, str(path), str(path))
    assert str(caught.value).startswith(str(path))
    assert path.read_bytes() == first
    assert sorted(each.name for each in small_disk.iterdir()) == ["ballast", "libdemo.so"]


@pytest.mark.mount
def test_a_disk_that_is_full_of_the_backup(small_disk: Path) -> None:
    path, backup = copied(X86, small_disk), small_disk / "backup"
    first = path.read_bytes()
    (small_disk / "ballast").write_bytes(bytes(64 * 1024 - 5 * 4096))
    with pytest.raises(SourceError, match="backup: cannot be written: No space left"):
        carry_out(planned(path, ADD), str(path), str(path), backup=str(backup))
    assert path.read_bytes() == first
    assert sorted(each.name for each in small_disk.iterdir()) == ["ballast", "libdemo.so"]


@pytest.mark.mount
def test_another_disk(small_disk: Path, tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    carry_out(planned(path, ADD), str(path), str(small_disk / "new.so"))
    assert said(small_disk / "new.so").needed == NEEDED


def test_streams_are_not_left_open(tmp_path: Path) -> None:
    path = copied(X86, tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(30):
        patched(path, AddNeeded(f"lib{number}.so"))
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    FileStream(str(path)).release()


def test_no_attribute_is_lost_unheard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``copystat`` passes over those that it may not set: capabilities, where one is not root."""
    path = copied(X86, tmp_path)
    first = path.read_bytes()
    listed = os.listxattr

    def with_another(place: str, *, follow_symlinks: bool = True) -> list[str]:
        found = listed(place, follow_symlinks=follow_symlinks)
        return [*found, *["security.capability"] * (str(place) == str(path))]

    def refused(*_: object, follow_symlinks: bool = True) -> bytes:
        raise PermissionError(errno.EPERM, f"Operation not permitted {follow_symlinks}")

    monkeypatch.setattr(os, "getxattr", refused)

    monkeypatch.setattr(os, "listxattr", with_another)
    with pytest.raises(SourceError, match=r"attribute security\.capability cannot be kept"):
        carry_out(planned(path, ADD), str(path), str(path))
    assert path.read_bytes() == first
    assert nothing_is_left_over(tmp_path)
    carry_out(planned(path, ADD), str(path), str(tmp_path / "copy.so"))  # as cp(1) does it
