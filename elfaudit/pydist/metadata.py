"""METADATA of a distribution: who it is and what it asks for.

Source: "Core metadata specifications" (packaging.python.org).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .headers import read_headers

__all__ = ["Metadata", "read_metadata", "read_requires"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What METADATA says, as written.

    Attributes:
        name: the name of the project; None where it is not stated.
        version: its version; None likewise.
        requires_dist: the requirements, one a header.
        requires_python: for which versions of Python it is.
        extras: the names of its extras.
    """

    name: str | None
    version: str | None
    requires_dist: tuple[str, ...] = ()
    requires_python: str | None = None
    extras: tuple[str, ...] = ()


def read_metadata(text: str) -> Metadata:
    """What the headers say; the first of a header that may be there once counts."""
    headers: dict[str, list[str]] = {}
    for name, value in read_headers(text):
        if value:
            headers.setdefault(name, []).append(value)

    def first(name: str) -> str | None:
        return next(iter(headers.get(name, ())), None)

    return Metadata(
        first("name"),
        first("version"),
        tuple(headers.get("requires-dist", ())),
        first("requires-python"),
        tuple(headers.get("provides-extra", ())),
    )


def read_requires(text: str) -> Iterator[str]:
    """The requirements of the requires.txt of an ``.egg-info``, as Requires-Dist has them.

    Source: setuptools, ``_requirestxt.py``: ``[extra:marker]`` is for the lines below it.
    """
    condition = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            parts = [f"({marker})"] if marker else []
            parts += [f'extra == "{extra}"'] if extra else []
            condition = " and ".join(parts)
        elif line and not line.startswith("#"):
            blank = " " if " @ " in line else ""  # a URL ends at a blank
            yield f"{line}{blank}; {condition}" if condition else line
