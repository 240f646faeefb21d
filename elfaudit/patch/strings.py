"""The string table: what is in it already, and what has to be put behind it.

No string is ever overwritten: linkers let one be the end of another (``rocm_smi64.so`` of
``librocm_smi64.so``), and symbols share them with the dynamic section.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["placed"]


def placed(table: bytes, texts: Iterable[bytes]) -> tuple[dict[bytes, int], bytes]:
    """Where each text is, and what has to be appended to the table for that.

    Args:
        table: ``DT_STRTAB``.
        texts: what is needed, without the NUL.

    Returns:
        (offset of each text, the bytes to append; empty if all were there)
    """
    wanted = list(dict.fromkeys(texts))
    offsets: dict[bytes, int] = {}
    appended = b"" if table.endswith(b"\0") else b"\0"
    # The longest first: a shorter one may be its end.
    for text in sorted(wanted, key=len, reverse=True):
        place = table.find(text + b"\0")
        if place < 0:
            place = appended.find(text + b"\0")
            if place < 0:
                place = len(appended)
                appended += text + b"\0"
            place += len(table)
        offsets[text] = place
    new = any(place >= len(table) for place in offsets.values())
    return offsets, appended if new else b""
