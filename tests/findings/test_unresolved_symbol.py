"""Rule ``unresolved-symbol``, and who is named as the provider."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.elf import read_elf
from elfaudit.findings import Applicability, Finding, Severity, Verdict
from elfaudit.loader.machines import machine_of
from tests.conftest import PREBUILT
from tests.oracle import Workshop, python_dlopen

HIP = "site-packages/torch/lib/libtorch_hip.so"
SMI = "root/opt/rocm/lib/librocm_smi64.so.1"


def fix_of(finding: Finding) -> tuple[Applicability, dict[str, str]]:
    fix = finding.fixes[0]
    return fix.applicability, {edit.kind: edit.value for edit in fix.edits}


class TestProviders:
    """The name to list is one the loader finds in that directory."""

    def test_where_the_loader_looks_the_fix_is_safe(self, story: Path, tmp_path: Path) -> None:
        shutil.copytree(story / "site-packages", tmp_path / "site")
        lib = tmp_path / "site/torch/lib"
        shutil.copy(story / SMI, lib / "librocm_smi64.so.1")
        ours = resolve(str(lib / "libtorch_hip.so"), root=None)
        assert fix_of(ours.findings[0]) == (
            Applicability.SAFE,
            {"add-needed": "librocm_smi64.so.1"},
        )

    @pytest.mark.parametrize("kind", ["directory", "file"])
    def test_without_the_link_of_its_soname(self, story: Path, tmp_path: Path, kind: str) -> None:
        place = tmp_path / "lib"
        place.mkdir()
        file = place / "librocm_smi64.so.1.0"
        shutil.copy(story / SMI, file)
        ours = resolve(str(story / HIP), with_=[str(place if kind == "directory" else file)])
        assert fix_of(ours.findings[0]) == (
            Applicability.UNSAFE,
            {"add-needed": "librocm_smi64.so.1.0", "add-runpath": str(place)},
        )

    def test_a_link_of_its_soname_to_another_file(self, story: Path, tmp_path: Path) -> None:
        place = tmp_path / "lib"
        place.mkdir()
        shutil.copy(story / SMI, place / "librocm_smi64.so.1.0")
        shutil.copy(story / "variants/repaired/lib/libc10.so", place / "librocm_smi64.so.1")
        ours = resolve(str(story / HIP), with_=[str(place)])
        assert fix_of(ours.findings[0])[1]["add-needed"] == "librocm_smi64.so.1.0"

    def test_in_the_same_wheel_relative_to_origin(self, story: Path, tmp_path: Path) -> None:
        wheel = tmp_path / "torch-1-cp311-cp311-linux_x86_64.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in ("libtorch_hip.so", "libtorch_cpu.so", "libc10.so"):
                archive.write((story / HIP).parent / name, f"torch/lib/{name}")
            archive.write(story / SMI, "torch.libs/rocm/librocm_smi64.so.1")
        ours = resolve(f"{wheel}::torch/lib/libtorch_hip.so", root=None)
        assert fix_of(ours.findings[0]) == (
            Applicability.UNSAFE,
            {
                "add-needed": "librocm_smi64.so.1",
                "add-runpath": "$ORIGIN/../../torch.libs/rocm",
            },
        )

    def test_in_another_wheel_of_the_same_site_packages(self, story: Path, tmp_path: Path) -> None:
        other = tmp_path / "rocm_smi-1-py3-none-linux_x86_64.whl"
        with zipfile.ZipFile(other, "w") as archive:
            archive.write(story / SMI, "rocm/lib/librocm_smi64.so.1")
        (wheel,) = story.glob("*.whl")
        ours = resolve(f"{wheel}::torch/lib/libtorch_hip.so", root=None, with_=[str(other)])
        assert fix_of(ours.findings[0])[1]["add-runpath"] == "$ORIGIN/../../rocm/lib"

    def test_in_a_wheel_for_a_file_that_is_in_none(self, story: Path, tmp_path: Path) -> None:
        other = tmp_path / "rocm_smi-1-py3-none-linux_x86_64.whl"
        with zipfile.ZipFile(other, "w") as archive:
            archive.write(story / SMI, "rocm/lib/librocm_smi64.so.1")
        ours = resolve(str(story / HIP), root=None, with_=[str(other)])
        applicability, edits = fix_of(ours.findings[0])
        assert applicability is Applicability.DISPLAY_ONLY
        assert edits == {"add-needed": "librocm_smi64.so.1"}
        assert not any("LD_PRELOAD" in (fix.command or "") for fix in ours.findings[0].fixes)

    def test_more_than_one(self, story: Path) -> None:
        ours = resolve(str(story / HIP), with_=[str(story / "variants/twice")])
        assert any("more than one library" in line for line in ours.findings[0].evidence)

    def test_nobody(self, story: Path) -> None:
        ours = resolve(str(story / HIP), root=None)
        assert not ours.findings[0].fixes
        assert any("--with PATH" in line for line in ours.findings[0].evidence)

    def test_a_name_that_is_too_odd_for_utf_8(self, story: Path, tmp_path: Path) -> None:
        raw = (story / HIP).read_bytes().replace(b"rsmi_init", b"rsmi_\xff\xfeit")
        shutil.copytree((story / HIP).parent, tmp_path / "lib")
        (tmp_path / "lib/libtorch_hip.so").write_bytes(raw)
        ours = resolve(str(tmp_path / "lib/libtorch_hip.so"), root=None, with_=[str(story)])
        assert ours.verdict is Verdict.FAILS
        assert ours.findings[0].symbols == ("rsmi_\udcff\udcfeit",)


@pytest.mark.oracle
class TestMany:
    """More symbols than can be shown one by one."""

    def test_symbols_of_one_provider_stand_together(self, workshop: Workshop) -> None:
        names = [f"f{number:03}" for number in range(30)]
        code = "".join(f"int {name}(void) {{ return 1; }}\n" for name in names)
        workshop.library("libprovider.so", code)
        uses = "".join(f"int {name}(void);\n" for name in [*names, "nobody"])
        calls = " + ".join(f"{name}()" for name in [*names, "nobody"])
        ask = workshop.library("libask.so", f"{uses} int ask(void) {{ return {calls}; }}")
        ours = resolve(str(ask), root=None)
        assert [len(f.symbols) for f in ours.findings] == [30, 1]
        assert "(and 29 more)" in ours.findings[0].message
        assert ours.error is not None
        assert "(and" not in ours.error
        real = python_dlopen(ask)
        assert real.error is not None
        assert ours.error == real.error

    def test_what_nobody_has_is_one_group(self, workshop: Workshop) -> None:
        names = [f"f{number:03}" for number in range(30)]
        uses = "".join(f"int {name}(void);\n" for name in names)
        code = f"{uses} int ask(void) {{ return {' + '.join(f'{n}()' for n in names)}; }}"
        ours = resolve(str(workshop.library("libask.so", code)), root=None)
        assert [len(f.symbols) for f in ours.findings] == [30]

    def test_of_many_providers_the_first_are_shown(self, workshop: Workshop) -> None:
        for number in range(8):
            workshop.library(f"with/lib{number}.so", "int f(void) { return 1; }")
        ask = workshop.library("libask.so", "int f(void); int ask(void) { return f(); }")
        ours = resolve(str(ask), root=None, with_=[str(workshop.directory / "with")])
        evidence = ours.findings[0].evidence
        assert sum("exports f" in line for line in evidence) == 5
        assert "and 3 more" in evidence


@pytest.mark.oracle
class TestLazy:
    """A program binds what it only calls when it calls it."""

    CALL = "int nobody(void); int main(int n, char **v) { return n > 1 ? nobody() : 0; }"
    DATA = "int nobody(void); int (*p)(void) = nobody; int main(void) { return 0; }"

    @pytest.mark.parametrize(
        ("code", "flag", "starts"),
        [(CALL, "lazy", True), (CALL, "now", False), (DATA, "lazy", False)],
    )
    def test_of_a_program(self, workshop: Workshop, code: str, flag: str, starts: bool) -> None:
        nobody = workshop.library("libn.so", "int nobody(void) { return 1; }")
        flags = [f"-Wl,-z,{flag}"]
        program = workshop.program("ask", code, needed=[nobody], rpath="$ORIGIN", flags=flags)
        workshop.library("libn.so")
        done = subprocess.run([program], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is starts
        ours = resolve(str(program))
        assert (ours.verdict is Verdict.LOADS) is starts
        (finding,) = [f for f in ours.findings if f.rule == "unresolved-symbol"]
        assert (finding.severity is Severity.WARNING) is starts
        if starts:
            assert subprocess.run([program, "1"], capture_output=True, check=False).returncode

    def test_of_a_library_of_a_program(self, workshop: Workshop) -> None:
        code = "int nobody(void); int ask(void) { return nobody(); }"
        library = workshop.library("libask.so", code)
        program = workshop.program(
            "ask", "int main(void) { return 0; }", needed=[library], rpath="$ORIGIN"
        )
        assert subprocess.run([program], check=False).returncode == 0
        assert resolve(str(program)).verdict is Verdict.LOADS
        assert resolve(str(library)).verdict is Verdict.FAILS


@pytest.mark.parametrize("machine", sorted(each.name for each in (PREBUILT / "machines").iterdir()))
def test_the_message_is_that_of_every_machine(machine: str, tmp_path: Path) -> None:
    """Its library is there and has nothing; what is said before is of no other machine."""
    folder = PREBUILT / "machines" / machine
    root = tmp_path / "root"
    elf = read_elf(folder / "libdemo.so")
    loader = root / machine_of(elf).interpreter.lstrip("/")
    loader.parent.mkdir(parents=True)
    loader.write_bytes(b"")
    (root / "lib").mkdir(exist_ok=True)
    ask = Path(shutil.copy(folder / "libdemo.so", tmp_path))
    for name in elf.needed:
        raw = (folder / name).read_bytes() if (folder / name).exists() else b""
        (root / "lib" / name).write_bytes(raw.replace(b"\0dep_", b"\0xep_"))
    ours = resolve(str(ask), root=str(root), library_path=["/lib"])
    assert ours.error is not None
    assert re.fullmatch(r"\S+: undefined symbol: \w+(, version \S+)?", ours.error), ours.error
