"""What a patch changes about the process of a file: resolved as it is, and as it will be.

Nothing is written for that: the loader is given the facts that the file will have.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from ..elf import ElfObject
from ..findings import Effects, Rebound, Resolution, Selection
from ..loader import Binding, LinkMapEntry, ObjectStore, Origin
from ..loader.references import split_key
from .resolving import resolve_one
from .surroundings import Surroundings

__all__ = ["effects_of"]

_NO_RULES = Selection(frozenset())


def effects_of(
    target: str,
    changed: Mapping[Hashable, ElfObject],
    surroundings: Surroundings,
    store: ObjectStore,
) -> Effects:
    """Resolve a file as it is and as it will be, and compare.

    Args:
        target: the file, or ``archive::member``.
        changed: the facts that files will have, by their identity (``Member.identity``).
        surroundings: the process.
        store: what was read; also what is read here.

    Raises:
        ElfAuditError: it cannot be resolved.
    """
    before = resolve_one(target, surroundings, _NO_RULES, store)
    after = resolve_one(target, surroundings, _NO_RULES, store.supposing(changed))
    rebound = tuple(_rebound(before, after))
    missed = {entry.name for entry in before.link_map.entries if entry.missing}
    missing = (entry.name for entry in after.link_map.entries if entry.missing)
    return Effects(
        before.verdict,
        before.error,
        after.verdict,
        after.error,
        tuple(dict.fromkeys(name for name in missing if name not in missed)),
        tuple(
            entry.name for entry in after.link_map.entries if entry.origin is Origin.LD_LIBRARY_PATH
        ),
        tuple(each for each in rebound if each.before is None),
        tuple(each for each in rebound if each.before is not None and each.after is not None),
        tuple(each for each in rebound if each.after is None),
    )


def _rebound(before: Resolution, after: Resolution) -> Iterator[Rebound]:
    """Every reference of an object of both processes that binds to something else."""
    new = {entry.identity: entry for entry in after.link_map.entries if entry.elf is not None}
    names = _names_in_question(before, after)
    for old in before.link_map.entries:
        entry = new.get(old.identity)
        if old.elf is None or entry is None or names == frozenset():
            continue
        answers = {_key(each): each for each in _asked(after, entry, names)}
        for one in _asked(before, old, names):
            other = answers.get(_key(one), one)
            if _identity(one.provider) != _identity(other.provider):
                yield Rebound(
                    old.display, one.name, one.version, _named(one.provider),
                    _named(other.provider),
                )  # fmt: skip


def _key(binding: Binding) -> Hashable:
    """A reference of an object: a program may call a name and copy it, from two libraries."""
    return binding.name, binding.version, binding.copied


def _asked(
    resolution: Resolution, entry: LinkMapEntry, names: frozenset[str] | None
) -> Iterator[Binding]:
    for binding in resolution.bindings.of_object(entry):
        if names is None or binding.name in names:
            yield binding


def _names_in_question(before: Resolution, after: Resolution) -> frozenset[str] | None:
    """The names that can bind elsewhere: those of objects in one process only; None: all."""
    old = [each for each in before.link_map.entries if each.elf is not None]
    new = [each for each in after.link_map.entries if each.elf is not None]
    ours, theirs = {each.identity for each in old}, {each.identity for each in new}
    if [e.identity for e in old if e.identity in theirs] != [
        e.identity for e in new if e.identity in ours
    ]:
        return None  # those of both stand in another order
    only = [(before, e) for e in old if e.identity not in theirs]
    only += [(after, e) for e in new if e.identity not in ours]
    names: set[str] = set()
    for resolution, entry in only:
        index = resolution.bindings.indices.get(entry)
        if index is not None:
            names |= index.exports.plain | index.exports.any_version
            names |= {split_key(key)[0] for key in index.exports.exact}
    return frozenset(names)


def _identity(entry: LinkMapEntry | None) -> Hashable:
    return None if entry is None else entry.identity


def _named(entry: LinkMapEntry | None) -> str | None:
    return None if entry is None else entry.display
