"""``elfaudit patch-needed`` and ``resolve --fix``: options, words, exit codes, JSON."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import elfaudit
from elfaudit.cli.patch_needed import patch_needed

from .conftest import WHEEL, Process, Run

HIP = "torch/lib/libtorch_hip.so"
SMI = "librocm_smi64.so.1"


@pytest.fixture
def lib(tmp_path: Path, story: Path) -> Path:
    """A directory with the libraries of the story."""
    return Path(shutil.copytree(story / "site-packages/torch/lib", tmp_path / "lib"))


@pytest.fixture
def hip(lib: Path) -> Path:
    return lib / "libtorch_hip.so"


@pytest.fixture
def dist(tmp_path: Path, wheel: Path) -> Path:
    """A copy of the wheel."""
    (tmp_path / "dist").mkdir()
    return Path(shutil.copy(wheel, tmp_path / "dist"))


@pytest.fixture
def root(story: Path) -> str:
    return str(story / "root")


@pytest.fixture
def twins(tmp_path: Path, story: Path) -> Path:
    """Two libraries with one symbol; which of them is listed first supplies it."""
    return Path(shutil.copytree(story / "variants/twice/lib", tmp_path / "twins"))


def needed(path: Path) -> list[str]:
    done = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True)
    return re.findall(r"\(NEEDED\).*\[(.*)\]", done.stdout)


def document(text: str) -> Any:
    """The JSON document, if it is valid."""
    found = json.loads(text)
    schema = json.loads(elfaudit.json_schema("patch-needed"))
    jsonschema.Draft202012Validator(schema).validate(found)
    return found


# --- what is done and said ---


def test_the_story_is_repaired(run: Run, hip: Path, root: str, readelf: str) -> None:
    was = hip.read_bytes()
    result = run(
        "patch-needed", hip, "--add", SMI, "--add-runpath", "/opt/rocm/lib", "--root", root
    )
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines[0] == f"{hip}: patched"
    assert f"{SMI} is added" in lines
    assert "the RUNPATH is $ORIGIN:/opt/rocm/lib" in lines
    assert "FAILS before, LOADS after" in lines
    assert f"bound now: rsmi_init (/opt/rocm/lib/{SMI})" in lines
    assert lines[-2:] == ["the way back is in the file:", f"elfaudit patch-needed {hip} --undo"]
    assert needed(hip) == ["libtorch_cpu.so", "libc10.so", SMI]
    again = run("patch-needed", hip, "--add", SMI, "--root", root)
    assert again.exit_code == 0
    assert again.output == f"{hip}: nothing to do\n  {SMI} is listed already\n"
    undone = run(*shlex.split(lines[-1])[1:])
    assert undone.exit_code == 0
    assert undone.output.startswith(f"{hip}: restored\n")
    assert "--undo" not in undone.output
    assert hip.read_bytes() == was


def test_the_plain_command_works_on_a_machine_without_rocm(run: Run, hip: Path) -> None:
    result = run("patch-needed", hip, "--add", SMI)
    assert result.exit_code == 0
    assert f"{SMI} is nowhere near: that the name is right could not be checked" in result.output
    assert f"{SMI} is not where the loader looks here" in result.output


def test_a_member_of_a_wheel(run: Run, dist: Path, root: str) -> None:
    was = dist.read_bytes()
    result = run("patch-needed", dist, "--member", "libtorch_hip.so", "--add", SMI, "--root", root)
    assert result.exit_code == 0
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines[0] == f"{dist}::{HIP}: patched"
    assert lines[-1] == f"elfaudit patch-needed {dist} --member {HIP} --undo"
    assert dist.read_bytes() != was
    assert run(*shlex.split(lines[-1])[1:]).exit_code == 0
    with zipfile.ZipFile(dist) as new, zipfile.ZipFile(io.BytesIO(was)) as old:
        assert all(new.read(name) == old.read(name) for name in old.namelist())
    named = run("patch-needed", f"{dist}::{HIP}", "--add", SMI, "--no-check")
    assert named.exit_code == 0


def test_a_dry_run_prints_the_plan_and_writes_nothing(run: Run, dist: Path, root: str) -> None:
    was, status = dist.read_bytes(), dist.stat()
    options = ("--member", HIP, "--add", SMI, "--root", root, "--dry-run")
    result = run("patch-needed", dist, *options, "--build-tag", "1", "--backup", ".orig")
    assert result.exit_code == 0
    assert f"{dist}::{HIP}: would be patched\n" in result.output
    assert result.output.endswith("nothing was written (--dry-run)\n")
    assert (dist.read_bytes(), dist.stat().st_mtime_ns) == (was, status.st_mtime_ns)
    assert [path.name for path in dist.parent.iterdir()] == [WHEEL]


def test_where_it_goes_is_told(run: Run, hip: Path, tmp_path: Path) -> None:
    was = hip.read_bytes()
    options = ("--add", SMI, "--no-check")
    out = tmp_path / "new.so"
    result = run("patch-needed", hip, *options, "-o", out)
    assert f"written: {out}\n" in result.output
    assert f"elfaudit patch-needed {out} --undo" in result.output
    assert hip.read_bytes() == was
    folder = run("patch-needed", hip, *options, "--output", f"{tmp_path}/made/for/it/")
    assert folder.exit_code == 0
    assert (tmp_path / "made/for/it/libtorch_hip.so").read_bytes() == out.read_bytes()
    kept = run("patch-needed", hip, *options, "--in-place", "--backup", ".orig")
    assert f"kept: {hip}.orig\n" in kept.output
    assert Path(f"{hip}.orig").read_bytes() == was
    assert hip.read_bytes() == out.read_bytes()


def test_keep_times(run: Run, hip: Path) -> None:
    os.utime(hip, ns=(10**18, 10**18))
    assert run("patch-needed", hip, "--add", SMI, "--no-check", "--keep-times").exit_code == 0
    assert hip.stat().st_mtime_ns == 10**18
    assert run("patch-needed", hip, "--undo").exit_code == 0
    assert hip.stat().st_mtime_ns > 10**18


def test_another_name_of_a_wheel_is_told(run: Run, dist: Path) -> None:
    options = ("--member", HIP, "--add", SMI, "--no-check")
    result = run("patch-needed", dist, *options, "--build-tag", "1", "--local-version", "fix")
    new = dist.with_name(WHEEL.replace("rocm7.1", "rocm7.1.fix-1"))
    assert f"written: {new}\n" in result.output
    assert f"elfaudit patch-needed {new} --member {HIP} --undo" in result.output
    assert new.exists()


def test_quiet_says_warnings_only(run: Run, hip: Path, twins: Path) -> None:
    result = run("patch-needed", hip, "--add", SMI, "--no-check", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    target = twins / "libtorch_hip.so"
    moved = run("patch-needed", target, "--remove", SMI, "--quiet", "--dry-run")
    assert moved.exit_code == 1
    assert "warning: 1 reference supplied by another library then: rsmi_init" in moved.output


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--first", "--add", "liba.so", "--add", "libb.so"], ["liba.so", "libb.so", 0, 1]),
        (["--before", "libc10.so", "--add", "liba.so", "--add", "libb.so"],
         [0, "liba.so", "libb.so", 1]),
        (["--add", "liba.so", "--add", "libb.so"], [0, 1, "liba.so", "libb.so"]),
        (["--remove", "libc10.so", "--add", "liba.so"], [0, "liba.so"]),
        (["--replace", "libc10.so=liba.so"], [0, "liba.so"]),
        (["--remove", "libnot-there.so"], [0, 1]),
    ],
)  # fmt: skip
def test_the_order_of_what_is_listed(
    run: Run, hip: Path, readelf: str, options: list[str], expected: list[str | int]
) -> None:
    old = needed(hip)
    assert run("patch-needed", hip, "--no-check", *options).exit_code == 0
    assert needed(hip) == [old[each] if isinstance(each, int) else each for each in expected]


def test_paths_soname_and_stack(run: Run, prebuilt: Path, tmp_path: Path, readelf: str) -> None:
    stack = Path(shutil.copy(prebuilt / "shapes/libdemo-execstack.so", tmp_path))
    rpath = Path(shutil.copy(prebuilt / "shapes/libdemo-rpath.so", tmp_path))
    result = run(
        "patch-needed", stack, "--clear-execstack", "--set-soname", "libx.so.9",
        "--set-runpath", "/a", "--add-runpath", "/b", "--no-check",
    )  # fmt: skip
    assert result.exit_code == 0
    shown = run("show", stack).output
    assert re.search(r"stack +not executable\n", shown)
    assert re.search(r"soname +libx\.so\.9\n", shown)
    assert re.search(r"runpath +/a:/b\n", shown)
    old = elfaudit.read_elf(str(rpath)).dynamic
    assert old is not None
    assert run("patch-needed", rpath, "--rpath-to-runpath", "--no-check").exit_code == 0
    new = elfaudit.read_elf(str(rpath)).dynamic
    assert new is not None
    assert (new.runpath, new.rpath) == (old.rpath, None)
    assert run("patch-needed", rpath, "--remove-runpath", "--no-check").exit_code == 0
    assert "runpath" not in run("show", rpath).output


def test_a_library_that_is_a_provider_is_added_by_its_soname(
    run: Run, hip: Path, smi: Path, readelf: str
) -> None:
    result = run("patch-needed", hip, "--provider", smi.resolve())
    assert result.exit_code == 0
    assert needed(hip)[-1] == SMI
    assert "only found because it was named with --provider" in result.output


# --- exit codes ---


def test_a_binding_that_moves_exits_with_one(run: Run, twins: Path) -> None:
    target = twins / "libtorch_hip.so"
    result = run("patch-needed", target, "--remove", SMI)
    assert result.exit_code == 1
    assert "1 reference supplied by another library then: rsmi_init" in result.output
    assert f"({twins}/{SMI} → {twins}/libamd_smi.so.26)" in result.output
    assert run("patch-needed", target, "--remove", "libabsent.so").exit_code == 0


def test_a_binding_that_is_lost_and_a_file_that_is_spoilt_exit_with_one(
    run: Run, story: Path, tmp_path: Path
) -> None:
    lib = Path(shutil.copytree(story / "variants/repaired/lib", tmp_path / "repaired"))
    result = run("patch-needed", lib / "libtorch_hip.so", "--remove", SMI)
    assert result.exit_code == 1
    assert "the file loads as it is, and would not load any more" in result.output
    assert "1 reference not supplied by anybody then: rsmi_init" in result.output
    assert run("resolve", lib / "libtorch_hip.so").exit_code == 1


def test_what_is_refused_exits_with_two_in_one_line(run: Run, hip: Path, root: str) -> None:
    was = hip.read_bytes()
    result = run("patch-needed", hip, "--add", "librocm_smi64.so", "--root", root)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "librocm_smi64.so is nowhere, but librocm_smi64.so.1 is" in result.stderr
    assert hip.read_bytes() == was
    forced = run("patch-needed", hip, "--add", "librocm_smi64.so", "--root", root, "--force")
    assert forced.exit_code == 0
    assert "librocm_smi64.so is added" in forced.output


@pytest.mark.parametrize("form", ["table", "json"])
def test_every_target_stands_for_itself(
    run: Run, lib: Path, tmp_path: Path, form: str, readelf: str
) -> None:
    text = tmp_path / "text.so"
    text.write_text("no ELF")
    first, last = lib / "libtorch_hip.so", lib / "libtorch_cpu.so"
    targets = (first, tmp_path / "absent.so", text, last)
    result = run("patch-needed", *targets, "--add", SMI, "--no-check", "--format", form)
    assert result.exit_code == 2
    assert needed(first)[-1] == needed(last)[-1] == SMI
    told = result.stderr.splitlines()
    assert len(told) == 2
    assert "absent.so: cannot be opened: No such file or directory" in told[0]
    assert "text.so: e_ident" in told[1]
    if form == "json":
        found = document(result.stdout)
        assert [each["target"] for each in found["targets"]] == [str(first), str(last)]
        assert [each["target"] for each in found["refused"]] == [str(each) for each in targets[1:3]]
        assert all(f"elfaudit: {each['error']}" in told for each in found["refused"])
    else:
        assert f"{first}: patched" in result.stdout
        assert f"{last}: patched" in result.stdout


def test_what_was_done_before_an_error_is_told(
    run: Run, lib: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several members of a directory the last one cannot be written."""
    replace = os.replace

    def full(old: str, new: str) -> None:
        if new.endswith("libtorch_hip.so"):
            raise OSError(28, os.strerror(28))
        replace(old, new)

    monkeypatch.setattr(os, "replace", full)
    result = run("patch-needed", lib, "--member", "*.so", "--add", SMI, "--no-check")
    assert result.exit_code == 2
    assert result.stderr == (
        f"elfaudit: {lib}/libtorch_hip.so: cannot be written: No space left on device; "
        f"written before that: {lib}/libc10.so, {lib}/libtorch_cpu.so\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Say what to change"),
        (("--undo", "--add", "x"), "--undo restores a file"),
        (("--add", "x", "--first", "--before", "y"), "--before and --first are two places"),
        (("--first", "--set-soname", "x"), "--before and --first say where --add puts"),
        (("--add", "x", "-o", "y", "--in-place"), "--output and --in-place are two places"),
        (("--replace", "x"), "say OLD=NEW"),
        (("--replace", "=x"), "say OLD=NEW"),
    ],
)
def test_options_that_make_no_sense(run: Run, hip: Path, options: tuple[str], said: str) -> None:
    was = hip.read_bytes()
    result = run("patch-needed", hip, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert hip.read_bytes() == was


def test_several_targets_go_into_a_directory_only(run: Run, lib: Path, tmp_path: Path) -> None:
    targets = (lib / "libtorch_hip.so", lib / "libc10.so")
    options = ("--add", SMI, "--no-check", "-o")
    assert run("patch-needed", *targets, *options, tmp_path / "new").exit_code == 2
    assert run("patch-needed", *targets, *options, f"{tmp_path}/new/").exit_code == 0
    assert len(list((tmp_path / "new").iterdir())) == 2


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("static-exe", "static"),
        ("relocatable.o", "relocatable.o: "),
    ],
)
def test_what_cannot_be_patched(
    run: Run, prebuilt: Path, tmp_path: Path, target: str, said: str
) -> None:
    path = Path(shutil.copy(prebuilt / "shapes" / target, tmp_path))
    was = path.read_bytes()
    result = run("patch-needed", path, "--add", SMI)
    assert result.exit_code == 2
    assert said in result.stderr
    assert path.read_bytes() == was


def test_many_files_ask_for_a_member(run: Run, dist: Path, lib: Path) -> None:
    for target in (dist, lib):
        result = run("patch-needed", target, "--add", SMI)
        assert result.exit_code == 2
        assert "holds many files; say which: --member 'PATTERN'" in result.stderr
        near = run("patch-needed", target, "--member", "libtorch_hup.so", "--add", SMI)
        assert near.exit_code == 2
        assert "did you mean" in near.stderr


# --- JSON ---


def test_json_of_all_that_can_be_said_is_valid(
    run: Run, hip: Path, dist: Path, twins: Path, root: str
) -> None:
    json_ = ("--format", "json", "-C")
    options = ("--add", SMI, "--root", root, *json_)
    (plan,) = document(run("patch-needed", hip, *options, "--dry-run").output)["targets"]
    assert (plan["written"], plan["changed"]) == (None, True)
    (made,) = document(run("patch-needed", hip, *options, "--backup", "~").output)["targets"]
    assert (made["written"], made["backups"]) == ([str(hip)], [f"{hip}~"])
    (file,) = made["files"]
    assert file["new_size"] == hip.stat().st_size
    assert file["reversible"] is True
    said = f"{hip}: undefined symbol: rsmi_init"
    assert file["effects"]["before"] == {"verdict": "FAILS", "error": said}
    (nothing,) = document(run("patch-needed", hip, *options).output)["targets"]
    assert (nothing["changed"], nothing["files"][0]["effects"]) == (False, None)
    (undone,) = document(run("patch-needed", hip, "--undo", *json_).output)["targets"]
    assert undone["files"][0]["reversible"] is False
    assert undone["files"][0]["new_size"] == hip.stat().st_size
    member = ("--member", "torch/lib/*", "--add-runpath", "/opt/rocm/lib")
    (wheel,) = document(run("patch-needed", dist, *member, *options).output)["targets"]
    assert len(wheel["files"]) == 3
    moved = run("patch-needed", twins / "libtorch_hip.so", "--remove", SMI, *json_)
    assert moved.exit_code == 1
    (row,) = document(moved.output)["targets"][0]["files"][0]["effects"]["provider_changes"]
    assert (row["name"], row["after"]) == ("rsmi_init", f"{twins}/libamd_smi.so.26")
    both = ("--remove", SMI, "--remove", "libamd_smi.so.26")
    lost = run("patch-needed", twins / "libtorch_hip.so", *both, *json_)
    assert lost.exit_code == 1
    assert document(lost.output)["targets"][0]["files"][0]["effects"]["lost"]
    assert document(run("patch-needed", "/absent", "--undo", *json_).stdout)["refused"]


def test_json_is_valid_whatever_a_file_is_called(run: Run, hip: Path) -> None:
    odd = hip.with_name(os.fsdecode(b"lib\xff\x1b\xc5\x82 x.so"))
    hip.rename(odd)
    result = run("patch-needed", odd, "--add", "lib\udcff.so", "--no-check", "--format", "json")
    (made,) = document(result.output)["targets"]
    assert os.fsencode(made["written"][0]) == os.fsencode(odd)
    assert elfaudit.read_elf(str(odd)).needed[-1] == "lib\udcff.so"


# --- help ---


def test_every_example_of_the_help_is_one() -> None:
    lines = [line.strip() for line in (patch_needed.help or "").splitlines()]
    examples = [line for line in lines if line.startswith("elfaudit patch-needed")]
    assert len(examples) == 6
    for example in examples:
        words = shlex.split(example)
        assert words[:2] == ["elfaudit", "patch-needed"]
        context = patch_needed.make_context("patch-needed", words[2:])
        assert context.params["targets"]


def test_every_option_is_explained(run: Run) -> None:
    shown = run("patch-needed", "--help").output
    for parameter in patch_needed.params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in shown


def test_as_a_user_runs_it(process: Process, hip: Path, root: str) -> None:
    result = process("patch-needed", hip, "--add", SMI, "--root", root)
    assert (result.returncode, result.stderr) == (0, "")
    assert process("patch-needed", hip, "--undo").returncode == 0
    assert process("patch-needed", hip, "--undo").returncode == 2


# --- resolve --fix ---


def test_only_safe_repairs_are_made_unless_told_otherwise(run: Run, dist: Path, root: str) -> None:
    """Where the library is, is a fact of this machine: a RUNPATH for it asks for a look first."""
    was = dist.read_bytes()
    result = run("resolve", dist, "--root", root, "--fix")
    assert result.exit_code == 1
    assert dist.read_bytes() == was
    fixed = run("resolve", dist, "--root", root, "--fix", "--unsafe-fixes")
    assert fixed.exit_code == 0
    assert f"{dist}::{HIP}: patched" in fixed.output
    assert "4 load, 0 fail" in fixed.output
    assert dist.read_bytes() != was
    again = run("resolve", dist, "--root", root, "--unsafe-fixes")
    assert "patched" not in again.output


def test_a_safe_repair_is_made(run: Run, story: Path, tmp_path: Path, readelf: str) -> None:
    """The library is where the loader looks already; only DT_NEEDED lacks it."""
    lib = Path(shutil.copytree(story / "site-packages/torch/lib", tmp_path / "lib"))
    shutil.copy(story / "root/opt/rocm/lib" / SMI, lib)
    result = run("resolve", lib, "--root", "none", "--fix")
    assert result.exit_code == 0
    assert needed(lib / "libtorch_hip.so")[-1] == SMI
    assert f"{lib}/libtorch_hip.so: patched" in result.output


def test_a_repair_that_is_refused_is_told_and_the_others_are_made(
    run: Run, story: Path, tmp_path: Path, readelf: str
) -> None:
    folders = []
    for name in ("one", "two"):
        lib = Path(shutil.copytree(story / "site-packages/torch/lib", tmp_path / name))
        shutil.copy(story / "root/opt/rocm/lib" / SMI, lib)
        folders.append(lib)
    info = folders[0] / "x-1.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("libtorch_hip.so,sha256=AAAA,1\n")
    result = run("resolve", *folders, "--root", "none", "--fix")
    assert result.exit_code == 2
    assert "changed behind its back" in result.stderr
    assert needed(folders[0] / "libtorch_hip.so")[-1] != SMI
    assert needed(folders[1] / "libtorch_hip.so")[-1] == SMI
    assert "7 load, 1 fail" in result.stdout
    document_ = run("resolve", folders[1], "--root", "none", "--fix", "--format", "json")
    assert json.loads(document_.stdout)["summary"]["fails"] == 0


def test_only_what_was_asked_about_is_repaired(run: Run, story: Path, tmp_path: Path) -> None:
    """A library of another root has the path of one of this machine, which is another file."""
    here = Path(shutil.copytree(story / "site-packages/torch/lib", tmp_path / "here/lib"))
    root = Path(shutil.copytree(story / "root", tmp_path / "root", symlinks=True))
    shutil.copytree(here, f"{root}{here}")
    extension = tmp_path / "_C.so"
    (compiled,) = (story / "site-packages/torch").glob("_C.*.so")
    shutil.copy(compiled, extension)
    path = ("--set-runpath", here, "--no-check")
    assert run("patch-needed", extension, *path).exit_code == 0
    before = {each: each.read_bytes() for each in tmp_path.rglob("*.so")}
    options = {"root": str(root)}
    result = run("resolve", extension, "--root", root, "--unsafe-fixes")
    assert result.exit_code == 1
    assert f"{here}/libtorch_hip.so: undefined symbol: rsmi_init" in result.output
    assert {each: each.read_bytes() for each in before} == before
    found = elfaudit.resolve(str(extension), **options).findings  # type: ignore[arg-type]
    with pytest.raises(elfaudit.PatchError, match=f"is a file of {root}: name it as {root}{here}"):
        elfaudit.plan_fixes(found, unsafe=True, root=str(root))


def test_a_member_brought_along_is_repaired_with_the_one_asked_about(
    run: Run, dist: Path, root: str
) -> None:
    with zipfile.ZipFile(dist) as archive:
        (name,) = (each for each in archive.namelist() if each.startswith("torch/_C"))
    result = run("resolve", f"{dist}::{name}", "--root", root, "--unsafe-fixes")
    assert result.exit_code == 0
    assert f"{dist}::{HIP}: patched" in result.output
