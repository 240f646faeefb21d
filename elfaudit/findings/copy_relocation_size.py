"""A variable that a program has copied from a library is larger in the library of today.

## What it is

A program that is not position independent throughout has a variable of a library copied into its
own `.bss` (a COPY relocation), with as much room as the variable had when the program was linked.
From then on everybody, the library included, uses the copy.

## Why it matters

The library takes the variable for as large as it is now: what lies behind the copy is another
variable of the program. The loader copies what there is room for, and says so on standard error:
`prog: Symbol 'table' has different size in shared object, consider re-linking`. The program starts
all the same, and reads or overwrites what is not the variable's. musl copies without a word.

## How it is decided

By the size of the symbol (`st_size`) in the program and in the object that its COPY relocation
binds to, for programs only. Where the library's is the smaller one the loader is silent, and so is
this rule.

## Example

```text
warning  ./prog: Symbol `table' has different size in shared object, consider re-linking
         4 bytes in the program, 16 in /opt/lib/libtable.so
```

## Fix

Link the program again with the library it is to run with. Compiled with `-fPIE` and
`-mno-direct-extern-access` (or, in the library, with a function in place of the variable) it has no
copy whose size could be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ElfAuditError
from ..loader import Libc, LinkMapEntry
from ..loader.references import split_key
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule

__all__ = ["RULE"]

_COMPILING = "gcc -fPIE -mno-direct-extern-access"


def _check(case: Case) -> Iterator[Finding]:
    program = case.link_map.program
    if program is not case.link_map.subject or program.elf is None or not program.elf.is_program:
        return
    for key, source in case.bindings.copies(program):
        if source is None or source.elf is None:
            continue
        room, size = _size(case, program, key), _size(case, source, key)
        if room is not None and size is not None and size > room:
            yield _finding(case, split_key(key)[0], source, room, size)


def _size(case: Case, entry: LinkMapEntry, key: str) -> int | None:
    """Of the variable that an object has under a key; None if it has none."""
    try:
        sizes = case.sizes(entry)
    except ElfAuditError:  # told as damaged
        return None
    return sizes.get(key.removesuffix("\0"), sizes.get(split_key(key)[0]))


def _finding(case: Case, name: str, source: LinkMapEntry, room: int, size: int) -> Finding:
    program = case.link_map.program
    message = f"{program.label}: Symbol `{name}' has different size in shared object, consider "
    message += "re-linking"
    if case.link_map.libc is Libc.MUSL:  # it has no words for it
        message = f"{program.label}: {name} is copied from {source.soname} with too little room"
    return Finding(
        RULE.name,
        Severity.WARNING,
        program.display,
        message,
        (f"{room} bytes in the program, {size} in {source.label}",),
        (
            Fix("link the program again", None, (), Applicability.DISPLAY_ONLY),
            Fix("compile it so that nothing is copied", _COMPILING, (), Applicability.DISPLAY_ONLY),
        ),
        (name,),
    )


RULE = Rule("copy-relocation-size", Severity.WARNING, __doc__, _check)
