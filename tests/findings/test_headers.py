"""The rules about what the headers of a file ask for, held against readelf and the real loader."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings import Finding, Resolution, Severity, Verdict
from elfaudit.loader import Loader
from tests.oracle import Workshop, dlopen, python_dlopen
from tests.oracle.edit import add_dynamic_entry, patch

DT_TEXTREL = 22
_PHDR = struct.Struct("<IIQQQQQQ")


def of(resolution: Resolution, rule: str) -> list[Finding]:
    return [finding for finding in resolution.findings if finding.rule == rule]


def headers(path: Path) -> list[list[int]]:
    """The program headers of an x86_64 file, each as [type, flags, offset, vaddr, …]."""
    raw = path.read_bytes()
    (count,) = struct.unpack_from("<H", raw, 56)
    return [list(_PHDR.unpack_from(raw, 64 + row * _PHDR.size)) for row in range(count)]


def write_header(path: Path, row: int, header: list[int]) -> None:
    patch(path, 64 + row * _PHDR.size, _PHDR.pack(*header))


@pytest.fixture
def modern(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader is that of glibc 2.41."""
    monkeypatch.setattr(Loader, "glibc_version", lambda *_: (2, 41))


class TestExecutableStack:
    """``PT_GNU_STACK``."""

    def test_a_warning_where_the_release_is_not_known(self, prebuilt: Path, readelf: str) -> None:
        file = prebuilt / "shapes/libdemo-execstack.so"
        told = subprocess.run(
            [readelf, "-lW", file], capture_output=True, text=True, check=True
        ).stdout
        assert [line.split()[-2] for line in told.splitlines() if "GNU_STACK" in line] == ["RWE"]
        (finding,) = of(resolve(str(file), root=None), "executable-stack")
        assert finding.severity is Severity.WARNING
        assert finding.fixes[0].command == f"patchelf --clear-execstack {file}"
        assert not of(
            resolve(str(prebuilt / "shapes/libdemo-gnu.so"), root=None), "executable-stack"
        )

    @pytest.mark.oracle
    def test_absent_is_executable_on_this_machine(self, workshop: Workshop) -> None:
        file = workshop.library("libask.so")
        row = next(n for n, h in enumerate(headers(file)) if h[0] == 0x6474E551)
        assert not of(resolve(str(file), root=None), "executable-stack")
        write_header(file, row, [0] * 8)  # PT_NULL
        (finding,) = of(resolve(str(file), root=None), "executable-stack")
        assert "no PT_GNU_STACK" in finding.evidence[0]

    def test_absent_is_harmless_on_aarch64(self, prebuilt: Path, tmp_path: Path) -> None:
        file = Path(shutil.copy(prebuilt / "machines/aarch64/libdep.so.1", tmp_path))
        row = next(n for n, h in enumerate(headers(file)) if h[0] == 0x6474E551)
        write_header(file, row, [0] * 8)
        assert not of(resolve(str(file), root=None), "executable-stack")

    @pytest.mark.oracle
    @pytest.mark.usefixtures("modern")
    def test_since_2_41_it_is_an_error_where_dlopen_brings_it_in(
        self, prebuilt: Path, workshop: Workshop
    ) -> None:
        file = prebuilt / "shapes/libdemo-execstack.so"
        program = workshop.program("main", "int main(void) { return 0; }")
        ours = resolve(str(file), host=str(program))
        (finding,) = of(ours, "executable-stack")
        assert finding.severity is Severity.ERROR
        assert ours.verdict is Verdict.FAILS
        assert ours.error == finding.message
        # The words of _dl_map_object_from_fd and of strerror (EINVAL).
        assert finding.message.endswith(
            "libdemo-execstack.so: cannot enable executable stack as shared object requires: "
            "Invalid argument"
        )

    @pytest.mark.oracle
    @pytest.mark.usefixtures("modern")
    def test_but_not_where_the_process_starts_with_it(self, workshop: Workshop) -> None:
        ask = workshop.library("libask.so", flags=["-Wl,-z,execstack"])
        program = workshop.program(
            "main", "int main(void) { return 0; }", needed=[ask], runpath="$ORIGIN"
        )
        assert not of(resolve(str(program)), "executable-stack")
        other = workshop.library("libother.so", flags=["-Wl,-z,execstack"])
        preloaded = resolve(str(other), host=str(program))
        assert [f.severity for f in of(preloaded, "executable-stack")] == [Severity.WARNING]


@pytest.mark.oracle
class TestTextRelocations:
    """``DT_TEXTREL``."""

    def test_code_that_is_not_position_independent(self, workshop: Workshop, readelf: str) -> None:
        asm = 'asm(".text\\n.globl ask\\nask: movabs $other, %rax\\nret");'
        file = workshop.library("libask.so", asm, flags=["-Wl,-z,notext"])
        told = subprocess.run([readelf, "-d", file], capture_output=True, text=True, check=True)
        assert "TEXTREL" in told.stdout
        (finding,) = of(resolve(str(file), root=None), "text-relocations")
        assert finding.severity is Severity.WARNING

    def test_the_old_tag_alone(self, workshop: Workshop) -> None:
        file = workshop.library("libask.so", "int ask(void) { return 1; }")
        assert not of(resolve(str(file), root=None), "text-relocations")
        add_dynamic_entry(file, DT_TEXTREL)
        assert len(of(resolve(str(file), root=None), "text-relocations")) == 1


@pytest.mark.oracle
class TestStaticTls:
    """``DF_STATIC_TLS`` in what ``dlopen`` brings in."""

    CODE = (
        '__attribute__((tls_model("initial-exec"))) __thread char mine[{size}] = "x";'
        "char *ask(void) {{ return mine; }}"
    )

    def test_a_warning_as_long_as_it_fits(self, workshop: Workshop, host: Path) -> None:
        file = workshop.library("libask.so", self.CODE.format(size=200))
        assert dlopen(host, file).error is None
        (finding,) = of(resolve(str(file), host=str(host)), "static-tls")
        assert (finding.severity, "200 bytes" in finding.message) == (Severity.WARNING, True)

    def test_an_error_when_it_does_not(self, workshop: Workshop, host: Path) -> None:
        file = workshop.library("libask.so", self.CODE.format(size=20000))
        ours = resolve(str(file), host=str(host))
        assert dlopen(host, file).error == ours.error
        assert [f.severity for f in of(ours, "static-tls")] == [Severity.ERROR]
        assert ours.findings[0].message == ours.error

    def test_not_the_general_model(self, workshop: Workshop, host: Path) -> None:
        file = workshop.library("libask.so", "__thread int mine; int *ask(void) { return &mine; }")
        assert not of(resolve(str(file), host=str(host)), "static-tls")

    def test_not_what_the_program_starts_with(self, workshop: Workshop) -> None:
        ask = workshop.library("libask.so", self.CODE.format(size=200))
        code = "char *ask(void); int main(void) { return !ask(); }"
        program = workshop.program("main", code, needed=[ask], runpath="$ORIGIN")
        assert not of(resolve(str(program)), "static-tls")
        assert not of(resolve(str(ask), host=str(program)), "static-tls")


@pytest.mark.oracle
class TestMisalignedSegment:
    """``p_vaddr``, ``p_offset`` and ``p_align``."""

    @pytest.fixture
    def file(self, prebuilt: Path, tmp_path: Path) -> Path:
        return Path(shutil.copy(prebuilt / "shapes/libdep.so.1", tmp_path / "libdep.so.1"))

    def test_pages_of_64_kib(self, prebuilt: Path, readelf: str) -> None:
        """The fixtures are linked for pages of 4 KiB, which matters on two machines only."""
        for file in prebuilt.glob("machines/*/libdep.so.1"):
            command = [readelf, "-lW", str(file)]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rows = [line.split() for line in told.splitlines() if line.startswith("  LOAD")]
            wide = all((int(row[2], 16) - int(row[1], 16)) % 0x10000 == 0 for row in rows)
            found = of(resolve(str(file), root=None), "misaligned-segment")
            large = file.parent.name in ("aarch64", "ppc64le") and not wide
            assert ["pages of 64 KiB" in f.message for f in found] == [True] * large, file

    def test_an_alignment_that_does_not_hold(self, file: Path) -> None:
        row, header = next(
            (n, h) for n, h in enumerate(headers(file)) if h[0] == 1 and h[3] != h[2]
        )
        write_header(file, row, [*header[:7], 0x10000000])
        # Newer releases of glibc, as the one here may be, look at the page size only.
        real = python_dlopen(file).error
        assert real is None or "not properly aligned" in real
        (finding,) = of(resolve(str(file), root=None), "misaligned-segment")
        assert "0x10000000" in finding.message
        assert finding.severity is Severity.WARNING

    def test_before_2_35_that_is_an_error(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Loader, "glibc_version", lambda *_: (2, 31))
        row, header = next(
            (n, h) for n, h in enumerate(headers(file)) if h[0] == 1 and h[3] != h[2]
        )
        write_header(file, row, [*header[:7], 0x10000000])
        (finding,) = of(resolve(str(file), root=None), "misaligned-segment")
        assert finding.severity is Severity.ERROR
        assert finding.message.endswith("ELF load command address/offset not properly aligned")

    def test_one_finding_for_one_segment(self, prebuilt: Path, tmp_path: Path) -> None:
        """What does not hold its own alignment is not told again for pages of 64 KiB."""
        file = Path(shutil.copy(prebuilt / "machines/aarch64/libdep.so.1", tmp_path))
        row, header = next(
            (n, h) for n, h in enumerate(headers(file)) if h[0] == 1 and h[3] != h[2]
        )
        write_header(file, row, [*header[:7], 0x10000])
        assert len(of(resolve(str(file), root=None), "misaligned-segment")) == 1

    def test_segments_one_over_the_other(self, file: Path) -> None:
        loads = [(n, h) for n, h in enumerate(headers(file)) if h[0] == 1]
        row, header = loads[0]
        write_header(file, row, [*header[:6], loads[1][1][3] + 1, header[7]])
        found = of(resolve(str(file), root=None), "misaligned-segment")
        assert ["overlaps" in finding.message for finding in found] == [True]
