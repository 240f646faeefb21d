"""Which modules packages have, and what they do to each other, judged by CPython."""

# ruff: noqa: E501 - cases are read best as one line each

from __future__ import annotations

import platform
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from pathlib import Path

import pytest

from elfaudit.pydist import Modules, Presence, ask

from .cpython import judged
from .files import MemoryFiles, modules

_CASES: list[tuple[str, dict[str, str | bytes], str]] = [
    ('package vs py', {'p/__init__.py': 'a=1\n', 'p.py': 'b=1\n'}, 'present: p:a; absent: p:b'),
    ('namespace dir vs py', {'p/x.py': 'a=1\n', 'p.py': 'b=1\n'}, 'present: p:b; absent: p.x p.x:a'),
    ('pyi only', {'p/__init__.pyi': 'a:int\n', 'p/b.py': 'c=1\n'}, 'present: p.b:c p; absent: p:a'),
    ('pyi beside', {'p/__init__.py': '', 'p/m.pyi': 'a:int\n'}, 'absent: p:m p.m'),
    ('pycache only', {'p/__init__.py': '', 'p/__pycache__/m.cpython-311.pyc': b'xx'}, 'present: p:__pycache__ p.__pycache__; absent: p.m p:m'),
    ('ns across roots', {'r1/ns/a.py': 'x=1\n', 'r2/ns/b.py': 'y=1\n'}, 'present: ns.a ns.b ns:a ns:b ns; absent: ns:c'),
    ('ns and reg in root2', {'r1/ns/a.py': 'x=1\n', 'r2/ns/__init__.py': '', 'r2/ns/b.py': 'y=1\n'}, 'present: ns.b; absent: ns.a'),
    ('reg in root1, ns in root2', {'r2/ns/a.py': 'x=1\n', 'r1/ns/__init__.py': '', 'r1/ns/b.py': 'y=1\n'}, 'present: ns.b; absent: ns.a'),
    ('pkgutil-style', {'r1/ns/__init__.py': "__path__=__import__('pkgutil').extend_path(__path__,__name__)\n", 'r1/ns/a.py': '', 'r2/ns/__init__.py': "__path__=__import__('pkgutil').extend_path(__path__,__name__)\n", 'r2/ns/b.py': ''}, 'present: ns.a ns.b ns:b'),
    ('__path__ append', {'p/__init__.py': "import os\n__path__.append(os.path.join(os.path.dirname(__file__),'vendored'))\n", 'p/vendored/q.py': 'z=1\n'}, 'undecided: p.q p:q p.q:z'),
    ('__path__ assign', {'p/__init__.py': "import os\n__path__=[os.path.join(os.path.dirname(__file__),'vendored')]\n", 'p/vendored/q.py': 'z=1\n', 'p/old.py': ''}, 'undecided: p.q p:q p.q:z'),
    ('__path__ in module makes package', {'m.py': "import os\n__path__=[os.path.join(os.path.dirname(__file__),'sub')]\n", 'sub/q.py': 'z=1\n'}, 'undecided: m.q'),
    ('sys.path insert', {'p/__init__.py': 'import sys,os\nsys.path.insert(0,os.path.dirname(__file__))\nfrom q import z\n', 'p/q.py': 'z=1\n'}, 'present: p:z; absent: q'),
    ('sys.modules alias submodule', {'p/__init__.py': "import sys\nfrom . import real\nsys.modules['p.alias']=real\n", 'p/real.py': 'z=1\n'}, 'present: p.alias p:alias; undecided: p.alias:z'),
    ('sys.modules alias by other module', {'p/__init__.py': 'from . import compat\n', 'p/compat.py': "import sys\nfrom . import real\nsys.modules['p.alias']=real\n", 'p/real.py': 'z=1\n'}, 'undecided: p.alias p.alias:z p:alias'),
    ('sys.modules alias by fstring in sub', {'p/__init__.py': 'from . import compat\n', 'p/compat.py': "import sys\nfrom . import real\nsys.modules[__package__+'.alias']=real\n", 'p/real.py': 'z=1\n'}, 'undecided: p.alias:z'),
    ('meta_path vendored (six.moves)', {'p/__init__.py': '', 'p/six.py': "import sys,types\nclass _M(types.ModuleType): \n  __path__=[]\n  y=1\nmoves=_M(__name__+'.moves')\nsys.modules[__name__+'.moves']=moves\n"}, 'present: p.six.moves p.six:moves; undecided: p.six.moves:y'),
    ('submodule attr set in other module', {'p/__init__.py': 'from . import b\n', 'p/a.py': '', 'p/b.py': 'from . import a\na.x=1\n'}, 'undecided: p.a:x'),
    ('pkg attr set by submodule', {'p/__init__.py': 'from . import b\n', 'p/b.py': 'import p\np.x=1\n'}, 'undecided: p:x'),
    ('pkg setattr by submodule', {'p/__init__.py': 'from . import b\n', 'p/b.py': 'import sys\nsetattr(sys.modules["p"],"x",1)\n'}, 'absent: p.b:x; undecided: p:x'),
    ('name shadow sub', {'p/__init__.py': 'from .sub import sub\n', 'p/sub.py': 'def sub(): pass\n'}, 'present: p:sub p.sub:sub'),
    ('del submodule', {'p/__init__.py': 'from . import sub\ndel sub\n', 'p/sub.py': ''}, 'present: p:sub'),
    ('__main__ sub', {'p/__init__.py': '', 'p/__main__.py': 'x=1\n'}, 'present: p.__main__:x p:__main__'),
    ('dir not identifier', {'p/__init__.py': '', 'p/a-b/__init__.py': '', 'p/1x.py': ''}, 'present: p'),
    ('unicode modname', {'p/__init__.py': '', 'p/ä.py': 'x=1\n'}, 'present: p.ä:x p:ä'),
    ('unicode NFD filename', {'p/__init__.py': '', 'p/ä.py': 'x=1\n'}, 'absent: p.ä:x p:ä'),
    ('keyword mod', {'p/__init__.py': '', 'p/class.py': 'x=1\n'}, 'present: p'),
    ('empty dir ns', {'p/__init__.py': '', 'p/data/x.txt': 'x'}, 'present: p.data p:data; absent: p:nodata'),
    ('dir with dots', {'p/__init__.py': '', 'p/a.b/c.py': ''}, 'absent: p.a'),
    ('PY upper', {'p/__init__.py': '', 'p/m.PY': 'x=1'}, 'absent: p.m p:m'),
    ('circular ok', {'p/__init__.py': '', 'p/a.py': 'x=1\nfrom p.b import y\n', 'p/b.py': 'from p.a import x\ny=1\n'}, 'present: p.a:x'),
    ('import_module alias', {'p/__init__.py': 'import importlib\nfor n in ["a"]:\n  importlib.import_module("p."+n)\n', 'p/a.py': ''}, 'present: p:a'),
    ('class instance in sys.modules [HF _LazyModule]', {'p/__init__.py': 'import sys\nfrom typing import TYPE_CHECKING\n_s={"a":["X"]}\nif TYPE_CHECKING:\n  from .a import X\nelse:\n  from .lz import L\n  sys.modules[__name__]=L(__name__,_s)\n', 'p/a.py': 'X=1\n', 'p/lz.py': 'import types,importlib\nclass L(types.ModuleType):\n  def __init__(s,n,st):\n    super().__init__(n); s.__path__=__import__("sys").modules[n].__path__; s.s={v:k for k,vs in st.items() for v in vs}\n  def __getattr__(s,n):\n    if n in s.s: return getattr(importlib.import_module("."+s.s[n],"p"),n)\n    raise AttributeError(n)\n'}, 'present: p.a:X; undecided: p:X p:Y'),
    ('instance in sys.modules: bound names gone', {'p.py': 'import sys\nfoo=1\nclass M:\n  bar=1\nsys.modules[__name__]=M()\n'}, 'undecided: p:foo p:bar p:M'),
    ("computed names make no modules", {"p/__init__.py": "globals().update({n: 1 for n in 'ab'})\n"}, "absent: p.b p.b:c; undecided: p:b"),
    ("walrus in a guard", {"m.py": "match 1:\n  case x if (y := 2): pass\ntry: 1 / 0\nexcept (E := ZeroDivisionError): pass\n"}, "present: m:x m:y m:E"),
    ("a flag of one's own", {"c.py": "TYPE_CHECKING = True\n", "m.py": "from c import TYPE_CHECKING\nif TYPE_CHECKING:\n  a = 1\nelse:\n  b = 1\n"}, "present: m:a"),
    ("a finder", {"p/__init__.py": "", "p/six.py": "import sys, types\nclass F:\n  def find_spec(self, name, path=None, target=None):\n    import importlib.machinery as m\n    return m.ModuleSpec(name, self) if name == 'p.moves' else None\n  def create_module(self, spec): return types.ModuleType(spec.name)\n  def exec_module(self, module): module.x = 1\nsys.meta_path.append(F())\n"}, "undecided: p.moves p.moves:x p:moves; present: p.six"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "told"), [case[1:] for case in _CASES],
                         ids=[case[0] for case in _CASES])  # fmt: skip
def test_a_name_is_there_if_cpython_imports_it(
    tmp_path: Path, files: dict[str, str | bytes], told: str
) -> None:
    judged(tmp_path, files, told)


@pytest.mark.parametrize("suffix", [
    *EXTENSION_SUFFIXES, ".so", ".abi3.so", ".cpython-38-x86_64-linux-gnu.so", ".pyd", ".1.so", ".so.1",
    ".cpython-311-aarch64-linux-gnu.so", ".cpython-311-darwin.so", ".cp311-win_amd64.pyd", ".a.b.so",
])  # fmt: skip
def test_an_extension_module_is_for_one_python_and_machine(tmp_path: Path, suffix: str) -> None:
    """As the finder of this Python finds it, which loads nothing."""
    (tmp_path / f"m{suffix}").write_bytes(b"")
    finder = FileFinder(str(tmp_path), (ExtensionFileLoader, EXTENSION_SUFFIXES))
    found = Modules(
        (MemoryFiles({f"m{suffix}": b""}),),
        python=".".join(map(str, sys.version_info[:3])),
        machine=platform.machine(),
    )
    assert (found.find("m") is not None) is (finder.find_spec("m") is not None)


def test_an_extension_module_of_another_python_does_not_hide_a_source_file() -> None:
    files = MemoryFiles({"m.cpython-38-x86_64-linux-gnu.so": b"", "m.py": b"a = 1\n"})
    module = Modules((files,), python="3.11", machine="x86_64").find("m")
    assert module is not None
    assert module.path == "m.py"


@pytest.mark.parametrize(("file", "text", "status"), [
    ("a.pth", "/src/of/a\n", Presence.UNDECIDED), ("a.pth", "# nothing\n\n", Presence.ABSENT),
    ("a.pth", "import os; var = 1\n", Presence.ABSENT), ("sub/a.pth", "/src\n", Presence.ABSENT),
    ("a.pth", "import finder; finder.install()\n", Presence.UNDECIDED),
])  # fmt: skip
def test_a_package_that_a_path_file_leads_to(file: str, text: str, status: Presence) -> None:
    """As pip installs a project with --editable."""
    files = {file: text, "finder.py": "MAPPING = {'a': '/src/a'}\n", "os2.py": ""}
    assert ask(modules(files), "a", None).status is status
    assert ask(modules(files), "finder", "nothing").status is Presence.ABSENT
