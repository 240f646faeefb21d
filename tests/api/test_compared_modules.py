"""What modules of two builds lost; CPython is asked in test_imports what a module has."""

from __future__ import annotations

from pathlib import Path

import elfaudit
from elfaudit import ChangeSeverity


def test_names_and_modules_that_are_lost(tmp_path: Path) -> None:
    files = {
        "old": {"p/__init__.py": "from .a import x\n", "p/a.py": "x = y = 1\n", "p/gone.py": "",
                "p/same.py": "z = 1\n", "p/made.py": "a = 1\nglobals().update(f())\n"},
        "new": {"p/__init__.py": "from .a import x\n", "p/a.py": "x = w = 1\n", "p/come.py": "",
                "p/same.py": "z = 1\n", "p/made.py": "b = 1\nglobals().update(f())\n"},
    }  # fmt: skip
    for side, texts in files.items():
        for name, text in texts.items():
            (tmp_path / side / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / side / name).write_text(text)
    found = elfaudit.diff(str(tmp_path / "old"), str(tmp_path / "new"))
    told = {each.aspect.value: [item.name for item in each.items] for each in found.changes}
    assert told == {
        "modules lost": ["p.gone"], "modules gained": ["p.come"], "names lost": ["p.a.y"],
        "names gained": ["p.a.w"],
    }  # fmt: skip
    assert found.severity is ChangeSeverity.BREAKING
