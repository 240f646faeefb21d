"""What a loader says of itself, and which subdirectories it looks into."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from elfaudit.elf import read_elf
from elfaudit.loader import LoaderEnvironment
from elfaudit.loader.environment import host_hwcaps, host_platform
from elfaudit.loader.hwcaps import capabilities
from elfaudit.loader.machines import machine_of
from elfaudit.loader.rtld import Rtld, read_rtld
from elfaudit.loader.store import ObjectStore
from elfaudit.sources import TreeSource
from tests.oracle import Workshop
from tests.oracle.workshop import LOADER

MULTIARCH = (
    b"\0ORIGIN\0PLATFORM\0lib/x86_64-linux-gnu\0"
    b"\0/proc/sys/\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0x"
)


def told(tmp_path: Path, raw: bytes, libc: bytes | None = None) -> Rtld:
    (tmp_path / "ld.so").write_bytes(raw)
    if libc is not None:
        (tmp_path / "lib64").mkdir()
        (tmp_path / "lib64/libc.so.6").write_bytes(libc)
    return read_rtld(TreeSource(str(tmp_path)), ["/gone", "/ld.so"])


class TestStrings:
    """The constants of loaders of several makers."""

    def test_multiarch(self, tmp_path: Path) -> None:
        banner = b"\0ld.so (Debian GLIBC 2.36-9) stable release version 2.36.\n\0"
        assert told(tmp_path, MULTIARCH + banner) == Rtld(
            "/ld.so",
            (2, 36),
            ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"),
            "lib/x86_64-linux-gnu",
        )

    def test_lib64(self, tmp_path: Path) -> None:
        raw = b"\0/lib64/\0/usr/lib64/\0ld.so (GNU libc) development release version 2.39.9000.\n\0"
        found = told(tmp_path, raw)
        assert found == Rtld("/ld.so", (2, 39), ("/lib64", "/usr/lib64"), "lib64")
        assert not found.has_legacy_subdirectories

    def test_a_store_of_its_own(self, tmp_path: Path) -> None:
        found = told(tmp_path, b"\0/dev/fd/\0/nix/store/abc-glibc-2.38-44/lib/\0/tmp\0")
        assert (found.system_dirs, found.lib) == (("/nix/store/abc-glibc-2.38-44/lib",), "lib")

    def test_an_old_one_has_its_version_in_the_c_library(self, tmp_path: Path) -> None:
        libc = b"GNU C Library (GNU libc) stable release version 2.31.\n"
        found = told(tmp_path, b"\0/lib64/\0/usr/lib64/\0", libc)
        assert found.version == (2, 31)
        assert found.has_legacy_subdirectories

    @pytest.mark.parametrize("raw", [b"", b"\0/", b"\0/a//\0", b"\0" * 1000, b"\0/dev/\0" * 3])
    def test_nothing_to_be_told(self, tmp_path: Path, raw: bytes) -> None:
        assert told(tmp_path, raw) == Rtld("/ld.so")

    def test_no_loader(self, tmp_path: Path) -> None:
        assert read_rtld(TreeSource(str(tmp_path)), ["/ld.so"]) == Rtld()


def diagnostics() -> dict[str, str]:
    """What the real loader says of itself when it is asked."""
    done = subprocess.run(
        [LOADER, "--list-diagnostics"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("the loader here has no --list-diagnostics")
    rows = (line.partition("=") for line in done.stdout.splitlines())
    return {key: value.strip('"') for key, _, value in rows}


@pytest.mark.oracle
def test_this_machines_own(workshop: Workshop) -> None:
    found = read_rtld(TreeSource("/"), [LOADER])
    real = diagnostics()
    assert found.version is not None
    assert ".".join(map(str, found.version)) == real["version.version"]
    dirs = [value for key, value in real.items() if key.startswith("path.system_dirs[")]
    assert [f"{each}/" for each in found.system_dirs] == dirs
    code = "int main(void) { return 0; }"
    program = workshop.program("program", code, needed=["libwho.so"], runpath="/$LIB/x")
    shown = subprocess.run(
        [program], env={"LD_DEBUG": "libs"}, capture_output=True, text=True, check=False
    ).stderr
    assert f"trying file=/{found.lib}/x/libwho.so" in shown


@pytest.mark.oracle
def test_subdirectories_in_their_order(workshop: Workshop, prebuilt: Path) -> None:
    """All of them, as the real loader lists them."""
    code = "int main(void) { return 0; }"
    program = workshop.program("program", code, needed=["libwho.so"], runpath="/nowhere")
    shown = subprocess.run(
        [program], env={"LD_DEBUG": "libs"}, capture_output=True, text=True, check=False
    ).stderr
    tried = re.findall(r"trying file=/nowhere/(.*)libwho\.so$", shown, re.MULTILINE)
    environment = LoaderEnvironment(TreeSource("/"), hwcaps=host_hwcaps(), platform=host_platform())
    own = capabilities(
        environment, machine_of(read_elf(program)), read_rtld(TreeSource("/"), [LOADER])
    )
    assert list(own.subdirectories) == tried


def test_newer_loaders_have_only_the_levels(prebuilt: Path) -> None:
    machine = machine_of(read_elf(prebuilt / "machines/x86_64/demo"))
    environment = LoaderEnvironment(TreeSource("/"), hwcaps=("x86-64-v3", "x86-64-v2", "other"))
    own = capabilities(environment, machine, Rtld("/ld.so", (2, 37)))
    assert own.subdirectories == ("glibc-hwcaps/x86-64-v3/", "glibc-hwcaps/x86-64-v2/", "")
    assert own.legacy == 0


def test_one_that_is_asked_twice_is_read_once() -> None:
    store = ObjectStore()
    root = TreeSource("/")
    assert store.once(read_rtld, root, ("/ld.so",)) is store.once(read_rtld, root, ("/ld.so",))
