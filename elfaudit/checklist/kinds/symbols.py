"""How many symbols of a description a file exports, or leaves undefined.

## What it asks

`side`: `exports` (the default) or `undefined`. `match`: a regular expression, searched for in the
name; with `demangled = true` also in the readable one. `namespace`: a C++ namespace and all below
it. `version`: the version of the symbols (`GLIBC_2.*`). Then `min`, `max` or `exact`; by default
at least one.

```toml
[[check]]
kind = "symbols"
file = "torch/lib/libtorch_python.so"
side = "undefined"
namespace = "c10d"
min = 1
```

## Why

`nm -D FILE | grep -c c10d` counts lines in which the letters occur: `_ZN3c10dvE…` is
`c10::operator/`, and no symbol of `c10d`. A namespace is parsed out of the mangled name.

## How it is decided

By the dynamic symbol table, as the loader reads it, the sections of the file may be stripped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...elf import ElfObject
from ...elf.cxxname import demangle, rows_in_namespace
from ...elf.symbols import SymbolTable
from ...findings.checks import Check, Judgement
from ..build import Build, BuildFile
from ..globs import matches_name
from ..kind import GLOB, NAME, REGEX, Kind, counted, listed
from ..patterns import Pattern
from .amounts import AMOUNT, amount_told, amount_wrong
from .elf_files import ElfFiles, Fault, facts_wanted, judge_each

__all__ = ["KIND"]

_MOST_SHOWN = 5


def _judge(check: Check, build: Build) -> Judgement:
    counted_in: dict[str, list[str]] = {}  # a table of 75,000 symbols is gone through once

    def found(file: BuildFile, elf: ElfObject) -> list[str]:
        if file.target not in counted_in:
            counted_in[file.target] = [elf.symbols.names[row] for row in _rows(check, elf)]
        return counted_in[file.target]

    def faults(file: BuildFile, elf: ElfObject) -> Iterator[Fault]:
        count = len(found(file, elf))
        if problem := amount_wrong(check, count):
            yield Fault(f"{_line(check, file, count)}, {problem}")

    def told(files: ElfFiles) -> str:
        file, elf = files.found[0]
        others = len(files.found) - 1
        more = f"; {counted(others, 'other file')} likewise" if others else ""
        return f"{_line(check, file, len(found(file, elf)))}{amount_told(check)}{more}"

    def evidence(file: BuildFile, elf: ElfObject) -> str:
        names = found(file, elf)
        return f"{_line(check, file, len(names))}: {listed(names, _MOST_SHOWN, ', ') or 'none'}"

    return judge_each(check, build, faults, told, evidence)


def _line(check: Check, file: BuildFile, count: int) -> str:
    verb = "exports" if check.parameters.get("side", "exports") == "exports" else "leaves undefined"
    return f"{file.path} {verb} {counted(count, 'symbol')}{_described(check)}"


def _described(check: Check) -> str:
    parts = [""]
    for key, word in (
        ("namespace", "of namespace"),
        ("match", "matching"),
        ("version", "with version"),
    ):
        if key in check.parameters:
            parts.append(f"{word} {check.parameters[key]}")
    return " ".join(parts)


def _rows(check: Check, elf: ElfObject) -> Iterator[int]:
    table, given = elf.symbols, check.parameters
    # symbols of that name stand for them
    versions = {each.name for each in elf.versions.definitions}
    undefined = given.get("side") == "undefined"
    names = table.names
    for row in _named(check, names, table.undefined_indices if undefined else table.export_indices):
        if not undefined and names[row] in versions and _is_version(table, row):
            continue
        if "version" in given and not matches_name(table[row].version or "", str(given["version"])):
            continue
        yield row


def _is_version(table: SymbolTable, row: int) -> bool:
    """Whether an export only stands for a version: its own, whose name it has (``FOO_1.0``)."""
    return table[row].version == table.names[row]


def _named(check: Check, names: Sequence[str], rows: Sequence[int]) -> Iterable[int]:
    """Those rows whose names are as asked for."""
    given = check.parameters
    namespace = str(given.get("namespace", "")).strip(":")
    if namespace:
        found = rows_in_namespace([names[row] for row in rows], namespace)
        rows = [rows[at] for at in found]
    if "match" not in given:
        return rows
    pattern, demangled = Pattern(str(given["match"]), "match"), bool(given.get("demangled"))
    return (
        row
        for row in rows
        if pattern.finds(names[row]) or (demangled and pattern.finds(demangle(names[row])))
    )


KIND = Kind(
    "symbols",
    __doc__,
    _judge,
    {
        "file": GLOB,
        "side": {"enum": ["exports", "undefined"]},
        "match": REGEX,
        "demangled": {"type": "boolean"},
        "namespace": NAME,
        "version": {**NAME, "format": "glob"},
        **AMOUNT,
    },
    ("file",),
    facts_wanted,
)
