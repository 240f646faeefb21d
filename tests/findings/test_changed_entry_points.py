"""Commands and plugins that are not installed any more: importlib.metadata reads them, too."""

from __future__ import annotations

from importlib.metadata import PathDistribution
from pathlib import Path

from elfaudit import ChangeSeverity
from elfaudit.findings.changed_entry_points import changed_entry_points, read_entry_points

OLD = """
; comment
[console_scripts]
tool = a.cli:main
other=a.cli:other [extra]
# comment
[pytest11]
plug = a.plug
"""
NEW = """[console_scripts]
tool = a.main:main
[a.new]
x.y = a.b
no value
"""


def test_they_are_those_that_python_finds(tmp_path: Path) -> None:
    for text in (OLD, NEW.replace("no value\n", ""), ""):
        (tmp_path / "entry_points.txt").write_text(text)
        real = {(e.group, e.name): e.value for e in PathDistribution(tmp_path).entry_points}
        assert read_entry_points(text) == real


def test_a_command_that_is_gone_is_breaking() -> None:
    found = list(changed_entry_points(OLD, NEW))
    assert [(each.severity, each.message) for each in found] == [
        (ChangeSeverity.BREAKING, "does not install the command other any more"),
        (ChangeSeverity.BREAKING, "does not install the entry point plug any more"),
        (ChangeSeverity.HARMLESS, "has 2 new or changed entry points"),
    ]
    assert not list(changed_entry_points(OLD, OLD))
