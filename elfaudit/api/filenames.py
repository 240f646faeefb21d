"""What the names of files say about what is in them."""

from __future__ import annotations

import re

__all__ = ["TEXT_SUFFIXES", "is_library_name"]

# Never ELF, and thousands of them in a large wheel: not opened.
TEXT_SUFFIXES = (
    ".py", ".pyi", ".pyc", ".h", ".hpp", ".hh", ".cuh", ".inl", ".inc", ".c", ".cc", ".cpp", ".cu",
    ".cmake", ".txt", ".md", ".rst", ".json", ".yaml", ".yml", ".toml", ".html", ".css", ".js",
    ".png", ".svg", ".gif", ".jpg", ".pxd", ".pyx", ".typed", ".ipynb", ".xml", ".cfg", ".ini",
    ".csv", ".ptl", ".npy", ".npz", ".gz", ".zip", ".f90", ".mod",
)  # fmt: skip


_LIBRARY_NAME = re.compile(r"\.so(?:\.[0-9]+)*$")


def is_library_name(path: str) -> bool:
    """Whether a file is named like a shared object: ``libz.so``, ``libz.so.1.2``."""
    return _LIBRARY_NAME.search(path) is not None
