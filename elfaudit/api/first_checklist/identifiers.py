"""The ids of checks: readable, of the form that checklists allow, each once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["identifiers", "slug"]

_LONGEST = 80  # of an id, by the schema
_OTHER = re.compile(r"[^a-z0-9._]+")


def slug(text: str, longest: int = _LONGEST) -> str:
    """A text in the letters that an id may have; perhaps empty. Accents go, other scripts too."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _OTHER.sub("-", plain).strip("-._")[:longest].strip("-._")


def identifiers(wanted: Iterable[tuple[str, str]]) -> list[str]:
    """An id for each kind of check and what it is about; those that would be the same are counted.

    Args:
        wanted: the kind, and what it is about; nothing where there is one of that kind.
    """
    taken: set[str] = set()
    return [_free(_named(kind, about), taken) for kind, about in wanted]


def _named(kind: str, about: str) -> str:
    return slug(f"{kind}-{slug(about) or 'file'}") if about else kind


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        ending = f"-{number}"
        found = f"{name[: _LONGEST - len(ending)]}{ending}"
    taken.add(found)
    return found
