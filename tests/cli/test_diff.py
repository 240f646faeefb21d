"""``elfaudit diff``: exit codes, the first line, tables, JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

import elfaudit
from elfaudit.report.jsontext import identifier

from .conftest import Run
from .test_schema import check, enumerations


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Path, Path]:
    """Two directories: libx loses 9 functions, one of them C++, and one variable grows."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    for folder, first, size in (("old", 0, 4), ("new", 9, 8)):
        (tmp_path / folder).mkdir()
        code = "".join(f"int f{n}(void) {{ return {n}; }}\n" for n in range(first, 12))
        code += f"int table[{size}] = {{1}};\n"
        code += "int _ZN4demo3fooEv(void) { return 1; }\n" if not first else ""
        source = tmp_path / f"{folder}.c"
        source.write_text(code)
        out = tmp_path / folder / "libx.so.1"
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libx.so.1", "-o", out, source],
            check=True,
        )
        (tmp_path / folder / "same.txt").write_text("same")
    return tmp_path / "old", tmp_path / "new"


def test_the_first_line_says_the_gist(run: Run, builds: tuple[Path, Path]) -> None:
    result = run("diff", *builds)
    assert result.exit_code == 1
    first, *rest = result.output.splitlines()
    assert first == (
        "old → new: 2 breaking changes: libx.so.1 no longer exports 10 symbols; "
        "libx.so.1 has 1 variable of another size"
    )
    text = "\n".join(rest)
    assert "  breaking  no longer exports 10 symbols\n              f0\n" in text
    assert "and 5 more (--verbose)" in text
    assert "table: 16 → 32 bytes" in text


def test_verbose_leaves_nothing_out_and_quiet_tells_the_worst(
    run: Run, builds: tuple[Path, Path]
) -> None:
    verbose = run("diff", *builds, "--verbose", "--demangle").output
    assert all(f"  f{n}\n" in verbose for n in range(9))
    assert "demo::foo()" in verbose
    assert "more (--verbose)" not in verbose
    quiet = run("diff", *reversed(builds), "--quiet")
    assert "harmless" not in quiet.output
    assert quiet.exit_code == 1  # the variable


def test_the_same_is_no_difference(run: Run, builds: tuple[Path, Path]) -> None:
    result = run("diff", builds[0], builds[0], "--fail-on", "any")
    assert result.exit_code == 0
    assert result.output.endswith(": no differences\n")
    assert len(result.output.splitlines()) == 1


def test_what_to_fail_on_can_be_said(run: Run, builds: tuple[Path, Path], tmp_path: Path) -> None:
    codes = {fail: run("diff", *builds, "--fail-on", fail).exit_code for fail in ("any", "never")}
    assert codes == {"any": 1, "never": 0}
    other = tmp_path / "other"
    shutil.copytree(builds[0], other)
    (other / "same.txt").write_text("other")
    codes = {
        fail: run("diff", builds[0], other, "--fail-on", fail).exit_code
        for fail in ("breaking", "notable", "any")
    }
    assert codes == {"breaking": 0, "notable": 0, "any": 1}
    assert "1 other file changed" in run("diff", builds[0], other).output


def test_what_cannot_be_run_is_2(run: Run, builds: tuple[Path, Path]) -> None:
    result = run("diff", builds[0], builds[0] / "absent")
    assert result.exit_code == 2
    assert result.stderr.startswith("elfaudit: ")
    assert run("diff", builds[0]).exit_code == 2


def test_json_follows_the_schema(run: Run, builds: tuple[Path, Path], story: Path) -> None:
    result = run("diff", *builds, "--format", "json", "-C")
    assert result.exit_code == 1
    document: Any = check(result.output, "diff")
    assert document["summary"]["breaking"] == 2
    (file,) = document["files"]
    lost = next(c for c in file["changes"] if c["aspect"] == "exports-lost")
    assert {"name": "_ZN4demo3fooEv", "demangled": "demo::foo()"}.items() <= lost["items"][
        -1
    ].items()
    wheel = next(story.glob("torch-*.whl"))
    same = check(run("diff", wheel, wheel, "--format", "json").output, "diff")
    assert same["files"] == same["changes"] == []
    machines = story.parent / "machines"
    for name in ("s390x", "aarch64"):
        output = run(
            "diff", machines / "x86_64", machines / name, "--root", "none", "--format", "json"
        ).output
        assert check(output, "diff")["files"]


def test_names_in_the_schema_are_those_of_the_program() -> None:
    listed = [set(each) for each in enumerations(json.loads(elfaudit.json_schema("diff")))]
    for kind in (elfaudit.Aspect, elfaudit.ChangeSeverity, elfaudit.FileStatus):
        assert {identifier(each) for each in kind} in listed


def test_text_of_hostile_names_steers_no_terminal(run: Run, tmp_path: Path, prebuilt: Path) -> None:
    library = (prebuilt / "shapes/libdep.so.1").read_bytes()
    for name, files in (("a", {"lib\x1b[31m.so": library}), ("b", {"x\x1b]0;.txt": b"x"})):
        with zipfile.ZipFile(tmp_path / f"{name}.whl", "w") as out:
            for path, content in files.items():
                out.writestr(path, content)
    result = run("diff", tmp_path / "a.whl", tmp_path / "b.whl")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "is not there any more" in result.output


def test_files_to_which_the_same_happened_are_told_together(
    run: Run, tmp_path: Path, prebuilt: Path
) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    for number in range(9):
        shutil.copy(prebuilt / "shapes/libdep.so.1", tmp_path / f"old/lib{number}x.so")
    for folder in ("old", "new"):
        (tmp_path / folder / "a.txt").write_text("a")
    output = run("diff", tmp_path / "old", tmp_path / "new").output
    assert output.count("is not there any more") == 3  # twice in the gist at most
    assert "and 4 more (--verbose)" in output
