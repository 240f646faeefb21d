"""Wheels with patched members, judged by who installs, unpacks and imports them."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import elfaudit
from elfaudit import AddNeeded, AddRunpath, PatchEdit, SetSoname, apply_patch, plan_patch
from elfaudit import undo_patch as plan_undo
from tests.oracle.workshop import require_loader

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

pytestmark = pytest.mark.oracle

HIP = "torch/lib/libtorch_hip.so"
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
RELEASE = "torch-2.9.1+rocm7.1"
INFO = f"{RELEASE}.dist-info"
NAME = f"{RELEASE}-{TAG}-{TAG}-linux_x86_64.whl"
ADD = AddNeeded("librocm_smi64.so.1")

Files = Mapping[str, bytes]


def ran(*command: object, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.run(
        [str(each) for each in command],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "LC_ALL": "C.UTF-8", **env},
    )


def row(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


def record(files: Files, info: str = INFO) -> bytes:
    """RECORD of some files, as a builder of wheels writes it."""
    rows = [row(name, data) for name, data in files.items() if not name.endswith("/")]
    return ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()


def pack(path: Path, files: Files, *, mode: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", mode) as out:
        for number, (name, data) in enumerate(files.items()):
            info = zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 2 * (number % 30)))
            info.external_attr = (
                0o100755 if ".so" in name or "/scripts/" in name else 0o100644
            ) << 16
            info.compress_type = mode
            out.writestr(info, data)
    return path


@pytest.fixture
def files(story: Path) -> dict[str, bytes]:
    """What is in the wheel of the story, without RECORD, for the Python that runs the tests."""
    site = story / "site-packages"
    found = {}
    for path in sorted(p for p in site.rglob("*") if p.is_file() and p.name != "RECORD"):
        name = path.relative_to(site).as_posix()
        name = name.replace(".cpython-311-x86_64-linux-gnu.so", SUFFIX)
        found[name] = path.read_bytes().replace(b"cp311-cp311", f"{TAG}-{TAG}".encode())
    return dict(sorted(found.items(), key=lambda each: each[0].startswith(INFO)))


@pytest.fixture
def wheel(tmp_path: Path, story: Path, files: Files) -> Path:
    """The wheel of the story; for another Python than that of the fixture, packed again."""
    path = tmp_path / "dist" / NAME
    path.parent.mkdir()
    if (story / NAME).exists():
        shutil.copy(story / NAME, path)
        return path
    return pack(path, {**files, f"{INFO}/RECORD": record(files)})


@pytest.fixture
def rocm(tmp_path: Path, story: Path) -> Path:
    """A directory with the library that the story lacks."""
    shutil.copytree(story / "root", tmp_path / "root", symlinks=True)
    return tmp_path / "root/opt/rocm/lib"


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip; the path of its Python."""
    require_loader()
    place = tmp_path_factory.mktemp("venv")
    done = ran(sys.executable, "-m", "venv", place)
    assert done.returncode == 0, done.stderr
    return place / "bin/python"


def pip(venv: Path, wheel: Path) -> None:
    options = ("--no-index", "--no-deps", "--force-reinstall", "--disable-pip-version-check")
    done = ran(venv, "-m", "pip", "--isolated", "install", *options, wheel)
    assert done.returncode == 0, done.stdout + done.stderr
    checked = ran(venv, "-m", "pip", "--isolated", "--disable-pip-version-check", "check")
    assert checked.returncode == 0, checked.stdout


def uv(venv: Path, wheel: Path) -> None:
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        pytest.skip("uv is not installed")
    options = ("--offline", "--no-index", "--no-deps", "--reinstall", "--no-config", "--python")
    cache = str(venv.parent / "uv-cache")
    done = ran(program, "pip", "install", *options, venv, wheel, UV_CACHE_DIR=cache)
    assert done.returncode == 0, done.stderr
    checked = ran(program, "pip", "check", "--no-config", "--python", venv, UV_CACHE_DIR=cache)
    assert checked.returncode == 0, checked.stderr


INSTALLED = """
import base64, hashlib, importlib.metadata, json
dist = importlib.metadata.distribution("torch")
wrong = []
for file in dist.files:
    data = file.locate().read_bytes()
    if file.hash is not None:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        if (file.hash.mode, file.hash.value, file.size) != ("sha256", digest, len(data)):
            wrong.append(str(file))
print(json.dumps([dist.version, len(dist.files), wrong]))
"""


def installed(venv: Path) -> str:
    """The version that is installed; every file of it is as its RECORD says."""
    done = ran(venv, "-c", INSTALLED)
    assert done.returncode == 0, done.stderr
    version, count, wrong = json.loads(done.stdout)
    assert count > 7
    assert wrong == []
    return str(version)


def imported(venv: Path) -> str | None:
    """What importing the extension says, or None."""
    done = ran(venv, "-c", "import torch._C")
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def raw_members(path: Path) -> dict[str, tuple[bytes, tuple[object, ...]]]:
    """Each member's bytes from its local header to the next, and what the directory has on it."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        starts = [*sorted(info.header_offset for info in infos), archive.start_dir]
    found: dict[str, tuple[bytes, tuple[object, ...]]] = {}
    for info in infos:
        end = starts[starts.index(info.header_offset) + 1]
        facts = (
            info.date_time, info.external_attr, info.internal_attr, info.extra, info.comment,
            info.create_system, info.create_version, info.extract_version, info.flag_bits,
            info.compress_type, info.CRC, info.compress_size, info.file_size,
        )  # fmt: skip
        found[info.filename] = (data[info.header_offset : end], facts)
    return found


def assert_sound(path: Path) -> None:
    """The archive is whole for three who unpack it, and RECORD describes every file in it."""
    assert ran(sys.executable, "-m", "zipfile", "-t", path).returncode == 0
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("unzip is not installed")
    done = ran(unzip, "-tqq", path)
    assert (done.returncode, done.stderr) == (0, "")
    held = contents(path)
    (name,) = (each for each in held if each.endswith(".dist-info/RECORD"))
    rows = {each[0]: each[1:] for each in csv.reader(io.StringIO(held[name].decode()))}
    said = {each: f"{each},{','.join(columns)}" for each, columns in rows.items()}
    right = {n: row(n, d) if n != name else f"{n},," for n, d in held.items() if n[-1] != "/"}
    assert said == right


def patched(path: Path, *edits: PatchEdit, **options: object) -> Path:
    plan = plan_patch(path, edits or [ADD], members=[HIP], check=False, **options)  # type: ignore[arg-type]
    (written,) = apply_patch(plan).paths
    return Path(written)


def refused(path: Path, said: str, **options: object) -> None:
    """Patching is refused with these words, and nothing is left of the attempt."""
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises(elfaudit.ElfAuditError, match=said):
        patched(path, **options)
    assert {each: each.read_bytes() for each in path.parent.iterdir()} == before


# --- the story ---


@pytest.mark.parametrize("install", [pip, uv])
def test_the_story_ends_with_an_import(
    wheel: Path, rocm: Path, venv: Path, install: Callable[[Path, Path], None]
) -> None:
    install(venv, wheel)
    assert "undefined symbol: rsmi_init" in str(imported(venv))
    plan = plan_patch(wheel, [ADD, AddRunpath(str(rocm))], members=[HIP], providers=[str(rocm)])
    effects = plan.files[0].effects
    assert effects is not None
    assert (effects.before, effects.after) == (elfaudit.Verdict.FAILS, elfaudit.Verdict.LOADS)
    assert [each.name for each in effects.bound] == ["rsmi_init"]
    assert not plan.files[0].warns
    apply_patch(plan)
    assert_sound(wheel)
    install(venv, wheel)
    assert imported(venv) is None
    assert installed(venv) == "2.9.1+rocm7.1"


def test_without_the_place_it_still_fails_as_foretold(
    wheel: Path, rocm: Path, venv: Path, story: Path
) -> None:
    plan = plan_patch(wheel, [ADD], members=[HIP], providers=[str(rocm)])
    effects = plan.files[0].effects
    assert effects is not None
    assert effects.lent == ("librocm_smi64.so.1",)
    apply_patch(plan)
    pip(venv, wheel)
    assert "librocm_smi64.so.1: cannot open shared object file" in str(imported(venv))


@pytest.mark.parametrize("mode", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_all_other_members_are_copied_as_they_lie(tmp_path: Path, files: Files, mode: int) -> None:
    whole = {**files, "torch/data/": b"", f"{INFO}/RECORD": record(files), "torch/late.py": b"#\n"}
    whole[f"{INFO}/RECORD"] = record({k: v for k, v in whole.items() if "RECORD" not in k})
    wheel = pack(tmp_path / NAME, whole, mode=mode)
    before = raw_members(wheel)
    patched(wheel)
    after = raw_members(wheel)
    assert list(after) == list(before)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {HIP, f"{INFO}/RECORD"}
    for name in changed:  # what is not about the bytes stays of these, too
        assert after[name][1][:8] == before[name][1][:8]
    assert_sound(wheel)


def test_data_descriptors_extra_fields_and_comments_stay(tmp_path: Path, files: Files) -> None:
    class Pipe(io.RawIOBase):
        """Cannot be sought in, so that sizes come behind the members."""

        def __init__(self, path: Path) -> None:
            self.file = path.open("wb")

        def writable(self) -> bool:
            return True

        def write(self, data: Buffer, /) -> int:
            return self.file.write(data)

    wheel = tmp_path / NAME
    pipe = Pipe(wheel)
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as out:
        out.comment = b"made for a test"
        for name, data in {**files, f"{INFO}/RECORD": record(files)}.items():
            info = zipfile.ZipInfo(name, (2020, 1, 2, 3, 4, 6))
            info.extra = b"UT\x05\x00\x01\x00\x00\x00\x00"
            info.comment = name.encode()
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, data)
    pipe.file.close()
    before = raw_members(wheel)
    assert all(facts[8] & 8 for _, facts in before.values())  # type: ignore[operator]
    patched(wheel)
    after = raw_members(wheel)
    assert {n for n in before if before[n] != after[n]} == {HIP, f"{INFO}/RECORD"}
    with zipfile.ZipFile(wheel) as archive:
        assert archive.comment == b"made for a test"
        info = archive.getinfo(HIP)
        assert (info.extra, info.comment) == (b"UT\x05\x00\x01\x00\x00\x00\x00", HIP.encode())
    assert_sound(wheel)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_of_record_only_the_rows_that_change_change(tmp_path: Path, files: Files, end: str) -> None:
    """Quoted names, columns that are left open, blank lines and line ends stay."""
    odd = {**files, 'torch/a,"b".txt': b"x", "torch/line\u2028end.txt": b"y"}
    rows = [row(n, d) for n, d in files.items() if n != HIP]
    hip = row(HIP, files[HIP])
    quoted = [
        '"torch/a,""b"".txt",' + row("", b"x")[1:],
        row("torch/line\u2028end.txt", b"y"),
        f'"{HIP}",{hip.partition(",")[2]}',
        "",
    ]
    text = end.join([*rows[:3], *quoted, *rows[3:], f"{INFO}/RECORD,,", ""])
    wheel = pack(tmp_path / NAME, {**odd, f"{INFO}/RECORD": text.encode()})
    patched(wheel)
    new = contents(wheel)
    assert new[f"{INFO}/RECORD"].decode() == text.replace(
        hip.partition(",")[2], row("", new[HIP])[1:]
    )


@pytest.mark.parametrize("keep", ["hash", "size", "neither"])
def test_what_record_leaves_open_stays_open(tmp_path: Path, files: Files, keep: str) -> None:
    _, hash_, size = row(HIP, files[HIP]).split(",")
    old = {"hash": f"{hash_},", "size": f",{size}", "neither": ","}
    text = record(files).decode().replace(f"{HIP},{hash_},{size}", f"{HIP},{old[keep]}")
    wheel = pack(tmp_path / NAME, {**files, f"{INFO}/RECORD": text.encode()})
    patched(wheel)
    held = contents(wheel)
    _, hash_, size = row(HIP, held[HIP]).split(",")
    new = {"hash": f"{hash_},", "size": f",{size}", "neither": ","}
    assert f"\n{HIP},{new[keep]}\n" in "\n" + held[f"{INFO}/RECORD"].decode()


def test_made_twice_it_is_the_same_and_made_again_nothing_happens(
    wheel: Path, tmp_path: Path
) -> None:
    results = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(wheel, tmp_path / name)
        results.append(patched(tmp_path / name / NAME, build_tag="1").read_bytes())
    assert results[0] == results[1]
    once = patched(wheel).read_bytes()
    status = wheel.stat()
    plan = plan_patch(wheel, [ADD], members=[HIP], check=False)
    assert not plan.needed
    apply_patch(plan, backup=".orig")
    assert (wheel.read_bytes(), wheel.stat().st_ino) == (once, status.st_ino)
    assert not Path(f"{wheel}.orig").exists()
    out = tmp_path / "copy"
    out.mkdir()
    (path,) = apply_patch(plan, output=str(out)).paths
    assert (Path(path).name, Path(path).read_bytes()) == (NAME, once)


def test_the_way_back_restores_members_bit_for_bit(wheel: Path, rocm: Path) -> None:
    before = contents(wheel)
    patched(wheel)
    patched(wheel, AddRunpath(str(rocm)), SetSoname("libx.so"))
    assert contents(wheel)[HIP] != before[HIP]
    apply_patch(plan_undo(wheel, members=["libtorch_hip.so"]))
    assert contents(wheel) == before
    assert_sound(wheel)


def test_growth_does_not_add_up(wheel: Path, rocm: Path) -> None:
    patched(wheel, ADD, AddRunpath(str(rocm)))
    at_once = contents(wheel)[HIP]
    apply_patch(plan_undo(wheel, members=[HIP]))
    patched(wheel, ADD)
    patched(wheel, AddRunpath(str(rocm)))
    assert contents(wheel)[HIP] == at_once


def test_several_members_at_once(wheel: Path) -> None:
    before = contents(wheel)
    plan = plan_patch(wheel, [ADD], members=["torch/lib/*", HIP], check=False)
    assert len(plan.files) == 3
    apply_patch(plan)
    after = contents(wheel)
    names = {f"torch/lib/lib{each}.so" for each in ("c10", "torch_cpu", "torch_hip")}
    assert {n for n in before if before[n] != after[n]} == {*names, f"{INFO}/RECORD"}
    assert_sound(wheel)


def test_a_backup_is_what_was_there(wheel: Path) -> None:
    was = wheel.read_bytes()
    plan = plan_patch(wheel, [ADD], members=[HIP], check=False)
    assert apply_patch(plan, backup=".orig").backups == (f"{wheel}.orig",)
    assert Path(f"{wheel}.orig").read_bytes() == was
    other = wheel.with_name("other.whl")
    other.write_bytes(b"mine")
    more = plan_patch(wheel, [SetSoname("x")], members=[HIP], check=False)
    apply_patch(more, output=str(other), backup="~")
    assert Path(f"{other}~").read_bytes() == b"mine"


def test_no_backup_is_left_of_a_wheel_that_failed(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise OSError(5, "Input/output error")

    plan = plan_patch(wheel, [ADD], members=[HIP], check=False)
    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(elfaudit.SourceError, match="Input/output error"):
        apply_patch(plan, backup=".orig")
    assert [each.name for each in wheel.parent.glob("*.whl*")] == [wheel.name]


# --- what is refused ---


@pytest.mark.parametrize("signature", ["RECORD.jws", "RECORD.p7s"])
def test_a_signature_is_refused_or_dropped(tmp_path: Path, files: Files, signature: str) -> None:
    """By the specification it has no hash in RECORD."""
    text = record(files) + f"{INFO}/{signature},,\n".encode()
    whole = {**files, f"{INFO}/{signature}": b"{}", f"{INFO}/RECORD": text}
    wheel = pack(tmp_path / NAME, whole)
    refused(wheel, "no signature survives a change: --drop-signature takes it away")
    nothing = plan_patch(wheel, [AddNeeded("libc10.so")], members=[HIP], check=False)
    assert not nothing.needed
    patched(wheel, drop_signature=True)
    assert f"{INFO}/{signature}" not in contents(wheel)
    assert_sound(wheel)


def lying(files: Files) -> bytes:
    return record({**files, HIP: files[HIP] + b"more"})


def without_row(files: Files) -> bytes:
    return record({name: data for name, data in files.items() if name != HIP})


def broken(files: Files) -> bytes:
    return record(files).replace(HIP.encode() + b",", b'"' + HIP.encode() + b'\0",')


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lying, "was changed behind its back"),
        (without_row, f"has no row for {HIP}"),
        (broken, f"has no row for {HIP}"),
    ],
)
def test_a_record_that_is_wrong_is_refused(
    tmp_path: Path, files: Files, make: Callable[[Files], bytes], said: str
) -> None:
    refused(pack(tmp_path / NAME, {**files, f"{INFO}/RECORD": make(files)}), said)


def test_a_wheel_without_record_or_with_two_is_refused(tmp_path: Path, files: Files) -> None:
    refused(pack(tmp_path / NAME, files), "has no RECORD")
    twice = {**files, f"{INFO}/RECORD": record(files), "x-1.dist-info/RECORD": b""}
    refused(pack(tmp_path / NAME, twice), "has several RECORDs")


def test_members_of_one_name_are_refused(tmp_path: Path, files: Files) -> None:
    wheel = pack(tmp_path / NAME, {**files, f"{INFO}/RECORD": record(files)})
    with warnings.catch_warnings(), zipfile.ZipFile(wheel, "a") as out:
        warnings.simplefilter("ignore")
        out.writestr(HIP, files[HIP])
    refused(wheel, "twice")


def flagged(path: Path, name: str, bit: int) -> None:
    """Set a bit of a member's flags, in its local header and in the directory."""
    data = bytearray(path.read_bytes())
    at = data.index(name.encode())
    data[at - 30 + 6] |= bit
    at = data.rindex(name.encode())
    data[at - 46 + 8] |= bit
    path.write_bytes(data)


def test_an_encrypted_member_is_refused(wheel: Path) -> None:
    flagged(wheel, HIP, 1)
    refused(wheel, "encrypted")


def test_a_damaged_member_is_refused(wheel: Path) -> None:
    data = bytearray(wheel.read_bytes())
    with zipfile.ZipFile(wheel) as archive:
        info = archive.getinfo(HIP)
    data[info.header_offset + 30 + len(HIP) + info.compress_size // 2] ^= 0x55
    wheel.write_bytes(data)
    refused(wheel, HIP)


def test_what_is_no_archive_is_refused(tmp_path: Path, wheel: Path) -> None:
    (tmp_path / "a").mkdir()
    other = tmp_path / "a" / NAME
    other.write_bytes(b"PK\3\4 but not really")
    refused(other, NAME.replace("+", r"\+"))
    other.write_bytes(wheel.read_bytes()[:-30])
    refused(other, NAME.replace("+", r"\+"))


def test_a_wheel_that_changed_since_the_plan_is_refused(wheel: Path, files: Files) -> None:
    plan = plan_patch(wheel, [ADD], members=[HIP], check=False)
    pack(wheel, {"torch/new.py": b"", **files, f"{INFO}/RECORD": record(files)})
    was = wheel.read_bytes()
    with pytest.raises(elfaudit.PatchError, match="has changed since the patch was planned"):
        apply_patch(plan)
    assert wheel.read_bytes() == was


# --- another name ---


@pytest.fixture
def with_data(tmp_path: Path, files: Files) -> Path:
    """A wheel with a ``.data`` directory, and a directory of its own in the archive."""
    data = f"{RELEASE}.data"
    whole = {
        **{name: held for name, held in files.items() if not name.startswith(INFO)},
        f"{data}/scripts/torch-run": b"#!python\nprint('ran')\n",
        f"{data}/data/share/torch/notes,1.txt": b"notes",
        f"{INFO}/": b"",
        **{name: held for name, held in files.items() if name.startswith(INFO)},
    }
    rows = (
        record(whole)
        .decode()
        .replace(f"{data}/data/share/torch/notes,1.txt", f'"{data}/data/share/torch/notes,1.txt"')
    )
    path = tmp_path / "dist" / NAME
    path.parent.mkdir()
    return pack(path, {**whole, f"{INFO}/RECORD": rows.encode()})


@pytest.mark.parametrize("install", [pip, uv])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_local_version_is_the_same_everywhere(
    with_data: Path, venv: Path, install: Callable[[Path, Path], None], end: bytes
) -> None:
    held = contents(with_data)
    for name in (f"{INFO}/METADATA", f"{INFO}/WHEEL"):
        held[name] = held[name].replace(b"\n", end)
    names = {n: d for n, d in held.items() if not n.endswith("RECORD")}
    text = record(names).decode()
    odd = f"{RELEASE}.data/data/share/torch/notes,1.txt"
    held[f"{INFO}/RECORD"] = text.replace(odd, f'"{odd}"').encode()
    pack(with_data, held)
    was = with_data.read_bytes()
    result = patched(with_data, ADD, local_version="patched1", build_tag="3")
    new = f"{RELEASE}.patched1"
    assert result.name == NAME.replace(RELEASE, f"{new}-3")
    assert with_data.read_bytes() == was
    after = contents(result)
    assert list(after) == [name.replace(f"{RELEASE}.d", f"{new}.d") for name in held]
    assert after[f"{new}.dist-info/METADATA"] == held[f"{INFO}/METADATA"].replace(
        b"Version: 2.9.1+rocm7.1", b"Version: 2.9.1+rocm7.1.patched1"
    )
    lines = after[f"{new}.dist-info/WHEEL"].split(end)
    assert [line for line in lines if line != b"Build: 3"] == held[f"{INFO}/WHEEL"].split(end)
    assert lines.count(b"Build: 3") == 1
    assert_sound(result)
    install(venv, result)
    assert installed(venv) == "2.9.1+rocm7.1.patched1"
    assert (venv.parent.parent / "share/torch/notes,1.txt").read_bytes() == b"notes"
    assert ran(venv.parent / "torch-run").stdout == "ran\n"


@pytest.mark.parametrize("install", [pip, uv])
def test_a_build_tag_is_taken_by_installers(
    wheel: Path, venv: Path, install: Callable[[Path, Path], None]
) -> None:
    was = contents(wheel)
    first = patched(wheel, build_tag="1")
    assert first.name == NAME.replace(RELEASE, f"{RELEASE}-1")
    assert contents(wheel) == was
    assert_sound(first)
    second = patched(first, SetSoname("libx.so"), build_tag="2local")
    assert second.name == NAME.replace(RELEASE, f"{RELEASE}-2local")
    text = contents(second)[f"{INFO}/WHEEL"].decode()
    assert [line for line in text.splitlines() if line.startswith("Build")] == ["Build: 2local"]
    assert_sound(second)
    install(venv, second)
    assert installed(venv) == "2.9.1+rocm7.1"


def test_pip_takes_the_wheel_with_the_higher_build_tag(wheel: Path, venv: Path) -> None:
    patched(wheel, build_tag="1")
    options = ("--no-index", "--find-links", wheel.parent, "--no-deps", "--force-reinstall")
    done = ran(venv, "-m", "pip", "--isolated", "install", "--no-cache-dir", *options, "torch")
    assert done.returncode == 0, done.stderr
    site = Path(ran(venv, "-c", "import torch; print(torch.__path__[0])").stdout.strip() or "x")
    if site == Path("x"):  # torch/__init__.py imports _C, which fails here by intention
        (site,) = (venv.parent.parent / "lib").glob("python*/site-packages/torch")
    assert elfaudit.read_elf(str(site / "lib/libtorch_hip.so")).needed[-1] == ADD.name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"build_tag": "x1"}, "'x1' is no build tag"),
        ({"build_tag": "1-2"}, "'1-2' is no build tag"),
        ({"local_version": "not a version"}, "is no local version"),
        ({"local_version": "a+b"}, "is no local version"),
    ],
)
def test_a_name_that_is_none_is_refused(wheel: Path, options: dict[str, str], said: str) -> None:
    refused(wheel, said, **options)


def test_a_name_that_is_taken_or_does_not_fit_is_refused(wheel: Path, tmp_path: Path) -> None:
    taken = wheel.with_name(NAME.replace(RELEASE, f"{RELEASE}-1"))
    taken.write_bytes(b"somebody's")
    refused(wheel, "is there already", build_tag="1")
    plan = plan_patch(wheel, [ADD], members=[HIP], check=False, build_tag="1")
    with pytest.raises(elfaudit.RequestError, match="has to be called"):
        apply_patch(plan, output=str(tmp_path / "other.whl"))
    (path,) = apply_patch(plan, output=str(tmp_path / "new") + "/").paths
    assert path == str(tmp_path / "new" / taken.name)


def test_metadata_that_says_another_version_is_refused(tmp_path: Path, files: Files) -> None:
    name = f"{INFO}/METADATA"
    other = {**files, name: files[name].replace(b"2.9.1", b"2.9.2")}
    wheel = pack(tmp_path / NAME, {**other, f"{INFO}/RECORD": record(other)})
    refused(wheel, "METADATA says version", local_version="x")
    lie = pack(tmp_path / NAME, {**files, f"{INFO}/RECORD": record({**files, name: b""})})
    refused(lie, "was changed behind its back", local_version="x")


def test_a_zip_that_is_no_wheel_has_no_record_to_keep(tmp_path: Path, files: Files) -> None:
    archive = pack(tmp_path / "libs.zip", files)
    before = raw_members(archive)
    patched(archive)
    after = raw_members(archive)
    assert {n for n in before if before[n] != after[n]} == {HIP}
    refused(archive, "is no wheel", build_tag="1")
