"""Python files in memory."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from elfaudit.pydist import Modules


class MemoryFiles:
    """An import root whose files are texts."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = files

    def names(self) -> Iterable[str]:
        return self._files

    def read(self, name: str) -> bytes:
        text = self._files[name]
        return text if isinstance(text, bytes) else textwrap.dedent(text).encode()


def modules(files: Mapping[str, str | bytes]) -> Modules:
    """The modules of one import root."""
    return Modules((MemoryFiles(files),))
