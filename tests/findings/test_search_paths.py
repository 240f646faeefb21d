"""The rules about RPATH and RUNPATH."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from elfaudit.api import resolve
from elfaudit.findings import Finding, Resolution, Severity
from elfaudit.findings.rpath_foreign import is_build_path
from tests.oracle import Workshop, python_dlopen

pytestmark = pytest.mark.oracle


def of(resolution: Resolution, rule: str) -> list[Finding]:
    return [finding for finding in resolution.findings if finding.rule == rule]


@pytest.mark.parametrize("runpath", ["$ORIGIN:", ":$ORIGIN", "$ORIGIN::/opt/x", "lib", "./x:/opt"])
def test_an_empty_or_relative_element_leads_to_the_current_directory(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, runpath: str
) -> None:
    relative = next((e for e in runpath.split(":") if not e.startswith(("/", "$"))), "")
    there = workshop.directory / "cwd" / relative
    workshop.library(str(there / "libdeep.so"))
    ask = workshop.library("ask/libask.so", needed=["libdeep.so"], runpath=runpath)
    monkeypatch.chdir(workshop.directory / "cwd")
    assert python_dlopen(ask).error is None  # which is what the warning is about
    (finding,) = of(resolve(str(ask)), "rpath-empty-element")
    assert finding.severity is Severity.WARNING
    command = finding.fixes[0].command
    kept = [e for e in runpath.split(":") if e.startswith(("/", "$"))]
    assert command is not None
    assert ("--set-rpath" in command) == bool(kept)


def test_a_very_long_path_is_not_told_whole(workshop: Workshop) -> None:
    ask = workshop.library("libask.so", runpath=":".join([f"/home/me/{'x' * 400}"] * 100 + [""]))
    ours = resolve(str(ask), root=None)
    found = [*of(ours, "rpath-empty-element"), *of(ours, "rpath-foreign")]
    assert len(found) == 2
    for finding in found:
        assert len(finding.message) < 500
        assert not any(fix.command for fix in finding.fixes)


@pytest.mark.parametrize("runpath", ["$ORIGIN", "${ORIGIN}/../lib:/opt/x/lib", "/opt/x"])
def test_whole_elements_are_no_empty_ones(workshop: Workshop, runpath: str) -> None:
    ask = workshop.library("libask.so", runpath=runpath)
    assert not of(resolve(str(ask), root=None), "rpath-empty-element")


def test_of_both_tags_the_runpath_counts(workshop: Workshop) -> None:
    ask = workshop.library("libask.so", rpath="/home/me/lib")
    (finding,) = of(resolve(str(ask), root=None), "rpath-foreign")
    assert finding.message.startswith("RPATH has /home/me/lib")


class TestForeign:
    """Directories of build machines."""

    @pytest.mark.parametrize(
        "path",
        [
            "/home/me/build/lib", "/root/x", "/tmp", "/tmp/pip-build-env-1/lib", "/builds/g/p",
            "/__w/torch/torch/lib", "/opt/_internal/cpython-3.11.13/lib", "/io/build",
            "/opt/env_placehold_placehold_placehold/lib", "/opt/conda/conda-bld/x/lib",
        ],
    )  # fmt: skip
    def test_is_one(self, path: str) -> None:
        assert is_build_path(path)

    @pytest.mark.parametrize(
        "path",
        [
            "/opt/rocm/lib", "/usr/local/cuda/lib64", "/usr/lib", "$ORIGIN/../home/x", "/homes/x",
            "/tmpfs/lib", "/usr/lib/x86_64-linux-gnu/samba", "/opt/conda/lib", "lib", "",
        ],
    )  # fmt: skip
    def test_is_none(self, path: str) -> None:
        assert not is_build_path(path)

    def test_what_is_found_there_is_said(self, workshop: Workshop) -> None:
        directory = workshop.directory / "dir"
        assert is_build_path(str(directory))  # tests run below /tmp
        workshop.library("dir/libdeep.so")
        ask = workshop.library("libask.so", needed=["libdeep.so"], runpath=str(directory))
        (finding,) = of(resolve(str(ask)), "rpath-foreign")
        assert finding.evidence == (f"libdeep.so is found in {directory}",)
        lost = workshop.library("liblost.so", runpath="/home/me/lib:/root/lib")
        (finding,) = of(resolve(str(lost)), "rpath-foreign")
        assert "/home/me/lib, /root/lib: directories" in finding.message
        assert finding.evidence == ("nothing is found there",)


class TestAbsolute:
    """Absolute directories, which only a wheel must not have."""

    def test_in_a_wheel(self, workshop: Workshop, tmp_path: Path) -> None:
        ask = workshop.library("libask.so", runpath="$ORIGIN:/opt/x/lib:/home/me")
        wheel = tmp_path / "ask-1-py3-none-linux_x86_64.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.write(ask, "ask/libask.so")
        (finding,) = of(resolve(f"{wheel}::ask/libask.so", root=None), "rpath-absolute")
        assert finding.severity is Severity.NOTE
        assert finding.message.startswith("RUNPATH has /opt/x/lib: ")  # the other one is foreign
        assert not of(resolve(str(ask), root=None), "rpath-absolute")
        assert not of(resolve(str(ask)), "rpath-absolute")
