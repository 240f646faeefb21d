"""What a name of this build will be in the next one: patterns that leave out what changes.

Source: ``copylib`` (auditwheel ``repair.py``) for the hash in the name of a library that was copied
into a wheel, and for its new DT_SONAME; PEP 3149 for the names of extension modules; PEP 427 for
``.data`` and ``.dist-info``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = [
    "escaped",
    "is_copied",
    "next_directory",
    "next_name",
    "next_path",
    "next_version",
    "shown",
]

# The first 8 digits of the SHA-256; since auditwheel 6.3 also those of the file it was made from.
_HASHED = re.compile(r"^(?P<stem>.+?)(?:-[0-9a-f]{8})+(?P<rest>[.-].*)?$")
_TAIL = re.compile(r"^.*?(?P<suffix>\.so)(?:\.(?P<major>\d+)(?P<minor>[.\w-]*))?$")
_RELEASE = re.compile(r"-v?\d+(?:\.\d+)+")
# libtool's -release; where a number follows (libglib-2.0.so.0) the first one is of the interface.
_RELEASE_OF_FILE = re.compile(r"-v?\d+(?:\.\d+)+(?=\.so$)")
_INTERPRETER = re.compile(r"\.cpython-\d+[a-z]*-")
_INFO = re.compile(r"^(?P<name>[^-]+)-[^-]+\.(?P<kind>data|dist-info|egg-info)$")
_PYTHON = re.compile(r"^(?P<name>(?:lib)?python)3(?:\.\d+)?t?(?P<rest>\.so.*)?$")
_SPECIAL = re.compile(r"[\[*?]|\$(?=\{)")
_LONGEST = 1000  # NAME_MAX is 255; a name in a file may have megabytes, and a search its square


def escaped(name: str) -> str:
    """A name as a pattern that means it alone; what is not UTF-8 stands for any character."""
    return "".join("?" if "\ud800" <= each <= "\udfff" else each for each in _quoted(name))


def _quoted(name: str) -> str:
    return _SPECIAL.sub(lambda match: f"[{match[0]}]", name)


def shown(pattern: str) -> str:
    """A pattern for people: a character that stands for itself is written as itself."""
    return re.sub(r"\[([\[*?$])\]", r"\1", pattern).removeprefix("/")


def is_copied(name: str, folder: str = "") -> bool:
    """Whether a library was copied into a wheel: its name has a hash of it.

    Eight digits may be a date, but not where auditwheel and its kin put their copies.
    """
    match = _HASHED.match(name) if len(name) <= _LONGEST else None
    if match is None:
        return False
    digits = name[len(match["stem"]) : len(name) - len(match["rest"] or "")]
    return re.search("[a-f]", digits) is not None or ".libs/" in f"{folder}/"


def next_name(name: str, folder: str = "") -> str:
    """The name of a library, a SONAME or a DT_NEEDED as a pattern for the next build's.

    Args:
        name: without a directory.
        folder: the directory it is in, where that is known.
    """
    if len(name) > _LONGEST:
        return escaped(name)
    if is_copied(name, folder):
        match = _HASHED.match(name)
        assert match is not None  # noqa: S101 - is_copied says so
        tail = _TAIL.match(match["rest"] or "")
        if tail is None:
            return f"{escaped(match['stem'])}-*"
        major = f".{tail['major']}*" if tail["major"] else ""
        return f"{escaped(match['stem'])}-*{tail['suffix']}{major}"
    if python := _PYTHON.match(name):
        rest = ".so*" if python["rest"] else ""
        return f"{python['name']}3*{rest}"
    marked = _RELEASE_OF_FILE.sub("-\0", _INTERPRETER.sub(".cpython-\0-", name))
    return escaped(marked).replace("\0", "*")


def next_directory(name: str) -> str:
    """The name of a directory likewise."""
    if info := _INFO.match(name):
        return f"{escaped(info['name'])}-*.{info['kind']}"
    if _PYTHON.match(name):
        return "python3*"
    if len(name) > _LONGEST:
        return escaped(name)
    return escaped(_RELEASE.sub("-\0", name)).replace("\0", "*")


def next_path(path: str, soname: str | None) -> str:
    """The path of a library likewise.

    Args:
        path: below an import root, or absolute.
        soname: its DT_SONAME: up to there the name of the file is a promise to others.
    """
    folder, slash, name = path.rpartition("/")
    below = "/".join(map(next_directory, folder.split("/")))
    return f"{below}{slash}{_next_file(name, folder, soname)}"


def _next_file(name: str, folder: str, soname: str | None) -> str:
    if is_copied(name, folder) or len(name) > _LONGEST:
        return next_name(name, folder)
    if soname and name.startswith(f"{soname}."):
        return f"{next_name(soname)}*"
    tail = _TAIL.match(name)
    if tail is not None and tail["minor"] and name != soname:
        return f"{next_name(name[: -len(tail['minor'])])}*"
    return next_name(name)


def next_version(name: str, releases: Collection[str]) -> str:
    """The name of a version of symbols likewise: one with the number of a release changes with it.

    Args:
        name: ``VERS_1.19.0``; others keep theirs, ``GLIBC_2.17``.
        releases: the versions of the distributions of the build.
    """
    start = len(name.rstrip("0123456789."))
    if name[start:] in releases:
        return f"{escaped(name[:start])}*"
    return escaped(name)
