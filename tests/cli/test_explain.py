"""``elfaudit explain``, and the options that choose rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from elfaudit.findings import RULES, Rule

from .conftest import Process, Run

STACK = "shapes/libdemo-execstack.so"


def test_every_rule_is_listed_in_one_line(run: Run) -> None:
    lines = run("explain").output.splitlines()
    assert len(lines) == len(RULES)
    severities = [line.split()[0] for line in lines]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert {line.split()[1] for line in lines} == {rule.name for rule in RULES}
    (line,) = [line for line in lines if "unused-needed" in line]
    assert line.endswith("(only with --select)")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_page_of_a_rule(run: Run, rule: Rule) -> None:
    result = run("explain", rule.name)
    assert result.exit_code == 0
    assert result.output == rule.page
    assert "\n## Fix\n" in result.output


def test_an_unknown_rule(process: Process) -> None:
    done = process("explain", "transitive")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "elfaudit: transitive: there is no such rule; did you mean transitive-only?\n"
    )


class TestChoosing:
    """``--select`` and ``--ignore`` on ``resolve``."""

    @pytest.mark.parametrize("option", ["--select", "--ignore"])
    def test_unknown_rules_are_refused(self, process: Process, prebuilt: Path, option: str) -> None:
        done = process("resolve", prebuilt / STACK, option, "executable-stack,executable-stak")
        assert done.returncode == 2
        assert "executable-stak: there is no such rule; did you mean executable-stack?" in (
            done.stderr
        )

    def test_only_what_is_selected_counts(self, run: Run, prebuilt: Path) -> None:
        args = ("resolve", prebuilt / STACK, "--root", "none", "--fail-on", "warning")
        assert run(*args).exit_code == 1
        assert run(*args, "--select", "executable-stack").exit_code == 1
        assert run(*args, "--select", "text-relocations").exit_code == 0
        assert run(*args, "--ignore", "executable-stack").exit_code == 1  # static-tls is left
        assert run(*args, "--ignore", "executable-stack, static-tls").exit_code == 0
        twice = run(*args, "--ignore", "executable-stack", "--ignore", "static-tls")
        assert (twice.exit_code, "warning" in twice.output) == (0, False)

    def test_the_json_has_what_is_selected(self, run: Run, prebuilt: Path) -> None:
        args = ("resolve", prebuilt / STACK, "--root", "none", "--format", "json")
        told = json.loads(run(*args, "--select", "static-tls").output)
        assert [f["rule"] for f in told["files"][0]["findings"]] == ["static-tls"]

    def test_a_failure_that_is_ignored_stays_visible(self, run: Run, wheel: Path) -> None:
        """The verdict and the loader's message are the same; nothing of it is counted."""
        args = ("resolve", f"{wheel}::torch/lib/libtorch_hip.so", "--root", "none")
        told, ignored = run(*args), run(*args, "--ignore", "unresolved-symbol")
        assert (told.exit_code, ignored.exit_code) == (1, 0)
        assert ignored.output.splitlines()[0] == told.output.splitlines()[0]
        assert ignored.output.startswith("FAILS")
        assert "fix:" not in ignored.output

    def test_what_explains_another_finding_is_not_put_under_the_headline(
        self, run: Run, wheel: Path
    ) -> None:
        args = ("resolve", wheel, "--root", "none", "--ignore", "unresolved-symbol", "--format")
        assert run(*args, "tree").exit_code == 0
        assert run(*args, "table").output.count("FAILS") == 2

    def test_unreadable_files(self, run: Run, prebuilt: Path) -> None:
        files = (prebuilt / "shapes/relocatable.o", prebuilt / "shapes/libempty.so")
        args = ("resolve", *files, "--root", "none")
        assert run(*args).exit_code == 1
        ignored = run(*args, "--ignore", "unreadable-file")
        assert ignored.exit_code == 0
        assert "1 unreadable" in ignored.output

    def test_on_request(self, run: Run, story: Path) -> None:
        args = ("resolve", story / "variants/twice/lib/libtorch_hip.so", "--root", "none")
        assert "nothing of it is used" not in run(*args).output
        both = run(*args, "--select", "default,unused-needed").output
        assert "libamd_smi.so.26 is in DT_NEEDED, and nothing of it is used" in both
        assert "is defined by" in both
