"""The story, and what else ``resolve`` says, beside what the real loader does with these files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from elfaudit.api import Passed, resolve, resolve_all
from elfaudit.errors import NotElfError, NotLoadableError, RequestError, SourceError
from elfaudit.findings import Applicability, Fix, Resolution, Severity, Verdict
from elfaudit.loader import Status
from fixtures.build import build_story, library
from tests.oracle import python_dlopen, require_loader
from tests.oracle.compare import answer_of

EXTENSION = "torch/_C.cpython-311-x86_64-linux-gnu.so"
WHEEL = "torch-2.9.1+rocm7.1-cp311-cp311-linux_x86_64.whl"
MISSING = "torch/lib/libtorch_hip.so: undefined symbol: rsmi_init"
SMI = "root/opt/rocm/lib/librocm_smi64.so.1"


def rules(resolution: Resolution) -> list[str]:
    return [finding.rule for finding in resolution.findings]


def edits_of(fix: Fix) -> dict[str, str]:
    return {edit.kind: edit.value for edit in fix.edits}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story built for this machine, so that its own loader can be asked."""
    require_loader()
    out = tmp_path_factory.mktemp("story").resolve()
    build_story(out)
    return out


@pytest.mark.oracle
class TestStoryOnTheRealLoader:
    """Verdict, error and provider are those of a ``dlopen`` in a Python process."""

    CASES = (
        "site-packages/torch/lib/libtorch_hip.so",
        "site-packages/torch/lib/libtorch_cpu.so",
        f"site-packages/{EXTENSION}",
        "variants/transitive/lib/libtorch_hip.so",
        "variants/twice/lib/libtorch_hip.so",
        "variants/repaired/lib/libtorch_hip.so",
    )

    @pytest.mark.parametrize("preloaded", [False, True], ids=["plain", "preloaded"])
    @pytest.mark.parametrize("case", CASES)
    def test_as_the_loader_says(self, built: Path, case: str, *, preloaded: bool) -> None:
        if case.endswith(EXTENSION) and sys.version_info[:2] != (3, 11):
            pytest.skip("the extension is for CPython 3.11")
        preload = [built / SMI] if preloaded else []
        real = python_dlopen(built / case, preload=preload)
        for host in ("auto", sys.executable):
            ours = resolve(str(built / case), host=host, preload=map(str, preload))
            assert ours.error == real.error
            assert ours.verdict is (Verdict.LOADS if real.error is None else Verdict.FAILS)
            if real.error is None:
                theirs = {k: v for k, v in real.bindings.items() if k[1] == "rsmi_init"}
                own = {k: v for k, v in answer_of(ours).bindings.items() if k[1] == "rsmi_init"}
                assert own == theirs

    def test_the_python_of_the_tests_is_the_host(self, built: Path) -> None:
        if sys.version_info[:2] != (3, 11):
            pytest.skip("the extension is for CPython 3.11")
        ours = resolve(str(built / "site-packages" / EXTENSION), preload=[str(built / SMI)])
        assert ours.host is not None
        assert ours.host.path == os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]
        binding = next(b for b in ours.bindings if b.name == "PyModule_Create2" and b.provider)
        assert binding.status is Status.BOUND

    def test_the_repair_works(self, built: Path, tmp_path: Path) -> None:
        hip = built / "site-packages/torch/lib/libtorch_hip.so"
        ours = resolve(str(hip), with_=[str(built / "root/opt")])
        fix = ours.findings[0].fixes[0]
        assert fix.applicability is Applicability.UNSAFE  # the loader does not look there
        edits = edits_of(fix)
        assert edits == {
            "add-needed": "librocm_smi64.so.1",
            "add-runpath": str(built / "root/opt/rocm/lib"),
        }
        lib = tmp_path.resolve()
        for name in ("libc10.so", "libtorch_cpu.so"):
            (lib / name).write_bytes((hip.parent / name).read_bytes())
        needed = [lib / "libtorch_cpu.so", lib / "libc10.so"]
        runpath = f"$ORIGIN:{edits['add-runpath']}"
        smi = Path(edits["add-runpath"]) / edits["add-needed"]
        repaired = lib / "libtorch_hip.so"
        library("gcc", repaired, ["torch_hip.c"], runpath=runpath, needed=[*needed, smi])
        real = python_dlopen(repaired)
        assert real.error is None
        assert real.bindings[(str(repaired), "rsmi_init", None)] == str(smi)
        assert resolve(str(repaired)).verdict is Verdict.LOADS

    def test_the_other_repair_works(self, built: Path) -> None:
        hip = built / "site-packages/torch/lib/libtorch_hip.so"
        ours = resolve(str(hip), with_=[str(built / "root/opt")])
        command = ours.findings[0].fixes[-1].command
        assert command is not None
        _, _, path = command.partition("export LD_PRELOAD=")
        assert python_dlopen(hip, preload=[path]).error is None


class TestStory:
    """The same without a compiler, from the prebuilt files; what is found and what is advised."""

    @pytest.mark.parametrize("member", ["torch/lib/libtorch_hip.so", EXTENSION])
    def test_in_the_wheel(self, story: Path, member: str) -> None:
        ours = resolve(f"{story / WHEEL}::{member}", root=str(story / "root"))
        assert (ours.verdict, ours.error) == (Verdict.FAILS, MISSING)
        finding = ours.findings[0]
        assert finding.symbols == ("rsmi_init",)
        assert finding.location == f"{story / WHEEL}::torch/lib/libtorch_hip.so"
        assert "SONAME librocm_smi64.so.1" in finding.evidence[0]
        assert "exports rsmi_init" in finding.evidence[0]
        assert edits_of(finding.fixes[0]) == {
            "add-needed": "librocm_smi64.so.1",
            "add-runpath": "/opt/rocm/lib",
        }
        assert finding.fixes[1].command == ("-Wl,--no-as-needed -L/opt/rocm/lib -lrocm_smi64")
        assert finding.fixes[2].command == "export LD_PRELOAD=/opt/rocm/lib/librocm_smi64.so.1"

    def test_the_unpacked_files_of_a_root(self, story: Path) -> None:
        target = story / "site-packages/torch/lib/libtorch_hip.so"
        ours = resolve(str(target), root=str(story / "root"))
        assert ours.verdict is Verdict.FAILS
        assert edits_of(ours.findings[0].fixes[0])["add-runpath"] == "/opt/rocm/lib"

    def test_preloaded_in_the_root(self, story: Path) -> None:
        ours = resolve(
            f"{story / WHEEL}::torch/lib/libtorch_hip.so",
            root=str(story / "root"),
            preload=["/opt/rocm-7.1/lib/librocm_smi64.so.1"],
        )
        assert ours.verdict is Verdict.LOADS
        assert rules(ours) == ["preload-only"]
        assert ours.link_map.entries[0].path == "/opt/rocm-7.1/lib/librocm_smi64.so.1"

    def test_preloaded_by_library_path(self, story: Path) -> None:
        ours = resolve(
            f"{story / WHEEL}::torch/lib/libtorch_hip.so",
            root=str(story / "root"),
            preload=["librocm_smi64.so.1"],
            library_path=["/opt/rocm/lib"],
        )
        assert ours.verdict is Verdict.LOADS
        assert edits_of(ours.findings[0].fixes[0]) == {"add-needed": "librocm_smi64.so.1"}
        assert ours.findings[0].fixes[0].applicability is Applicability.SAFE

    def test_transitive(self, story: Path) -> None:
        ours = resolve(str(story / "variants/transitive/lib/libtorch_hip.so"), root=None)
        assert ours.verdict is Verdict.LOADS
        assert rules(ours) == ["transitive-only"]
        assert "only through librccl.so.1" in ours.findings[0].message
        assert ours.findings[0].severity is Severity.WARNING

    def test_twice(self, story: Path) -> None:
        ours = resolve(str(story / "variants/twice/lib/libtorch_hip.so"), root=None)
        assert ours.verdict is Verdict.LOADS
        assert rules(ours) == ["duplicate-definition"]
        assert ours.findings[0].message == (
            "rsmi_init is defined by librocm_smi64.so.1 and by libamd_smi.so.26: "
            "librocm_smi64.so.1 wins, it is loaded first"
        )

    def test_repaired(self, story: Path) -> None:
        ours = resolve(str(story / "variants/repaired/lib/libtorch_hip.so"), root=None)
        assert (ours.verdict, ours.findings, ours.error) == (Verdict.LOADS, (), None)

    def test_without_an_interpreter_its_names_are_assumed(self, story: Path) -> None:
        ours = resolve(f"{story / WHEEL}::{EXTENSION}", root=None)
        statuses = {b.name: b.status for b in ours.bindings}
        assert statuses["PyModule_Create2"] is Status.ASSUMED
        assert statuses["rsmi_init"] is Status.UNRESOLVED
        assert statuses["__gmon_start__"] is Status.WEAK_ABSENT
        assert ours.host is None

    def test_a_host_that_is_no_python_supplies_none_of_its_names(
        self, story: Path, prebuilt: Path
    ) -> None:
        program = prebuilt / "machines/x86_64/demo"
        ours = resolve(f"{story / WHEEL}::{EXTENSION}", root="/", host=str(program))
        statuses = {b.name: b.status for b in ours.bindings}
        assert statuses["PyModule_Create2"] is Status.UNRESOLVED

    @pytest.mark.parametrize("kind", ["directory", "file", "wheel"])
    def test_with_any_kind_of_place(self, story: Path, kind: str) -> None:
        target = f"{story / WHEEL}::torch/lib/libtorch_hip.so"
        place = {
            "directory": story / "root",
            "file": story / SMI,
            "wheel": story / WHEEL,
        }[kind]
        ours = resolve(target, root=None, with_=[str(place)])
        fixes = ours.findings[0].fixes
        if kind == "wheel":
            assert not fixes
        else:
            assert edits_of(fixes[0]) == {
                "add-needed": "librocm_smi64.so.1",
                "add-runpath": str(story / "root/opt/rocm/lib"),
            }


class TestAll:
    """``resolve_all``."""

    def test_every_file_of_a_wheel(self, story: Path) -> None:
        seen: list[str] = []
        results = list(
            resolve_all([str(story / WHEEL)], root=str(story / "root"), progress=seen.append)
        )
        verdicts = {
            r.subject.partition("::")[2]: r.verdict for r in results if isinstance(r, Resolution)
        }
        assert verdicts == {
            EXTENSION: Verdict.FAILS,
            "torch/lib/libc10.so": Verdict.LOADS,
            "torch/lib/libtorch_cpu.so": Verdict.LOADS,
            "torch/lib/libtorch_hip.so": Verdict.FAILS,
        }
        assert len(seen) == len(results)
        assert not any(r.broken for r in results if isinstance(r, Passed))

    def test_every_file_of_a_directory_of_any_machine(self, prebuilt: Path) -> None:
        for result in resolve_all([str(prebuilt / "machines")], root=None):
            assert isinstance(result, Resolution)
            assert result.verdict is Verdict.LOADS, result

    def test_a_damaged_file_and_the_rest_goes_on(self, story: Path, tmp_path: Path) -> None:
        whole = (story / "site-packages/torch/lib/libc10.so").read_bytes()
        (tmp_path / "libcut.so").write_bytes(whole[: len(whole) // 2])
        (tmp_path / "libsound.so").write_bytes(whole)
        (tmp_path / "libtext.so").write_text("INPUT(libsound.so)")
        (tmp_path / "relocatable.o").write_bytes(
            (story.parent / "shapes/relocatable.o").read_bytes()
        )
        results = {r.subject.rpartition("/")[2].rpartition(":")[2]: r
                   for r in resolve_all([str(tmp_path)], root=None)}  # fmt: skip
        assert isinstance(results["libsound.so"], Resolution)
        cut, text, relocatable = (
            results[name] for name in ("libcut.so", "libtext.so", "relocatable.o")
        )
        assert isinstance(cut, Passed)
        assert isinstance(text, Passed)
        assert isinstance(relocatable, Passed)
        assert (cut.broken, text.broken, relocatable.broken) == (True, False, False)
        assert "ET_REL" in relocatable.reason

    def test_what_the_user_names_should_be_elf(self, tmp_path: Path) -> None:
        (tmp_path / "libtext.so").write_text("INPUT(libsound.so)")
        (result,) = resolve_all([str(tmp_path / "libtext.so")], root=None)
        assert isinstance(result, Passed)
        assert result.broken

    def test_unsafe_members_are_told(self, tmp_path: Path) -> None:
        import zipfile

        with zipfile.ZipFile(tmp_path / "odd-1-py3-none-any.whl", "w") as archive:
            archive.writestr("../evil.so", b"x")
        results = list(resolve_all([str(tmp_path / "odd-1-py3-none-any.whl")], root=None))
        assert [isinstance(r, Passed) and r.broken for r in results] == [True]


class TestRefusals:
    """What is no answer but an exception."""

    def test_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="nowhere"):
            resolve(str(tmp_path / "nowhere.so"))

    def test_not_in_the_wheel(self, story: Path) -> None:
        with pytest.raises(SourceError):
            resolve(f"{story / WHEEL}::torch/nowhere.so")

    def test_a_wheel_is_many_files(self, story: Path) -> None:
        with pytest.raises(RequestError, match="::PATH"):
            resolve(str(story / WHEEL))

    def test_a_directory_is_many_files(self, story: Path) -> None:
        with pytest.raises(RequestError, match="many files"):
            resolve(str(story))

    def test_a_member_of_a_plain_file(self, story: Path) -> None:
        with pytest.raises(SourceError, match="not an archive"):
            resolve(f"{story / SMI}::member.so")

    def test_text(self, tmp_path: Path) -> None:
        (tmp_path / "libtext.so").write_text("GROUP ( libc.so.6 )")
        with pytest.raises(NotElfError):
            resolve(str(tmp_path / "libtext.so"))

    @pytest.mark.parametrize("name", ["relocatable.o", "static-exe"])
    def test_what_no_loader_takes(self, prebuilt: Path, name: str) -> None:
        with pytest.raises(NotLoadableError):
            resolve(str(prebuilt / "shapes" / name))

    def test_devices_and_pipes(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.so")
        for path in ("/dev/null", "/dev/zero", str(tmp_path / "pipe.so")):
            with pytest.raises(SourceError):
                resolve(path)

    def test_no_such_host(self, story: Path) -> None:
        with pytest.raises(RequestError, match="/nowhere/python"):
            resolve(str(story / SMI), host="/nowhere/python")

    def test_no_such_root(self, story: Path) -> None:
        with pytest.raises(SourceError):
            resolve(str(story / SMI), root="/nowhere")
