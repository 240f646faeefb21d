"""Symbols that an object gets from a library it does not list itself."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator

from ..loader import LinkMapEntry, Origin
from ..loader.machines import machine_of
from ..loader.references import split_key
from .case import Case
from .model import Finding, Severity
from .repairs import add_needed

__all__ = ["borrowings"]


def borrowings(case: Case, rule: str, *, preloaded: bool) -> Iterator[Finding]:
    """One finding for each audited object and each library it borrows from.

    Args:
        case: what was resolved.
        rule: in whose name.
        preloaded: whether to look at the libraries of LD_PRELOAD, or at all the others.
    """
    if preloaded and not any(entry.preloaded for entry in case.link_map.entries):
        return
    for entry in case.link_map.own:
        if entry not in case.bindings.indices or not case.audits(entry):
            continue
        for provider, keys in _borrowed(case, entry).items():
            if provider.preloaded is not preloaded:
                continue
            names = sorted(split_key(key)[0] for key in case.bindings.looked_up(entry, keys))
            if names:
                yield _finding(case, rule, entry, provider, names)


def _borrowed(case: Case, entry: LinkMapEntry) -> dict[LinkMapEntry, set[str]]:
    """The keys that ``entry`` gets from libraries it does not list, by library."""
    listed = _listed(case, entry)
    by_provider: dict[LinkMapEntry, set[str]] = defaultdict(set)
    references = case.bindings.indices[entry].references
    for key in references.keys - references.weak:
        provider = case.bindings.provider(entry, key)
        if provider in listed or provider is None or _always_there(case, provider, key):
            continue
        if any(case.bindings.indices[e].exports.answers(key) for e in listed if not e.missing):
            continue  # the library it lists has it too; another one only comes first
        by_provider[provider].add(key)
    return by_provider


def _always_there(case: Case, provider: LinkMapEntry, key: str) -> bool:
    """Whether every such process has the provider: the program, the C library, the interpreter."""
    name = provider.soname
    if provider.loader is None or provider.origin is Origin.LOADED:
        return True
    if provider.loader.supposed and not provider.preloaded:
        return True
    if name == "libc.so.6" or name == _loader_name(case):
        return True
    return provider in case.link_map.global_scope and key.startswith(("Py", "_Py"))


def _loader_name(case: Case) -> str:
    """The file name of the process's own loader."""
    program = case.link_map.program.elf or case.model
    return posixpath.basename(program.interp or machine_of(case.model).interpreter)


def _listed(case: Case, entry: LinkMapEntry) -> set[LinkMapEntry]:
    """The object itself, its NEEDED, and what filters and linker scripts add to them."""
    direct = case.link_map.edges.get(entry, ())
    return {entry, *(e for e in direct if e in case.bindings.indices)}


def _finding(
    case: Case, rule: str, entry: LinkMapEntry, provider: LinkMapEntry, names: list[str]
) -> Finding:
    soname = provider.soname
    by_preload = provider.preloaded
    how = (
        f"only by {provider.origin.value}"
        if by_preload
        else f"only through {_chain(entry, provider)}"
    )
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    fix = add_needed(case, entry, soname, provider.path or "", provider.identity)
    return Finding(
        rule,
        Severity.WARNING,
        entry.display,
        f"{names[0]}{more} comes from {soname}, which is in the process {how}: "
        "it works by accident",
        (f"{provider.label} is not in DT_NEEDED of {entry.label}",),
        (fix,),
        tuple(names),
    )


def _chain(entry: LinkMapEntry, provider: LinkMapEntry) -> str:
    """Who brought the provider in, as far up as is short: ``librccl.so.1``."""
    user = provider.loader
    return user.name if user is not None and user is not entry else entry.name
