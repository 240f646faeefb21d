"""Which modules cannot be imported, though they are there; judged by CPython."""

from __future__ import annotations

from pathlib import Path

import pytest

from elfaudit.pydist import refusal_of

from .cpython import imported, written
from .files import modules

_PARTS = {
    "p/__init__.py": "",
    "p/utils.py": "old = 1\n",
    "p/stale.py": "x = 1\nfrom .utils import gone\n",
    "p/uses.py": "from p import stale\n",
    "p/uses_more.py": "import p.uses\n",
    "p/sub/__init__.py": "from ..stale import x\n",
    "p/sub/inner.py": "y = 1\n",
    "p/late.py": "def f():\n    from .utils import gone\n",
    "p/tries.py": "try:\n    from .utils import gone\nexcept ImportError:\n    gone = None\n",
    "p/tries_in_vain.py": "try:\n    from .utils import gone\nexcept ImportError as e:\n"
    "    raise ImportError('broken') from e\n",
    "p/types_only.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    "    from .utils import gone\n",
    "p/a.py": "from . import b\nx = 1\n",
    "p/b.py": "from . import a\ny = 2\n",
    "p/asserts.py": "assert 0, 'not yet'\n",
    "p/asserts_more.py": "if True:\n    assert not 1\nassert 1\n",
    "p/run.py": "if __name__ == '__main__':\n    assert False\n    from .utils import gone\n",
    "p/raises.py": "raise ImportError('not here')\n",
    "p/stated.py": "__all__ = ['x', 'gone']\nx = 1\n",
    "p/bytes.py": "__all__ = [b'x']\nx = 1\n",
    "p/stars_of_bytes.py": "from .bytes import *\n",
    "p/stars.py": "from .stated import *\n",
    "p/above.py": "from ... import x\n",
    "p/missing.py": "import p.nowhere\n",
    "p/old.py": "from .utils import old\n",
    "p/caught.py": "try:\n    raise KeyError\nexcept KeyError:\n    pass\n",
    "p/suppressed.py": "import contextlib\nwith contextlib.suppress(ValueError):\n"
    "    raise ValueError\n",
    "p/own_manager.py": "import contextlib\n@contextlib.contextmanager\ndef tries():\n    try:\n"
    "        yield\n    except ImportError:\n        pass\n"
    "with tries():\n    from .utils import gone\n",
    "p/own_kinds.py": "E = (ImportError, OSError)\ntry:\n    from .utils import gone\n"
    "except E:\n    pass\n",
    "p/more_kinds.py": "E = (ImportError,)\ntry:\n    from .utils import gone\n"
    "except (ValueError,) + E:\n    pass\n",
    "p/other_kinds.py": "try:\n    from .utils import gone\n"
    "except (ValueError, OSError):\n    pass\n",
    "p/warns.py": "import warnings\nwith warnings.catch_warnings():\n    from .utils import gone\n",
    "p/constants.py": "TYPE_CHECKING = True\n",
    "p/checking.py": "from .constants import TYPE_CHECKING\nif not TYPE_CHECKING:\n"
    "    from .utils import gone\n",
    "p/many.py": "def __getattr__(name):\n    if name == 'a0':\n        return 0\n"
    + "".join(f"    elif name == 'a{n}':\n        return {n}\n" for n in range(1, 900))
    + "    raise AttributeError(name)\n",
}


@pytest.mark.parametrize(
    "module", sorted(name[:-3].replace("/", ".").removesuffix(".__init__") for name in _PARTS)
)
def test_a_module_is_refused_if_cpython_does_not_import_it(tmp_path: Path, module: str) -> None:
    written(tmp_path, _PARTS)
    (is_there,) = imported([tmp_path], [(module, None)])
    assert (refusal_of(modules(_PARTS), module) is None) is is_there


def test_the_statement_that_fails_is_named_through_others() -> None:
    found = modules(_PARTS)
    for module in ("p.uses_more", "p.uses", "p.sub.inner", "p.stale"):
        refusal = refusal_of(found, module)
        assert refusal is not None
        assert (refusal.file, refusal.line) == ("p/stale.py", 2)
        assert refusal.problem.startswith("p.utils has no gone")
    assert refusal_of(found, "p.b") is None
    assert refusal_of(found, "p.b") is None  # and from what was found out before


def test_a_long_chain_and_a_large_circle_end() -> None:
    count = 3_000
    files = {f"q/m{n}.py": f"from . import m{(n + 1) % count}\n" for n in range(count)}
    assert refusal_of(modules(files), "q.m0") is None
    files[f"q/m{count - 1}.py"] = "from . import nothing\n"
    refusal = refusal_of(modules(files), "q.m0")
    assert refusal is not None
    assert refusal.file == f"q/m{count - 1}.py"


def test_whoever_is_on_the_way_to_what_fails_is_known_to_fail() -> None:
    files = {f"q/m{n}.py": f"from . import m{n + 1}\n" for n in range(50)}
    found = modules(files | {"q/m50.py": "raise ValueError\n", "q/good.py": ""})
    refusal = refusal_of(found, "q.m0")
    assert refusal is not None
    kept = {name: each for name, each in found.refusals.items() if each is not None}
    assert kept == dict.fromkeys((f"q.m{n}" for n in range(51)), refusal)
    assert refusal_of(found, "q.good") is None
