"""The ``.pth`` files of an import root, which lead to modules elsewhere.

Source: ``site.addpackage``: a line is a directory that is added to the path, or begins with
``import`` and is run; so an editable installation brings its finder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["PathFile", "read_path_file"]

_IMPORTED = re.compile(r"(?:^|;)\s*import\s+(\w+)|__import__\(['\"](\w+)")
_MOST_LINES = 1_000


@dataclass(frozen=True, slots=True)
class PathFile:
    """One of them.

    Attributes:
        name: of the file.
        directories: what it adds to the path, as written.
        imports: the modules that its lines import.
    """

    name: str
    directories: tuple[str, ...]
    imports: tuple[str, ...]


def read_path_file(name: str, text: str) -> PathFile:
    """What the lines of a file do."""
    directories: list[str] = []
    imports: list[str] = []
    for line in text.splitlines()[:_MOST_LINES]:
        if line.startswith(("import ", "import\t")):
            imports += [first or second for first, second in _IMPORTED.findall(line)]
        elif line.strip() and not line.startswith("#"):
            directories.append(line.strip())
    return PathFile(name, tuple(directories), tuple(imports))
