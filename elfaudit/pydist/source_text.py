"""The text of a Python file as CPython reads it, and its syntax tree, whatever is in it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings

__all__ = ["parse_module"]

_MOST_BYTES = 8 << 20  # generated files have 2 MB; a tree takes 50 times the size of its text
_MOST_DEPTH = 200  # of brackets, as CPython's tokenizer has it (MAXSTACK is 6000 in the parser)
_OPERATORS = re.compile(rb"(?:[-+~]|not\s){400}")  # unary ones, each a level of the tree


def parse_module(raw: bytes) -> ast.Module | str:
    """The syntax tree of a file, or why there is none, a clause.

    Args:
        raw: the bytes of the file.

    Source: PEP 263 for the encoding; the limits are where CPython gives up or may run out of stack.
    """
    if len(raw) > _MOST_BYTES:
        return f"has {len(raw):,} bytes, more than is parsed"
    if b"\0" in raw:
        return "has NUL bytes"
    if _OPERATORS.search(raw):
        return "is nested too deeply"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return "is not of the encoding that it states"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the author's affair
            return ast.parse(text)
    except SyntaxError as error:
        return f"does not parse: {error.msg}, line {error.lineno}"
    except (RecursionError, MemoryError):
        return "is nested too deeply"
    except ValueError as error:
        return f"does not parse: {error}"
