"""Rebuilds the broken tree of the build report: one stale file of vLLM 0.11.0 in a tree of 0.12.0.

    python tests/real/mix.py OLD.whl NEW.whl DIRECTORY

Only what is Python is unpacked; the rows of the other files are left out of RECORD.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

STALE = "vllm/platforms/__init__.py"


def mix(old: Path, new: Path, target: Path) -> None:
    """Write the tree."""
    with zipfile.ZipFile(new) as archive:
        names = [n for n in archive.namelist() if n.endswith(".py") or ".dist-info/" in n]
        archive.extractall(target, names)
    (record,) = target.glob("*.dist-info/RECORD")
    rows = record.read_text().splitlines()
    record.write_text("\n".join(row for row in rows if row.partition(",")[0] in names) + "\n")
    with zipfile.ZipFile(old) as archive:
        archive.extract(STALE, target)


if __name__ == "__main__":
    mix(*map(Path, sys.argv[1:4]))
