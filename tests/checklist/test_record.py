"""What is wrong with a RECORD, and what to do; pip is asked where it has a say."""

from __future__ import annotations

import base64
import hashlib
import shlex
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus, Judgement
from elfaudit.checklist.one_pass import Job, Reading, Worker
from elfaudit.pydist import read_record

from .test_kinds import write, zipped

FILES = {
    "pkg/__init__.py": b"from .a import x\n",
    "pkg/a.py": b"x = 1\n",
    "pkg/b.py": b"y = 1\n",
    "pkg-1.5.dist-info/METADATA": b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.5\n",
    "pkg-1.5.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
RECORD = "pkg-1.5.dist-info/RECORD"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write(tmp_path / "site", FILES)
    return tmp_path / "site"


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[Path], Judgement]:
    def ask(target: Path) -> Judgement:
        path = tmp_path / "list.toml"
        path.write_text("name = 'x'\n[[check]]\nkind='record'\n")
        (only,) = elfaudit.verify([str(target)], str(path))[0].judgements
        return only

    return ask


Judge = Callable[[Path], Judgement]


def wheel(site: Path) -> Path:
    return zipped(site, site.parent / "pkg-1.5-py3-none-any.whl")


def pip_installs(path: Path) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target",
         path.parent / "installed", path], capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def test_many_files_of_one_sort_are_one_sentence_and_the_stale_one_comes_first(
    site: Path, judged: Judge
) -> None:
    rows = (site / RECORD).read_text().splitlines()
    rows = [row.split(",")[0] + ",," if row.startswith("pkg/_") or "b.py" in row else row
            for row in rows]  # fmt: skip
    (site / RECORD).write_text("\n".join(rows) + "\n")
    (site / "pkg/a.py").write_bytes(b"x = 2\n")
    found = judged(wheel(site))
    assert found.message == (
        "pkg/a.py is not the file that RECORD describes: its sha256 is another; "
        "2 files are listed without a hash, as pkg/__init__.py"
    )
    assert found.evidence == (
        "pkg/__init__.py is listed without a hash", "pkg/b.py is listed without a hash",
    )  # fmt: skip


def test_the_advice_fits_what_is_audited(site: Path, judged: Judge) -> None:
    (site / "pkg/a.py").write_bytes(b"x = 2\n")
    command = "pip install --force-reinstall --no-deps pkg==1.5"
    assert judged(site).check.advice == ""
    assert judged(site).advice == f"install it again: {command}"
    packed = judged(wheel(site)).advice
    assert "force-reinstall" not in packed
    assert packed.startswith("download or build the wheel again")
    assert packed.endswith("-e " + str(wheel(site)) + " unpacked && python -m wheel pack unpacked")


def test_two_dist_infos_in_a_wheel_are_refused_by_pip(site: Path, judged: Judge) -> None:
    path = wheel(site)
    assert pip_installs(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other-1.dist-info/METADATA", "Name: other\n")
    assert not pip_installs(path)
    message = judged(path).message
    assert "the wheel has other-1.dist-info and pkg-1.5.dist-info: pip does not install" in message


def test_weak_hashes_are_not_permitted_in_a_wheel(site: Path, judged: Judge) -> None:
    digest = base64.urlsafe_b64encode(hashlib.md5(b"x = 1\n").digest()).decode()
    rows = (site / RECORD).read_text().splitlines()
    rows = [f"pkg/a.py,md5={digest},6" if row.startswith("pkg/a.py") else row for row in rows]
    (site / RECORD).write_text("\n".join(rows) + "\n")
    assert judged(site).status is CheckStatus.PASS
    assert judged(wheel(site)).message == (
        "pkg/a.py is hashed with md5, which is not permitted in a wheel"
    )


def test_an_empty_record_is_none(site: Path, judged: Judge) -> None:
    (site / RECORD).write_text("")
    assert judged(site).message == f"{RECORD} lists nothing"


def test_paths_are_compared_as_what_they_lead_to(site: Path, judged: Judge) -> None:
    (site / RECORD).write_text((site / RECORD).read_text().replace("pkg/a.py", "pkg/./a.py"))
    assert judged(wheel(site)).status is CheckStatus.PASS


def test_a_line_feed_in_a_quoted_path_is_part_of_it() -> None:
    (row,) = read_record('"a\r\nb.py",,3\r\n')
    assert (row.path, row.size) == ("a\r\nb.py", 3)


def test_a_wheel_without_metadata_is_refused_by_pip(site: Path, judged: Judge) -> None:
    (site / "pkg-1.5.dist-info/METADATA").unlink()
    rows = (site / RECORD).read_text().splitlines()
    (site / RECORD).write_text("\n".join(row for row in rows if "METADATA" not in row) + "\n")
    path = wheel(site)
    assert not pip_installs(path)
    assert judged(path).message == "pkg-1.5.dist-info has no METADATA: pip does not install it"


def test_a_distribution_without_record_does_not_hide_files_of_others(
    site: Path, judged: Judge
) -> None:
    (site / "old-1.egg-info").mkdir()
    (site / "old-1.egg-info/PKG-INFO").write_text("Name: old\nVersion: 1\n")
    (site / "old-1.egg-info/top_level.txt").write_text("Mine\n")
    for name in ("pkg/left.py", "mine/a.py", "old/a.py"):
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text("")
    assert judged(site).message == (
        "pkg/left.py is in the package of pkg-1.5.dist-info, which does not list it"
    )
    (site / "old-1.egg-info/top_level.txt").write_text("pkg\n")
    assert judged(site).status is CheckStatus.PASS


def test_two_wheels_of_one_project_together(site: Path, tmp_path: Path) -> None:
    first = wheel(site)
    (tmp_path / "more").mkdir()
    second = tmp_path / "more" / "pkg-1.5-1-py3-none-any.whl"
    second.write_bytes(first.read_bytes())
    (tmp_path / "list.toml").write_text("name = 'x'\n[[check]]\nkind='record'\n")
    reports = elfaudit.verify([str(first), str(second)], str(tmp_path / "list.toml"), together=True)
    assert "pkg is there twice" in reports[0].judgements[0].message


def test_a_checksum_of_the_archive_that_is_wrong(
    judged: Callable[[Path], Judgement], site: Path, tmp_path: Path
) -> None:
    """RECORD is right, and pip refuses the wheel all the same."""
    path = zipped(site, tmp_path / "pkg-1.5-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("pkg/a.py")
    stated = struct.pack("<I", info.CRC)
    path.write_bytes(path.read_bytes().replace(stated, struct.pack("<I", info.CRC ^ 1)))
    judgement = judged(path)
    assert judgement.status is CheckStatus.FAIL
    assert judgement.message.startswith("pkg/a.py has another checksum than the archive states")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(tmp_path / "t")]
    done = subprocess.run([*pip, str(path)], check=False, capture_output=True, text=True)
    assert done.returncode
    assert "Bad CRC-32" in done.stderr


@pytest.mark.parametrize("size", [100, 300_000, 3 << 20])
def test_a_member_that_is_longer_than_the_archive_says(
    site: Path, tmp_path: Path, prebuilt: Path, size: int
) -> None:
    """Its beginning is as RECORD says: also where its ELF facts are asked for in the same pass."""
    library = (prebuilt / "shapes/libdep.so.1").read_bytes().ljust(size, b"x")
    less = len(library) - 1
    write(site, {**FILES, "pkg/lib.so": library[:less]})  # RECORD is of these
    (site / "pkg/lib.so").write_bytes(library)
    path = zipped(site, tmp_path / "pkg-1.5-py3-none-any.whl")
    stated = struct.pack("<I", len(library))
    path.write_bytes(path.read_bytes().replace(stated, struct.pack("<I", less)))
    (tmp_path / "list.toml").write_text(
        "name = 'x'\n[[check]]\nkind = 'record'\n"
        "[[check]]\nkind = 'string'\nfile = 'pkg/lib.so'\ntext = 'dep'\n"
    )
    record, _ = elfaudit.verify([str(path)], str(tmp_path / "list.toml"))[0].judgements
    assert record.status is CheckStatus.FAIL
    assert f"is longer than the {less} bytes the archive's directory claims" in record.message
    assert not pip_installs(path)


def test_compiled_modules_do_not_count(judged: Callable[[Path], Judgement], site: Path) -> None:
    """numpy lists one in its wheel, and pip makes it anew."""
    record = site / "pkg-1.5.dist-info/RECORD"
    row = "pkg/__pycache__/a.cpython-311.pyc,sha256=AAAA,7\n"
    record.write_text(record.read_text() + row + "pkg/__pycache__/a.cpython-311.pyc,,\n")
    assert judged(site).status is CheckStatus.PASS


def test_packages_of_debian_are_kept_by_dpkg(
    judged: Callable[[Path], Judgement], tmp_path: Path
) -> None:
    """It strips libraries and changes shebangs, and leaves RECORD as it was."""
    packages = tmp_path / "root/usr/lib/python3/dist-packages"
    write(packages, {"yaml/__init__.py": b"", "PyYAML-6.dist-info/METADATA": b"Name: PyYAML\n"})
    (packages / "yaml/__init__.py").write_text("changed")
    (tmp_path / "root/etc").mkdir()
    for target in (packages, tmp_path / "root"):
        judgement = judged(target)
        assert judgement.status is CheckStatus.SKIP
        assert "dpkg --verify" in judgement.message
    local = tmp_path / "root/usr/local/lib/python3.11/dist-packages"
    write(local, {"own/__init__.py": b"", "own-1.dist-info/METADATA": b"Name: own\n"})
    assert judged(tmp_path / "root").status is CheckStatus.PASS
    (local / "own/__init__.py").write_text("changed")
    assert judged(tmp_path / "root").status is CheckStatus.FAIL


@pytest.mark.parametrize(("file", "change", "told"), [
    ("WHEEL", None, "pkg-1.5.dist-info has no WHEEL: pip does not install it"),
    ("WHEEL", (b": 1.0", b": 2.0"), "its Wheel-Version is 2.0: pip does not install it"),
    ("WHEEL", (b": 1.0", b": x"), "its Wheel-Version is none: 'x': pip does not install it"),
    ("WHEEL", (b"Wheel-Version: 1.0\n", b""),
     "pkg-1.5.dist-info/WHEEL states no Wheel-Version: pip does not install it"),
    ("WHEEL", (b": 1.0", b": 1.9"), ""),
    ("WHEEL", (b"Tag", b"X: \xe9\nTag"), "its WHEEL is not UTF-8: pip does not install it"),
    ("METADATA", None, "pkg-1.5.dist-info has no METADATA: pip does not install it"),
    ("METADATA", (b"1.5", b"1.5\n\n\xe9"), "its METADATA is not UTF-8: pip does not install it"),
])  # fmt: skip
def test_a_wheel_that_pip_refuses(
    tmp_path: Path, judged: Judge, file: str, change: tuple[bytes, bytes] | None, told: str
) -> None:
    files = dict(FILES)
    changed = files.pop(f"pkg-1.5.dist-info/{file}")
    if change is not None:
        files[f"pkg-1.5.dist-info/{file}"] = changed.replace(*change)
    write(tmp_path / "other", files)
    path = wheel(tmp_path / "other")
    found = judged(path)
    assert pip_installs(path) is (not told)
    assert (found.message if told else "") == told
    assert found.advice == ("download or build the wheel again" if told else "")


def test_a_record_that_is_not_utf_8_in_a_row_that_does_not_count(site: Path, judged: Judge) -> None:
    with (site / RECORD).open("ab") as record:
        record.write(b"pkg/\xff.pyc,,\n")
    path = wheel(site)
    found = judged(path)
    assert found.status is CheckStatus.FAIL
    assert "its RECORD is not UTF-8: pip does not install it" in found.message
    assert not pip_installs(path)


def test_a_size_of_thousands_of_digits(site: Path, judged: Judge) -> None:
    record = site / RECORD
    record.write_text(record.read_text().replace(",6\n", f",{'9' * 5000}\n"))
    found = judged(wheel(site))
    assert found.status is CheckStatus.FAIL
    assert "has a size of more than 20 digits" in found.message


@pytest.mark.parametrize("bit", range(16))
def test_an_empty_member_whose_packed_bytes_are_damaged(
    site: Path, judged: Judge, bit: int
) -> None:
    """Nothing of it is missing, and yet pip does not install it; where zipfile reads it, it may."""
    write(site, {**FILES, "pkg/empty.py": b""})
    path = wheel(site)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("pkg/empty.py")
    assert info.compress_size == 2
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    try:
        with zipfile.ZipFile(path) as archive:
            sound = archive.read("pkg/empty.py") == b""
    except (zlib.error, zipfile.BadZipFile):
        sound = False
    if not sound:
        assert judged(path).status is CheckStatus.FAIL


def test_a_record_whose_packed_bytes_are_damaged(site: Path, judged: Judge) -> None:
    path = wheel(site)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(RECORD)
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename)] |= 7  # a type of block that is none
    path.write_bytes(data)
    found = judged(path)
    assert found.status is CheckStatus.FAIL
    assert found.message.startswith("its RECORD cannot be read: ")
    assert not pip_installs(path)


def test_the_checksum_of_record_itself(site: Path, judged: Judge) -> None:
    path = wheel(site)
    with zipfile.ZipFile(path) as archive:
        crc = archive.getinfo(RECORD).CRC
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", crc), struct.pack("<I", crc ^ 1)))
    found = judged(path)
    assert found.status is CheckStatus.FAIL
    assert "another checksum than the archive states" in found.message
    assert not pip_installs(path)


def test_an_unlisted_file_beside_metadata_that_is_too_large(site: Path, judged: Judge) -> None:
    metadata = FILES["pkg-1.5.dist-info/METADATA"] + b"\n" + b"x" * (65 << 20)
    write(site, {**FILES, "pkg-1.5.dist-info/METADATA": metadata})
    (site / "pkg/evil.py").write_text("")
    found = judged(wheel(site))
    assert found.status is CheckStatus.FAIL
    assert "pkg/evil.py is in the wheel and not in RECORD" in found.message


@pytest.mark.parametrize("how", ["replaced", "gone"])
def test_a_wheel_that_is_exchanged_is_not_accused(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = wheel(site)
    (tmp_path / "list.toml").write_text("name = 'x'\n[[check]]\nkind='record'\n")
    read = Worker.read

    def late(self: Worker, job: Job) -> Reading:
        if how == "gone":
            path.unlink(missing_ok=True)
        elif b"x = 1" in (site / "pkg/a.py").read_bytes():  # before the first
            write(site, {**FILES, "pkg/a.py": b"x = 2\n"})
            zipped(site, tmp_path / "new").replace(path)
        return read(self, job)

    monkeypatch.setattr(Worker, "read", late)
    (found,) = elfaudit.verify([str(path)], str(tmp_path / "list.toml"))[0].judgements
    assert found.status is CheckStatus.ERROR
    assert ("changed on disk" if how == "replaced" else "cannot be opened") in found.message


@pytest.mark.parametrize(("rows", "told"), [
    ("{rows}\n\n", "line 7 of RECORD is blank: pip does not install it"),
    ("\n{rows}\n", "line 1 of RECORD is blank: pip does not install it"),
    ("{rows}\n,,\n", ""),
])  # fmt: skip
def test_pip_does_not_read_a_record_with_blank_lines(
    site: Path, judged: Judge, rows: str, told: str
) -> None:
    (site / RECORD).write_text(rows.format(rows=(site / RECORD).read_text().strip()))
    path = wheel(site)
    found = judged(path)
    assert pip_installs(path) is (not told)
    assert (found.message if told else "") == told
    assert judged(site).status is CheckStatus.PASS


def test_what_a_record_states_of_itself_is_not_looked_at(site: Path, judged: Judge) -> None:
    text = (site / RECORD).read_text().replace(f"{RECORD},,", "")
    (site / RECORD).write_text(f"{text.strip()}\n{RECORD},sha256=AAAA,3\n")
    path = wheel(site)
    assert pip_installs(path)
    assert judged(path).status is CheckStatus.PASS


def test_what_was_left_behind_is_removed_and_the_newest_installed(
    judged: Callable[[Path], Judgement], site: Path
) -> None:
    """What is advised makes it right: the old .dist-info goes, and nothing older comes."""
    old = site / "pkg-1.4.dist-info"
    shutil.copytree(site / "pkg-1.5.dist-info", old)
    (old / "METADATA").write_bytes(FILES["pkg-1.5.dist-info/METADATA"].replace(b"1.5", b"1.4"))
    (old / "RECORD").write_text((site / RECORD).read_text().replace("pkg-1.5", "pkg-1.4"))
    judgement = judged(site)
    assert judgement.status is CheckStatus.FAIL
    remove, install = judgement.advice.splitlines()
    assert install.endswith("pip install --force-reinstall --no-deps pkg==1.5")
    command = remove.removeprefix("remove what was left behind: ")
    assert shlex.split(command) == ["rm", "-r", str(old)]
    subprocess.run(shlex.split(command), check=True)
    assert judged(site).status is CheckStatus.PASS
