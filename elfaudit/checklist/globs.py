"""Patterns for paths and names: ``*`` and ``?`` within one part of a path, ``**`` for any parts.

Each becomes a regular expression that takes at most quadratic time: where something may be left out
the first place at which the rest fits is as good as any later one, so nothing is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from ..errors import ChecklistError

__all__ = ["is_pattern", "matches_name", "name_pattern", "path_pattern", "plain_folder"]

_TOKEN = re.compile(r"\*+/?|\?|\[!?\]?[^]]*\]|.", re.DOTALL)
_PART, _PARTS, _FOLDERS = "*", "**", "**/"  # within a part; over slashes; whole parts, or none
_SPECIAL = re.compile(r"[*?[]")


def is_pattern(text: str) -> bool:
    """Whether anything but itself may be meant by a path or a name."""
    return _SPECIAL.search(text) is not None


def plain_folder(pattern: str) -> str:
    """The directory that all is in that a pattern means: ``/opt`` of ``/opt/x*/*.so``."""
    return _SPECIAL.split(pattern, maxsplit=1)[0].rpartition("/")[0]


@lru_cache(maxsize=1024)
def path_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of a path as a regular expression; one without a slash is of the last part.

    Raises:
        ChecklistError: it is no pattern.
    """
    tokens = _path_tokens(pattern)
    return _compiled(pattern, tokens if "/" in pattern else [_FOLDERS, *tokens], one="[^/]")


def matches_name(name: str, pattern: str) -> bool:
    """Whether a name (a SONAME, a symbol, a directory of a RUNPATH) is one of a pattern's.

    Raises:
        ChecklistError: it is no pattern.
    """
    return name_pattern(pattern).fullmatch(name) is not None


@lru_cache(maxsize=1024)
def name_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of a name, in which ``*`` stands for any characters.

    Raises:
        ChecklistError: it is no pattern.
    """
    tokens: list[str] = []
    for each in _TOKEN.findall(pattern):
        if each.startswith("*"):
            tokens += [_PARTS, "/"] if each.endswith("/") else [_PARTS]
        else:
            tokens.append(each)
    return _compiled(pattern, tokens, one=".")


def _path_tokens(pattern: str) -> list[str]:
    tokens: list[str] = []
    for each in _TOKEN.findall(pattern):
        if not each.startswith("*"):
            tokens.append(each)
        elif each == "*":
            tokens.append(_PART)
        elif each == "*/":
            tokens += [_PART, "/"]
        elif not each.endswith("/"):
            tokens.append(_PARTS)
        elif not tokens or tokens[-1] in ("/", _FOLDERS):
            tokens.append(_FOLDERS)
        else:
            tokens += [_PARTS, "/"]
    return tokens


def _compiled(pattern: str, tokens: Sequence[str], *, one: str) -> re.Pattern[str]:
    try:
        return re.compile(_translated(tokens, one), re.DOTALL)
    except re.error as error:
        raise ChecklistError("", "", f"{pattern[:80]!r} is no pattern: {error}") from error


def _translated(tokens: Sequence[str], one: str) -> str:
    """The expression: stretches of tokens, between them what may be left out."""
    stretches: list[tuple[str, list[str]]] = [("", [])]
    for wide, some in groupby(tokens, key=(_PARTS, _FOLDERS).__contains__):
        group = list(some)
        if not wide:
            stretches[-1][1].extend(group)
        else:
            stretches.append((_PARTS if _PARTS in group else _FOLDERS, []))
    text = ""
    for number, (before, stretch) in enumerate(stretches):
        last = number == len(stretches) - 1
        body = _stretch(stretch, one, ends=last)
        if before:
            gap = ".*?" if before == _PARTS else "(?:.*?/)??"
            body = f"{gap}{body}" if last else f"(?>{gap}{body})"
        text += body
    return text


def _stretch(tokens: Sequence[str], one: str, *, ends: bool) -> str:
    """One part of a path, or several, with ``*`` in it."""
    pieces = [""]
    for token in tokens:
        if token != _PART:
            pieces[-1] += _one(token, one)
        elif pieces[-1] or len(pieces) == 1:
            pieces.append("")
    first, *others = pieces
    text = first
    for number, piece in enumerate(others):
        last = ends and number == len(others) - 1
        text += f"[^/]*{piece}" if last else f"(?>[^/]*?{piece})"
    return text


def _one(each: str, one: str) -> str:
    """What stands for one character."""
    if each == "?":
        return one
    if each.startswith("[") and len(each) > 2:
        inside = each[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        slash = "(?!/)" if one != "." else ""
        if inside.startswith("!"):
            return f"{slash}[^{inside[1:]}]"
        return f"{slash}[{inside.replace('^', chr(92) + '^', 1) if inside[0] == '^' else inside}]"
    return re.escape(each)
