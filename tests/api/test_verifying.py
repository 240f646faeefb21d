"""Verifying builds: what is read, how often, and what belongs together."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus
from elfaudit.api.build_targets import builds_of, grouped
from elfaudit.api.surroundings import Surroundings
from elfaudit.checklist.observers import CHECKSUM
from elfaudit.checklist.one_pass import Reading, Wanted
from elfaudit.checklist.passing import reading_through
from elfaudit.elf.fatbin import GpuTargets
from elfaudit.loader import ObjectStore
from elfaudit.sources import open_source
from elfaudit.sources.inflate import InflatedStream
from tests.checklist.test_kinds import write, zipped
from tests.elf.test_fatbin import bundle


def _read(wanted: list[Wanted], store: ObjectStore) -> Reading:
    """What is found out about the one file of which something is wanted."""
    with reading_through(wanted, store) as readings:
        found = readings.of(wanted[0].member.identity)
    assert found is not None
    return found


def test_wheels_of_one_project_are_two_builds() -> None:
    torch, vllm = "torch-2.9-cp311-cp311-linux_x86_64.whl", "a/vllm-0.12-cp38-abi3-linux_x86_64.whl"
    other = "torch-2.8-cp311-cp311-linux_x86_64.whl"
    assert grouped([torch, vllm]) == ((torch, vllm),)
    assert grouped([torch, other]) == ((torch,), (other,))
    assert grouped([torch, other], together=True) == ((torch, other),)
    assert grouped([torch, "/srv"]) == ((torch,), ("/srv",))
    assert grouped([torch, vllm], together=False) == ((torch,), (vllm,))


def test_a_member_is_inflated_once_for_its_hash_its_facts_a_text_and_its_device_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prebuilt: Path
) -> None:
    """Hashed, searched and read as ELF in one pass, and each as the plain bytes say."""
    library = (prebuilt / "shapes/libdep.so.1").read_bytes()
    data = library + b"x" * (9 << 20) + b"needle\0" + os.urandom(3 << 20)
    data = data.ljust(13 << 20, b"\0") + bundle("gfx1151") + b"y" * (1 << 20)
    data = data[:0x28] + bytes(8) + data[0x30:]  # no section headers: the bundle is in none of them
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("liba.so", data)
        archive.writestr("stored.so", data, zipfile.ZIP_STORED)
    inflated: Counter[int] = Counter()
    inflate = InflatedStream._inflate

    def counted(self: InflatedStream) -> bytes:
        inflated[self._reach] += 1
        return inflate(self)

    monkeypatch.setattr(InflatedStream, "_inflate", counted)
    source, store = open_source(str(path)), ObjectStore()
    for name in ("/liba.so", "/stored.so"):
        member = source.find(name)
        assert member is not None
        wanted = [
            Wanted(member, algorithms=("sha256",)), Wanted(member, text=b"needle\0"),
            Wanted(member, facts=True), Wanted(member, algorithms=("md5",)),
            Wanted(member, device_code=True), Wanted(member, algorithms=(CHECKSUM,)),
        ]  # fmt: skip
        reading = _read(wanted, store)
        assert reading.digests["sha256"] == hashlib.sha256(data).digest()
        assert reading.digests["md5"] == hashlib.md5(data).digest()
        assert int.from_bytes(reading.digests[CHECKSUM], "big") == zlib.crc32(data)
        assert reading.places[b"needle\0"] == (data.index(b"needle\0"),)
        assert reading.size == len(data)
        assert store.read(member).soname is not None
        assert isinstance(reading.device_code, GpuTargets)
        assert reading.device_code.hip == ("gfx1151",)
    assert set(inflated.values()) == {1}


@pytest.mark.parametrize("size", [0, 1, 5, (1 << 20) - 3, (1 << 20) + 3, (3 << 20) + 1])
def test_a_text_is_found_wherever_it_lies(tmp_path: Path, size: int) -> None:
    data = b"." * size + b"needle" + b"." * 100 + b"needleneedle"
    (tmp_path / "a").write_bytes(data)
    member = open_source(str(tmp_path)).find("/a")
    assert member is not None
    wanted = [Wanted(member, text=b"needle"), Wanted(member, text=b"e")]
    reading = _read(wanted, ObjectStore())
    assert reading.places[b"needle"] == (size, size + 106, size + 112)
    assert reading.places[b"e"] == tuple(i for i, byte in enumerate(data) if byte == ord("e"))


def test_a_damaged_member_fails_its_check_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write(folder, {"p/__init__.py": b"", "p/big.bin": os.urandom(2 << 20),
                   "p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n"})  # fmt: skip
    path = tmp_path / "p-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                archive.write(each, each.relative_to(folder).as_posix())
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("p/big.bin")
    data[info.header_offset + 1000] ^= 0xFF
    path.write_bytes(data)
    record, *others = elfaudit.verify(str(path))[0].judgements
    assert record.status is CheckStatus.FAIL
    assert "p/big.bin" in record.message
    assert all(each.status is not CheckStatus.ERROR for each in others)


def test_a_root_is_a_root(tmp_path: Path) -> None:
    """Modules of every site-packages, links inside the root, nothing outside of it."""
    root = tmp_path / "image"
    site = root / "usr/lib/python3.12/site-packages"
    write(site, {"p/__init__.py": b"x = 1\n", "p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n"})
    (root / "etc").mkdir()
    (root / "opt/rocm-7.1/.info").mkdir(parents=True)
    (root / "opt/rocm-7.1/.info/version").write_text("7.1\n")
    (root / "opt/rocm").symlink_to("/opt/rocm-7.1")
    (tmp_path / "outside.py").write_text("")
    (site / "escape.py").symlink_to(tmp_path / "outside.py")
    (build,) = builds_of(((str(root),),), Surroundings())
    assert [each.name for each in build.distributions] == ["p"]
    assert build.machine.python == "3.12"
    assert not build.machine.is_this
    assert [file.place for file in build.matching("/opt/rocm/.info/version")]
    assert not build.matching("escape.py")
    assert build.modules.find("p") is not None


def test_modules_of_purelib_and_platlib_are_found(tmp_path: Path) -> None:
    path = tmp_path / "p-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p-1.data/purelib/p/__init__.py", "from .q import x")
        archive.writestr("p-1.data/platlib/r.py", "")
    (build,) = builds_of(((str(path),),), Surroundings())
    assert build.modules.find("p") is not None
    assert build.modules.find("r") is not None


def test_wheels_see_each_other(tmp_path: Path) -> None:
    """The loader finds in one wheel what another brings, as installed side by side."""
    source = tmp_path / "b.c"
    source.write_text("int b(void) { return 1; }")
    gcc = ["gcc", "-shared", "-fPIC", "-o"]
    subprocess.run([*gcc, tmp_path / "libb.so", source, "-Wl,-soname,libb.so"], check=True)
    source.write_text("extern int b(void); int a(void) { return b(); }")
    subprocess.run([*gcc, tmp_path / "liba.so", source, tmp_path / "libb.so", "-Wl,-rpath,$ORIGIN"],
                   check=True)  # fmt: skip
    wheels = []
    for name in "ab":
        wheels.append(str(tmp_path / f"{name}-1-py3-none-any.whl"))
        with zipfile.ZipFile(wheels[-1], "w") as archive:
            archive.write(tmp_path / f"lib{name}.so", f"p/lib{name}.so")
    listed = tmp_path / "c.toml"
    listed.write_text("name='c'\n[[check]]\nkind='loads'\nfile='p/liba.so'\n")
    (alone,) = elfaudit.verify(wheels[0], str(listed))[0].judgements
    assert alone.status is CheckStatus.FAIL
    assert "libb.so: cannot open shared object file" in alone.message
    (beside,) = elfaudit.verify(wheels, str(listed))[0].judgements
    assert beside.status is CheckStatus.PASS


def test_a_dist_info_among_the_files_of_a_package_is_no_import_root(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write(site, {"p/__init__.py": b"", "p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n"})
    write(site / "p/tests/data", {"q.py": b"", "q-1.dist-info/METADATA": b"Name: q\nVersion: 1\n"})
    (build,) = builds_of(((str(site),),), Surroundings())
    assert [each.name for each in build.distributions] == ["p"]
    environment = tmp_path / "site/env/lib/python3.12/site-packages"
    write(environment, {"r.py": b"", "r-1.dist-info/METADATA": b"Name: r\nVersion: 1\n"})
    (build,) = builds_of(((str(site),),), Surroundings())
    assert sorted(each.name for each in build.distributions) == ["p", "r"]


def test_purelib_and_platlib_are_installed_into_one_directory(tmp_path: Path) -> None:
    """As pip installs them: what is in either is found beside the rest, and imports."""
    base = tmp_path / "files"
    write(base, {
        "p/__init__.py": b"from . import pure, plat\nfrom .plat import y\n",
        "p-1.data/purelib/p/pure.py": b"x = 1\n", "p-1.data/platlib/p/plat.py": b"y = 1\n",
        "p-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: p\nVersion: 1\n",
        "p-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    })  # fmt: skip
    wheel = zipped(base, tmp_path / "p-1-py3-none-any.whl")
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True)
    subprocess.run([sys.executable, "-c", "import p"], check=True, cwd=target)
    path = tmp_path / "x.toml"
    path.write_text("name='x'\n[[check]]\nkind='imports'\npackage='p'\nall=true\n")
    for each in (wheel, target):
        assert elfaudit.verify(str(each), str(path))[0].judgements[0].status is CheckStatus.PASS


@pytest.mark.parametrize(("suffix", "status"), [
    (".cpython-311-x86_64-linux-gnu.so", CheckStatus.PASS), (".abi3.so", CheckStatus.PASS),
    (".cpython-312-x86_64-linux-gnu.so", CheckStatus.FAIL),
    (".cpython-311-aarch64-linux-gnu.so", CheckStatus.FAIL),
])  # fmt: skip
def test_extension_modules_are_those_of_the_python_and_machine_of_the_wheel(
    tmp_path: Path, suffix: str, status: CheckStatus
) -> None:
    base = tmp_path / "files"
    write(base, {"p/__init__.py": b"", f"p/_c{suffix}": b"\x7fELF",
                 "p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n"})  # fmt: skip
    wheel = zipped(base, tmp_path / "p-1-cp311-cp311-linux_x86_64.whl")
    path = tmp_path / "x.toml"
    path.write_text("name='x'\n[[check]]\nkind='imports'\nnames=['import p._c']\n")
    assert elfaudit.verify(str(wheel), str(path))[0].judgements[0].status is status


def test_what_is_only_run_fails_no_package(tmp_path: Path) -> None:
    """``python -m p`` fails, ``import p`` does not."""
    write(tmp_path / "s", {"p/__init__.py": b"", "p/__main__.py": b"from . import gone\n",
                           "p-1.dist-info/METADATA": b"Name: p\nVersion: 1\n"})  # fmt: skip
    subprocess.run([sys.executable, "-c", "import p"], check=True, cwd=tmp_path / "s")
    path = tmp_path / "x.toml"
    path.write_text("name='x'\n[[check]]\nkind='imports'\npackage='p'\nall=true\n")
    judgement = elfaudit.verify(str(tmp_path / "s"), str(path))[0].judgements[0]
    assert judgement.status is CheckStatus.PASS
    assert any("p/__main__.py:1" in line for line in judgement.evidence)
