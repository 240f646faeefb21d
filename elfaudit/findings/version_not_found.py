"""A version is required that the library found does not define.

## What it is

An object asks for a version of a library (`GLIBCXX_3.4.32` of `libstdc++.so.6`), and the library
loaded under that name has version definitions, but not this one: mostly it is too old.

## Why it matters

The loader stops before it looks at a single symbol.

## How it is decided

As `_dl_check_map_versions` does (glibc `elf/dl-version.c`): a library without any version
definition is accepted; a requirement flagged weak only warns. If no object asks for the library
by that name, the loader stops at a failed assertion. An object with `DT_RELR` that needs versions
of `libc.so` must need `GLIBC_ABI_DT_RELR` too.

The symbols that ask for the version are named (all of them in JSON): a single one often tells
which function of the source raises the requirement. So is the highest version of that family that
the library does have, and any library of the same name at hand that defines the one required.

## Example

```text
FAILS  /lib/x86_64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by
       libfoo.so)
       1 symbol needs it: std::ios_base_library_init()
       libstdc++.so.6 defines GLIBCXX up to GLIBCXX_3.4.30
  fix: build libfoo.so on a system whose libstdc++.so.6 has GLIBCXX_3.4.30 at most
       or use the libstdc++.so.6 in /opt/conda/lib, which defines GLIBCXX_3.4.32
         export LD_LIBRARY_PATH=/opt/conda/lib
```

## Fix

Build against an older library (for glibc and libstdc++: in an older image, such as manylinux),
run with a newer one, or do without the few symbols that need it.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator

from ..elf.cxxname import demangle
from ..errors import ElfAuditError
from ..loader import Cause, LinkMapEntry
from ..loader.lookup import RELR_VERSION
from ..loader.references import split_key
from ..loader.versioncheck import Unmet, checks_relr, unmet_versions
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .providers import Provider
from .rule import Rule

__all__ = ["RULE", "unmet"]

_MOST_SYMBOLS = 5
_NUMBERED = re.compile(r"(?P<family>.*?)_?(?P<number>[0-9]+(?:\.[0-9]+)*)$", re.DOTALL)


def unmet(case: Case) -> Iterator[Unmet]:
    """Every requirement that is not met, of all objects of the process, in load order."""
    for opening in case.link_map.openings:
        yield from unmet_versions(case.link_map, case.bindings.indices, opening)


def _check(case: Case) -> Iterator[Finding]:
    for each in unmet(case):
        if each.provider is None:
            yield _asserted(case, each)
        else:
            yield _finding(case, each, each.provider)
    for entry, index in case.bindings.indices.items():
        if index.lacks_relr_version and checks_relr(case.rtld_version):
            message = f"{entry.label}: DT_RELR without {RELR_VERSION} dependency"
            yield Finding(RULE.name, Severity.ERROR, entry.display, message)
    yield from _lost(case)


def _asserted(case: Case, missed: Unmet) -> Finding:
    """A requirement from a library that nobody asks for: the loader does not reckon with that."""
    failure, entry, need = case.failure, missed.entry, missed.need
    message = (
        f"{entry.label}: requires {need.name} from {need.library}, which no object asks for by "
        "that name"
    )
    evidence: tuple[str, ...] = ()
    if failure is not None and failure.cause is Cause.VERSION and failure.entry is entry:
        evidence, message = (message,), failure.message
    return Finding(RULE.name, Severity.ERROR, entry.display, message, evidence)


def _lost(case: Case) -> Iterator[Finding]:
    """The symbol of which the loader expects a version, and the library has none at all."""
    failure = case.failure
    if failure is not None and failure.cause is Cause.VERSION and failure.symbol is not None:
        name, version = split_key(failure.symbol)
        yield Finding(
            RULE.name,
            Severity.ERROR,
            failure.entry.display,
            failure.message,
            (f"{failure.entry.label} wants {name} of version {version}, and the library has none",),
            symbols=(name,),
        )


def _finding(case: Case, missed: Unmet, provider: LinkMapEntry) -> Finding:
    entry, need = missed.entry, missed.need
    symbols = tuple(
        binding.name for binding in case.bindings.requiring(entry, need.library, need.name)
    )
    highest = _highest(need.name, case.bindings.indices[provider].defined_versions)
    return Finding(
        RULE.name,
        Severity.WARNING if need.weak else Severity.ERROR,
        entry.display,
        f"{provider.label}: version `{need.name}' not found (required by {entry.label})",
        tuple(_evidence(provider, need.name, symbols, highest)),
        tuple(_fixes(case, missed, provider, highest)),
        symbols,
    )


def _evidence(
    provider: LinkMapEntry, version: str, symbols: tuple[str, ...], highest: str | None
) -> Iterator[str]:
    if symbols:
        shown = ", ".join(map(demangle, symbols[:_MOST_SYMBOLS]))
        more = f" and {len(symbols) - _MOST_SYMBOLS} more" if len(symbols) > _MOST_SYMBOLS else ""
        count = "1 symbol needs it" if len(symbols) == 1 else f"{len(symbols)} symbols need it"
        yield f"{count}: {shown}{more}"
    else:
        yield "no symbol needs it: the requirement alone stops the loader"
    family = _split(version)
    if highest is not None and family is not None:
        yield f"{provider.soname} defines {family[0]} up to {highest}"


def _fixes(case: Case, missed: Unmet, provider: LinkMapEntry, highest: str | None) -> Iterator[Fix]:
    entry, need = missed.entry, missed.need
    if highest is not None:
        yield Fix(
            f"build {posixpath.basename(entry.label)} on a system whose {provider.soname} has "
            f"{highest} at most",
            None,
            (),
            Applicability.DISPLAY_ONLY,
        )
    for other in case.catalogue.named(need.library, case.model):
        if other.member.identity == provider.identity or not _defines(other, need.name):
            continue
        directory = posixpath.dirname(other.path)
        command = None
        if "::" not in other.path:
            command = f"export LD_LIBRARY_PATH={shlex.quote(directory)}"
        yield Fix(
            f"or use the {need.library} in {posixpath.dirname(other.member.display)}, "
            f"which defines {need.name}",
            command,
            (),
            Applicability.DISPLAY_ONLY,
        )
        break


def _defines(provider: Provider, version: str) -> bool:
    try:
        return any(each.name == version for each in provider.elf.versions.definitions)
    except ElfAuditError:
        return False
    finally:
        provider.elf.release()


def _highest(version: str, defined: Iterable[str]) -> str | None:
    """The highest version of the same family, if it is below the one that is asked for."""
    wanted = _split(version)
    if wanted is None:
        return None
    numbered = ((_split(name), name) for name in defined)
    family = [(split[1], name) for split, name in numbered if split and split[0] == wanted[0]]
    top = max(family, default=None)
    return top[1] if top is not None and top[0] < wanted[1] else None


def _split(version: str) -> tuple[str, tuple[int, ...]] | None:
    """``GLIBCXX_3.4.32`` as (``GLIBCXX``, (3, 4, 32)); None of a version without a number."""
    match = _NUMBERED.match(version)
    if match is None or not match["family"] or len(match["number"]) > 40:
        return None
    return match["family"], tuple(map(int, match["number"].split(".")))


RULE = Rule("version-not-found", Severity.ERROR, __doc__, _check)
