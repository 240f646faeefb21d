"""Headers as of e-mail: the form of METADATA and of WHEEL.

Source: RFC 822, section 3.1.1 (a line that begins with a blank continues the one before), as
"Core metadata specifications" and "Binary distribution format" (packaging.python.org) take it. They
are read by hand: :mod:`email` parses the description, too, which may be megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["read_headers"]

_MOST = 20_000  # headers: the largest METADATA of real wheels have a few hundred


def read_headers(text: str) -> Iterator[tuple[str, str]]:
    """Name in lower case and value of each header, in order, up to the first empty line.

    A line that is no header is passed over, with what continues it.
    """
    name, parts = "", [""]
    for count, line in enumerate(_lines(text)):
        if not line or count == _MOST:
            break
        if line[0] in " \t":
            parts.append(line.strip())
            continue
        if name:
            yield name, " ".join(parts).strip()
        head, colon, value = line.partition(":")
        name, parts = (head.strip().lower(), [value.strip()]) if colon else ("", [""])
    if name:
        yield name, " ".join(parts).strip()


def _lines(text: str) -> Iterator[str]:
    """The lines one by one: the description behind the headers is not split."""
    start = len(text) - len(text.removeprefix("\ufeff"))
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end].rstrip("\r")
        start = end + 1
