"""What modules of two builds lost: CPython is asked what can be imported from either."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import elfaudit
from elfaudit import Aspect, BuildChange, ChangeSeverity, Difference

BREAKING, NOTABLE, HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)
_IMPORTS = """
import importlib, json, sys
found = {}
for line in json.load(sys.stdin):
    module, _, name = line.rpartition(".")
    try:
        found[line] = bool(importlib.import_module(line))
    except Exception:
        try:
            exec(f"from {module} import {name}", {})
            found[line] = True
        except Exception:
            found[line] = False
print(json.dumps(found))
"""


def write(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def difference(
    tmp_path: Path, old: dict[str, str], new: dict[str, str], inside: str = ""
) -> Difference:
    """The difference of two directories, or of what is ``inside`` both."""
    before, after = write(tmp_path / "old", old), write(tmp_path / "new", new)
    return elfaudit.diff(str(before / inside), str(after / inside))


def importable(folder: Path, names: list[str]) -> dict[str, bool]:
    """Whether each module, or name of one, can be imported, as CPython has it."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS], input=json.dumps(names), cwd=folder, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, bool] = json.loads(done.stdout)
    return found


def told(changes: tuple[BuildChange, ...]) -> dict[tuple[str, str], list[str]]:
    return {
        (each.aspect.value, each.severity.name.lower()): [item.name for item in each.items]
        for each in changes
    }


def test_names_and_modules_that_are_lost(tmp_path: Path) -> None:
    same = {"p/__init__.py": "from .a import x\n", "p/same.py": "z = 1\n"}
    made = "import os\nglobals().update({}os.environ)\n"
    old = {**same, "p/a.py": "x = y = 1\n", "p/gone.py": "", "p/made.py": made.format("")}
    new = {**same, "p/a.py": "x = w = 1\n", "p/come.py": "", "p/made.py": made.format("**")}
    found = difference(tmp_path, old, new)
    assert told(found.changes) == {
        ("modules lost", "breaking"): ["p.gone"],
        ("names lost", "breaking"): ["p.a.y"],
        ("modules gained", "harmless"): ["p.come"],
        ("names gained", "harmless"): ["p.a.w"],
    }
    assert found.severity is BREAKING
    lost = ["p.gone", "p.a.y"]
    assert set(importable(tmp_path / "old", lost).values()) == {True}
    assert set(importable(tmp_path / "new", lost).values()) == {False}


OLD = {
    "p/__init__.py": "import os\nfrom typing import List\nfrom .a import shown, Kept\n"
    "from . import b\n__version__ = '1'\n",
    "p/a.py": "from __future__ import annotations\nimport re, sys\nfrom .b import passed\n"
    "shown = 1\nclass Kept: pass\ndef own(): pass\n",
    "p/b.py": "passed = 1\n",
    "p/_private.py": "def helper(): pass\n",
    "p/stated.py": "from json import dumps\n__all__ = ['dumps', 'f']\n"
    "def f(): pass\ndef g(): pass\n",
    "p/sub.py": "def c(): pass\nkept = 1\n",
    "p/star.py": "from .b import *\n",
    "p/any.py": "def c(): pass\n",
    "p/tests/__init__.py": "",
    "p/tests/test_a.py": "def test_x(): pass\n",
}
NEW = {
    "p/__init__.py": "from .a import Kept\nfrom . import b\n",
    "p/a.py": "class Kept: pass\n",
    "p/b.py": "other = 1\n",
    "p/_private.py": "",
    "p/stated.py": "__all__ = []\n",
    "p/sub/__init__.py": "kept = 1\n",
    "p/sub/c.py": "",
    "p/star.py": "from .b import *\n# changed\n",
    "p/any.py": "def __getattr__(name): return name\n",
}


def test_what_was_merely_imported_or_is_private_is_no_api(tmp_path: Path) -> None:
    found = told(difference(tmp_path, OLD, NEW).changes)
    assert found["names lost", "breaking"] == [
        "p.shown", "p.a.own", "p.a.shown", "p.b.passed", "p.stated.dumps", "p.stated.f",
    ]  # fmt: skip
    assert found["names lost", "notable"] == ["p.a.passed", "p.star.passed"]
    assert found["names lost", "harmless"] == [
        "p.List", "p.os", "p._private.helper", "p.a.annotations", "p.a.re", "p.a.sys", "p.stated.g",
    ]  # fmt: skip
    assert found["names undecided", "notable"] == ["p.any.c"]
    assert found["modules lost", "harmless"] == ["p.tests", "p.tests.test_a"]
    assert ("modules lost", "breaking") not in found
    lost = [*found["names lost", "breaking"], *found["names lost", "notable"]]
    assert set(importable(tmp_path / "old", lost).values()) == {True}
    assert set(importable(tmp_path / "new", lost).values()) == {False}
    assert importable(tmp_path / "new", ["p.sub.c", "p.any.c"]) == {
        "p.sub.c": True,
        "p.any.c": True,
    }


@pytest.mark.parametrize(
    "text", ["def a(: pass\n", "x = 1\0\n", "# coding: utf-8\nx = '\udcff'\n", "(" * 10_000]
)
def test_a_module_that_cannot_be_imported_any_more(tmp_path: Path, text: str) -> None:
    old = write(tmp_path / "old", {"p/__init__.py": "", "p/a.py": "x = 1\n"})
    new = write(tmp_path / "new", {"p/__init__.py": "", "p/a.py": ""})
    (new / "p/a.py").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert not importable(new, ["p.a"])["p.a"]
    found = elfaudit.diff(str(old), str(new))
    (change,) = found.changes
    assert (change.aspect, change.severity) == (Aspect.MODULES_BROKEN, BREAKING)
    assert [item.name for item in change.items] == ["p.a"]
    assert change.items[0].new
    back = elfaudit.diff(str(new), str(old))
    assert [(c.aspect, c.severity) for c in back.changes] == [(Aspect.MODULES_BROKEN, NOTABLE)]


def test_a_new_module_that_does_not_parse_is_worth_a_word(tmp_path: Path) -> None:
    files = {"p/__init__.py": ""}
    found = difference(tmp_path, files, {**files, "p/bad.py": "def"})
    assert told(found.changes)["modules broken", "notable"] == ["p.bad"]


def test_what_is_for_a_newer_python_is_not_judged_by_this_one(tmp_path: Path) -> None:
    """The syntax may be sound there."""
    metadata = {"p-1.dist-info/METADATA": "Name: p\nVersion: 1\nRequires-Python: >=3.99\n"}
    files = {"p/__init__.py": "", **metadata}
    found = difference(tmp_path, files, {**files, "p/__init__.py": "new syntax\n"})
    assert told(found.changes) == {("modules broken", "notable"): ["p"]}


def test_a_package_of_which_a_directory_is_left_is_still_found(tmp_path: Path) -> None:
    old = {"p/__init__.py": "", "p/doc/__init__.py": "x = 1\n", "p/doc/a.txt": ""}
    new = {"p/__init__.py": "", "p/doc/a.txt": ""}
    found = difference(tmp_path, old, new)
    assert told(found.changes) == {("names lost", "breaking"): ["p.doc.x"]}
    assert importable(tmp_path / "new", ["p.doc", "p.doc.x"]) == {"p.doc": True, "p.doc.x": False}


def test_what_import_star_does_not_bring_any_more(tmp_path: Path) -> None:
    old = {"p.py": "__all__ = ['a', 'b']\na = b = 1\n"}
    found = difference(tmp_path, old, {"p.py": "__all__ = ['a']\na = b = 1\n"})
    (change,) = found.changes
    assert change.severity is NOTABLE
    assert change.message == "has 1 name in __all__ no more, which import * brought"
    assert [item.name for item in change.items] == ["p.b"]


def test_names_of_a_module_that_computes_some_are_told(tmp_path: Path) -> None:
    more = "def f(o, n): setattr(o, n, 1)\n"
    found = difference(tmp_path, {"p.py": f"LOST = 1\n{more}"}, {"p.py": more})
    lost = [change for change in found.changes for item in change.items if item.name == "p.LOST"]
    assert [change.severity for change in lost] in ([NOTABLE], [BREAKING])
    assert importable(tmp_path / "old", ["p.LOST"])["p.LOST"]
    assert not importable(tmp_path / "new", ["p.LOST"])["p.LOST"]


def test_a_tool_in_a_directory_is_no_module_that_all_import(tmp_path: Path) -> None:
    found = difference(tmp_path, {"bin/tool.py": "", "a.txt": ""}, {"a.txt": ""})
    assert told(found.changes) == {("modules lost", "notable"): ["bin.tool"]}
    assert found.severity is NOTABLE
