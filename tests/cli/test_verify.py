"""``elfaudit verify`` as it is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

import elfaudit
from tests.checklist.test_kinds import write, zipped

from .conftest import Run

STORY = ("--root", "none")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    write(folder, {
        "pkg/__init__.py": b"from .a import x\n", "pkg/a.py": b"x = 1\n",
        "pkg-1.5.dist-info/METADATA": b"Name: pkg\nVersion: 1.5\n",
    })  # fmt: skip
    return folder


def test_the_first_line_is_the_tally(run: Run, wheel: Path, story: Path) -> None:
    result = run("verify", wheel, "-c", "pytorch-rocm", "--root", story / "root")
    first = result.output.splitlines()[0]
    assert first.startswith(f"{wheel.name} (pytorch-rocm): ")
    assert "failed" in first
    assert result.exit_code == 1
    assert "libtorch_hip.so: undefined symbol: rsmi_init" in result.output
    assert "fix: elfaudit patch-needed" in result.output


def test_clean_is_zero_and_quiet_says_one_line(run: Run, site: Path) -> None:
    result = run("verify", site, "--quiet")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 1


def test_json_is_of_its_schema(run: Run, wheel: Path, site: Path) -> None:
    result = run("verify", wheel, site, "-c", "python-wheel", "-c", "vllm-rocm", "--format", "json")
    document = json.loads(result.output)
    schema = json.loads(elfaudit.json_schema("verify"))
    jsonschema.Draft202012Validator(schema).validate(document)
    reports = document["reports"]
    assert [each["checklist"] for each in reports] == ["python-wheel", "vllm-rocm"] * 2
    for each in reports:
        assert sum(each["tally"].values()) == len(each["checks"])


def test_several_builds_are_a_table(run: Run, site: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(site, other)
    (other / "pkg/a.py").write_bytes(b"y = 1\n")
    result = run("verify", site, other)
    head, _, first = result.output.splitlines()[:3]
    assert head.split() == ["python-wheel", "site", "other"]
    assert first.split()[-2:] == ["PASS", "FAIL"]
    assert result.exit_code == 1


def test_wheels_of_two_projects_are_one_build(
    run: Run, site: Path, wheel: Path, tmp_path: Path
) -> None:
    mine = zipped(site, tmp_path / "pkg-1.5-py3-none-any.whl")
    together = json.loads(run("verify", mine, wheel, "--format", "json").output)["reports"]
    assert [each["build"] for each in together] == [f"{mine.name} + {wheel.name}"]
    apart = json.loads(run("verify", mine, wheel, "--apart", "--format", "json").output)["reports"]
    assert len(apart) == 2
    dist = tmp_path / "dist"
    dist.mkdir()
    shutil.copy(mine, dist)
    shutil.copy(wheel, dist)
    folder = json.loads(run("verify", dist, "--format", "json").output)["reports"]
    assert [each["build"] for each in folder] == [f"{mine.name} + {wheel.name}"]


def test_fail_on(run: Run, site: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("name='x'\n[[check]]\nkind='file'\npath='nothing'\nseverity='note'\n")
    assert run("verify", site, "-c", path).exit_code == 0
    assert run("verify", site, "-c", path, "--fail-on", "note").exit_code == 1
    assert "[note]" in run("verify", site, "-c", path).output


def test_a_check_that_is_not_sound_is_told_and_ends_with_2(
    run: Run, site: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.toml"
    path.write_text("name='x'\n[[check]]\nkind='no'\n[[check]]\nkind='record'\n")
    result = run("verify", site, "-c", path)
    assert result.exit_code == 2
    assert "check[0].kind: 'no' is no kind of check" in result.output
    assert "1/2 passed, 1 could not be judged" in result.output


@pytest.mark.parametrize(("arguments", "told"), [
    (["-c", "nothing"], "nothing: there is no such checklist; there are python-wheel"),
    (["-c", "./nothing.toml"], "./nothing.toml: cannot be opened"),
    (["--set", "x=1"], "--set x: no checklist has this variable"),
    (["--set", "x"], "'x' is not NAME=VALUE"),
    (["--run", "--run-prefix", "'"], "--run-prefix: No closing quotation"),
])  # fmt: skip
def test_what_cannot_be_done(run: Run, site: Path, arguments: list[str], told: str) -> None:
    result = run("verify", site, *arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_no_target_and_a_target_that_is_not_there(run: Run) -> None:
    assert run("verify", "-c", "python-wheel").exit_code == 2
    assert run("verify", "/nothing").exit_code == 2


def test_variables_unlock_checks(run: Run, wheel: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("-- USE_ROCM : ON\n-- USE_DISTRIBUTED : OFF\n")
    result = run("verify", wheel, "-c", "pytorch-rocm", "--set", f"build_log={log}", *STORY)
    assert "PASS       the log says that it is built for ROCm" in result.output
    assert "FAIL       the log says that distributed support is built" in result.output
    assert (
        "needs --set gpu_target=…"
        in run("verify", wheel, "-c", "pytorch-rocm", "-v", *STORY).output
    )


def test_the_lists(run: Run) -> None:
    assert "vllm-rocm" in run("verify", "--list").output
    listed = run("verify", "--list", "-c", "pytorch-rocm").output
    assert "--set gpu_target=…" in listed
    assert "gpu-targets" in listed


def test_run_is_off_unless_asked_for(run: Run, site: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / "x.toml"
    path.write_text(f"name='x'\n[[check]]\nkind='run'\ncommand=['touch','{mark}']\n")
    run("verify", site, "-c", path)
    assert not mark.exists()
    result = run("verify", site, "-c", path, "--run", "--run-prefix", "env A=1")
    assert result.exit_code == 0
    assert mark.exists()


def test_init_writes_what_the_build_then_passes(
    run: Run, wheel: Path, site: Path, tmp_path: Path
) -> None:
    for target in (wheel, site):
        written = run("verify", target, "--init")
        assert written.exit_code == 0
        path = tmp_path / "first.toml"
        path.write_text(written.output)
        result = run("verify", target, "-c", path)
        assert result.exit_code == 0, result.output
        assert "failed" not in result.output
    (site / "pkg/a.py").write_bytes(b"y = 1\n")
    assert run("verify", site, "-c", path).exit_code == 1


def test_init_of_nothing_ends_with_2_and_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("text\n")
    (tmp_path / "cut.so").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9))
    for name in ("empty", "a.txt", "cut.so"):
        result = run("verify", tmp_path / name, "--init")
        assert result.exit_code == 2
        assert result.output.startswith("elfaudit: ")
        assert "nothing to hold the next build to" in result.output
        assert len(result.output.strip().splitlines()) == 1
