"""The rules about names and machines: ``soname-mismatch``, ``wrong-machine``, ``unused-needed``."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from elfaudit.api import resolve, resolve_all
from elfaudit.findings import Finding, Resolution, Severity
from tests.oracle import Workshop, python_dlopen
from tests.oracle.workshop import LOADER

F = "int f(void) { return 1; }"
ASK = "int f(void); int ask(void) { return f(); }"


def of(resolution: Resolution, rule: str) -> list[Finding]:
    return [finding for finding in resolution.findings if finding.rule == rule]


def packed(wheel: Path, **members: Path) -> str:
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, file in members.items():
            archive.write(file, f"pkg/{name}.so")
    return str(wheel)


@pytest.mark.oracle
class TestSonameMismatch:
    """A file and the name in it."""

    def test_asked_for_by_another_name(self, workshop: Workshop) -> None:
        workshop.library("libalias.so", F, soname="libreal.so.1")
        ask = workshop.library("libask.so", ASK, needed=["libalias.so"], runpath="$ORIGIN")
        (finding,) = of(resolve(str(ask)), "soname-mismatch")
        assert finding.severity is Severity.NOTE
        assert "asks for libalias.so and gets libalias.so" in finding.message
        assert "SONAME is libreal.so.1" in finding.message

    def test_the_usual_link_is_none(self, workshop: Workshop) -> None:
        workshop.library("libreal.so.1.2", F, soname="libreal.so.1")
        (workshop.directory / "libreal.so.1").symlink_to("libreal.so.1.2")
        ask = workshop.library("libask.so", ASK, needed=["libreal.so.1"], runpath="$ORIGIN")
        assert not of(resolve(str(ask)), "soname-mismatch")

    def test_by_the_name_in_the_file_that_asks(self, workshop: Workshop) -> None:
        """Even if the library is there before under another one."""
        alias = workshop.library("libalias.so", F, soname="libreal.so.1")
        ask = workshop.library("libask.so", ASK, needed=["libalias.so"], runpath="$ORIGIN")
        (finding,) = of(resolve(str(ask), preload=[str(alias)]), "soname-mismatch")
        assert finding.message.startswith("asks for libalias.so and gets libalias.so, ")

    @pytest.mark.parametrize("linked", [False, True])
    def test_loaded_twice(self, workshop: Workshop, linked: bool) -> None:
        """One library under two names: two files are loaded, a link to one file is not."""
        one = workshop.library("libreal.so.1", F, soname="libreal.so.1")
        two = workshop.directory / "libalias.so"
        if linked:
            two.symlink_to(one)
        else:
            shutil.copy(one, two)
        workshop.library("libmid.so", needed=["libreal.so.1"], runpath="$ORIGIN")
        names = ["libreal.so.1", "libalias.so"]
        ask = workshop.library("libask.so", ASK, needed=names, runpath="$ORIGIN")
        twice = {str(one), str(two)} <= set(python_dlopen(ask).objects)
        assert twice is not linked
        found = of(resolve(str(ask)), "soname-mismatch")
        loud = [f.message for f in found if f.severity is Severity.WARNING]
        assert loud == ([f"libreal.so.1 is in the process twice: {one} and {two}"] if twice else [])

    def test_a_member_nobody_finds_by_its_name(self, workshop: Workshop, tmp_path: Path) -> None:
        real = workshop.library("libreal.so", F, soname="libreal.so.1")
        wheel = packed(tmp_path / "p-1-py3-none-any.whl", libreal=real)
        (finding,) = of(resolve(f"{wheel}::pkg/libreal.so", root=None), "soname-mismatch")
        assert "calls itself libreal.so.1" in finding.message
        same = workshop.library("libsame.so", F)
        wheel = packed(tmp_path / "q-1-py3-none-any.whl", libsame=same)
        assert not of(resolve(f"{wheel}::pkg/libsame.so", root=None), "soname-mismatch")


class TestWrongMachine:
    """What the search passes over, and what a wheel should not have."""

    def test_passed_over_and_found_elsewhere(self, prebuilt: Path) -> None:
        place = prebuilt / "machines/aarch64"
        ours = resolve(str(prebuilt / "shapes/libfilter.so"), library_path=[str(place)])
        (finding,) = of(ours, "wrong-machine")
        assert finding.severity is Severity.NOTE
        assert finding.message.startswith(f"{place}/libdep.so.1: wrong machine")

    @pytest.mark.parametrize("machine", ["i386", "aarch64"])
    def test_passed_over_and_missing(self, prebuilt: Path, tmp_path: Path, machine: str) -> None:
        alone = Path(shutil.copy(prebuilt / "shapes/libfilter.so", tmp_path))
        place = prebuilt / "machines" / machine
        ours = resolve(str(alone), library_path=[str(place)])
        found = of(ours, "wrong-machine")
        assert [finding.severity for finding in found] == [Severity.WARNING]

    @pytest.mark.oracle
    def test_what_other_libraries_meet_is_their_affair(
        self, workshop: Workshop, prebuilt: Path
    ) -> None:
        shutil.copy(prebuilt / "machines/aarch64/libdep.so.1", workshop.directory)
        mid = workshop.library("libmid.so", needed=["libdep.so.1"], runpath="$ORIGIN")
        ask = workshop.library("libask.so", needed=["libmid.so"], runpath="$ORIGIN")
        assert not of(resolve(str(ask)), "wrong-machine")
        assert of(resolve(str(mid)), "wrong-machine")

    def test_the_right_one_is_not_told(self, prebuilt: Path) -> None:
        ours = resolve(str(prebuilt / "machines/x86_64/libdemo.so"))
        assert not of(ours, "wrong-machine")

    @pytest.mark.parametrize(
        ("tag", "count"),
        [
            ("manylinux_2_28_x86_64", 1),
            ("linux_x86_64", 1),
            ("manylinux2014_aarch64", 0),
            ("any", 0),
            ("macosx_11_0_arm64", 0),
        ],
    )
    def test_the_machine_in_a_wheels_name(
        self, prebuilt: Path, tmp_path: Path, tag: str, count: int
    ) -> None:
        file = prebuilt / "machines/aarch64/libdep.so.1"
        wheel = packed(tmp_path / f"p-1-py3-none-{tag}.whl", libdep=file)
        ours = resolve(f"{wheel}::pkg/libdep.so", root=None)
        assert len(of(ours, "wrong-machine")) == count


def unused(path: str) -> set[str]:
    """What ``ldd -u`` says, without running anything: it is the loader's trace mode."""
    settings = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_DEBUG": "unused", "LC_ALL": "C"}
    done = subprocess.run(
        [LOADER, path], env=settings, capture_output=True, text=True, check=False, timeout=60
    )
    lines = done.stdout.splitlines()
    return {os.path.realpath(line.strip()) for line in lines if line.startswith("\t/")}


def ours_unused(resolution: Resolution) -> set[str]:
    paths = {entry.name: entry.path or "" for entry in resolution.link_map.entries}
    names = [f.message.partition(" is in DT_NEEDED")[0] for f in of(resolution, "unused-needed")]
    return {os.path.realpath(paths[name]) for name in names}


class TestUnusedNeeded:
    """``unused-needed``, judged by ``ldd -u``."""

    @pytest.mark.oracle
    def test_used_weakly_used_and_unused(self, workshop: Workshop) -> None:
        code = ASK + "__attribute__((weak)) int w(void); int may(void) { return w ? w() : 0; }"
        workshop.library("libused.so", F)
        workshop.library("libweak.so", "int w(void) { return 1; }")
        workshop.library("libidle.so", "int idle(void) { return 1; }")
        names = ["libused.so", "libweak.so", "libidle.so"]
        ask = workshop.library("libask.so", code, needed=names, runpath="$ORIGIN")
        ours = resolve(str(ask), select=["unused-needed"])
        assert [f.severity for f in ours.findings] == [Severity.NOTE]
        assert ours_unused(ours) == unused(str(ask)) == {str(workshop.directory / "libidle.so")}
        assert not of(resolve(str(ask)), "unused-needed")  # only on request

    @pytest.mark.oracle
    def test_a_symbol_that_no_relocation_names_is_no_use(self, workshop: Workshop, nm: str) -> None:
        idle = workshop.library("libidle.so", "int idle(void) { return 1; }")
        flags = ["-Wl,-u,idle"]
        ask = workshop.library("libask.so", needed=[idle], runpath="$ORIGIN", flags=flags)
        told = subprocess.run([nm, "-D", ask], capture_output=True, text=True, check=True)
        assert " U idle" in told.stdout
        ours = resolve(str(ask), select=["unused-needed"])
        assert ours_unused(ours) == unused(str(ask)) == {str(idle)}

    @pytest.mark.oracle
    def test_a_copied_variable_is_a_use(self, workshop: Workshop) -> None:
        data = workshop.library("libdata.so", "int data = 7;")
        code = "extern int data; int main(void) { return data; }"
        flags = ["-no-pie", "-fno-pie"]
        program = workshop.program("main", code, needed=[data], runpath="$ORIGIN", flags=flags)
        ours = resolve(str(program), select=["unused-needed"])
        assert ours_unused(ours) == unused(str(program)) == set()

    @pytest.mark.real
    def test_the_libraries_of_the_system(self) -> None:
        if not Path(LOADER).exists():
            pytest.skip("the loader here is another one")
        places = Path("/usr/lib/x86_64-linux-gnu").glob("lib*.so.*")
        files = sorted({os.path.realpath(path) for path in places})[::3]
        compared = 0
        for ours in resolve_all(files, host="none", select=["unused-needed"]):
            if isinstance(ours, Resolution) and not ours.link_map.missing:
                assert ours_unused(ours) == unused(ours.subject), ours.subject
                compared += 1
        assert compared > len(files) // 2
