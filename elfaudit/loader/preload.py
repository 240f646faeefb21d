"""``/etc/ld.so.preload``: what every process of a root has loaded.

Source: ``dl_main`` (glibc ``elf/rtld.c``), where ``preload_file`` is.
"""

from __future__ import annotations

import re

from ..errors import SourceError
from ..sources import Source

__all__ = ["PRELOAD_PATH", "system_preload"]

PRELOAD_PATH = "/etc/ld.so.preload"

_MOST = 1 << 20


def system_preload(root: Source) -> tuple[str, ...]:
    """The names in a root's ``/etc/ld.so.preload``, which come behind those of ``LD_PRELOAD``.

    They are kept apart by blanks, colons and ends of lines; a ``#`` begins a comment, though not
    behind long ones. A file that cannot be read counts as none.
    """
    try:
        member = root.find(PRELOAD_PATH)
        raw = member.open().read(_MOST) if member is not None else b""
    except SourceError:
        return ()
    text = _without_comments(bytearray(raw)).decode("utf-8", "surrogateescape")
    return tuple(name for name in re.split("[: \t\n]", text.partition("\0")[0]) if name)


def _without_comments(text: bytearray) -> bytearray:
    """Blanks in the place of comments, as far as the loader gets.

    It searches from the beginning each time, yet counts what it passed as done with, so that the
    later ones of several comments are not seen.
    """
    left = len(text)
    while left > 0:
        at = text.find(b"#", 0, left)
        if at < 0:
            break
        left -= at
        end = text.find(b"\n", at)
        end = min(end if end >= 0 else len(text), at + left)
        text[at:end] = b" " * (end - at)
        left -= end - at
    return text
