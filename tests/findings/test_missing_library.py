"""Rules ``missing-library``, ``external-library`` and ``ignored-preload``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings import Applicability, Resolution, Severity, Verdict
from elfaudit.loader import Origin, Status
from tests.oracle import Workshop, python_dlopen
from tests.oracle.chroot import Root

DEMO = "machines/x86_64/libdemo.so"


def rules(resolution: Resolution) -> list[str]:
    return [finding.rule for finding in resolution.findings]


@pytest.fixture
def alone(prebuilt: Path, tmp_path: Path) -> Path:
    """A library without the one it needs."""
    return Path(shutil.copy(prebuilt / DEMO, tmp_path))


class TestExternalOrMissing:
    """Absence proves something only in a root that has a loader."""

    def test_alone_it_is_external(self, alone: Path) -> None:
        ours = resolve(str(alone), root=None)
        assert (ours.verdict, ours.error) == (Verdict.UNDECIDED, None)
        assert rules(ours)[0] == "external-library"
        assert {f.severity for f in ours.findings} == {Severity.WARNING}
        assert ours.link_map.missing[0].origin is Origin.EXTERNAL
        assert {b.status for b in ours.bindings if b.name.startswith("dep_")} == {Status.UNDECIDED}

    def test_in_a_tree_without_a_loader_too(self, alone: Path, tmp_path: Path) -> None:
        (tmp_path / "partial").mkdir()
        ours = resolve(str(alone), root=str(tmp_path / "partial"))
        assert ours.verdict is Verdict.UNDECIDED

    def test_in_a_whole_root_it_is_missing(self, alone: Path, tmp_path: Path) -> None:
        loader = tmp_path / "root/lib64/ld-linux-x86-64.so.2"
        loader.parent.mkdir(parents=True)
        loader.write_bytes(b"")
        ours = resolve(str(alone), root=str(tmp_path / "root"))
        assert ours.verdict is Verdict.FAILS
        assert ours.error == (
            "libdep.so.1: cannot open shared object file: No such file or directory"
        )
        assert rules(ours)[:2] == ["missing-library", "undecided-symbol"]
        assert any("needed by" in line for line in ours.findings[0].evidence)
        assert any("looked in" in line for line in ours.findings[0].evidence)


class TestFixes:
    """It is there, only not where the loader looks."""

    def test_runpath_or_library_path(self, alone: Path, prebuilt: Path) -> None:
        place = prebuilt / "machines/x86_64"
        ours = resolve(str(alone), root=None, with_=[str(place)])
        runpath, variable = ours.findings[0].fixes
        assert runpath.applicability is Applicability.UNSAFE
        assert [(e.kind, e.value) for e in runpath.edits] == [("add-runpath", str(place))]
        assert variable.command == f"export LD_LIBRARY_PATH={place}"
        assert variable.applicability is Applicability.DISPLAY_ONLY
        # The advice works, in our own eyes: the library path finds it.
        assert resolve(str(alone), library_path=[str(place)]).verdict is Verdict.LOADS

    def test_not_of_another_machine(self, alone: Path, prebuilt: Path) -> None:
        place = prebuilt / "machines/aarch64"
        ours = resolve(str(alone), root=None, with_=[str(place)])
        assert not ours.findings[0].fixes

    def test_not_in_a_wheel(self, story: Path, tmp_path: Path) -> None:
        """A file in a wheel has no directory to look in until it is installed."""
        copy = Path(shutil.copy(story / "variants/repaired/lib/libtorch_hip.so", tmp_path))
        (wheel,) = story.glob("*.whl")
        ours = resolve(str(copy), root=None, with_=[str(wheel)])
        found = [f for f in ours.findings if f.rule == "external-library"]
        assert [len(f.fixes) for f in found] == [1, 1, 0]
        assert found[1].fixes[0].applicability is Applicability.DISPLAY_ONLY
        assert f"there as {wheel}::torch/lib/" in "".join(found[1].evidence)


class TestPreload:
    """A preload that cannot be had is passed over."""

    def test_not_there(self, prebuilt: Path) -> None:
        ours = resolve(str(prebuilt / "shapes/libdep.so.1"), preload=["/nowhere.so", "libno.so"])
        assert ours.verdict is Verdict.LOADS
        assert rules(ours) == ["ignored-preload"] * 2
        assert [f.location for f in ours.findings] == ["/nowhere.so", "libno.so"]
        assert "cannot be preloaded" in ours.findings[0].message

    @pytest.mark.oracle
    def test_what_a_preload_needs_must_be_there(self, workshop: Workshop, host: Path) -> None:
        from tests.oracle import dlopen

        pre = workshop.library("libpre.so", needed=["libno.so"])
        top = workshop.library("libtop.so")
        real = dlopen(host, top, preload=[pre])
        ours = resolve(str(top), host=str(host), preload=[str(pre)])
        assert ours.error == real.error


@pytest.mark.oracle
def test_a_root_with_absolute_links(workshop: Workshop) -> None:
    """The root's own library is found through the root's own link, not this machine's."""
    root = Root(workshop)
    workshop.library("opt/v2/libwho.so", "int who(void) { return 1; }")
    (root.path / "opt/current").symlink_to("/opt/v2")
    (root.path / "etc/alternative.so").symlink_to("/opt/current/libwho.so")
    (root.path / f"usr/lib/{root.triplet}/libwho.so").symlink_to("/etc/alternative.so")
    code = "int who(void); int ask(void) { return who(); }"
    workshop.library("libask.so", code, needed=["libwho.so"])
    real = root.dlopen("/libask.so")
    ours = resolve(str(root.path / "libask.so"), root=str(root.path), host="/host")
    assert (real.error, ours.error) == (None, None)
    assert real.loaded[-1] == ours.link_map.entries[-1].path


@pytest.mark.oracle
class TestSameStem:
    """Libraries that are called the same but for what is behind ``.so``."""

    def test_another_abi_version(self, workshop: Workshop) -> None:
        workshop.library("libsmi.so.7", "int f(void) { return 1; }")
        ask = workshop.library("libask.so", needed=["libsmi.so.1"], runpath="$ORIGIN")
        ours = resolve(str(ask))
        assert ours.error == python_dlopen(ask).error
        (line,) = [text for text in ours.findings[0].evidence if "libsmi.so.7" in text]
        assert line.endswith("need libsmi.so.1: another ABI version, a symlink will not do")
        assert not ours.findings[0].fixes

    def test_in_a_directory_that_only_the_loader_looks_in(self, workshop: Workshop) -> None:
        workshop.library("deep/libsmi.so.7")
        ask = workshop.library("libask.so", needed=["libsmi.so.1"], runpath="$ORIGIN/deep")
        assert any(
            "libsmi.so.7 is there" in text for text in resolve(str(ask)).findings[0].evidence
        )

    def test_without_the_link_that_ldconfig_makes(self, workshop: Workshop) -> None:
        workshop.library("deep/libsmi.so.1.0", soname="libsmi.so.1")
        ask = workshop.library("libask.so", needed=["libsmi.so.1"], runpath="$ORIGIN/deep")
        (line,) = [text for text in resolve(str(ask)).findings[0].evidence if "ldconfig" in text]
        command = line[line.index("ldconfig -n") :].removesuffix(" makes the link")
        subprocess.run(command.replace("ldconfig", "/sbin/ldconfig", 1).split(), check=True)
        assert resolve(str(ask)).error is None
        assert python_dlopen(ask).error is None

    def test_the_name_for_the_linker(self, workshop: Workshop) -> None:
        workshop.library("libsmi.so.1")
        ask = workshop.library("libask.so", needed=["libsmi.so"], runpath="$ORIGIN")
        (line,) = [text for text in resolve(str(ask)).findings[0].evidence if "libsmi.so.1" in text]
        assert "that is the name for the linker" in line

    def test_without_a_version(self, workshop: Workshop) -> None:
        workshop.library("libsmi.so", soname="")
        ask = workshop.library("libask.so", needed=["libsmi.so.1"], runpath="$ORIGIN")
        (line,) = [text for text in resolve(str(ask)).findings[0].evidence if "libsmi.so i" in text]
        assert "without a version" in line

    def test_not_of_another_machine_nor_another_name(
        self, workshop: Workshop, prebuilt: Path
    ) -> None:
        shutil.copy(prebuilt / "machines/aarch64/libdep.so.1", workshop.directory / "libsmi.so.7")
        workshop.library("libsmi64.so.7")
        (workshop.directory / "libsmi.so.8").write_text("no library")
        ask = workshop.library("libask.so", needed=["libsmi.so.1"], runpath="$ORIGIN")
        evidence = resolve(str(ask)).findings[0].evidence
        assert not any("is there" in text for text in evidence)
        assert any("no library of that name is near" in text for text in evidence)

    def test_not_where_the_library_itself_is_near(self, workshop: Workshop) -> None:
        workshop.library("other/libsmi.so.1")
        workshop.library("libsmi.so.7")
        ask = workshop.library("libask.so", needed=["libsmi.so.1"], runpath="$ORIGIN")
        ours = resolve(str(ask), with_=[str(workshop.directory / "other")])
        assert not any("ABI" in text for text in ours.findings[0].evidence)
