"""The text of a Python file as CPython reads it, and its syntax tree, whatever is in it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass

__all__ = ["ParsedModule", "parse_module"]

_MOST_BYTES = 8 << 20  # generated files have 2 MB; a tree takes 50 times the size of its text
_MOST_TOKENS = 1_000_000  # a token takes a kilobyte
_PUNCTUATION = b",.:;=+-*/%&|<>()[]{}"
_ROW = re.compile(rb"[-+~]{9}")
_OPERATORS = re.compile(rb"(?:[-+~]|not\s){400}")  # unary ones, each a level of the tree


@dataclass(frozen=True, slots=True)
class ParsedModule:
    """The text of a file with the ends of lines as Python has them, and its syntax tree."""

    text: str
    tree: ast.Module


def parse_module(raw: bytes) -> ParsedModule | str:
    """The text and the syntax tree of a file, or why there are none, a clause.

    Args:
        raw: the bytes of the file.

    Source: PEP 263 for the encoding; the limits are where CPython gives up or may run out of stack.
    """
    if len(raw) > _MOST_BYTES:
        return f"has {len(raw):,} bytes, more than is parsed"
    if len(raw) > _MOST_TOKENS and len(raw) - len(raw.translate(None, _PUNCTUATION)) > _MOST_TOKENS:
        return f"has more than {_MOST_TOKENS:,} tokens, more than is parsed"
    if b"\0" in raw:
        return "has NUL bytes"
    # The first two are quick, and say of nearly all files that the third need not be asked.
    if (_ROW.search(raw) or raw.count(b"not") > 40) and _OPERATORS.search(raw):
        return "is nested too deeply"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (SyntaxError, UnicodeError, LookupError):
        return "is not of the encoding that it states"
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the author's affair
            return ParsedModule(text, ast.parse(text))
    except SyntaxError as error:
        return f"does not parse: {error.msg}, line {error.lineno}"
    except (RecursionError, MemoryError):
        return "is nested too deeply"
    except ValueError as error:
        return f"does not parse: {error}"
