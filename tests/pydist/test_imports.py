"""Judged by CPython: packages are written to a directory and really imported in another process."""

# ruff: noqa: E501

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elfaudit.pydist import Grade, Presence, ask, audit, inventory, literal

from .files import modules

_CASES: list[tuple[str, dict[str, str], list[str]]] = [
    ("assignment", {"m.py": "a = 1\nb, (c, *d) = 1, (2, 3)\ne: int = 4\nf: int\n"}, list("abcdef")),
    ("definitions", {"m.py": "def a(): pass\nclass b: x = 1\nasync def c(): pass\n"}, list("abcx")),
    ("del", {"m.py": "a = b = 1\ndel a\n"}, ["a", "b"]),
    ("loop", {"m.py": "for a in (1, 2): b = a\nwhile False: c = 1\n"}, ["a", "b", "c"]),
    ("with", {"m.py": "import contextlib\nwith contextlib.nullcontext(1) as a: b = 2\n"},
     ["a", "b", "contextlib"]),
    ("except", {"m.py": "try: 1 / 0\nexcept ZeroDivisionError as a: b = 1\nelse: c = 2\n"}, ["b"]),
    ("walrus", {"m.py": "print(a := 1) if False else (b := 2)\n[c := d for d in (1,)]\n"},
     ["b", "c", "d"]),
    ("walrus in a default", {"m.py": "def f(x=(a := 1)): pass\n"}, ["a", "f", "x"]),
    ("match", {"m.py": "match (1, 2):\n  case (a, *b): pass\n  case {'k': c, **d}: pass\n"},
     ["a", "b"]),
    ("global", {"m.py": "def f():\n  global a\n  a = 1\nf()\n"}, ["a"]),
    ("type checking", {"m.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import os\n"
      "else:\n  import re\n"}, ["os", "re"]),
    ("not type checking", {"m.py": "import typing\nif not typing.TYPE_CHECKING:\n  import os\n"
      "else:\n  import re\n"}, ["os", "re"]),
    ("star", {"m.py": "from n import *\n", "n.py": "a = _b = 1\nimport os\n"}, ["a", "_b", "os"]),
    ("star with __all__", {"m.py": "from n import *\n", "n.py": "__all__ = ['_b']\na = _b = 1\n"},
     ["a", "_b"]),
    ("star with added __all__", {"m.py": "from n import *\n", "n.py":
      "__all__ = ['a']\n__all__ += ['_b']\n__all__.append('_c')\n__all__.extend(('_d',))\n"
      "a = _b = _c = _d = e = 1\n"}, ["a", "_b", "_c", "_d", "e"]),
    ("star of stars", {"m.py": "from n import *\n", "n.py": "from o import *\n", "o.py": "a = 1\n"},
     ["a"]),
    ("stars in a circle", {"m.py": "from n import *\nb = 2\n", "n.py": "a = 1\nfrom m import *\n"},
     ["a", "c"]),
    ("submodules", {"m/__init__.py": "", "m/a.py": "", "m/b/c.py": ""}, ["a", "b", "c"]),
    ("all of modules", {"m.py": "from p import *\n", "p/__init__.py":
      "from . import q\nfrom .q import *\n__all__ = q.__all__ + ['z']\nz = 1\n",
      "p/q.py": "__all__ = ['a']\na = b = 1\n"}, ["a", "b", "z", "q"]),
    ("getattr", {"m.py": "def __getattr__(name):\n  if name == 'a': return 1\n"
      "  if name in ('b', 'c'): return 2\n  raise AttributeError(name)\n"}, ["a", "b", "c", "d"]),
    ("getattr with a table", {"m.py": "T = {'a': 1, 'b': 2}\ndef __getattr__(name):\n"
      "  if name not in T: raise AttributeError(name)\n  return T[name]\n"}, ["a", "b", "c"]),
    ("getattr that refuses", {"m.py": "def __getattr__(name):\n  if name == 'old':\n"
      "    raise AttributeError('gone')\n  raise AttributeError(name)\n"}, ["old", "new"]),
    ("getattr that catches", {"m.py": "T = {'a': 1}\ndef __getattr__(name):\n  try:\n"
      "    return T[name]\n  except KeyError:\n    raise AttributeError(name) from None\n"},
     ["a", "b"]),
    ("getattr over globals", {"m.py": "x = 1\ndef __getattr__(name):\n  if name == 'a':\n    return 1\n"
      "  elif name in globals():\n    return globals()[name]\n  else:\n    raise AttributeError(name)\n"},
     ["a", "b", "x"]),
    ("setattr of a module", {"m.py": "def __setattr__(name, value):\n  if name in globals():\n    globals()[name] = value\n"}, ["a"]),
    ("version", {"m.py": "import sys\nif sys.version_info >= (2,):\n  a = 1\n"}, ["a"]),
    ("package before module", {"m/__init__.py": "a = 1\n", "m.py": "b = 1\n"}, ["a", "b"]),
    ("module before namespace", {"m/x.py": "", "m.py": "b = 1\n"}, ["x", "b"]),
    ("latin-1", {"m.py": "# -*- coding: latin-1 -*-\na = 'x'\n"}, ["a"]),
]  # fmt: skip


def _really(folder: Path, asked: list[tuple[str, str]]) -> list[bool]:
    """Whether CPython imports each name, each in a process of its own state."""
    script = (
        "import importlib, json, sys\n"
        "results = []\n"
        "for module, name in json.load(sys.stdin):\n"
        "    try:\n"
        "        exec(f'from {module} import {name}', {})\n"
        "        results.append(True)\n"
        "    except ImportError:\n"
        "        results.append(False)\n"
        "print(json.dumps(results))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{script}"],
        input=json.dumps(asked), capture_output=True, text=True, check=True,
    )  # fmt: skip
    results: list[bool] = json.loads(done.stdout.splitlines()[-1])
    return results


def _written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(("files", "names"), [case[1:] for case in _CASES],
                         ids=[case[0] for case in _CASES])  # fmt: skip
def test_a_name_is_there_if_cpython_imports_it(
    tmp_path: Path, files: dict[str, str], names: list[str]
) -> None:
    _written(tmp_path, files)
    really = _really(tmp_path, [("m", name) for name in names])
    found = modules(files)
    for name, is_there in zip(names, really, strict=True):
        wanted = Presence.PRESENT if is_there else Presence.ABSENT
        answer = ask(found, "m", name)
        assert answer.status is wanted, (name, answer)


_NAMES = st.sampled_from(["a", "b", "_c", "d", "e"])
_ALL = st.one_of(
    st.just(""), st.builds("__all__ = {!r}".format, st.lists(st.just("x"), max_size=1))
)


def _module(others: list[str]) -> st.SearchStrategy[str]:
    """A module that may import from some others: never in a circle, where all hangs on the order."""
    statements = [
        st.builds("{} = 1".format, _NAMES),
        st.builds("def {}(): pass".format, _NAMES),
        st.builds("for {} in (1,): pass".format, _NAMES),
        st.builds("if True:\n    {} = 2".format, _NAMES),
        st.builds("{0} = 1\ndel {0}".format, _NAMES),
        st.builds("import os as {}".format, _NAMES),
        st.builds("class {}:\n    inner = 1".format, _NAMES),
    ]
    if others:
        statements += [
            st.builds("from .{} import *".format, st.sampled_from(others)),
            st.builds("from . import {}".format, st.sampled_from(others)),
        ]
    return st.builds(
        lambda body, stated: "\n".join(["x = 0", *body, stated]) + "\n",
        st.lists(st.one_of(statements), max_size=5),
        _ALL,
    )


_PACKAGE = st.tuples(_module(["q", "r"]), _module(["r"]), _module([]))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_PACKAGE, min_size=12, max_size=12))
def test_generated_packages_as_cpython_imports_them(
    tmp_path_factory: pytest.TempPathFactory, packages: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("packages")
    files: dict[str, str] = {}
    for number, bodies in enumerate(packages):
        files[f"k{number}/__init__.py"] = ""
        for name, body in zip("pqr", bodies, strict=True):
            files[f"k{number}/{name}.py"] = body
    _written(folder, files)
    asked = [
        (f"k{number}.{module}", name)
        for number in range(len(packages))
        for module in "pqr"
        for name in ("a", "b", "_c", "d", "e", "x", "p", "q", "r", "inner")
    ]
    found = modules(files)
    for (module, name), is_there in zip(asked, _really(folder, asked), strict=True):
        answer = ask(found, module, name)
        wanted = Presence.PRESENT if is_there else Presence.ABSENT
        assert answer.status is wanted, (module, name, files)


def test_audit_names_what_is_missing_and_where_it_lives() -> None:
    found = modules({
        "v/__init__.py": "",
        "v/utils/__init__.py": "def __getattr__(name):\n  if name == 'old': return 1\n"
        "  raise AttributeError(name)\n",
        "v/utils/torch_utils.py": "def supports(): pass\n",
        "v/platforms.py": "from v.utils import supports, old\n"
        "try:\n    from v import _C\nexcept ImportError:\n    pass\n"
        "def late():\n    from v.gone import x\n",
        "v/deep.py": "from ... import x\nfrom .nowhere import y\nimport v.utils.torch_utils\n",
    })  # fmt: skip
    result = audit(found, "v")
    rows = {(each.file, each.line, each.name): each for each in result.findings}
    missing = rows["v/platforms.py", 1, "supports"]
    assert missing.status is Presence.ABSENT
    assert missing.homes == ("v.utils.torch_utils",)
    assert missing.grade is Grade.PLAIN
    assert rows["v/platforms.py", 3, "_C"].grade is Grade.GUARDED
    assert rows["v/platforms.py", 7, None].grade is Grade.DEFERRED
    assert rows["v/deep.py", 1, "x"].reason == "the dots lead above the package"
    assert rows["v/deep.py", 2, None].module == "v.nowhere"
    assert len(rows) == 5
    assert result.imports == 7


def test_a_star_of_a_module_that_a_compiled_one_may_make_is_undecided() -> None:
    """As ``torch.monitor`` is filled from ``torch._C._monitor``, for which there is no file."""
    found = modules({
        "p/__init__.py": "",
        "p/_C.cpython-311-x86_64-linux-gnu.so": b"\x7fELF",
        "p/m.py": "from p._C._sub import *\n",
        "p/n.py": "from p.m import *\n",
        "p/gone.py": "from p.nowhere import *\n",
    })  # fmt: skip
    for module in ("p.m", "p.n"):
        answer = ask(found, module, "thing")
        assert answer.status is Presence.UNDECIDED
        assert "p.m imports * from p._C._sub: p._C may make it: it is compiled" in answer.reason
    assert ask(found, "p.gone", "thing").status is Presence.ABSENT


def test_tests_excuse_no_module_but_tests() -> None:
    """What a test computes is for tests: pandas has one that puts any name into sys.modules."""
    computed = "import sys\ndef test(name):\n    sys.modules[f'{name}.x'] = 1\n"
    files = {"p/__init__.py": "", "p/a.py": "x = 1\n", "p/tests/__init__.py": "",
             "p/tests/test_b.py": computed, "p/tests/c.py": ""}  # fmt: skip
    found = modules(files)
    assert ask(found, "p.a", "gone").status is Presence.ABSENT
    assert ask(found, "p.tests.c", "gone").status is Presence.UNDECIDED
    for other in ("p/made.py", "p/test/__init__.py"):  # as django.test, which is no test
        found = modules({**files, other: computed})
        assert ask(found, "p.a", "gone").status is Presence.UNDECIDED
    found = modules({"test_p/__init__.py": computed, "test_p/a.py": ""})
    assert ask(found, "test_p.a", "gone").status is Presence.UNDECIDED


def test_homes_have_the_name_that_is_wanted() -> None:
    found = modules({
        "p/__init__.py": "", "p/new/__init__.py": "", "p/new/registry.py": "y = 1\n",
        "p/other.py": "class B: pass\n", "p/a.py": "three = 3\ndel three\n",
    })  # fmt: skip
    assert ask(found, "p.old.registry", "B").homes == ()
    assert ask(found, "p.old.registry", "y").homes == ("p.new.registry",)
    assert ask(found, "p.old.registry", None).homes == ("p.new.registry",)
    assert ask(found, "p.old.registry", "nowhere").homes == ()
    assert ask(found, "p.a", "three").homes == ()


def test_what_is_compiled_or_computed_is_undecided() -> None:
    found = modules({
        "p/__init__.py": "",
        "p/_C.cpython-311-x86_64-linux-gnu.so": b"\x7fELF",
        "p/made.py": "globals().update(dict(zip('xy', 'ab')))\n",
        "p/lazy.py": "import p._C\ndef __getattr__(name): return getattr(p._C, name)\n",
        "p/broken.py": "def (\n",
        "p/nul.py": b"a = 1\0",
        "p/cookie.py": b"# coding: no-such-thing\na = 1\n",
    })  # fmt: skip
    for module in ("p._C", "p.made", "p.lazy", "p.broken", "p.nul", "p.cookie"):
        assert ask(found, module, "x").status is Presence.UNDECIDED, module
        parsed = module in ("p._C", "p.made", "p.lazy")
        assert (ask(found, module, None).status is Presence.PRESENT) is parsed, module
    assert ask(found, "p._C.inner", "x").status is Presence.UNDECIDED
    assert ask(found, "p.nothing", "x").status is Presence.ABSENT


@pytest.mark.parametrize("text", [
    "x = " + "(" * 10_000 + ")" * 10_000, "x = " + "-" * 100_000 + "1", "x = " + "not " * 50_000 + "1",
    "x = " + "[" * 5_000 + "]" * 5_000, "if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 95)),
    "x = " + "a." * 100_000 + "b", "x = " + "1+" * 100_000 + "1", "x = " + "f(" * 10_000,
    "x = a" + "[0]" * 50_000, "x = " + "lambda: " * 20_000 + "1", "x = " + "await " * 9_000 + "y",
    "x = " + "1 if 1 else " * 30_000 + "1", "x = a" + "()" * 60_000, "*" * 100_000, "x = a" + "**a" * 50_000,
    "@a\n" * 20_000 + "def f(): pass", "x" + " = x" * 50_000, "\t" * 200 + "x = 1", "a" * (9 << 20),
])  # fmt: skip
def test_hostile_text_ends_in_facts_in_another_process(text: str) -> None:
    """In a process of its own: a parser that runs out of stack would take this one along."""
    script = (
        "import sys; from elfaudit.pydist.reading import read_surface\n"
        "print(type(read_surface(sys.stdin.buffer.read())).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=text.encode(), capture_output=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.stdout.decode().strip() == "Surface", (done.returncode, done.stderr[-300:])


def test_a_number_with_too_many_digits_is_not_told() -> None:
    found = modules(
        {"m.py": "y = 0x" + "f" * 20_000 + "\nx = f'{y}'\nz = [y, 0x" + "f" * 20_000 + "]\n"}
    )
    for name in "xyz":
        assert literal(found, "m", name).status is Presence.UNDECIDED


def test_literals() -> None:
    found = modules({
        "torch/__init__.py": "",
        "torch/version.py": "from typing import Optional\n__all__ = ['a']\n__version__ = '2.9' + '.1'\n"
        "cuda: Optional[str] = None\nhip: Optional[str] = '7.1'\nmany = [1, (2, 3)]\n"
        "base = '2'\nfull = f'{base}.9'\nwhen = 1\nif base: when = 2\n"
        "import os\nwhere = os.getcwd()\nneg = -1\n",
    })  # fmt: skip

    def value(name: str) -> object:
        result = literal(found, "torch.version", name)
        return result.value if result.status is Presence.PRESENT else result.status

    assert value("cuda") is None
    assert value("hip") == "7.1"
    assert value("__version__") == "2.9.1"
    assert value("many") == [1, (2, 3)]
    assert value("full") == "2.9"
    assert value("neg") == -1
    assert value("when") is Presence.UNDECIDED
    assert value("where") is Presence.UNDECIDED
    assert value("nothing") is Presence.ABSENT


def test_inventory_follows_stars() -> None:
    found = modules({"m.py": "from n import *\na = _b = 1\nimport os\n", "n.py": "c = 1\n"})
    assert inventory(found, "m").names == {"a", "os", "c"}
    assert inventory(found, "m").complete
    assert not inventory(modules({"m.py": "from gone import *\n"}), "m").complete


def test_an_inventory_says_when_it_is_not_all() -> None:
    for text in ("a = 1\nif x: del a\n", "import sys\nsys.modules[__name__] = object()\n"):
        found = inventory(modules({"m.py": text}), "m")
        assert "a" not in found.names
        assert not found.complete
    assert not inventory(
        modules({"m.py": "from n import *\n", "n.py": "__all__ = f()\n"}), "m"
    ).complete
    deleted = modules({"m.py": "a = 1\nif x: del a\n"})
    assert literal(deleted, "m", "a").status is Presence.UNDECIDED
