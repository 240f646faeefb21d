"""Archives with some members exchanged: every byte of the others is where it was, or moved whole.

Judged by :mod:`zipfile`, ``unzip -t`` and ``python -m zipfile -t``, and by a walk over the local
headers that is written here.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from elfaudit.errors import ElfAuditError, WheelError
from elfaudit.patch.archive import open_entry, read_archive
from elfaudit.patch.splice import Replacement, write_archive
from tests.sources.archives import CENTRAL, LOCAL, archive, patched, streamed, zip64

MEMBERS = {
    "a.txt": b"first " * 40,
    "b/library.so": os.urandom(2000) + b"x" * 2000,
    "c.txt": b"",
    "d-\u00e4.txt": b"last, of a name that is no ASCII",
}
NEW = b"what it is now, " * 99


def _replacement(data: bytes, size: int | None = None) -> Replacement:
    def chunks() -> Iterator[bytes]:
        for at in range(0, len(data), 333):
            yield data[at : at + 333]

    return Replacement(chunks, len(data) if size is None else size)


def _changed(
    path: Path,
    changes: Mapping[str, bytes | Replacement],
    dropped: frozenset[str] = frozenset(),
    target: str = "new.zip",
) -> Path:
    """Exchange members by name; made twice, with the same bytes."""
    read = read_archive(str(path))
    numbers = {entry.name: n for n, entry in enumerate(read.entries)}
    wanted = {
        numbers[name]: what if isinstance(what, Replacement) else _replacement(what)
        for name, what in changes.items()
    }
    results = [path.parent / target, path.parent / f"again-{target}"]
    for result in results:
        write_archive(read, str(result), wanted, {numbers[name] for name in dropped})
    if results[0].stat().st_size < 1 << 24:
        assert results[0].read_bytes() == results[1].read_bytes()
    results[1].unlink()
    return results[0]


def _spans(path: Path) -> dict[str, bytes]:
    """Name to all bytes from a local header to what comes next, as they lie there."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        infos = sorted(file.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [file.start_dir]
        return {
            info.filename: data[info.header_offset : end]
            for info, end in zip(infos, ends, strict=True)
        }


def _told(info: zipfile.ZipInfo) -> tuple[object, ...]:
    """What the directory says of a member that no change of another one changes."""
    return (
        info.filename, info.date_time, info.compress_type, info.comment, info.extra,
        info.create_system, info.create_version, info.extract_version, info.flag_bits,
        info.internal_attr, info.external_attr, info.CRC, info.compress_size, info.file_size,
    )  # fmt: skip


def _accepted(path: Path) -> None:
    """Whether zipfile, its command and Info-ZIP take an archive."""
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
    command = [sys.executable, "-m", "zipfile", "-t", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Done testing"
    unzip = shutil.which("unzip")
    if unzip is not None:
        done = subprocess.run([unzip, "-tqq", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _judged(old: Path, new: Path, changes: Mapping[str, bytes]) -> None:
    """Only what was to change has; order, attributes and all other bytes are the old ones."""
    _accepted(new)
    before, after = _spans(old), _spans(new)
    with zipfile.ZipFile(old) as one, zipfile.ZipFile(new) as other:
        assert other.namelist() == one.namelist()
        assert other.comment == one.comment
        for info, now in zip(one.infolist(), other.infolist(), strict=True):
            name = info.filename
            if name in changes:
                assert other.read(name) == changes[name]
                assert _told(now)[:2] + _told(now)[3:4] == _told(info)[:2] + _told(info)[3:4]
                assert (now.compress_type, now.external_attr) == (
                    info.compress_type, info.external_attr,
                )  # fmt: skip
                assert not now.flag_bits & 8
                assert now.flag_bits & 0x800 == info.flag_bits & 0x800
            else:
                assert _told(now) == _told(info)
                assert after[name] == before[name]


def _plain(path: Path) -> Path:
    return archive(path, MEMBERS)


def _stored(path: Path) -> Path:
    return archive(path, MEMBERS, zipfile.ZIP_STORED)


def _streamed(path: Path) -> Path:
    return streamed(path, MEMBERS)


def _decorated(path: Path) -> Path:
    """With comments, extra fields here and there, attributes and dates."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for number, (name, data) in enumerate(MEMBERS.items()):
            info = zipfile.ZipInfo(name, (1980 + number, 1, 2, 3, 4, 6))
            info.external_attr = 0o100755 << 16 | number
            info.internal_attr, info.create_system = 1, 3
            info.comment = b"comment of " + name.encode()
            info.extra = struct.pack("<HH4s", 0x7777, 4, b"more") + struct.pack("<HH", 0x6666, 0)
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, data)
        out.comment = b"of the whole, \0\xff"
    return path


def _with_prefix(path: Path) -> Path:
    """A program in front, as self-extracting archives have, that the offsets do not count."""
    path.write_bytes(b"#!/bin/sh\nexit 0\n" * 7 + _decorated(path).read_bytes())
    return path


def _with_counted_prefix(path: Path) -> Path:
    """Likewise, with offsets from the beginning of the file."""
    path.write_bytes(b"#!/bin/sh\nexit 0\n")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as out:
        for name, data in MEMBERS.items():
            out.writestr(name, data)
    return path


def _with_gaps(path: Path) -> Path:
    """Bytes between the members that nothing lists."""
    with path.open("wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in MEMBERS.items():
            out.writestr(name, data)
            raw.write(b"unlisted " * 3)
            out.start_dir = raw.tell()
    return path


def _all_wide(path: Path) -> Path:
    """Every local header with sizes in the zip64 extra field."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in MEMBERS.items():
            with out.open(name, "w", force_zip64=True) as member:
                member.write(data)
    return path


_KINDS: dict[str, Callable[[Path], Path]] = {
    "plain": _plain,
    "stored": _stored,
    "data descriptors": _streamed,
    "decorated": _decorated,
    "prefix": _with_prefix,
    "counted prefix": _with_counted_prefix,
    "gaps": _with_gaps,
    "zip64 sizes": _all_wide,
}


@pytest.mark.parametrize("names", [[], ["b/library.so"], ["a.txt"], ["d-\u00e4.txt"], [*MEMBERS]])
@pytest.mark.parametrize("kind", _KINDS)
def test_members_are_exchanged(kind: str, names: list[str], tmp_path: Path) -> None:
    old = _KINDS[kind](tmp_path / "old.zip")
    before = old.read_bytes()
    changes = {name: NEW + name.encode() for name in names}
    new = _changed(old, changes)
    assert old.read_bytes() == before
    if kind != "prefix" or shutil.which("unzip") is None:
        _judged(old, new, changes)
    else:  # Info-ZIP warns of extra bytes, of the old one as well
        with zipfile.ZipFile(new) as file:
            assert file.testzip() is None
        assert new.read_bytes().startswith(before[: before.index(LOCAL)])
    if not names and kind != "gaps":
        assert new.read_bytes() == before


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("name", list(MEMBERS))
def test_members_are_left_out(kind: str, name: str, tmp_path: Path) -> None:
    old = _KINDS[kind](tmp_path / "old.zip")
    new = _changed(old, {"a.txt": NEW} if name != "a.txt" else {}, frozenset((name,)))
    left = [each for each in MEMBERS if each != name]
    with zipfile.ZipFile(new) as file:
        assert file.namelist() == left
        assert file.testzip() is None
        for each in left:
            assert file.read(each) == (NEW if each == "a.txt" else MEMBERS[each])


@pytest.mark.parametrize("kind", _KINDS)
def test_a_member_gets_another_name(kind: str, tmp_path: Path) -> None:
    old = _KINDS[kind](tmp_path / "old.zip")
    new = _changed(
        old,
        {"a.txt": Replacement(name=b"another/name.txt"),
         "b/library.so": Replacement(_replacement(NEW).chunks, len(NEW), b"b/l.so")},
    )  # fmt: skip
    with zipfile.ZipFile(new) as file:
        assert file.namelist() == ["another/name.txt", "b/l.so", *list(MEMBERS)[2:]]
        assert file.testzip() is None
        assert file.read("another/name.txt") == MEMBERS["a.txt"]
        assert file.read("b/l.so") == NEW


def test_the_order_in_the_file_may_differ_from_that_of_the_directory(tmp_path: Path) -> None:
    """RECORD first, say: both orders stay."""
    path = _plain(tmp_path / "old.zip")
    data = path.read_bytes()
    begin = data.index(CENTRAL)
    end = data.rindex(b"PK\5\6")
    records, at = [], begin
    while at < end:
        lengths = struct.unpack_from("<3H", data, at + 28)
        records.append(data[at : at + 46 + sum(lengths)])
        at += len(records[-1])
    path.write_bytes(data[:begin] + b"".join(reversed(records)) + data[end:])
    changes = {"b/library.so": NEW}
    _judged(path, _changed(path, changes), changes)


def test_an_archive_without_members(tmp_path: Path) -> None:
    path = archive(tmp_path / "old.zip", {})
    assert _changed(path, {}).read_bytes() == path.read_bytes()


def test_twice_the_same_name(tmp_path: Path) -> None:
    """Each has its number; who asks by name has to know better (``read_wheel`` refuses)."""
    path = tmp_path / "old.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("same", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            out.writestr("same", b"two")
    read = read_archive(str(path))
    write_archive(read, str(tmp_path / "new.zip"), {0: _replacement(b"three")})
    with zipfile.ZipFile(tmp_path / "new.zip") as file:
        assert [file.read(info) for info in file.infolist()] == [b"three", b"two"]


def test_two_entries_of_one_local_header(tmp_path: Path) -> None:
    """Listed twice, there once: one cannot be changed without the other."""
    path = archive(tmp_path / "old.zip", {"same": b"content " * 9})
    data = path.read_bytes()
    begin, end = data.index(CENTRAL), data.index(b"PK\5\6")
    record = data[begin:end]
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2, 2, 2 * len(record), begin, 0)
    path.write_bytes(data[:begin] + record * 2 + tail)
    for number in (0, 1):
        _refused(path, {number: _replacement(b"x")}, "same: lies over what stands behind it")


def test_members_that_lie_over_each_other(tmp_path: Path) -> None:
    """A member inside of another one, as archives have it that unpack to more than they are."""
    path = archive(tmp_path / "old.zip", {"inner": b"x" * 99, "z": b"z"}, zipfile.ZIP_STORED)
    data = path.read_bytes()
    begin = data.index(CENTRAL)
    # The first one's size reaches over the second one's local header.
    raw = bytearray(data)
    struct.pack_into("<2I", raw, begin + 20, 150, 150)
    struct.pack_into("<2I", raw, 18, 150, 150)
    path.write_bytes(raw)
    for number in (0, 1):
        _refused(path, {number: _replacement(b"y")}, "inner: lies over what stands behind it")


def _refused(path: Path, changes: Mapping[int, Replacement], problem: str) -> None:
    before, target = path.read_bytes(), path.parent / "refused.zip"
    with pytest.raises(WheelError, match=problem) as caught:
        write_archive(read_archive(str(path)), str(target), changes)
    assert str(caught.value).startswith(str(path))
    assert path.read_bytes() == before
    target.unlink(missing_ok=True)


def test_members_that_cannot_change(tmp_path: Path) -> None:
    path = patched(_plain(tmp_path / "a.zip"), CENTRAL, 8, "H", 1)
    _refused(path, {0: _replacement(NEW)}, r"a\.txt: is encrypted")
    with pytest.raises(WheelError, match="is encrypted"):
        open_entry(read_archive(str(path)), read_archive(str(path)).entries[0])
    # All others may.
    _changed(path, {"b/library.so": NEW})
    other = tmp_path / "b.zip"
    with zipfile.ZipFile(other, "w", zipfile.ZIP_LZMA) as out:
        out.writestr("a.txt", b"abc" * 99)
        out.writestr("b", b"", zipfile.ZIP_STORED)
    _refused(other, {0: _replacement(NEW)}, r"a\.txt: is compressed with method 14")
    with pytest.raises(WheelError, match="is compressed with method 14"):
        open_entry(read_archive(str(other)), read_archive(str(other)).entries[0])
    _changed(other, {"b": b""}, target="other.zip")


def test_local_headers_that_are_none(tmp_path: Path) -> None:
    path = patched(_plain(tmp_path / "old.zip"), LOCAL, 0, "I", 0)
    _refused(path, {0: _replacement(NEW)}, r"a\.txt: has no local header at 0x0")
    with pytest.raises(WheelError, match="has no local header at 0x0"):
        open_entry(read_archive(str(path)), read_archive(str(path)).entries[0])
    path = patched(_plain(tmp_path / "old.zip"), LOCAL, 30, "B", ord("b"))
    with pytest.raises(WheelError, match="does not have the local header at 0x0"):
        open_entry(read_archive(str(path)), read_archive(str(path)).entries[0])


def test_an_archive_that_was_changed_since_it_was_read(tmp_path: Path) -> None:
    path = _plain(tmp_path / "old.zip")
    os.utime(path, ns=(10**18, 10**18))
    read = read_archive(str(path))
    archive(path, {"entirely": b"different"})
    with pytest.raises(WheelError, match="has changed since it was read"):
        write_archive(read, str(tmp_path / "new.zip"), {0: _replacement(NEW)})
    path = _plain(tmp_path / "other.zip")
    os.utime(path, ns=(10**18, 10**18))
    read = read_archive(str(path))
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(WheelError, match="has changed since it was read"):
        write_archive(read, str(tmp_path / "new2.zip"), {})


# Directories that are damaged.


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all " * 99, b"PK\3\4" + bytes(99)])
def test_what_is_no_archive(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "old.zip"
    path.write_bytes(content)
    with pytest.raises(WheelError, match="is no zip archive") as caught:
        read_archive(str(path))
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("signature", "change", "problem"),
    [
        (b"PK\5\6", (4, "H", 1), "is one part of several"),
        (b"PK\5\6", (10, "H", 9), "lists 4 members, but says 9"),
        (b"PK\5\6", (12, "I", 2**32 - 2), "a directory that does not fit into the file"),
        (b"PK\5\6", (16, "I", 2**32 - 2), "a directory that does not fit into the file"),
        (b"PK\5\6", (12, "I", 47), "has a damaged record in its directory"),
        (b"PK\5\6", (20, "H", 4), "or something follows the archive"),
        (CENTRAL, (0, "I", 0), "has a damaged record in its directory, at 0x0"),
        (CENTRAL, (28, "H", 0xFFFF), "has a damaged record in its directory, at 0x0"),
        (CENTRAL, (30, "H", 0xFFFF), "has a damaged record in its directory, at 0x0"),
        (CENTRAL, (20, "I", 2**32 - 1), "has a damaged record in its directory, at 0x0"),
        (CENTRAL, (42, "I", 2**32 - 2), r"a\.txt: is nowhere: 0xfffffffe is too far"),
    ],
)
def test_directories_that_lie(
    signature: bytes, change: tuple[int, str, int], problem: str, tmp_path: Path
) -> None:
    path = patched(_plain(tmp_path / "old.zip"), signature, *change)
    with pytest.raises(WheelError, match=problem) as caught:
        read_archive(str(path))
    assert str(caught.value).startswith(str(path))


def test_truncated_archives(tmp_path: Path) -> None:
    path = _decorated(tmp_path / "old.zip")
    data = path.read_bytes()
    for size in range(0, len(data) - 1, 37):
        path.write_bytes(data[:size])
        with pytest.raises(WheelError):
            read_archive(str(path))


def test_a_wide_end_that_is_not_there(tmp_path: Path) -> None:
    path = zip64(tmp_path / "old.zip", "a", b"content")
    path = patched(path, b"PK\6\6", 0, "I", 0)
    with pytest.raises(WheelError, match="a zip64 end that is not in front of its locator"):
        read_archive(str(path))


@pytest.mark.parametrize("seed", range(3))
def test_damaged_archives(seed: int, tmp_path: Path) -> None:
    """A refusal, or an archive of which all is as it was but one member."""
    dice = random.Random(seed)
    path, target = tmp_path / "old.zip", tmp_path / "new.zip"
    kinds = [each(path).read_bytes() for each in _KINDS.values()]
    for _ in range(300):
        data = bytearray(dice.choice(kinds))
        begin = data.index(CENTRAL)
        for _ in range(dice.choice((1, 1, 3))):
            at = dice.randrange(begin, len(data)) if dice.random() < 0.8 else dice.randrange(40)
            data[at] = dice.choice((0, 1, 255, 128, dice.randrange(256)))
        path.write_bytes(data)
        target.unlink(missing_ok=True)
        try:
            read = read_archive(str(path))
            if len(read.entries) < 2:
                continue
            stream = open_entry(read, read.entries[1])
            while stream.read(1 << 16):
                pass
            write_archive(read, str(target), {1: _replacement(NEW)})
        except ElfAuditError:
            continue
        again = read_archive(str(target))
        assert len(again.entries) == len(read.entries)
        for old, new in zip(read.entries, again.entries, strict=True):
            assert new.raw_name == old.raw_name


# Zip64.


def test_an_archive_that_is_wide_already(tmp_path: Path) -> None:
    path = zip64(tmp_path / "old.zip", "only", b"content " * 99)
    assert _changed(path, {}).read_bytes() != b""
    new = _changed(path, {"only": NEW}, target="other.zip")
    _accepted(new)
    with zipfile.ZipFile(new) as file:
        assert file.read("only") == NEW
        (info,) = file.infolist()
        assert info.header_offset == 0


def test_a_member_that_may_need_wide_sizes(tmp_path: Path) -> None:
    """Room is left where more than 4 GiB are announced, whatever comes."""
    path = _decorated(tmp_path / "old.zip")
    new = _changed(path, {"b/library.so": _replacement(NEW, 5 << 30)})
    _accepted(new)
    with zipfile.ZipFile(new) as file:
        assert file.read("b/library.so") == NEW
        assert file.read("d-\u00e4.txt") == MEMBERS["d-\u00e4.txt"]


def _sparse(path: Path, size: int) -> Path:
    """``big`` of that size, which is a hole, then two small members; zip64 where needed."""
    probe = path.parent / "probe"
    with probe.open("wb") as file:
        file.truncate(1 << 33)
    blocks = probe.stat().st_blocks
    probe.unlink()
    if blocks > 100:
        pytest.skip("the file system has no sparse files")
    wide = size >= 0xFFFFFFFF
    told = 0xFFFFFFFF if wide else size
    extra = struct.pack("<HHQQ", 1, 16, size, size) if wide else b""
    local = struct.pack("<4s5H3I2H", LOCAL, 45, 0, 0, 0, 33, 0, told, told, 3, len(extra))
    record = struct.pack(
        "<4s6H3I5H2I",
        CENTRAL, 45, 45, 0, 0, 0, 33, 0, told, told, 3, len(extra), 0, 0, 0, 0, 0,
    )  # fmt: skip
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.so", b"library " * 99)
        out.writestr("RECORD", b"rows " * 99)
    data = small.getvalue()
    begin, end = data.index(CENTRAL), data.index(b"PK\5\6")
    base = len(local) + 3 + len(extra) + size
    records = [record + b"big" + extra]
    at = begin
    while at < end:
        fields = list(struct.unpack_from("<4s6H3I5H2I", data, at))
        name_size = int(fields[10])
        name = data[at + 46 : at + 46 + name_size]
        offset = int(fields[16]) + base
        more = struct.pack("<HHQ", 1, 8, offset) if offset >= 0xFFFFFFFF else b""
        fields[16], fields[11] = (0xFFFFFFFF, len(more)) if more else (offset, 0)
        records.append(struct.pack("<4s6H3I5H2I", *fields) + name + more)
        at += 46 + name_size
    directory, start = b"".join(records), base + begin
    with path.open("wb") as file:
        file.write(local + b"big" + extra)
        file.seek(base)
        file.write(data[:begin] + directory)
        if start >= 0xFFFFFFFF:
            where = file.tell()
            file.write(struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3,
                                   len(directory), start))  # fmt: skip
            file.write(struct.pack("<4sIQI", b"PK\6\7", 0, where, 1))
        told = min(start, 0xFFFFFFFF)
        file.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 3, 3, len(directory), told, 0))
    return path


@pytest.mark.parametrize("size", [(4 << 30) - 700, (4 << 30) - 2500, (4 << 30) + 123, 9 << 30])
@pytest.mark.parametrize("growth", [0, 3000])
def test_more_than_four_gibibytes(size: int, growth: int, tmp_path: Path) -> None:
    """Members and offsets beyond the limit, before and after; or only after."""
    path = _sparse(tmp_path / "old.zip", size)
    content = os.urandom(600 + growth)
    new = _changed(path, {"a.so": content})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new) as now:
        assert now.namelist() == ["big", "a.so", "RECORD"]
        assert now.getinfo("big").file_size == size
        assert _told(now.getinfo("big")) == _told(old.getinfo("big"))
        assert now.read("a.so") == content
        assert now.read("RECORD") == b"rows " * 99
        offset = now.getinfo("RECORD").header_offset
        assert offset > now.getinfo("a.so").header_offset > size
        with now.open("big") as member:
            assert member.read(1 << 16) == bytes(1 << 16)
    assert new.stat().st_blocks * 512 < 1 << 20
    read = read_archive(str(new))
    assert [entry.name for entry in read.entries] == ["big", "a.so", "RECORD"]
    assert read.wide == (read.directory >= 0xFFFFFFFF)


def test_more_members_than_sixteen_bits_count(tmp_path: Path) -> None:
    path = tmp_path / "old.zip"
    with zipfile.ZipFile(path, "w") as out:
        for number in range(0x10001):
            out.writestr(zipfile.ZipInfo(str(number)), b"")
    new = _changed(path, {"7": b"seven"})
    with zipfile.ZipFile(new) as file:
        assert len(file.namelist()) == 0x10001
        assert file.read("7") == b"seven"
        assert file.read("65536") == b""
