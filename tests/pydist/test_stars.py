"""What star imports bring, judged by CPython."""

# ruff: noqa: E501 - cases are read best as one line each

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.pydist import Presence, ask

from .cpython import judged
from .files import modules

_CASES: list[tuple[str, dict[str, str | bytes], str]] = [
    ('star all', {'p/__init__.py': 'from .a import *\n', 'p/a.py': '__all__=["x"]\nx=1\ny=2\n'}, 'present: p:x p:a; absent: p:y'),
    ('star all missing name', {'p/__init__.py': 'from .a import *\n', 'p/a.py': '__all__=["x","nope"]\nx=1\n', 'q.py': 'from r import *\n', 'r.py': '__all__=["zz"]\n'}, 'absent: p:nope q:zz'),
    ('star all submodule', {'p/__init__.py': '__all__=["sub"]\n', 'p/sub.py': '', 'q.py': 'from p import *\n'}, 'present: q:sub p:sub'),
    ('star no all: submodule not imported', {'p/__init__.py': '', 'p/sub.py': '', 'q.py': 'from p import *\n'}, 'undecided: q:sub'),
    ('star no all: submodule imported by from', {'p/__init__.py': 'from .sub import k\n', 'p/sub.py': 'k=1', 'q.py': 'from p import *\n'}, 'present: q:sub q:k'),
    ('star underscores', {'p.py': '_a=1\n__b__=2\nc=3\n', 'q.py': 'from p import *\n'}, 'present: q:c q:__name__; absent: q:_a q:__b__'),
    ('star all underscore', {'p.py': '__all__=["_a","__b__"]\n_a=1\n__b__=2\n', 'q.py': 'from p import *\n'}, 'present: q:_a q:__b__'),
    ('star module getattr no all', {'p.py': 'def __getattr__(n):\n if n=="z": return 1\n raise AttributeError(n)\n', 'q.py': 'from p import *\n'}, 'present: p:z; absent: q:z'),
    ('star module getattr computed no all', {'p.py': 'def __getattr__(n):\n return 1\n', 'q.py': 'from p import *\n'}, 'absent: q:z'),
    ('star module getattr in all', {'p.py': '__all__=["z"]\ndef __getattr__(n):\n if n=="z": return 1\n raise AttributeError(n)\n', 'q.py': 'from p import *\n'}, 'present: q:z'),
    ('star getattr __all__', {'p.py': 'def __getattr__(n):\n if n=="__all__": return ["x"]\n raise AttributeError(n)\nx=1\ny=2\n', 'q.py': 'from p import *\n'}, 'undecided: q:x q:y'),
    ('cond all', {'p.py': 'import sys\n__all__=["x"]\nif sys.platform=="win32":\n  __all__+=["w"]\n  w=1\nx=1\ny=2\n', 'q.py': 'from p import *\n'}, 'present: q:x; absent: q:y'),
    ('cond all reassigned', {'p.py': 'try:\n import nonexist\n __all__=["x"]\nexcept ImportError:\n __all__=["y"]\nx=1\ny=2\n', 'q.py': 'from p import *\n'}, 'present: q:y'),
    ('cond all reassigned2', {'p.py': 'if 1:\n __all__=["x"]\nelse:\n __all__=["y"]\nx=1\ny=2\n', 'q.py': 'from p import *\n'}, 'present: q:x; absent: q:y'),
    ('all if-empty', {'p.py': 'import sys\nif sys.platform=="win32":\n  __all__=["w"]\n  w=1\nx=1\n', 'q.py': 'from p import *\n'}, 'present: q:x'),
    ('all remove', {'p.py': '__all__=["x","y"]\n__all__.remove("y")\nx=1\ny=2\n', 'q.py': 'from p import *\n'}, 'present: q:x; absent: q:y'),
    ('all insert', {'p.py': '__all__=["x"]\n__all__.insert(0,"y")\nx=1\ny=2\n', 'q.py': 'from p import *\n'}, 'present: q:y'),
    ('all slice assign', {'p.py': '__all__=["x"]\n__all__[1:]=["y"]\nx=1\ny=2\n', 'q.py': 'from p import *\n'}, 'present: q:y'),
    ('all append in for', {'p.py': '__all__=["x"]\nfor n in ["y"]:\n  __all__.append(n)\nx=1\ny=2\n', 'q.py': 'from p import *\n'}, 'present: q:y'),
    ('all public decorator', {'u.py': 'import sys\ndef export(f):\n  sys.modules[f.__module__].__dict__.setdefault("__all__",[]).append(f.__name__)\n  return f\n', 'p.py': 'from u import export\n@export\ndef y(): pass\nz=1\n', 'q.py': 'from p import *\n'}, 'present: q:y'),
    ('all alias', {'p.py': 'names=["x"]\n__all__=names\nnames.append("y")\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all listcomp', {'p.py': 'x=1\ny=1\n__all__=[n for n in dir() if n!="y"]\n', 'q.py': 'from p import *\n'}, 'present: q:x'),
    ('all imported', {'c.py': '__all__=["y"]\n', 'p.py': 'from c import __all__\ny=1\nx=1\n', 'q.py': 'from p import *\n'}, 'present: q:y'),
    ('all star plus', {'c.py': '__all__=["y"]\ny=1\n', 'p.py': 'from c import *\nfrom c import __all__ as _ca\n__all__=["x"]+_ca\nx=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all star from star', {'c.py': '__all__=["y"]\ny=1\n', 'p.py': 'from c import *\nx=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x p:y'),
    ('all tuple += ', {'c.py': '__all__=("y",)\ny=1\n', 'p.py': 'import c\nfrom c import *\n__all__=("x",)\n__all__+=c.__all__\nx=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all extend pkg', {'p/__init__.py': 'from . import c\nfrom .c import *\n__all__=["x"]\n__all__.extend(c.__all__)\nx=1\n', 'p/c.py': '__all__=["y"]\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all extend as', {'p/__init__.py': 'from . import c as cc\nfrom .c import *\n__all__=["x"]\n__all__.extend(cc.__all__)\nx=1\n', 'p/c.py': '__all__=["y"]\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all nested of_modules', {'p/__init__.py': 'from . import c\nfrom .c import *\n__all__=c.__all__\n', 'p/c.py': 'from . import d\nfrom .d import *\n__all__=["y"]+d.__all__\ny=1\n', 'p/d.py': '__all__=["k"]\nk=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:k; absent: q:nope'),
    ('all starred', {'p/__init__.py': 'from . import c\nfrom .c import *\n__all__=[*c.__all__,"x"]\nx=1\n', 'p/c.py': '__all__=["y"]\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all via dotted', {'p/__init__.py': 'import p.c\nfrom .c import *\n__all__=p.c.__all__+["x"]\nx=1\n', 'p/c.py': '__all__=["y"]\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all getattr call', {'p/__init__.py': 'from . import c\nfrom .c import *\n__all__=getattr(c,"__all__",[])\n', 'p/c.py': '__all__=["y"]\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y'),
    ('all dict keys', {'p.py': 'M={"x":1}\n__all__=list(M)\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:x'),
    ('all sorted ternary', {'p.py': 'import sys\n__all__=["x"] if sys else ["y"]\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:x'),
    ('all split', {'p.py': '__all__="x y".split()\nx=1\ny=1\nz=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all string', {'p.py': '__all__="xy"\nx=1\ny=1\nz=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all annotated', {'p.py': '__all__: list[str]=["x"]\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:x; absent: q:y'),
    ('all walrus', {'p.py': '(__all__:=["x"])\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:x'),
    ('all tuple-assign', {'p.py': '__all__,z=["x"],1\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:x'),
    ('all global func', {'p.py': '__all__=["x"]\ndef f():\n  global __all__\n  __all__=["y"]\nf()\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y'),
    ('all del', {'p.py': '__all__=["x"]\ndel __all__\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all augmented by func', {'p.py': '__all__=["x"]\ndef f(a):\n  a.append("y")\nf(__all__)\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all += in TYPE_CHECKING', {'p.py': 'from typing import TYPE_CHECKING\n__all__=["x"]\nif TYPE_CHECKING:\n  __all__+=["y"]\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:x; absent: q:y'),
    ('all extend generator', {'p.py': '__all__=["x"]\n__all__.extend(n for n in ["y"])\nx=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x'),
    ('all implicit concat / fstring', {'p.py': '__all__=["x" "1", f"y"]\nx1=1\ny=1\n', 'q.py': 'from p import *\n'}, 'present: q:y q:x1'),
    ('all += c.__all__ where c has none, getattr', {'p.py': 'import c\nfrom c import *\n__all__=[]\n__all__ += [n for n in dir(c)]\n', 'c.py': 'k=1\n', 'q.py': 'from p import *\n'}, 'present: q:k'),
    ('star in if/try', {'p.py': 'try:\n from nonexist import *\nexcept ImportError:\n from c import *\n', 'c.py': 'k=1\n'}, 'present: p:k; undecided: p:z'),
    ('star in func global', {'p.py': 'def f():\n import c\n globals().update(vars(c))\nf()\n', 'c.py': 'k=1\n'}, 'undecided: p:k p:z'),
    ('star circ', {'a.py': 'from b import *\nx=1\n', 'b.py': 'from a import *\ny=1\n'}, 'present: a:y b:x a:x b:y; absent: a:n'),
    ('star self', {'a.py': 'from a import *\nx=1\n'}, 'present: a:x; absent: a:n'),
    ('star relative parent', {'p/__init__.py': 'x=1\n', 'p/s/__init__.py': 'from .. import *\n'}, 'present: p.s:x; undecided: p.s:s'),
    ('star then del', {'p.py': 'from c import *\ndel k\n', 'c.py': 'k=1\nj=1\n'}, 'present: p:j; absent: p:k'),
    ('star of stdlib', {'p.py': 'from os.path import *\n'}, 'undecided: p:join p:nonex'),
    ('star brings __all__? no', {'c.py': '__all__=["y"]\ny=1\nx=2\n', 'p.py': 'from c import *\nz=1\n', 'q.py': 'from p import *\n'}, 'present: q:z q:y; absent: q:x'),
    ('all of bytes', {'p.py': '__all__=["x", b"y"]\nx=y=1\n', 'q.py': '__all__=["x"]\n__all__ += [1]\nx=1\n'}, 'absent: p:* q:*; present: p:x'),
    ('all of bytes perhaps', {'p.py': 'import sys\n__all__=["x"]\nif not sys: __all__ += [b"y"]\nx=y=1\n', 'q.py': '__all__=[b"y"]\n__all__=["x"]\nx=1\n', 'r.py': 'import sys\n__all__=[b"y"]\nif sys: __all__=["x"]\nx=1\n'}, 'present: p:* q:* r:*'),
    ('star cached ABSENT then seen', {'a.py': 'from b import *\nfrom c import *\n', 'b.py': 'from d import *\n__all__=["d1"]\n', 'c.py': 'from d import *\n', 'd.py': 'd1=1\nd2=2\n'}, 'present: a:d1 a:d2'),
]  # fmt: skip


@pytest.mark.parametrize(("files", "told"), [case[1:] for case in _CASES],
                         ids=[case[0] for case in _CASES])  # fmt: skip
def test_a_name_is_there_if_cpython_imports_it(
    tmp_path: Path, files: dict[str, str | bytes], told: str
) -> None:
    judged(tmp_path, files, told)


def test_a_chain_of_star_imports_that_is_too_long_is_undecided() -> None:
    count = 2_000
    found = modules({f"m{n}.py": f"from m{n + 1} import *\n" for n in range(count)})
    assert ask(found, f"m{count - 100}", "x").status is Presence.UNDECIDED  # m2000 is not there
    assert ask(found, "m0", "x").status is Presence.UNDECIDED
