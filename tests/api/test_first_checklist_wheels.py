"""The first checklist of wheels and of what is installed: the next build, and a stale one."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from elfaudit import RequestError
from elfaudit.api.first_checklist import first_checklist
from elfaudit.checklist.one_pass import Job, Reading, Worker
from tests.api.test_first_checklist import (
    PASS,
    build,
    first_failure,
    gcc,
    judged,
    require_all_pass,
    written,
)  # fmt: skip
from tests.checklist.test_kinds import write, zipped

__all__ = ["build"]


def extension(folder: Path, name: str, *options: str) -> None:
    gcc(folder, name, f"void *PyInit_{Path(name).name.partition('.')[0]}(void) {{ return 0; }}",
        *options)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site-packages with an extension module and a library copied for it, its record right."""
    return packaged(tmp_path / "python3.11/site-packages", "1.5", "0badcafe", "62.3.0")


def packaged(site: Path, version: str, digits: str, number: str) -> Path:
    site.mkdir(parents=True)
    copied = f"libjpeg-{digits}.so.{number}"
    gcc(site, f"pkg.libs/{copied}", "int jpeg(void){return 1;}", f"-Wl,-soname,{copied}")
    extension(site, "pkg/_fast.cpython-311-x86_64-linux-gnu.so",
              f"{site}/pkg.libs/{copied}", "-Wl,--no-as-needed", f"{site}/pkg.libs/{copied}",
              "-Wl,-rpath,$ORIGIN/../pkg.libs")  # fmt: skip
    files = {
        "pkg/__init__.py": b"from .a import x, y\n__all__ = ['x', 'y']\n",
        "pkg/a.py": b"x = 1\ny = 2\nfrom . import _fast\n",
        "pkg/version.py": f"__version__ = '{version}'\nhip = None\ncuda = '12'\ndebug = False\n"
        .encode(),
        f"pkg-{version}.dist-info/METADATA": f"Name: pkg\nVersion: {version}\n".encode(),
        f"pkg-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n",
    }  # fmt: skip
    libraries = [path.relative_to(site).as_posix() for path in site.rglob("*.so*")]
    write(site, files | {name: (site / name).read_bytes() for name in libraries})
    return site


@pytest.mark.parametrize("wheel", [True, False])
def test_the_next_build_of_a_wheel_passes_and_a_stale_file_does_not(
    site: Path, tmp_path: Path, wheel: bool
) -> None:
    def target(folder: Path, version: str) -> Path:
        place = tmp_path / f"pkg-{version}-cp311-cp311-linux_x86_64.whl"
        return zipped(folder, place) if wheel else folder

    found = require_all_pass(tmp_path, target(site, "1.5"))
    assert {
        "record-pkg", "file-libjpeg", "file-fast", "needed-fast", "runpath-fast", "symbols-fast",
        "loads-fast", "value-pkg.version.hip", "value-pkg.version.cuda",
        "value-pkg.version.debug", "imports-pkg", "module-inventory-pkg",
    } <= set(found)  # fmt: skip
    assert found["needed-fast"].check.parameters["has"] == ["libjpeg-*.so.62*", "libc.so.6"]
    checklist = written(tmp_path, target(site, "1.5"))
    other = packaged(tmp_path / "next/python3.11/site-packages", "1.6", "00c0ffee", "62.4.0")
    extension_file = other / "pkg/_fast.cpython-311-x86_64-linux-gnu.so"
    assert extension_file.exists()
    assert not [e for e in judged(checklist, target(other, "1.6")) if e.status is not PASS]
    (other / "pkg/a.py").write_bytes(b"x = 1\n")
    assert "pkg/a.py has 6 bytes" in first_failure(judged(checklist, target(other, "1.6")))


def test_the_root_of_a_file_system(site: Path, build: Path, tmp_path: Path) -> None:
    root = tmp_path / "image"
    (root / "etc").mkdir(parents=True)
    shutil.copytree(site, root / "usr/lib/python3.11/site-packages")
    shutil.copytree(build / "lib", root / "opt/foo-1.2.3/lib", symlinks=True)
    name = "libc.so.6"
    libc = next(Path(p) for p in ("/lib/x86_64-linux-gnu", "/lib64", "/usr/lib") if
                (Path(p) / name).exists())  # fmt: skip
    (root / "usr/lib/x86_64-linux-gnu").mkdir()
    (root / "lib").symlink_to("usr/lib")
    shutil.copy(libc / name, root / "usr/lib/x86_64-linux-gnu" / name)
    found = require_all_pass(tmp_path, root)
    assert {"record-pkg", "file-libfoo"} <= set(found)
    assert any(each.startswith("symbols-libc-glibc_2.") for each in found)
    assert found["needed-libfoo"].check.parameters["file"] == "/opt/foo-*/lib/libfoo.so.1*"


def test_a_text_named_like_a_library_is_no_damage(site: Path, tmp_path: Path) -> None:
    (site / "pkg/script.so").write_text("INPUT(libjpeg.so.62)")
    write(site, {path.relative_to(site).as_posix(): path.read_bytes() for path in
                 sorted(site.rglob("*")) if path.is_file() and path.name != "RECORD"})  # fmt: skip
    found = require_all_pass(tmp_path, zipped(site, tmp_path / "pkg-1.5-py3-none-any.whl"))
    assert "record-pkg" in found


def test_two_wheels_of_one_project_are_no_build(site: Path, tmp_path: Path) -> None:
    names = ("pkg-1.5-cp311-cp311-linux_x86_64.whl", "pkg-1.6-cp311-cp311-linux_x86_64.whl")
    wheels = [str(zipped(site, tmp_path / name)) for name in names]
    with pytest.raises(RequestError, match="are two builds of pkg"):
        first_checklist(wheels)


def test_every_member_is_read_to_its_end_once(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = zipped(site, tmp_path / "pkg-1.5-cp311-cp311-linux_x86_64.whl")
    read: Counter[str] = Counter()

    whole = Worker.read

    def counted(self: Worker, job: Job) -> Reading:
        read[job.member.display] += 1
        assert job.every_byte
        return whole(self, job)

    monkeypatch.setattr(Worker, "read", counted)
    first_checklist([str(wheel)])
    with zipfile.ZipFile(wheel) as archive:
        listed = {f"{wheel}::{name}" for name in archive.namelist()}
    assert set(read) == listed
    assert set(read.values()) == {1}
