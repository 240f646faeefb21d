"""``show``, ``symbols``, ``providers``, ``schema``, and what every command has."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import click
import pytest

from elfaudit.cli import cli

from .conftest import Run

COMMANDS = sorted(cli.list_commands(click.Context(cli)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"elfaudit {command}" in result.output


def test_the_command_lists_all_commands(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(f"\n  {command} " in result.output for command in COMMANDS)
    assert run("--version").output.startswith("elfaudit ")


@pytest.mark.parametrize(
    "command", ["diff", "patch-needed", "providers", "resolve", "show", "symbols"]
)
def test_a_command_without_arguments_shows_its_help(run: Run, command: str) -> None:
    result = run(command)
    assert result.exit_code == 2
    assert "Examples:" in result.output


def test_show_tells_the_dynamic_facts(run: Run, prebuilt: Path) -> None:
    result = run("show", prebuilt / "machines/s390x/libdemo.so", "--symbols-count")
    assert result.exit_code == 0
    facts = dict(line.strip().split(maxsplit=1) for line in result.output.splitlines()[1:])
    assert facts["type"] == "shared object"
    assert facts["machine"] == "IBM S/390 (EM_S390), 64-bit, big-endian"
    assert facts["soname"] == "libdemo.so.2"
    assert facts["needed"] == "libdep.so.1"
    assert facts["runpath"] == "$ORIGIN:$ORIGIN/../other"
    assert facts["symbols"] == "13 exported, 4 undefined"
    assert "DEMO_1.0, DEMO_2.0 (with DEMO_1.0)" in result.output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("libdemo-execstack.so", "stack             executable"),
        ("libdemo-now.so", "relro             full"),
        ("libdemo-rpath.so", "rpath             $ORIGIN"),
        ("libdemo-nosections.so", "section headers   none (stripped)"),
        ("libfilter.so", "filter of         libdep.so.1"),
        ("libauxiliary.so", "auxiliary of      libabsent.so.1"),
        ("libdlopen.so", "may dlopen        libfoo.so.1 (recommended)"),
        ("libproperty.so", "property          x86 feature: IBT, SHSTK"),
        ("libsymbolic.so", "symbolic          looks for symbols in itself first"),
        ("fixed-exe", "type              executable"),
        ("static-exe", "type              statically linked executable"),
        ("relocatable.o", "type              relocatable object"),
    ],
)
def test_show_tells_what_is_special(run: Run, prebuilt: Path, name: str, said: str) -> None:
    assert said in run("show", prebuilt / "shapes" / name).output


def test_show_goes_on_after_a_file_it_cannot_read(run: Run, prebuilt: Path) -> None:
    good = prebuilt / "shapes/libdep.so.1"
    for form in ("table", "json"):
        result = run("show", prebuilt / "absent", good, "--format", form)
        assert result.exit_code == 1
        assert "libdep.so.1" in result.stdout
        assert "absent: cannot be opened" in result.stderr


def test_show_of_an_archive_asks_for_a_member(run: Run, wheel: Path) -> None:
    result = run("show", wheel)
    assert result.exit_code == 2
    assert f"{wheel}::torch/_C.cpython-311-x86_64-linux-gnu.so" in result.stderr
    assert run("show", f"{wheel}::torch/lib/libc10.so").exit_code == 0


def test_symbols_are_named_as_nm_names_them(run: Run, prebuilt: Path, nm: str) -> None:
    library = prebuilt / "machines/x86_64/libdemo.so"
    listed = subprocess.run([nm, "-D", library], capture_output=True, text=True, check=True)
    expected = sorted(line.split()[-1] for line in listed.stdout.splitlines())
    result = run("symbols", library, "--format", "plain")
    assert sorted(result.output.split()) == expected


def test_the_number_of_exports_is_that_of_nm(run: Run, prebuilt: Path, nm: str) -> None:
    files = [
        path
        for path in sorted(prebuilt.glob("*/**/*.so*"))
        if "machines" not in path.parts or path.parent.name == "x86_64"
    ]
    assert len(files) > 20
    for path in files:
        command = [nm, "-D", "--defined-only", str(path)]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        if listed.stderr:
            continue  # nm needs section headers
        result = run("symbols", path, "--exports", "--count")
        assert result.output == f"{len(listed.stdout.splitlines())}\n", path


def test_the_table_of_symbols_names_attributes(run: Run, prebuilt: Path) -> None:
    result = run("symbols", prebuilt / "machines/x86_64/libdemo.so")
    rows = {line.split()[-1]: line.split()[:-1] for line in result.output.splitlines()[1:]}
    assert rows["demo_protected@@DEMO_2.0"] == ["4", "func", "global", "protected"]
    assert rows["dep_call@DEP_1.0"] == ["func", "global", "undefined"]
    assert rows["demo_ifunc@@DEMO_2.0"] == ["8", "gnu_ifunc", "global"]


def test_symbols_can_be_demangled(run: Run, wheel: Path) -> None:
    library = f"{wheel}::torch/lib/libtorch_cpu.so"
    plain = run("symbols", library, "--namespace", "c10d", "--format", "plain").output
    readable = run("symbols", library, "--namespace", "c10d", "--format", "plain", "-C").output
    assert "_ZN4c10d" in plain
    assert "c10d::" in readable
    assert "_ZN4c10d" not in readable
    document = json.loads(
        run("symbols", library, "--namespace", "c10d", "--format", "json", "-C").output
    )
    assert document["count"] == len(document["symbols"]) == len(plain.splitlines())
    assert all("c10d" in symbol["demangled"] for symbol in document["symbols"])


def test_a_bad_regular_expression_is_told(run: Run, prebuilt: Path) -> None:
    for option in ((), ("--count",)):
        result = run("symbols", prebuilt / "shapes/libdep.so.1", "--match", "(", *option)
        assert result.exit_code == 2
        assert result.stderr.startswith("elfaudit: '(' is not a regular expression: ")


def test_providers_are_found_with_version_and_visibility(run: Run, story: Path) -> None:
    result = run("providers", "rsmi_init", "absent_symbol", "--in", story / "root")
    assert result.exit_code == 1
    assert "librocm_smi64.so.1" in result.output
    assert "nobody has it" in result.output
    assert run("providers", "rsmi_init", "--in", story / "root").exit_code == 0


def test_providers_as_json(run: Run, prebuilt: Path) -> None:
    library = prebuilt / "machines/x86_64/libdemo.so"
    result = run("providers", "old_api", "demo_protected", "--in", library, "--format", "json")
    assert result.exit_code == 0
    old, protected = json.loads(result.output)["symbols"]
    versions = {(row["version"], row["default_version"]) for row in old["providers"]}
    assert versions == {("DEMO_2.0", True), ("DEMO_1.0", False)}
    assert protected["providers"][0]["visibility"] == "PROTECTED"
    assert protected["providers"][0]["soname"] == "libdemo.so.2"


def test_a_place_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    result = run("providers", "x", "--in", tmp_path / "absent")
    assert result.exit_code == 2
    assert "absent: cannot be opened" in result.stderr
