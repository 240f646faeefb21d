"""``elfaudit resolve``: the story, its variants, and what else a user may hand in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from elfaudit.cli.options import loader_inputs

from .conftest import Process, Run

HIP = "torch/lib/libtorch_hip.so"
ERROR = "torch/lib/libtorch_hip.so: undefined symbol: rsmi_init"


def test_the_story_is_told(run: Run, wheel: Path, story: Path) -> None:
    result = run("resolve", wheel, "--root", story / "root")
    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert lines[0] == f"FAILS  {ERROR}"
    assert lines[1] == f"FAILS  torch/_C.cpython-311-x86_64-linux-gnu.so: {ERROR}"
    assert lines[2:4] == ["LOADS  torch/lib/libc10.so", "LOADS  torch/lib/libtorch_cpu.so"]
    provider = "/opt/rocm/lib/librocm_smi64.so.1 (SONAME librocm_smi64.so.1) exports rsmi_init"
    command = (
        f"elfaudit patch-needed {wheel} --member {HIP} "
        "--add librocm_smi64.so.1 --add-runpath /opt/rocm/lib"
    )
    said = [line.strip() for line in lines]
    assert said.count(f"error  {ERROR}") == 1
    assert said.index(provider) < said.index(command)
    assert any(line.startswith("  fix: add librocm_smi64.so.1 to DT_NEEDED") for line in lines)
    assert "export LD_PRELOAD=/opt/rocm/lib/librocm_smi64.so.1" in said
    assert "also: torch/_C.cpython-311-x86_64-linux-gnu.so (2 files)" in said
    assert lines[-1] == (
        f"4 files in {wheel}: 2 load, 2 fail, 0 undecided; "
        "3 other files are no ELF files or not loadable"
    )


def test_one_file_has_verdict_then_provider_then_fix_then_libraries(
    run: Run, wheel: Path, story: Path
) -> None:
    result = run("resolve", f"{wheel}::{HIP}", "--root", story / "root")
    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert lines[0] == f"FAILS  {ERROR}"
    assert "exports rsmi_init" in lines[1]
    fix = next(i for i, line in enumerate(lines) if line.startswith("  fix: "))
    libraries = next(i for i, line in enumerate(lines) if line.startswith("  library"))
    assert 1 < fix < libraries
    assert lines[-1].split() == [
        "libc10.so", "torch/lib/libc10.so", "RUNPATH", "$ORIGIN", "of", "libtorch_hip.so",
    ]  # fmt: skip


def test_with_the_library_preloaded_it_loads(run: Run, wheel: Path, story: Path, smi: Path) -> None:
    result = run("resolve", f"{wheel}::{HIP}", "--root", story / "root", "--preload", smi)
    assert result.exit_code == 0
    assert result.output.startswith(f"LOADS  {HIP}\n")
    assert "only by LD_PRELOAD: it works by accident" in result.output


def test_preloads_of_this_shell_count_only_if_asked_for(
    run: Run, wheel: Path, story: Path, smi: Path
) -> None:
    arguments = ("resolve", f"{wheel}::{HIP}", "--root", story / "root")
    shell: dict[str, str | None] = {"LD_PRELOAD": str(smi.resolve())}
    assert run(*arguments, env=shell).exit_code == 1
    assert run(*arguments, "--env", env=shell).exit_code == 0


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("transitive", "only through librccl.so.1: it works by accident"),
        ("twice", "is defined by librocm_smi64.so.1 and by libamd_smi.so.26"),
    ],
)
def test_a_variant_that_works_by_accident_warns(
    run: Run, story: Path, variant: str, said: str
) -> None:
    target = story / "variants" / variant / "lib/libtorch_hip.so"
    result = run("resolve", target, "--root", "none")
    assert result.exit_code == 0
    assert result.output.startswith("LOADS  ")
    assert said in " ".join(result.output.split())
    assert run("resolve", target, "--root", "none", "--fail-on", "warning").exit_code == 1
    assert run("resolve", target, "--root", "none", "--fail-on", "note").exit_code == 1


def test_the_repaired_variant_is_clean(run: Run, story: Path) -> None:
    target = story / "variants/repaired/lib/libtorch_hip.so"
    result = run("resolve", target, "--root", "none", "--fail-on", "note")
    assert result.exit_code == 0
    assert run("resolve", target, "--root", "none", "--quiet").output == ""


def test_assumed_names_and_the_host_are_told(run: Run, wheel: Path, story: Path, smi: Path) -> None:
    extension = f"{wheel}::torch/_C.cpython-311-x86_64-linux-gnu.so"
    result = run("resolve", extension, "--root", story / "root", "--preload", smi)
    assert "assumed: 1 name of the Python interpreter (PyModule_Create2)" in result.output


def test_the_tree_says_why_each_library_was_found(run: Run, wheel: Path, story: Path) -> None:
    result = run("resolve", f"{wheel}::{HIP}", "--root", story / "root", "--format", "tree")
    assert result.exit_code == 1
    assert result.output.rstrip().splitlines()[-4:] == [
        HIP,
        "├── libtorch_cpu.so => torch/lib/libtorch_cpu.so [RUNPATH $ORIGIN of libtorch_hip.so]",
        "│   └── libc10.so [already loaded]",
        "└── libc10.so => torch/lib/libc10.so [RUNPATH $ORIGIN of libtorch_hip.so]",
    ]


def test_json_has_everything(run: Run, wheel: Path, story: Path) -> None:
    result = run("resolve", wheel, "--root", story / "root", "--format", "json")
    assert result.exit_code == 1
    document = json.loads(result.output)
    assert document["schema_version"] == 1
    assert document["summary"] == {
        "files": 4, "loads": 2, "fails": 2, "undecided": 0, "unreadable": 0, "passed": 3,
    }  # fmt: skip
    hip = next(f for f in document["files"] if f["subject"].endswith("libtorch_hip.so"))
    assert (hip["verdict"], hip["error"]) == ("FAILS", ERROR)
    (finding,) = [f for f in hip["findings"] if f["severity"] == "error"]
    assert finding["symbols"] == [{"name": "rsmi_init"}]
    assert finding["fixes"][0]["edits"][0]["value"] == "librocm_smi64.so.1"
    own, cpu, c10 = hip["link_map"]
    assert own["needed"] == [1, 2]
    assert (cpu["loader"], c10["loader"]) == (0, 0)
    assert cpu["steps"][-1]["outcome"] == "found"
    (open_one,) = [r for r in hip["bindings"]["references"] if r["status"] == "unresolved"]
    assert open_one["name"] == "rsmi_init"
    assert hip["bindings"]["counts"]["unresolved"] == 1
    assert not [r for r in hip["bindings"]["references"] if r["status"] == "bound"]


def test_verbose_json_lists_what_is_bound_too(run: Run, wheel: Path, story: Path) -> None:
    arguments = ("resolve", f"{wheel}::{HIP}", "--root", story / "root", "--format", "json")
    (short,) = json.loads(run(*arguments).output)["files"]
    (long,) = json.loads(run(*arguments, "--verbose").output)["files"]
    assert long["bindings"]["counts"] == short["bindings"]["counts"]
    bound = [r for r in long["bindings"]["references"] if r["status"] == "bound"]
    # Beside what is undefined, whose bindings are counted, what an object defines itself is listed.
    assert len(bound) > long["bindings"]["counts"]["bound"] > 0
    assert all(r["provider"] is not None for r in bound)


def test_a_missing_library_is_a_finding(run: Run, prebuilt: Path, tmp_path: Path) -> None:
    alone = tmp_path / "libdemo.so"
    shutil.copy(prebuilt / "shapes/libdemo-gnu.so", alone)
    result = run("resolve", alone)
    assert result.exit_code in (0, 1)  # on a machine without this loader it is undecided
    tree = run("resolve", alone, "--format", "tree")
    assert "libdep.so.1 => " in tree.output


def test_a_library_outside_of_what_is_audited_is_undecided(
    run: Run, prebuilt: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "libdemo.so"
    shutil.copy(prebuilt / "shapes/libdemo-gnu.so", alone)
    result = run("resolve", alone, "--root", "none")
    assert result.exit_code == 0
    assert result.output.startswith("UNDECIDED  ")
    assert "libdep.so.1 is not in what is audited" in result.output
    assert run("resolve", alone, "--root", "none", "--fail-on", "warning").exit_code == 1


def test_a_broken_member_is_a_finding_and_the_rest_goes_on(
    run: Run, prebuilt: Path, tmp_path: Path
) -> None:
    whole = (prebuilt / "shapes/libdep.so.1").read_bytes()
    (tmp_path / "libdep.so.1").write_bytes(whole)
    (tmp_path / "libbroken.so").write_bytes(whole[:100])
    (tmp_path / "notes.bin").write_bytes(b"not ELF")
    result = run("resolve", tmp_path, "--root", "none")
    assert result.exit_code == 1
    assert result.output.startswith("UNREADABLE  ")
    assert "libbroken.so" in result.output.splitlines()[0]
    assert "1 loads, 0 fail, 0 undecided, 1 unreadable; 1 other file is no ELF" in result.output
    document = json.loads(run("resolve", tmp_path, "--root", "none", "--format", "json").output)
    assert [f["rule"] for f in document["unreadable"]] == ["unreadable-file"]
    tree = run("resolve", tmp_path, "--root", "none", "--format", "tree")
    assert tree.exit_code == 1
    assert "UNREADABLE" in tree.output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello, world", "not with the ELF magic"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
        (b"\x7fELF\x02\x01\x01", "ends inside"),
    ],
)
@pytest.mark.parametrize("command", ["resolve", "show", "symbols"])
def test_what_cannot_be_read_is_told_in_one_line(
    run: Run, tmp_path: Path, content: bytes, said: str, command: str
) -> None:
    target = tmp_path / "libbad.so"
    target.write_bytes(content)
    result = run(command, target)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("elfaudit: ")
    assert str(target) in result.stderr
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["resolve", "show", "symbols"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_a_missing_file_is_told(run: Run, tmp_path: Path, command: str, form: str) -> None:
    result = run(command, tmp_path / "absent.so", "--format", form)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "absent.so: cannot be opened: No such file or directory" in result.stderr


@pytest.mark.parametrize("command", ["resolve", "show", "symbols"])
def test_an_unknown_member_is_told(run: Run, wheel: Path, command: str) -> None:
    result = run(command, f"{wheel}::torch/absent.so")
    assert result.exit_code == 2
    assert "absent.so: there is no such file" in result.stderr


def test_a_directory_without_elf_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "readme").write_text("nothing here")
    result = run("resolve", tmp_path)
    assert result.exit_code == 2
    reason = "there is no ELF file in it that a loader takes"
    assert result.stderr == f"elfaudit: {tmp_path}: {reason}\n"


@pytest.mark.parametrize("name", ["static-exe", "relocatable.o"])
def test_what_no_loader_takes_is_told(run: Run, prebuilt: Path, name: str) -> None:
    result = run("resolve", prebuilt / "shapes" / name)
    assert result.exit_code == 2
    assert name in result.stderr


def test_an_unknown_host_is_told(run: Run, prebuilt: Path) -> None:
    result = run("resolve", prebuilt / "shapes/libdep.so.1", "--host", "/absent/python")
    assert result.exit_code == 2
    assert "there is no such program" in result.stderr


def test_usage_errors_exit_with_two(run: Run) -> None:
    assert run("resolve", "--no-such-option").exit_code == 2
    assert run("no-such-command").exit_code == 2


def test_python_m_elfaudit_does_the_same(process: Process, wheel: Path, story: Path) -> None:
    result = process("resolve", wheel, "--root", story / "root")
    assert result.returncode == 1
    assert result.stdout.startswith(f"FAILS  {ERROR}\n")
    assert result.stderr == ""


@pytest.mark.parametrize("columns", [20, 60, 80, 200])
def test_every_width_keeps_names_and_commands_whole(
    run: Run, wheel: Path, story: Path, columns: int
) -> None:
    result = run("resolve", wheel, "--root", story / "root", env={"COLUMNS": str(columns)})
    words = result.output.split()
    assert "rsmi_init" in words
    assert "librocm_smi64.so.1" in words
    assert f"--member {HIP} --add librocm_smi64.so.1 --add-runpath /opt/rocm/lib" in result.output
    commands = ("elfaudit ", "export ", "-Wl,")
    for line in result.output.splitlines():
        if line.strip().startswith(commands):
            continue
        longest = max(map(len, line.split()), default=0)
        assert len(line) <= max(columns, 40, longest + 9)


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ([""], ()),
        (["/a;/b", "", "/c:/d"], ("/a", "/b", "/c", "/d")),
        (["/a:"], ("/a", "")),
    ],
)
def test_the_library_path_is_split_as_the_loader_does(
    given: list[str], paths: tuple[str, ...]
) -> None:
    inputs = loader_inputs(
        root="/",
        with_=(),
        host="auto",
        preload=(),
        library_path=tuple(given),
        env=False,
        dlopen=(),
        libc="auto",
    )
    assert inputs["library_path"] == paths


def test_placeholders_of_libraries_are_findings(run: Run, prebuilt: Path, tmp_path: Path) -> None:
    """The classic accident of a wheel builder: a Git LFS pointer or an empty file for a library."""
    shutil.copy(prebuilt / "shapes/libempty.so", tmp_path / "good.so")
    (tmp_path / "libfoo.so").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "libempty.so.1").touch()
    (tmp_path / "py.typed").touch()
    result = run("resolve", tmp_path)
    assert result.exit_code == 1
    assert "libfoo.so: e_ident at offset 0x0: is a Git LFS pointer" in result.output
    assert "libempty.so.1: e_ident at offset 0x0: the file is empty" in result.output
    assert "py.typed" not in result.output
