"""What the name of a library says: what it is apart from its version, and who can know it."""

from __future__ import annotations

import posixpath
import re
from enum import Enum

from ..loader.python import is_extension_name

__all__ = ["Role", "library_stem", "role_of", "without_hash"]

# auditwheel: the first 8 digits of the file's SHA-256, once or, since 6.3, also of its origin; in
# front of the first dot, which need not be that of the suffix (libx-0cf96a72.3.23.dev.so).
_HASH = re.compile(r"(?:-[0-9a-f]{8})+(?=\.so|\.[\w.]*\.so$|$)")
_LONGEST = 1000  # NAME_MAX is 255; a name in a file may have megabytes, and a search its square
_EXTENSION_TAG = re.compile(
    r"\.(?:cpython-\d+[a-z]*-[\w-]+|abi3(?:-[\w-]+)?|(?:pypy|graalpy)[\w-]+)\.so$"
)
_SO_VERSION = re.compile(r"\.so(?:\.\d+)*$")
_VERSION = re.compile(r"[-_.]?v?\d+(?:\.\d+)+$|-v?\d+$")


class Role(Enum):
    """Who may use a file by its name."""

    LIBRARY = "library"  # whoever links it
    EXTENSION = "extension"  # a Python interpreter that imports it, by its PyInit_ function only
    PRIVATE = "private"  # who was built with it: its name has a hash of it
    PROGRAM = "program"  # whoever runs it


def role_of(path: str, *, program: bool) -> Role:
    """Who may use a file.

    Source: PEP 3149 for the names of extensions; ``copylib`` (auditwheel ``repair.py``) for hashes.

    Args:
        path: where it is in its build.
        program: whether it is a program by what is in it.
    """
    name = posixpath.basename(path)
    if is_extension_name(name):
        return Role.EXTENSION
    hashed = _HASH.search(name)
    # Eight digits may be a date, but not where auditwheel and its kin put their copies.
    if hashed and (re.search("[a-f]", hashed[0]) or ".libs/" in path):
        return Role.PRIVATE
    return Role.PROGRAM if program else Role.LIBRARY


def without_hash(name: str) -> str:
    """The name that a library had before it was copied into a wheel: its version stays."""
    return _HASH.sub("", name) if len(name) <= _LONGEST else name


def library_stem(path: str) -> str:
    """The file name without hash, version and interpreter tag: ``libssl`` of ``libssl.so.1.1``."""
    name = posixpath.basename(path)
    if len(name) > _LONGEST:
        return name
    stem = _SO_VERSION.sub("", _HASH.sub("", _EXTENSION_TAG.sub("", name)))
    return _VERSION.sub("", stem) or stem or name
