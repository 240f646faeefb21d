"""WHEEL of a distribution: for which interpreters and platforms it was built.

Source: "Binary distribution format" (packaging.python.org), "File contents".
"""

from __future__ import annotations

from dataclasses import dataclass

from .headers import read_headers

__all__ = ["WheelInfo", "read_wheel_info"]


@dataclass(frozen=True, slots=True)
class WheelInfo:
    """What WHEEL says, as written.

    Attributes:
        tags: the expanded compatibility tags, one a header (``cp311-cp311-linux_x86_64``).
        build: the build number; None where there is none.
        root_is_purelib: whether it is unpacked into purelib; None where it is not stated.
        version: of the format of wheels; None where it is not stated.
    """

    tags: tuple[str, ...]
    build: str | None = None
    root_is_purelib: bool | None = None
    version: str | None = None


def read_wheel_info(text: str) -> WheelInfo:
    """What the headers say; the first of a header that may be there once counts."""
    tags: dict[str, None] = {}
    once: dict[str, str] = {}
    for name, value in read_headers(text):
        if name == "tag" and value:
            tags[value] = None
        once.setdefault(name, value)
    pure = once.get("root-is-purelib", "").lower()
    return WheelInfo(
        tuple(tags),
        once.get("build") or None,
        pure == "true" if pure in ("true", "false") else None,
        once.get("wheel-version") or None,
    )
