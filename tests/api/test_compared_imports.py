"""Modules that can be imported no more, for what others do: CPython is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit import ChangeSeverity, Difference

from .test_compared_modules import difference, importable, told

INFO = {"p-1.dist-info/METADATA": "Name: p\nVersion: 1\n"}
FOO, BAR = "def foo(): pass\n", "def bar(): pass\n"
BROKEN = "modules broken", "breaking"


def reasons(found: Difference) -> dict[str, str]:
    """Why each module can be imported no more."""
    return {
        item.name: item.new or ""
        for change in found.changes
        if (change.aspect.value, change.severity.name.lower()) == BROKEN
        for item in change.items
    }


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            {"p/__init__.py": "from ._core import foo\n", "p/_core.py": FOO},
            {"p/__init__.py": "from ._core import foo\n", "p/_core.py": BAR},
            "p/__init__.py:1: p._core has no foo",
        ),
        (
            {"p/__init__.py": "from ._core import foo\n", "p/_core.py": FOO},
            {"p/__init__.py": "from ._core import foo\n"},
            "p/__init__.py:1: there is no module p._core",
        ),
        (
            {"p/__init__.py": "x = 1\n"},
            {"p/__init__.py": "x = 1\nraise RuntimeError\n"},
            "p/__init__.py:2: the module always raises an exception there",
        ),
        (
            {"p/__init__.py": "x = 1\n"},
            {"p/__init__.py": "from .nope import y\nx = 1\n"},
            "p/__init__.py:1: there is no module p.nope",
        ),
        (
            {"p/__init__.py": "from ._a import foo\n", "p/_a.py": "from ._b import *\n",
             "p/_b.py": FOO},
            {"p/__init__.py": "from ._a import foo\n", "p/_a.py": "from ._b import *\n",
             "p/_b.py": BAR},
            "p/__init__.py:1: p._a has no foo",
        ),
    ],
)  # fmt: skip
def test_a_package_that_can_be_imported_no_more(
    tmp_path: Path, old: dict[str, str], new: dict[str, str], reason: str
) -> None:
    found = difference(tmp_path, {**INFO, **old}, {**INFO, **new})
    assert importable(tmp_path / "old", ["p"]) == {"p": True}
    assert importable(tmp_path / "new", ["p"]) == {"p": False}
    assert reasons(found) == {"p": reason}
    assert ("names gained", "harmless") not in told(found.changes)


def test_one_cause_is_told_once(tmp_path: Path) -> None:
    old = {
        "p/__init__.py": "", "p/a.py": FOO, "p/b.py": "from .a import foo\n",
        "p/c.py": "from . import b\n", "p/d/__init__.py": "from .. import c\n", "p/d/e.py": "",
        "p/fine.py": "def f():\n    from . import b\n", "p/_private.py": "import p.b\n",
    }  # fmt: skip
    found = difference(tmp_path, old, {**old, "p/a.py": BAR})
    names = ["p", "p.a", "p.b", "p.c", "p.d", "p.d.e", "p.fine"]
    assert all(importable(tmp_path / "old", names).values())
    works = importable(tmp_path / "new", names)
    assert [name for name in names if not works[name]] == ["p.b", "p.c", "p.d", "p.d.e"]
    assert reasons(found) == {"p.b": "p/b.py:1: p.a has no foo; nor can 3 other modules"}
    assert told(found.changes)["names lost", "breaking"] == ["p.a.foo"]


def test_the_module_that_the_cause_is_in_is_told_before_others(tmp_path: Path) -> None:
    old = {
        "p/__init__.py": "", "p/a.py": "import p.z\n", "p/_x.py": FOO,
        "p/z.py": "from ._x import foo\n",
    }  # fmt: skip
    found = difference(tmp_path, old, {**old, "p/_x.py": BAR})
    assert importable(tmp_path / "new", ["p.a", "p.z"]) == {"p.a": False, "p.z": False}
    assert reasons(found) == {"p.z": "p/z.py:1: p._x has no foo; nor can 1 other module"}


def test_what_is_missing_is_told_once_whoever_imports_it(tmp_path: Path) -> None:
    old = {"p/__init__.py": "", "p/_x.py": FOO}
    old |= {f"p/{name}.py": "from ._x import foo\n" for name in "abc"}
    raising = {f"p/{name}.py": "\nraise RuntimeError\n" for name in "de"}
    old |= dict.fromkeys(raising, "")
    found = difference(tmp_path, old, {**old, **raising, "p/_x.py": BAR})
    names = [f"p.{name}" for name in "abcde"]
    assert not any(importable(tmp_path / "new", names).values())
    always = "the module always raises an exception there"
    assert reasons(found) == {
        "p.a": "p/a.py:1: p._x has no foo; nor can 2 other modules",
        "p.d": f"p/d.py:2: {always}",
        "p.e": f"p/e.py:2: {always}",
    }


def test_what_could_not_be_imported_before_is_no_loss(tmp_path: Path) -> None:
    old = {"p/__init__.py": "", "p/a.py": "from .nope import x\n", "p/b.py": "from . import a\n"}
    new = {**old, "p/a.py": "y = 1\nfrom .nope import x\n"}
    found = difference(tmp_path, old, new)
    assert importable(tmp_path / "old", ["p.a", "p.b"]) == {"p.a": False, "p.b": False}
    assert importable(tmp_path / "new", ["p.a", "p.b"]) == {"p.a": False, "p.b": False}
    assert found.changes == ()


def test_a_new_module_that_is_refused_is_worth_a_word(tmp_path: Path) -> None:
    old = {"p/__init__.py": ""}
    found = difference(tmp_path, old, {**old, "p/a.py": "from .nope import x\n"})
    assert importable(tmp_path / "new", ["p.a"]) == {"p.a": False}
    assert told(found.changes)["modules broken", "notable"] == ["p.a"]
    assert found.severity is ChangeSeverity.NOTABLE


def test_a_new_module_of_a_package_that_is_refused_is_not_told_again(tmp_path: Path) -> None:
    new = {"p/__init__.py": "from .nope import x\n", "p/a.py": ""}
    found = difference(tmp_path, {"p/__init__.py": ""}, new)
    assert importable(tmp_path / "new", ["p", "p.a"]) == {"p": False, "p.a": False}
    assert list(reasons(found)) == ["p"]
    assert ("modules broken", "notable") not in told(found.changes)


@pytest.mark.parametrize("name", ["p/__main__.py", "bin/tool.py"])
def test_a_program_ends_with_an_exception(tmp_path: Path, name: str) -> None:
    """Nobody imports it; ``raise SystemExit`` is how it says that all went well."""
    old = {"p/__init__.py": "", name: "import sys\nsys.exit(0)\n"}
    new = {**old, name: "raise SystemExit(0)\n"}
    assert reasons(difference(tmp_path, old, new)) == {}


def test_the_inside_of_a_package_is_not_judged_as_if_it_were_all(tmp_path: Path) -> None:
    old = {"p/__init__.py": "", "p/b.py": "", "p/a.py": "", "p/json/__init__.py": ""}
    new = {
        **old, "p/a.py": "from . import b\n",
        "p/json/__init__.py": "from .. import b\nimport json.decoder\n",
    }  # fmt: skip
    difference(tmp_path, old, new)
    assert importable(tmp_path / "new", ["p.a", "p.json"]) == {"p.a": True, "p.json": True}
    assert reasons(difference(tmp_path, {}, {}, "p")) == {}
    lost = {"p/json/__init__.py": "from .gone import x\n"}
    assert list(reasons(difference(tmp_path, {}, lost, "p"))) == ["json"]


def test_names_that_star_imports_bring_no_more(tmp_path: Path) -> None:
    old = {
        "p/__init__.py": "from .api import *\n", "p/api.py": "from ._core import *\n",
        "p/_core.py": FOO + BAR,
    }  # fmt: skip
    found = told(difference(tmp_path, old, {**old, "p/_core.py": BAR}).changes)
    assert importable(tmp_path / "old", ["p.foo", "p.api.foo"]) == {
        "p.foo": True,
        "p.api.foo": True,
    }
    assert importable(tmp_path / "new", ["p.foo", "p.api.foo", "p.bar"]) == {
        "p.foo": False, "p.api.foo": False, "p.bar": True,
    }  # fmt: skip
    assert found["names lost", "breaking"] == ["p.foo"]
    assert found["names lost", "notable"] == ["p.api.foo"]
    assert found["names lost", "harmless"] == ["p._core.foo"]


@pytest.mark.parametrize(
    "imports",
    [
        "from collections import OrderedDict\nimport sys\n",
        "import sys\nfrom collections import OrderedDict\n",
    ],
)
def test_what_a_star_import_merely_passes_on_is_no_api(tmp_path: Path, imports: str) -> None:
    """In whatever order the module imports it."""
    old = {"p/__init__.py": "from .m import *\n", "p/m.py": f"{imports}{FOO}"}
    found = told(difference(tmp_path, old, {**old, "p/m.py": f"import sys\n{FOO}"}).changes)
    assert found == {("names lost", "harmless"): ["p.OrderedDict", "p.m.OrderedDict"]}
