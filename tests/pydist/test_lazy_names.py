"""What the __getattr__ of a module knows (PEP 562), judged by CPython."""

# ruff: noqa: E501 - cases are read best as one line each

from __future__ import annotations

from pathlib import Path

import pytest

from .cpython import judged

_CASES: list[tuple[str, str | bytes, str]] = [
    ('eq', 'def __getattr__(name):\n if name=="a": return 1\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('dict get', 'T={"a":1}\ndef __getattr__(name):\n if (v:=T.get(name)) is not None: return v\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('dict try', 'T={"a":1}\ndef __getattr__(name):\n try:\n  return T[name]\n except KeyError: raise AttributeError(name)\n', 'present: a; absent: b'),
    ('in not in', 'T=["a"]\ndef __getattr__(name):\n if name not in T: raise AttributeError(name)\n return 1\n', 'present: a; absent: b'),
    ('not in', 'T=["a"]\ndef __getattr__(name):\n if not name in T: raise AttributeError(name)\n return 1\n', 'present: a; absent: b'),
    ('not in wrong order', 'def __getattr__(name):\n if name not in T: raise AttributeError(name)\n return 1\nT=["a"]\n', 'present: a; absent: b'),
    ('table extended', 'T={"a":1}\nT["b"]=2\ndef __getattr__(name):\n if name in T: return T[name]\n raise AttributeError(name)\n', 'present: a b'),
    ('table update', 'T={"a":1}\nT.update({"b":2})\ndef __getattr__(name):\n if name in T: return T[name]\n raise AttributeError(name)\n', 'present: a b'),
    ('table update kw', 'T=["a"]\nT.append("b")\ndef __getattr__(name):\n if name in T: return 1\n raise AttributeError(name)\n', 'present: a b'),
    ('table |= ', 'T={"a"}\nT|={"b"}\ndef __getattr__(name):\n if name in T: return 1\n raise AttributeError(name)\n', 'present: a b'),
    ('table mutated in func', 'T={"a":1}\ndef reg(n): T[n]=1\nreg("b")\ndef __getattr__(name):\n if name in T: return T[name]\n raise AttributeError(name)\n', 'undecided: a b'),
    ('table cond', 'import sys\nT=["a"]\nif sys.version_info<(3,):\n  T=["b"]\ndef __getattr__(name):\n if name in T: return 1\n raise AttributeError(name)\n', 'undecided: a b'),
    ('startswith', 'def __getattr__(name):\n if name.startswith("a"): return 1\n raise AttributeError(name)\n', 'undecided: aa b'),
    ('local var', 'def __getattr__(name):\n table={"a":1}\n if name in table: return 1\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('alias', 'def __getattr__(name):\n n=name\n if n=="a": return 1\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('match', 'def __getattr__(name):\n match name:\n  case "a"|"b": return 1\n  case _: raise AttributeError(name)\n', 'present: a b; absent: c'),
    ('for', 'T=[("a",1)]\ndef __getattr__(name):\n for k,v in T:\n  if k==name: return v\n raise AttributeError(name)\n', 'undecided: a b'),
    ('returns None', 'def __getattr__(name):\n pass\n', 'undecided: a b'),
    ('returns const', 'def __getattr__(name):\n return 1\n', 'undecided: a'),
    ('else branch', 'def __getattr__(name):\n if name=="a": return 1\n else: raise AttributeError(name)\n', 'present: a; absent: b'),
    ('else returns', 'def __getattr__(name):\n if name=="a": raise AttributeError(name)\n return 5\n', 'undecided: a b'),
    ('if raise else return', 'def __getattr__(name):\n if name=="a": raise AttributeError(name)\n else: return 5\n', 'undecided: a b'),
    ('not eq', 'def __getattr__(name):\n if name!="a": raise AttributeError(name)\n return 5\n', 'present: a; absent: b'),
    ('and', 'import sys\ndef __getattr__(name):\n if name=="a" and sys: return 1\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('and neg', 'import sys\ndef __getattr__(name):\n if name!="a" and name!="b": raise AttributeError(name)\n return 1\n', 'present: a b; absent: c'),
    ('or neg', 'import sys\ndef __getattr__(name):\n if name!="a" or not sys: raise AttributeError(name)\n return 1\n', 'present: a; absent: b c'),
    ('deleg', 'def f(n):\n if n=="a": return 1\n raise AttributeError(n)\ndef __getattr__(name): return f(name)\n', 'undecided: a b'),
    ('import_module', 'import importlib\ndef __getattr__(name):\n return importlib.import_module("."+name,__name__)\n', 'undecided: a'),
    ('nested fn', 'def __getattr__(name):\n def inner(): return name=="a"\n if inner(): return 1\n raise AttributeError(name)\n', 'undecided: a b'),
    ('lambda', '__getattr__=lambda n: 1\n', 'undecided: a'),
    ('class', 'class G:\n  def __call__(s,n): return 1\n__getattr__=G()\n', 'undecided: a'),
    ('import', 'from types import SimpleNamespace as __getattr__\n', 'undecided: a'),
    ('star import getattr not', 'from c import *\n', 'undecided: a'),
    ('cond defined', 'if True:\n def __getattr__(n):\n  if n=="a": return 1\n  raise AttributeError(n)\n', 'present: a; absent: b'),
    ('two defs', 'def __getattr__(n):\n  if n=="a": return 1\n  raise AttributeError(n)\ndef __getattr__(n):\n  if n=="b": return 1\n  raise AttributeError(n)\n', 'present: b; absent: a'),
    ('del getattr', 'def __getattr__(n):\n  if n=="a": return 1\n  raise AttributeError(n)\ndel __getattr__\n', 'absent: a b'),
    ('decorated', 'import functools\n@functools.lru_cache\ndef __getattr__(n):\n  if n=="a": return 1\n  raise AttributeError(n)\n', 'present: a; absent: b'),
    ('decorated2', 'def d(f): return lambda n: 1\n@d\ndef __getattr__(n):\n  if n=="a": return 1\n  raise AttributeError(n)\n', 'undecided: a b'),
    ('reassigned', 'def __getattr__(n):\n  raise AttributeError(n)\n__getattr__=lambda n:1\n', 'undecided: a b'),
    ('in tuple/other param', 'def __getattr__(attr,/):\n  if attr in ("a","b"): return 1\n  raise AttributeError(attr)\n', 'present: a b; absent: c'),
    ('default', 'def __getattr__(n,d=1):\n  return 1\n', 'undecided: a'),
    ('*args', 'def __getattr__(*a):\n  return 1\n', 'undecided: a'),
    ('globals check', 'def __getattr__(name):\n if name in globals(): return globals()[name]\n raise AttributeError(name)\n', 'absent: a'),
    ('try globals', 'def __getattr__(name):\n try: return globals()["_"+name]\n except KeyError: raise AttributeError(name)\n_a=1\n', 'undecided: a b'),
    ('ternary', 'def __getattr__(name):\n return 1 if name=="a" else _r(name)\ndef _r(n): raise AttributeError(n)\n', 'present: a; undecided: b'),
    ('assign then if', 'T={"a":1}\ndef __getattr__(name):\n v=T.get(name,None)\n if v is None: raise AttributeError(name)\n return v\n', 'present: a; absent: b'),
    ('T.get with default', 'T={"a":1}\ndef __getattr__(name):\n return T.get(name, 7)\n', 'undecided: a b'),
    ('T.get default computed', 'T={"a":1}\ndef __getattr__(name):\n return T.get(name, globals().get("_"+name))\n', 'undecided: a b'),
    ('two lookups', 'T={"a":1}\nU=dict(b=1)\ndef __getattr__(name):\n if name in T: return 1\n if name in U: return 2\n raise AttributeError(name)\n', 'present: a b; absent: c'),
    ('dict call', 'U=dict(b=1)\ndef __getattr__(name):\n if name in U: return 2\n raise AttributeError(name)\n', 'present: b; absent: c'),
    ('dict comp', 'U={k:1 for k in ["b"]}\ndef __getattr__(name):\n if name in U: return 2\n raise AttributeError(name)\n', 'undecided: b c'),
    ('dict **', 'A={"b":1}\nU={**A,"c":1}\ndef __getattr__(name):\n if name in U: return 2\n raise AttributeError(name)\n', 'present: b c; absent: d'),
    ('union', 'A={"b":1}\nU={"c":1}\ndef __getattr__(name):\n if name in A|U: return 2\n raise AttributeError(name)\n', 'present: b c; absent: d'),
    ('__all__', '__all__=["b"]\ndef __getattr__(name):\n if name in __all__: return 2\n raise AttributeError(name)\n', 'present: b; absent: c d'),
    ('__all__ +=', '__all__=["b"]\n__all__+=["c"]\ndef __getattr__(name):\n if name in __all__: return 2\n raise AttributeError(name)\n', 'present: b c; absent: d'),
    ('__all__.append', '__all__=["b"]\n__all__.append("c")\ndef __getattr__(name):\n if name in __all__: return 2\n raise AttributeError(name)\n', 'present: b c; absent: d'),
    ('__all__.extend', '__all__=["b"]\n__all__.extend(["c"])\ndef __getattr__(name):\n if name in __all__: return 2\n raise AttributeError(name)\n', 'present: b c; absent: d'),
    ('warn helper', 'import warnings\ndef __getattr__(name):\n if name=="a":\n  warnings.warn("x")\n  return 1\n warnings.warn(f"{name}")\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('with', 'import contextlib\ndef __getattr__(name):\n with contextlib.suppress(KeyError):\n  return {"a":1}[name]\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('finally', 'def __getattr__(name):\n try:\n  pass\n finally:\n  return 1\n', 'undecided: a'),
    ('while', 'def __getattr__(name):\n while True:\n  return 1\n', 'undecided: a'),
    ('if const', 'X=True\ndef __getattr__(name):\n if X:\n  return 1\n raise AttributeError(name)\n', 'undecided: a'),
    ('if const raise', 'X=True\ndef __getattr__(name):\n if X:\n  raise AttributeError(name)\n return 1\n', 'undecided: a'),
    ('unconditional return no use', 'def __getattr__(name):\n import os\n return os\n', 'undecided: a'),
    ('in nested if', 'def __getattr__(name):\n if name in ("a","b"):\n  if name=="a": return 1\n raise AttributeError(name)\n', 'present: a; absent: b c'),
    ('body raises conditional', 'def __getattr__(name):\n if name=="old":\n  pass\n  raise AttributeError(name)\n raise AttributeError(name)\n', 'absent: old'),
    ('deprecated raising in helper', 'def _gone(n): raise AttributeError(n)\ndef __getattr__(name):\n if name=="old":\n  _gone(name)\n raise AttributeError(name)\n', 'absent: old'),
    ('dunder path trick', 'def __getattr__(name):\n if name=="__path__": raise AttributeError(name)\n return 1\n', 'undecided: a'),
    ('lower', 'def __getattr__(name):\n if name.lower() in ("a",): return 1\n raise AttributeError(name)\n', 'undecided: A b'),
    ('f-string assign then used', 'def __getattr__(name):\n key=f"_{name}"\n if key in globals(): return globals()[key]\n raise AttributeError(name)\n_a=1\n', 'undecided: a b'),
    ('binop assign then used', 'def __getattr__(name):\n key="_"+name\n if key in ("_a",): return 1\n raise AttributeError(name)\n_a=1\n', 'undecided: a b'),
    ('message assign then return', 'def __getattr__(name):\n msg=f"{name}"\n return msg\n', 'undecided: a'),
    ('return fstring', 'def __getattr__(name):\n return f"{name}"\n', 'undecided: a'),
    ('is eq const', 'def __getattr__(name):\n if "a"==name: return 1\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('eq var', 'K="a"\ndef __getattr__(name):\n if name==K: return 1\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('in string', 'def __getattr__(name):\n if name in "abc": return 1\n raise AttributeError(name)\n', 'undecided: a ab d'),
    ('in frozenset var', 'K=frozenset({"a"})\ndef __getattr__(name):\n if name in K: return 1\n raise AttributeError(name)\n', 'present: a; absent: b'),
    ('elif chain', 'def __getattr__(name):\n if name=="a": return 1\n elif name=="b": return 2\n elif name.isupper(): return 3\n else: raise AttributeError(name)\n', 'present: a b; undecided: C d'),
    ('del arg', 'def __getattr__(name):\n del name\n return 1\n', 'undecided: a'),
    ('lookup of nonmodule dict partially', 'T={"a":1}\ndef __getattr__(name):\n x = T.get(name) or _dyn(name)\n return x\ndef _dyn(n): return 3\n', 'undecided: a b'),
    ('two lookups one stmt', 'T={"a":1}\nimport os\ndef __getattr__(name):\n return T[name] if name in T else getattr(os,name)\n', 'present: a; undecided: getcwd nope'),
    ('super', 'import sys\ndef __getattr__(name):\n mod=sys.modules["os"]\n return getattr(mod,name)\n', 'undecided: getcwd nope'),
    ('nested if negative return None', 'def __getattr__(name):\n if name not in ("a",):\n  return None\n return 1\n', 'present: a; undecided: b'),
    ('async', 'async def __getattr__(name):\n raise AttributeError\n', 'undecided: a'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), [case[1:] for case in _CASES],
                         ids=[case[0] for case in _CASES])  # fmt: skip
def test_a_name_is_there_if_cpython_imports_it(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    judged(tmp_path, {"m.py": text}, told, "m:")
