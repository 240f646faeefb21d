"""Rule ``unresolved-symbol``: a symbol that nobody in the scope defines.

What it is: a relocation names a symbol, the reference is not weak, and no object that the lookup
passes has a definition that fits.

Why it matters: Python imports with RTLD_NOW, so one such symbol kills the import. A program that
binds lazily dies when it first calls the function.

How it is decided: ``do_lookup_x`` and ``check_match`` of glibc over the whole scope. Where a
library of the scope is itself missing, the symbol is *undecided*: it may be in there. Where the
process is a Python interpreter that is not at hand, its own names are *assumed*. What a program,
a preload or a library started with them only calls is a warning, unless they are bound at once
(BIND_NOW): it is looked up when the call comes.

Fix: add the library that has it to DT_NEEDED, relink with it, or preload it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..loader import Binding, LinkMapEntry, Status
from . import version_not_found
from .case import Case
from .model import Finding, Fix, Severity
from .providers import Provider
from .repairs import provider_fixes

__all__ = ["check"]

_MOST_PROVIDERS = 5
_MOST_SINGLE = 20  # so many symbols of one object are reported one by one, more of them as a group


def check(case: Case) -> Iterator[Finding]:
    """Unresolved symbols in the order in which the loader meets them, grouped by provider."""
    # Where the library is there and lacks the version, that is the finding, not each symbol of it.
    unmet = {(entry, need.library, need.name) for entry, _, need in version_not_found.unmet(case)}
    by_entry: dict[LinkMapEntry, list[Binding]] = defaultdict(list)
    for binding in case.bindings.open_references():
        told = (binding.reference, binding.library, binding.version) in unmet
        if binding.status in (Status.UNRESOLVED, Status.UNDECIDED) and not told:
            by_entry[binding.reference].append(binding)
    # Objects are bound after what they need: the deepest dependency complains before its users.
    for entry in case.link_map.relocated:
        bindings = by_entry.get(entry, [])
        names = {b.name for b in bindings if b.library is None}
        providers = case.catalogue.exporting(names, case.model)
        for symbols, found in _groups(bindings, providers):
            yield _finding(case, entry, symbols, found)


def _groups(
    bindings: list[Binding], providers: dict[str, list[Provider]]
) -> Iterator[tuple[list[Binding], list[Provider]]]:
    """Symbols that the same libraries have stand together, and so do those that nobody has."""
    groups: dict[tuple[object, ...], list[Binding]] = {}
    for binding in bindings:
        found = providers.get(binding.name, [])
        alone = len(bindings) <= _MOST_SINGLE and not found
        key = (
            binding.status,
            *(provider.member.identity for provider in found),
            binding.name if alone else None,
        )
        groups.setdefault(key, []).append(binding)
    for group in groups.values():
        yield group, providers.get(group[0].name, [])


def _finding(
    case: Case, entry: LinkMapEntry, bindings: list[Binding], providers: list[Provider]
) -> Finding:
    first = bindings[0]
    undecided = first.status is Status.UNDECIDED
    later = not undecided and _only_called_later(case, entry, bindings)
    fixes: tuple[Fix, ...] = ()
    if providers:
        fixes = tuple(provider_fixes(case, entry, providers[0]))
    return Finding(
        "undecided-symbol" if undecided else "unresolved-symbol",
        Severity.WARNING if undecided or later else Severity.ERROR,
        entry.display,
        _message(entry, bindings),
        tuple(_evidence(bindings, providers, undecided=undecided)),
        fixes,
        tuple(binding.name for binding in bindings),
    )


def _only_called_later(case: Case, entry: LinkMapEntry, bindings: list[Binding]) -> bool:
    """Whether the process lives without the symbols until they are called.

    ``dlopen`` with RTLD_NOW binds at once what it loads itself; a program and what is started with
    it are bound lazily, unless they ask for the contrary. What would become of a library that is
    judged alone is not known: it may well be opened with RTLD_NOW.
    """
    dynamic = entry.elf.dynamic if entry.elf else None
    started = bool(case.link_map.local_scope) or case.model.is_program
    there_before = started and entry in case.link_map.global_scope
    lazy = all(binding.lazy for binding in bindings)
    return there_before and lazy and dynamic is not None and not dynamic.bind_now


def _message(entry: LinkMapEntry, bindings: list[Binding]) -> str:
    first = bindings[0]
    version = f", version {first.version}" if first.version else ""
    more = f" (and {len(bindings) - 1} more)" if len(bindings) > 1 else ""
    return f"{entry.label}: undefined symbol: {first.name}{version}{more}"


def _evidence(
    bindings: list[Binding], providers: list[Provider], *, undecided: bool
) -> Iterator[str]:
    for provider in providers[:_MOST_PROVIDERS]:
        soname = f" (SONAME {provider.elf.soname})" if provider.elf.soname else ""
        yield f"{provider.member.display}{soname} exports {provider.symbol}"
    if len(providers) > _MOST_PROVIDERS:
        yield f"and {len(providers) - _MOST_PROVIDERS} more"
    if len(providers) > 1:
        yield "more than one library exports it: take care that only one of them is loaded"
    if not providers and bindings[0].library is None:
        yield "no library looked at exports it; name more of them with --with PATH"
    if undecided:
        yield "undecided: a library that was not found may define it"
    if all(binding.lazy for binding in bindings):
        yield "only called, so a program that binds lazily would fail at the first call"
