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

from ..elf import ElfObject, Symbol
from ..errors import ElfAuditError
from ..loader import Binding, Libc, LinkMapEntry
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .rule import Rule

__all__ = ["RULE"]

_COMPILING = "gcc -fPIE -mno-direct-extern-access"


def _check(case: Case) -> Iterator[Finding]:
    program = case.link_map.program
    if program is not case.link_map.subject or program.elf is None or not program.elf.is_program:
        return
    for binding in _copies(case, program):
        source = binding.provider
        if source is None or source.elf is None:
            continue
        room, size = _size(program.elf, binding), _size(source.elf, binding)
        if room is not None and size is not None and size > room:
            yield _finding(case, binding.name, source, room, size)


def _copies(case: Case, program: LinkMapEntry) -> Iterator[Binding]:
    """What the program copies, in order of the names."""
    index = case.bindings.indices.get(program)
    if index is None:
        return
    if case.link_map.libc is Libc.MUSL:  # has no table of copies alone
        yield from (b for b in case.bindings.of_object(program) if b.copied)
        return
    for key in sorted(index.references.copied):
        yield from (b for b in case.bindings.all_of(program, key) if b.copied)


def _size(elf: ElfObject, binding: Binding) -> int | None:
    """Of the definition in an object that a reference is bound to."""
    try:
        found = [s for s in elf.symbols.find(binding.name) if elf.symbols.is_export(s.index)]
    except ElfAuditError:  # told as damaged
        return None
    finally:
        elf.release()
    found.sort(key=lambda symbol: _rank(symbol, binding.version))
    return found[0].size if found else None


def _rank(symbol: Symbol, version: str | None) -> tuple[bool, bool, bool]:
    return symbol.version != version, symbol.version is not None, symbol.version_hidden


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
