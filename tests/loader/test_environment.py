"""What of this machine a process inherits."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from elfaudit.loader import environment
from elfaudit.loader.environment import (
    host_hwcaps,
    host_library_path,
    host_platform,
    host_preload,
    running_interpreter,
)
from tests.oracle import require_loader
from tests.oracle.workshop import LOADER

LEVELS = ("x86-64-v4", "x86-64-v3", "x86-64-v2")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ()),
        ("/a", ("/a",)),
        ("/a:/b;/c", ("/a", "/b", "/c")),
        (":/a", ("", "/a")),
        ("/a:", ("/a", "")),
    ],
)
def test_library_path(value: str | None, expected: tuple[str, ...]) -> None:
    environ = {} if value is None else {"LD_LIBRARY_PATH": value}
    assert host_library_path(environ) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ()), ("", ()), ("/a.so", ("/a.so",)), ("/a.so:b.so  c.so", ("/a.so", "b.so", "c.so"))],
)
def test_preload(value: str | None, expected: tuple[str, ...]) -> None:
    assert host_preload({} if value is None else {"LD_PRELOAD": value}) == expected


def test_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/x")
    monkeypatch.setenv("LD_PRELOAD", "")
    assert (host_library_path(), host_preload()) == (("/x",), ())


def test_the_interpreter_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    running = running_interpreter()
    assert running is not None
    version, path = running
    assert version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert Path(path).is_file()
    assert not Path(path).is_symlink()
    monkeypatch.setattr(sys, "_base_executable", "", raising=False)
    assert running_interpreter() is None


@pytest.mark.oracle
def test_the_cpu_as_the_loader_sees_it() -> None:
    require_loader()
    done = subprocess.run(
        [LOADER, "--list-diagnostics"], capture_output=True, text=True, check=False
    )
    rows = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if "dl_hwcaps_subdirs_active" not in rows or "dl_platform" not in rows:
        pytest.skip("this loader does not tell")
    active = int(rows["dl_hwcaps_subdirs_active"], 16)
    subdirectories = rows["dl_hwcaps_subdirs"].strip('"').split(":")
    # Bit 0 stands for the last of them, the least demanding.
    expected = [
        name for place, name in enumerate(reversed(subdirectories)) if active & (1 << place)
    ]
    assert host_hwcaps() == tuple(reversed(expected))
    assert host_platform() in (None, rows["dl_platform"].strip('"'))
    if host_platform() is None:
        assert rows["dl_platform"].strip('"') == platform.machine()


@pytest.fixture
def cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is read in place of /proc/cpuinfo."""
    file = tmp_path / "cpuinfo"
    real = open

    def opened(path: object, *arguments: object, **options: object) -> object:
        return real(file if path == "/proc/cpuinfo" else path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(environment, "open", opened, raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return file


V2 = "cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2"
V3 = f"{V2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"
V4 = f"{V3} avx512bw avx512cd avx512dq avx512f avx512vl"


@pytest.mark.parametrize(
    ("flags", "levels", "name"),
    [
        ("fpu sse2", (), None),
        (V2, LEVELS[2:], None),
        (V3, LEVELS[1:], "haswell"),
        (V4, LEVELS, "haswell"),
        (V4.replace("ssse3", ""), (), "haswell"),
        (f"{V3} avx512cd avx512er avx512pf", LEVELS[1:], "xeon_phi"),
    ],
)
def test_cpus(cpu: Path, flags: str, levels: tuple[str, ...], name: str | None) -> None:
    cpu.write_text(f"vendor_id\t: GenuineIntel\nflags\t\t: {flags}\n\nflags : {V4}\n")
    assert (host_hwcaps(), host_platform()) == (levels, name)
    cpu.write_text(f"vendor_id\t: AuthenticAMD\nflags\t\t: {flags}\n")
    assert (host_hwcaps(), host_platform()) == (levels, None)


def test_cpus_that_do_not_tell(cpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (host_hwcaps(), host_platform()) == (None, None)  # no such file
    cpu.write_text("processor : 0\n")
    assert (host_hwcaps(), host_platform()) == (None, None)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    cpu.write_text(f"flags : {V4}\n")
    assert (host_hwcaps(), host_platform()) == (None, None)
    assert os.path.exists(cpu)
