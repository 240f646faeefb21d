"""Patterns for paths and names: ``*`` and ``?`` within one part of a path, ``**`` for any parts."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["matches_name", "path_pattern"]

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^]]+\]|.", re.DOTALL)


@lru_cache(maxsize=1024)
def path_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of a path as a regular expression; one without a slash is of the last part."""
    before = "" if "/" in pattern else "(?:.*/)?"
    return re.compile(before + "".join(map(_translated, _TOKEN.findall(pattern))), re.DOTALL)


def matches_name(name: str, pattern: str) -> bool:
    """Whether a name (a SONAME, a symbol, a directory of a RUNPATH) is one of a pattern's."""
    return _name_pattern(pattern).fullmatch(name) is not None


@lru_cache(maxsize=1024)
def _name_pattern(pattern: str) -> re.Pattern[str]:
    tokens = _TOKEN.findall(pattern)
    return re.compile(
        "".join(".*" if each == "*" else _translated(each) for each in tokens), re.DOTALL
    )


def _translated(piece: str) -> str:
    if piece == "**/":
        return "(?:.*/)?"
    if piece == "**":
        return ".*"
    if piece == "*":
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece.startswith("[") and len(piece) > 2:
        inside = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[{'^' + inside[1:] if inside.startswith('!') else inside}]"
    return re.escape(piece)
