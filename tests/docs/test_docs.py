"""The documentation says what the program does."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from pathlib import Path
from types import ModuleType

import pytest

import elfaudit

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_generated_is_up_to_date(generate: ModuleType) -> None:
    """Every ``$ command`` of the README is run and its output compared; so is the help."""
    assert [path.name for path in generate.stale()] == []


def test_the_readme_shows_commands_that_find_what_it_says() -> None:
    text = (ROOT / "README.md").read_text()
    assert "torch/lib/libtorch_hip.so: undefined symbol: rsmi_init" in text
    assert "command not found" not in text
    assert "Traceback" not in text
    assert str(ROOT) not in text


def test_the_python_example(monkeypatch: pytest.MonkeyPatch) -> None:
    match = re.search(
        r"^```python\n(.*?)^```\n\n```text\n(.*?)^```",
        (ROOT / "README.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert match is not None
    monkeypatch.chdir(ROOT)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(match[1], "README.md", "exec"), {})
    assert output.getvalue() == match[2]


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))], ids=lambda path: path.name
)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_every_public_name_is_documented() -> None:
    for name in elfaudit.__all__:
        thing = getattr(elfaudit, name)
        assert not callable(thing) or (thing.__doc__ or "").strip(), name


def test_commands_name_no_place_of_this_machine() -> None:
    assert str(ROOT) not in (ROOT / "docs/cli.md").read_text()
