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

from collections.abc import Callable, Iterator

from ...elf import ElfObject
from ...elf.cxxname import demangle, in_namespace
from ...findings.checks import Check, Judgement
from ..build import Build
from ..globs import matches_name
from ..kind import GLOB, NAME, REGEX, Kind, failed, passed
from ..patterns import Pattern
from .amounts import AMOUNT, amount_told, amount_wrong
from .elf_files import facts_wanted, no_file

__all__ = ["KIND"]

_MOST_SHOWN = 5


def _judge(check: Check, build: Build) -> Judgement:
    files = build.elf_files(str(check.parameters["file"]))
    if not files:
        return no_file(check, build)
    side = check.parameters.get("side", "exports")
    what = _described(check)
    wrong: list[str] = []
    evidence: list[str] = []
    for file, elf in files:
        found = [elf.symbols.names[row] for row in _rows(check, elf)]
        shown = ", ".join(found[:_MOST_SHOWN]) + (" …" if len(found) > _MOST_SHOWN else "")
        verb = "exports" if side == "exports" else "leaves undefined"
        line = f"{file.path} {verb} {len(found):,} {what}"
        evidence.append(f"{line}: {shown}" if found else line)
        if problem := amount_wrong(check, len(found)):
            wrong.append(f"{line}, {problem}")
    if wrong:
        return failed(check, "; ".join(wrong), evidence)
    return passed(check, f"{evidence[0].partition(':')[0]}{amount_told(check)}", evidence[1:])


def _described(check: Check) -> str:
    parts = ["symbols"]
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
    accepts = _condition(check)
    names = table.names
    undefined = given.get("side") == "undefined"
    for row in table.undefined_indices if undefined else table.export_indices:
        if not accepts(names[row]):
            continue
        if "version" in given and not matches_name(table[row].version or "", str(given["version"])):
            continue
        yield row


def _condition(check: Check) -> Callable[[str], bool]:
    """What a name must fulfil."""
    given = check.parameters
    pattern = Pattern(str(given["match"]), "match") if "match" in given else None
    namespace = str(given.get("namespace", ""))

    def accepts(name: str) -> bool:
        if namespace and not in_namespace(name, namespace):
            return False
        if pattern is None or pattern.finds(name):
            return True
        return bool(given.get("demangled")) and pattern.finds(demangle(name))

    return accepts


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
        "version": NAME,
        **AMOUNT,
    },
    ("file",),
    facts_wanted,
)
