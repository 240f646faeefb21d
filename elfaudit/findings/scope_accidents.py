"""Rules ``transitive-only``, ``preload-only`` and ``duplicate-definition``: it works, by accident.

What they are: a symbol that an object uses is defined by a library it does not list in DT_NEEDED
(*transitive-only*: another library brings it in; *preload-only*: LD_PRELOAD does), or by two
libraries of the same scope (*duplicate-definition*).

Why they matter: the next release of the library in between drops its dependency, or the environment
is started without the preload, and the import fails with ``undefined symbol``. Of two definitions
the first in load order wins for everybody, whichever was meant.

How it is decided: only symbols that an object leaves undefined count, not weakly (those may be
absent), and only where the provider is neither in its own DT_NEEDED nor the main program. Weak and
unique definitions, of which C++ makes many on purpose, are no duplicates.

Fix: list the library that is really used in DT_NEEDED.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator

from ..loader import LinkMapEntry, Origin
from ..loader.lookup import split_key
from ..loader.machines import machine_of
from .case import Case
from .model import Finding, Severity
from .repairs import add_needed

__all__ = ["check"]


def check(case: Case) -> Iterator[Finding]:
    """Findings about the objects that are in the process because of the subject."""
    for entry in case.link_map.own:
        if entry in case.bindings.indices and _is_audited(case, entry):
            yield from _indirect(case, entry)
            yield from _doubled(case, entry)


def _is_audited(case: Case, entry: LinkMapEntry) -> bool:
    """The subject, and what lies beside it; not the system's own libraries."""
    subject = case.link_map.subject
    if entry is subject:
        return True
    ours, theirs = subject.path or "", entry.path or ""
    return "::" in theirs and theirs.partition("::")[0] == ours.partition("::")[0]


def _indirect(case: Case, entry: LinkMapEntry) -> Iterator[Finding]:
    """Symbols from libraries that ``entry`` does not list itself."""
    listed = _listed(case, entry)
    by_provider: dict[LinkMapEntry, set[str]] = defaultdict(set)
    references = case.bindings.indices[entry].references
    for key in references.keys - references.weak:
        provider = case.bindings.provider(entry, key)
        if provider is None or provider in listed or _always_there(case, provider, key):
            continue
        if any(case.bindings.indices[e].exports.answers(key) for e in listed if not e.missing):
            continue  # the library it lists has it too; another one only comes first
        by_provider[provider].add(key)
    for provider, keys in by_provider.items():
        names = sorted(split_key(key)[0] for key in case.bindings.looked_up(entry, keys))
        if names:
            yield _indirect_finding(case, entry, provider, names)


def _always_there(case: Case, provider: LinkMapEntry, key: str) -> bool:
    """Whether every such process has the provider: the program, the C library, the interpreter."""
    name = provider.soname
    if provider.loader is None or name == "libc.so.6" or name == _loader_name(case):
        return True
    return provider in case.link_map.global_scope and key.startswith(("Py", "_Py"))


def _loader_name(case: Case) -> str:
    """The file name of the process's own loader."""
    program = case.link_map.entries[0].elf or case.model
    return posixpath.basename(program.interp or machine_of(case.model).interpreter)


def _listed(case: Case, entry: LinkMapEntry) -> set[LinkMapEntry]:
    """The object itself, its NEEDED, and what filters and linker scripts add to them."""
    direct = case.link_map.edges.get(entry, ())
    return {entry, *(e for e in direct if e in case.bindings.indices)}


def _indirect_finding(
    case: Case, entry: LinkMapEntry, provider: LinkMapEntry, names: list[str]
) -> Finding:
    soname = provider.soname
    preloaded = provider.origin is Origin.PRELOAD
    how = "only by LD_PRELOAD" if preloaded else f"only through {_chain(entry, provider)}"
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    fix = add_needed(case, entry, soname, provider.path or "", provider.identity)
    return Finding(
        "preload-only" if preloaded else "transitive-only",
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


def _doubled(case: Case, entry: LinkMapEntry) -> Iterator[Finding]:
    """Symbols ``entry`` uses that more than one library of the scope defines as a strong one."""
    wanted = case.bindings.indices[entry].references.keys
    owners: dict[str, tuple[LinkMapEntry, ...]] = {}
    twice: set[str] = set()
    for owner in case.link_map.own:
        index = case.bindings.indices.get(owner)
        if index is None or (owner.elf is not None and owner.elf.is_program):
            continue  # a program defines the library's data again on purpose: copy relocations
        for key in wanted & index.exports.strong:
            if key in owners:
                twice.add(key)
            owners[key] = (*owners.get(key, ()), owner)
    groups: dict[tuple[LinkMapEntry, ...], list[str]] = defaultdict(list)
    for key in case.bindings.looked_up(entry, twice):
        groups[owners[key]].append(split_key(key)[0])
    for group, names in groups.items():
        yield _duplicate_finding(entry, group, sorted(names))


def _duplicate_finding(
    entry: LinkMapEntry, owners: tuple[LinkMapEntry, ...], names: list[str]
) -> Finding:
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    first, *others = [owner.soname for owner in owners]
    return Finding(
        "duplicate-definition",
        Severity.WARNING,
        entry.display,
        f"{names[0]}{more} is defined by {first} and by {', '.join(others)}: "
        f"{first} wins, it is loaded first",
        tuple(owner.display for owner in owners),
        symbols=tuple(names),
    )
