"""Symbols that nobody supplies, unresolved or undecided, as findings."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping

from ..elf import Symbol
from ..errors import ElfAuditError
from ..loader import Binding, Libc, LinkMapEntry, Status
from ..loader.relocation_failure import is_bound_now
from .case import Case
from .model import Applicability, Finding, Fix, Severity
from .near_misses import NearMiss, near_misses
from .providers import Provider, exported_symbols
from .repairs import provider_fixes
from .version_not_found import unmet

__all__ = ["open_symbols"]

_MOST_PROVIDERS = 5
_MOST_MISSES = 3
_MOST_SINGLE = 20  # so many symbols of one object are reported one by one, more of them as a group

_Group = tuple[list[Binding], list[Provider], list[NearMiss]]


def open_symbols(case: Case, status: Status, rule: str) -> Iterator[Finding]:
    """Symbols of one status in the order in which the loader meets them, grouped by provider."""
    bound = [each for each in case.bindings.open_references() if each.status is status]
    if not bound:
        return
    # Where the library is there and lacks the version, that is the finding, not each symbol of it.
    told = {(each.entry, each.need.library, each.need.name) for each in unmet(case)}
    by_entry: dict[LinkMapEntry, list[Binding]] = defaultdict(list)
    for binding in bound:
        if (binding.reference, binding.library, binding.version) not in told:
            by_entry[binding.reference].append(binding)
    # Objects are bound after what they need: the deepest dependency complains before its users.
    for entry in case.link_map.relocated if by_entry else ():
        bindings = by_entry.get(entry, [])
        names = {b.name for b in bindings if b.library is None}
        exporting = case.catalogue.exporting(names, case.model)
        providers = {name: _beside_first(entry, rows) for name, rows in exporting.items()}
        misses: Mapping[str, NearMiss] = {}
        if status is Status.UNRESOLVED:
            wanted = [binding for binding in bindings if binding.name not in providers]
            misses = near_misses(case, entry, wanted)
        for group in _groups(bindings, providers, misses):
            yield _finding(case, entry, group, rule)


def _beside_first(entry: LinkMapEntry, providers: list[Provider]) -> list[Provider]:
    """Providers with those in front that are in the directory of the object itself."""
    directory = posixpath.dirname(entry.path or "")
    return sorted(providers, key=lambda each: posixpath.dirname(each.path) != directory)


def _groups(
    bindings: list[Binding],
    providers: Mapping[str, list[Provider]],
    misses: Mapping[str, NearMiss],
) -> Iterator[_Group]:
    """Symbols that the same libraries have stand together, and so do those that nobody has."""
    groups: dict[tuple[object, ...], list[Binding]] = {}
    for binding in bindings:
        found = providers.get(binding.name, [])
        alone = len(bindings) <= _MOST_SINGLE and not found
        miss = misses.get(binding.name)
        key = (
            *(provider.member.identity for provider in found),
            miss.advice if miss is not None else binding.name if alone else None,
        )
        groups.setdefault(key, []).append(binding)
    for group in groups.values():
        near = [misses[binding.name] for binding in group if binding.name in misses]
        yield group, providers.get(group[0].name, []), near


def _finding(case: Case, entry: LinkMapEntry, group: _Group, rule: str) -> Finding:
    bindings, providers, misses = group
    undecided = bindings[0].status is Status.UNDECIDED
    later = not undecided and _only_called_later(case, entry, bindings)
    fixes: tuple[Fix, ...] = ()
    if providers:
        fixes = tuple(provider_fixes(case, entry, providers[0]))
    elif misses:
        fixes = (Fix(misses[0].advice, None, (), Applicability.DISPLAY_ONLY),)
    return Finding(
        rule,
        Severity.WARNING if undecided or later else Severity.ERROR,
        entry.display,
        _message(case, entry, bindings),
        tuple(_evidence(group, undecided=undecided)),
        fixes,
        tuple(binding.name for binding in bindings),
    )


def _only_called_later(case: Case, entry: LinkMapEntry, bindings: list[Binding]) -> bool:
    """Whether the process lives without the symbols until they are called."""
    if not all(binding.lazy for binding in bindings):
        return False
    if case.link_map.libc is Libc.MUSL:
        return True  # there that is said only of what was put off
    opening = next(each for each in case.link_map.openings if entry in each.loaded)
    return not is_bound_now(opening, entry)


def _message(case: Case, entry: LinkMapEntry, bindings: list[Binding]) -> str:
    first = bindings[0]
    version = f", version {first.version}" if first.version else ""
    more = f" (and {len(bindings) - 1} more)" if len(bindings) > 1 else ""
    if case.link_map.libc is Libc.MUSL:
        return f"Error relocating {entry.label}: {first.name}: symbol not found{more}"
    return f"{entry.label}: undefined symbol: {first.name}{version}{more}"


def _definition(provider: Provider, name: str) -> Symbol | str:
    """What a provider has, with its version; the name alone where its tables do not agree."""
    try:
        return next(iter(exported_symbols(provider.elf, name)), name)
    except ElfAuditError:
        return name
    finally:
        provider.elf.release()


def _evidence(group: _Group, *, undecided: bool) -> Iterator[str]:
    bindings, providers, misses = group
    for provider in providers[:_MOST_PROVIDERS]:
        soname = f" (SONAME {provider.elf.soname})" if provider.elf.soname else ""
        yield f"{provider.member.display}{soname} exports {_definition(provider, bindings[0].name)}"
    if len(providers) > _MOST_PROVIDERS:
        yield f"and {len(providers) - _MOST_PROVIDERS} more"
    if len(providers) > 1:
        yield "more than one library exports it: take care that only one of them is loaded"
    for miss in misses[:_MOST_MISSES]:
        yield miss.sentence
    if len(misses) > _MOST_MISSES:
        yield f"and so on: {len(misses) - _MOST_MISSES} more are alike"
    if not providers and not misses and bindings[0].library is None:
        yield "no library looked at exports it; name more of them with --with PATH"
    if undecided:
        yield "undecided: a library that was not found may define it"
    if all(binding.lazy for binding in bindings):
        yield "only called, so a program that binds lazily would fail at the first call"
