"""The registry: every rule has a name, a page, and a place where its findings are chosen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from elfaudit import findings
from elfaudit.api import resolve
from elfaudit.errors import RequestError
from elfaudit.findings import RULES, Rule, Severity, Verdict, choose, rule_named

HOME = Path(findings.__file__).parent
SECTIONS = ["What it is", "Why it matters", "How it is decided", "Example", "Fix"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_page_is_the_docstring_of_a_module_of_that_name(rule: Rule) -> None:
    source = HOME / f"{rule.name.replace('-', '_')}.py"
    assert rule.document is not None
    assert source.read_text().startswith(f'"""{rule.document}')
    assert re.findall(r"^## (.*)$", rule.page, re.MULTILINE) == SECTIONS
    assert all(re.split(r"^## .*$", rule.page, flags=re.MULTILINE))
    assert rule.page.startswith(f"# {rule.name}\n\n{rule.summary}\n\nSeverity: ")
    assert rule.summary.endswith(".")


def test_names_are_unique_and_every_module_with_a_rule_is_registered() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    declared = {
        name
        for source in HOME.glob("*.py")
        for name in re.findall(r'^RULE = Rule\(\s*"([a-z-]+)"', source.read_text(), re.MULTILINE)
    }
    assert declared == set(names)


class TestChoose:
    """Which rules ``select`` and ``ignore`` leave."""

    def test_by_default_all_but_those_on_request(self) -> None:
        assert choose().names == {rule.name for rule in RULES if rule.default}
        assert "unused-needed" not in choose()
        assert "unused-needed" in choose(["all"])
        assert choose(["default", "unused-needed"]).names == choose().names | {"unused-needed"}

    def test_select_is_all_there_is_and_ignore_is_stronger(self) -> None:
        assert choose(["static-tls"]).names == {"static-tls"}
        assert choose(["static-tls", "transitive-only"], ["static-tls"]).names == {
            "transitive-only"
        }
        assert choose(ignore=["static-tls"]).names == choose().names - {"static-tls"}
        assert choose(ignore=["all"]).names == set()

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("transitiv-only", "did you mean transitive-only"),
            ("library", "missing-library"),
            ("x", "`elfaudit explain` lists them"),
        ],
    )
    def test_unknown_names_are_refused(self, name: str, hint: str) -> None:
        for call in (lambda: choose([name]), lambda: choose((), [name]), lambda: rule_named(name)):
            with pytest.raises(RequestError, match="there is no such rule") as refused:
                call()
            assert hint in str(refused.value)


def test_the_verdict_does_not_hang_on_the_choice(story: Path) -> None:
    target = str(story / "site-packages/torch/lib/libtorch_hip.so")
    every = resolve(target, root=str(story / "root"))
    fewer = resolve(target, root=str(story / "root"), ignore=["unresolved-symbol"])
    assert [f.rule for f in every.findings] == ["unresolved-symbol"]
    assert fewer.findings == ()
    assert (fewer.verdict, fewer.error) == (Verdict.FAILS, every.error)
    assert max(rule.severity for rule in RULES) is Severity.ERROR
