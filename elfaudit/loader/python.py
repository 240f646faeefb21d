"""The Python process: which interpreter loads an extension, and what it supplies.

Source: PEP 3149 and PEP 384 for the names of extension modules; ``_PyImport_FindSharedFuncptr``
(``Python/dynload_shlib.c``) for the dlopen; the stable ABI as the ``abi3info`` package lists it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..sources import Source
from .references import References, split_key

__all__ = ["extension_version", "find_interpreter", "is_extension_name", "python_symbols"]

_EXTENSION = re.compile(
    r"\.(?:cpython-(?P<digits>\d+)(?P<flags>[a-z]*)-[\w-]+|abi3(?:-[\w-]+)?)\.so$"
)
# Other interpreters: CPython does not import their extensions, and they are not looked for.
_OTHER = re.compile(r"\.(?P<tag>(?:pypy|graalpy)-?\d+)-[\w-]+\.so$")
_OTHER_WHEEL = re.compile(r"-(?:pp|graalpy)\d+-(?P<tag>(?:pypy|graalpy)\d+)_[^-/]+-[^-/]+\.whl$")
_WHEEL_TAG = re.compile(r"-cp(?P<digits>\d+)-(?:cp\d+(?P<flags>[a-z]*)|abi3|none)-[^-/]+\.whl$")
_DIRECTORIES = ("/usr/local/bin", "/usr/bin", "/opt/venv/bin", "/opt/conda/bin")
_VERSIONS = tuple(f"3.{minor}" for minor in range(20, 7, -1))


def is_extension_name(path: str) -> bool:
    """Whether a file is named like an extension module of one Python interpreter or of abi3."""
    return (_EXTENSION.search(path) or _OTHER.search(path)) is not None


def extension_version(path: str) -> str | None:
    """``3.11`` for a file or wheel that is built for one Python, with ``t`` if free-threaded.

    None where the name does not tie it to one version (``abi3``, ``py3-none``). For PyPy and
    GraalPy the tag (``pypy310``), of which :func:`find_interpreter` finds none.
    """
    other = _OTHER.search(path) or _OTHER_WHEEL.search(path)
    if other:
        return other["tag"]
    for pattern in (_EXTENSION, _WHEEL_TAG):
        match = pattern.search(path)
        if match and match["digits"] and "abi3" not in match[0]:
            digits = match["digits"]
            suffix = "t" if "t" in (match["flags"] or "") else ""
            return f"{digits[0]}.{digits[1:]}{suffix}"
    return None


def find_interpreter(root: Source, version: str | None) -> str | None:
    """The path in a root of a Python of that version, or of the newest if it does not matter."""
    if version and not version[0].isdigit():
        return None
    names = [f"python{version}"] if version else ["python3", *(f"python{v}" for v in _VERSIONS)]
    tagged = [f"cp{version.replace('.', '')}" for _ in (0,)] if version else []
    candidates: Iterable[str] = (
        *(f"{directory}/{name}" for name in names for directory in _DIRECTORIES),
        *(f"/opt/python/{tag}-{tag}/bin/python{version}" for tag in tagged),
    )
    return next((path for path in candidates if root.find(path) is not None), None)


def python_symbols(references: Iterable[References]) -> Iterator[str]:
    """The names among those referenced that are an interpreter's: ``Py*``, ``_Py*``, stable ABI."""
    stable: frozenset[str] | None = None
    for name in {split_key(key)[0] for each in references for key in each.keys}:
        if name.startswith(("Py", "_Py")):
            yield name
            continue
        if stable is None:
            stable = _stable_abi()
        if name in stable:
            yield name


def refers_to_python(references: References) -> bool:
    """Whether an object refers to something of the interpreter that it does not have itself."""
    return any(key.startswith(("Py", "_Py")) for key in references.keys)


def _stable_abi() -> frozenset[str]:
    from abi3info import DATAS, FUNCTIONS  # noqa: PLC0415  27 ms that only a few runs need

    return frozenset(symbol.name for table in (FUNCTIONS, DATAS) for symbol in table)
