"""The check `imports`: its messages, and what to do next."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import elfaudit
from elfaudit import CheckStatus, Judgement

FILES = {
    "p/__init__.py": "",
    "p/utils/__init__.py": "",
    "p/utils/torch.py": "def supports(): pass\n",
    "p/platforms/__init__.py": "from p.utils import supports\n"
    "def __getattr__(name):\n    if name == 'current':\n        return 1\n"
    "    raise AttributeError(name)\n",
    "p/platforms/rocm.py": "class Rocm: pass\n",
    "p/good.py": "from p.utils.torch import supports\n",
}
Ask = Callable[[str], Judgement]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    for name, text in FILES.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def judged(toml: str) -> Judgement:
        path = tmp_path / "list.toml"
        path.write_text(f"name = 'x'\n[[check]]\nkind = 'imports'\n{toml}\n")
        (only,) = elfaudit.verify([str(tmp_path / "site")], str(path))[0].judgements
        return only

    return judged


def test_a_name_that_is_there_in_a_module_that_fails_does_not_work(ask: Ask) -> None:
    told = "p/platforms/__init__.py:1: p.utils has no supports; it is in p.utils.torch"
    found = ask("names = ['from p.platforms import current']")
    assert found.status is CheckStatus.FAIL
    assert found.message == f"p.platforms.current cannot be imported: {told}"
    assert found.advice.startswith("see whether all files are of one version: elfaudit verify ")
    inner = ask("names = ['from p.platforms.rocm import Rocm', 'import p.platforms']")
    assert inner.message == f"p.platforms.rocm.Rocm, p.platforms cannot be imported: {told}"
    module = ask("names = ['from p.platforms import rocm']")
    assert module.status is CheckStatus.FAIL
    assert ask("names = ['from p.good import supports']").status is CheckStatus.PASS


def test_what_to_do_next(ask: Ask) -> None:
    moved = ask("names = ['from p.utils import supports']")
    assert moved.message == "p.utils has no supports; it is in p.utils.torch"
    assert moved.advice == "import it from there: from p.utils.torch import supports"
    assert ask("names = ['import nothing']").advice == "install what has the package nothing"
    whole = ask("all = true\npackage = 'p'")
    assert whole.status is CheckStatus.FAIL
    assert whole.advice.startswith("see whether all files are of one version: ")


def test_an_absent_name_of_a_module_that_is_not_there(ask: Ask) -> None:
    found = ask("absent = ['from p.nothing import x']")
    assert found.status is CheckStatus.PASS
    assert found.message == "there is no module p.nothing"


@pytest.mark.parametrize(("toml", "message"), [
    ("names = ['from .x import y']",
     "check[0].names[0]: 'from .x import y' is relative: write the package in full"),
    ("names = ['x = 1']", "check[0].names[0]: 'x = 1' is no import statement"),
    ("all = true\npackage = 'p'\nnames = ['import p']",
     "check[0]: says all = true and names or absent: make two checks of it"),
])  # fmt: skip
def test_what_cannot_be_asked(ask: Ask, toml: str, message: str) -> None:
    found = ask(toml)
    assert found.status is CheckStatus.ERROR
    assert found.message == message


def test_undecided_imports_are_not_said_to_be_there(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "site/p/platforms/__init__.py").write_text("")
    (tmp_path / "site/p/_C.abi3.so").write_bytes(b"")
    (tmp_path / "site/p/uses.py").write_text("from p._C import x\n")
    found = ask("all = true\npackage = 'p'")
    assert found.status is CheckStatus.PASS
    assert found.message == ("2 imports of 7 modules of p: none is missing, 1 cannot be decided")
    (tmp_path / "site/p/broken.py").write_text("def (\n")
    told = ask("all = true\npackage = 'p'")
    assert told.status is CheckStatus.PASS
    assert told.message.endswith("1 cannot be decided; 1 file cannot be looked into")
    (tmp_path / "site/p/uses.py").write_text("from p.broken import x\n")
    found = ask("all = true\npackage = 'p'")
    assert found.status is CheckStatus.UNDECIDED
    assert found.message.startswith("p/uses.py:1: whether p.broken.x is there: p.broken: does not")


def test_a_directory_without_access_is_not_one_without_modules(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def refusing(path: str) -> object:
        if str(path).rstrip("/").endswith("p/utils"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    for toml in ("all = true\npackage = 'p'", "names = ['from p.utils.torch import supports']"):
        found = ask(toml)
        assert found.status is CheckStatus.UNDECIDED
        assert "cannot be listed: Permission denied: " in found.message


def test_what_imports_a_module_that_does_not_parse(ask: Ask, tmp_path: Path) -> None:
    """``python -c`` ends in a SyntaxError; a newer Python might not."""
    files = {
        "__init__.py": "",
        "b.py": "def (:\n",
        "c.py": "from foo.b import q\n",
        "d.py": "x = 1\n",
    }
    (tmp_path / "site" / "foo").mkdir()
    for name, text in files.items():
        (tmp_path / "site" / "foo" / name).write_text(text)
    for statement in ("from foo.c import q", "import foo.c", "import foo.b", "from foo import b"):
        assert ask(f"names = ['{statement}']").status is CheckStatus.UNDECIDED, statement
    assert ask("names = ['import foo.d']").status is CheckStatus.PASS


def test_one_statement_of_many_names_is_told_once(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "site/p/many.py").write_text("from p.gone import a, b, c, d, e, f\n")
    found = ask("package = 'p'\nall = true")
    assert found.message.count("p/many.py:1: ") == 1
