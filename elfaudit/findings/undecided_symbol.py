"""A symbol that nobody defines, in a scope from which a library is missing.

## What it is

A relocation names a symbol that no object of the scope defines; but some library of the scope was
not found (external-library, missing-library) or cannot be read (damaged-object), and may well
define it.

## Why it matters

Whether it loads hangs on what was not looked at.

## How it is decided

As for unresolved-symbol. The libraries at hand that export the symbol are named.

## Example

```text
warning  libdemo.so: undefined symbol: dep_call, version DEP_1.0 (and 2 more)
       undecided: a library that was not found may define it
       symbols: dep_call, dep_data, dep_tls
```

## Fix

Name what the file will be used with (`--root`, `--with`), or supply what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..loader import Status
from .case import Case
from .model import Finding, Severity
from .open_symbols import open_symbols
from .rule import Rule

__all__ = ["RULE"]


def _check(case: Case) -> Iterator[Finding]:
    return open_symbols(case, Status.UNDECIDED, RULE.name)


RULE = Rule("undecided-symbol", Severity.WARNING, __doc__, _check)
