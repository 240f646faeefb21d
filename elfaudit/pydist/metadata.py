"""METADATA of a distribution: who it is and what it asks for.

Source: "Core metadata specifications" (packaging.python.org): headers as of e-mail, then the
description. The headers are read by hand: :mod:`email` takes a second for a README of megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Metadata", "read_metadata"]


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
    for name, value in _headers(text):
        headers.setdefault(name, []).append(value)

    def first(name: str) -> str | None:
        return next((value for value in headers.get(name, ()) if value), None)

    return Metadata(
        first("name"),
        first("version"),
        tuple(value for value in headers.get("requires-dist", ()) if value),
        first("requires-python"),
        tuple(value for value in headers.get("provides-extra", ()) if value),
    )


def _headers(text: str) -> Iterator[tuple[str, str]]:
    """Name in lower case and value of each header; what continues a line belongs to it."""
    name, parts = "", [""]
    for line in text.lstrip("\ufeff").split("\n"):
        stripped = line.rstrip("\r")
        if not stripped:
            break
        if stripped[0] in " \t":
            parts.append(stripped.strip())
            continue
        if name:
            yield name, " ".join(parts).strip()
        head, colon, value = stripped.partition(":")
        name, parts = (head.strip().lower(), [value.strip()]) if colon else ("", [""])
    if name:
        yield name, " ".join(parts).strip()
