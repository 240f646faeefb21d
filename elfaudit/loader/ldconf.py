"""``/etc/ld.so.conf``: the directories that ldconfig is told of.

Source: ``parse_conf``, ``parse_conf_include``, ``add_dir_1`` (glibc ``elf/ldconfig.c``).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence

from ..errors import SourceError
from ..sources import Source

__all__ = ["CONF_PATH", "configured_directories"]

CONF_PATH = "/etc/ld.so.conf"

_SPACE = " \t\n\v\f\r"
_MOST_FILES = 4096  # a file may include itself
_MOST_TEXT = 1 << 20
_DEEPEST = 64
_MAGIC = re.compile(r"[*?\[\\]")
_PARTS = re.compile(r"\\.|\[[!^]?\]?[^]]*\]|.", re.DOTALL)
_RANGES = re.compile(r"(.)(?:-(.))?", re.DOTALL)

_Test = Callable[[str], bool]


def _any(_: str) -> bool:
    return True


def _none(_: str) -> bool:
    return False


def configured_directories(root: Source, path: str = CONF_PATH) -> tuple[str, ...]:
    """The directories of a configuration, as they are written, in order, some perhaps twice.

    Included files count where they are included. What cannot be read is passed over, and so is a
    line that begins with ``hwcap``.
    """
    return tuple(_directories(root, path, [_MOST_FILES]))


def _directories(root: Source, path: str, left: list[int], depth: int = 0) -> Iterator[str]:
    """The directories of one file; ``left`` counts the files that may yet be read."""
    if left[0] <= 0 or depth > _DEEPEST:
        return
    left[0] -= 1
    for line in _lines(root, path):
        words = line.lstrip(_SPACE)
        if words[:7] == "include" and words[7:8] in (" ", "\t"):
            for pattern in re.split("[ \t]", words[8:]):
                for included in _included(root, path, pattern):
                    yield from _directories(root, included, left, depth + 1)
        elif words[:5].lower() == "hwcap" and words[5:6] in (" ", "\t"):
            continue
        elif directory := words.rstrip(_SPACE).rstrip("/"):
            yield directory


def _lines(root: Source, path: str) -> list[str]:
    """The lines of a file, each without its comment."""
    try:
        member = root.find(path)
        raw = member.open().read(_MOST_TEXT) if member is not None else b""
    except SourceError:
        return []
    lines = raw.decode("utf-8", "surrogateescape").split("\n")
    return [line.partition("\0")[0].partition("#")[0] for line in lines]


def _included(root: Source, path: str, pattern: str) -> list[str]:
    """The files that a pattern stands for, relative to the directory of the file it is in."""
    if not pattern:
        return []
    absolute = pattern if pattern.startswith("/") else f"{posixpath.dirname(path)}/{pattern}"
    return sorted(_matching(root, absolute))


def _matching(root: Source, pattern: str) -> list[str]:
    """``glob(3)`` over the paths of a source."""
    found = [""]
    for part in pattern.split("/")[1:]:
        if not _MAGIC.search(part):
            found = [f"{base}/{part}" for base in found]
            continue
        tests = _tests(part)
        found = [
            f"{base}/{name}"
            for base in found
            for name in root.listing(base or "/")
            if _fits(tests, name) and (part.startswith(".") or not name.startswith("."))
        ]
    return found


def _fits(tests: Sequence[_Test | None], name: str) -> bool:
    """Whether a name fits a pattern; each star is tried again only until the next one."""
    at = test = 0
    star: tuple[int, int] | None = None
    while at < len(name):
        wanted = tests[test] if test < len(tests) else _none
        if wanted is None:
            test += 1
            star = (test, at)
        elif wanted(name[at]):
            test, at = test + 1, at + 1
        elif star is not None:
            test, at = star[0], star[1] + 1
            star = (test, at)
        else:
            return False
    return all(wanted is None for wanted in tests[test:])


def _tests(pattern: str) -> list[_Test | None]:
    """A pattern of one path component as a test of each character; a star is None."""
    return [_test(part) for part in _PARTS.findall(pattern)]


def _test(part: str) -> _Test | None:
    if part == "*":
        return None
    if part == "?":
        return _any
    if len(part) > 2 and part.startswith("["):
        inverse = part[1] in "!^"
        ranges = _RANGES.findall(part[2 if inverse else 1 : -1])
        pairs = [(low, high or low) for low, high in ranges]
        return lambda each: any(low <= each <= high for low, high in pairs) != inverse
    literal = part[-1]
    return lambda each: each == literal
