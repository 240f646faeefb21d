"""How text is laid out for people: width, colour, shortened paths, wrapped sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Style", "clean", "demangled_text", "legible", "plural", "shorten_path", "wrap"]

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MANGLED = re.compile(r"(?<![\w$.])_[ZR][A-Za-z0-9_.$]+")
_NARROWEST = 40


@dataclass(frozen=True, slots=True)
class Style:
    """How to lay out: columns of the line, whether to colour, what to leave out.

    Attributes:
        width: columns to fit tables and sentences into; commands to copy are never broken.
        colour: whether to use ANSI escape sequences.
        demangle: whether C++ and Rust names are shown demangled.
        quiet: problems only.
        verbose: nothing summed up or left out.
    """

    width: int = 80
    colour: bool = False
    demangle: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def columns(self) -> int:
        """The width to lay out for; there is a limit to what can be squeezed."""
        return max(self.width, _NARROWEST)

    def paint(self, text: str, *looks: str) -> str:
        """``text`` in colour (``red``, ``bold``, …), or as it is."""
        if not self.colour or not looks:
            return text
        return f"\x1b[{';'.join(_CODES[look] for look in looks)}m{text}\x1b[0m"

    def words(self, text: str) -> str:
        """Text from a file as a terminal may have it, demangled if that is asked for."""
        return clean(demangled_text(text) if self.demangle else text)


def clean(text: str) -> str:
    r"""Text without anything that steers a terminal, and without surrogates.

    Names in a file are any bytes: what is not UTF-8 is shown as ``\xff``, control characters (an
    escape sequence in a symbol name) likewise.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(_escape, legible(text))


def legible(text: str) -> str:
    r"""Text without surrogates, which UTF-8 cannot hold: such a byte is ``\xff``."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that no decoding made: from a JSON note
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def demangled_text(text: str) -> str:
    """``text`` with every mangled name in it replaced by its readable form."""
    if "_Z" not in text and "_R" not in text:
        return text
    from ..elf.cxxname import demangle  # noqa: PLC0415  brings the demangler, 50 ms

    return _MANGLED.sub(lambda match: demangle(match[0]), text)


def shorten_path(path: str, width: int) -> str:
    """A path of at most ``width`` columns: directories in the middle become ``…``.

    The file's name is never cut; if it alone is too long, so is the result.
    """
    if len(path) <= width:
        return path
    head, slash, name = path.rpartition("/")
    if not slash:
        return path
    room = width - len(name) - 2  # the ellipsis and the slash
    if room <= 0:
        return f"…/{name}"
    # Whole directories are kept where they fit, from both ends: the container is in front, what
    # tells two files of one name apart is right before the name.
    parts = head.split("/")
    front: list[str] = []
    back: list[str] = []
    while parts:
        from_back = len(back) <= len(front)
        part = parts[-1] if from_back else parts[0]
        used = sum(len(piece) + 1 for piece in (*front, *back))
        if used + len(part) + 1 > room:
            break
        if from_back:
            back.insert(0, parts.pop())
        else:
            front.append(parts.pop(0))
    return "/".join((*front, "…", *back, name))


def wrap(text: str, width: int, *, indent: str = "", first: str | None = None) -> str:
    """``text`` in lines of ``width`` columns, broken between words only.

    Args:
        text: one paragraph.
        width: columns of a line, the indent included; a longer word stands alone, whole.
        indent: what every line begins with.
        first: what the first line begins with instead.
    """
    lines: list[str] = []
    line = indent if first is None else first
    start = len(line)
    for word in text.split(" "):
        if len(line) > start and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = indent
            start = len(line)
        line += word if len(line) == start else f" {word}"
    return "\n".join((*lines, line))


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """``1 file``, ``12,203 files``."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"
