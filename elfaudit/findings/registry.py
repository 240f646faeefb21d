"""All rules, and which of them are asked and told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import RequestError
from . import (
    copy_relocation_size,
    damaged_object,
    duplicate_definition,
    executable_stack,
    external_library,
    ignored_preload,
    isa_level,
    loads_with_siblings,
    misaligned_segment,
    missing_library,
    preload_only,
    refused_object,
    rpath_absolute,
    rpath_empty_element,
    rpath_foreign,
    soname_mismatch,
    stale_cache,
    static_tls,
    text_relocations,
    transitive_only,
    undecided_object,
    undecided_symbol,
    unreadable_file,
    unresolved_symbol,
    unused_needed,
    version_not_found,
    wrong_machine,
)
from .rule import Rule

__all__ = ["DEFAULT", "RULES", "Selection", "choose", "rule_named"]

# In the order in which the loader would complain: file, version, symbol; then what it never says.
RULES: tuple[Rule, ...] = (
    unreadable_file.RULE,
    refused_object.RULE,
    missing_library.RULE,
    external_library.RULE,
    undecided_object.RULE,
    executable_stack.RULE,
    misaligned_segment.RULE,
    wrong_machine.RULE,
    loads_with_siblings.RULE,
    ignored_preload.RULE,
    damaged_object.RULE,
    version_not_found.RULE,
    isa_level.RULE,
    unresolved_symbol.RULE,
    undecided_symbol.RULE,
    copy_relocation_size.RULE,
    transitive_only.RULE,
    preload_only.RULE,
    duplicate_definition.RULE,
    soname_mismatch.RULE,
    stale_cache.RULE,
    static_tls.RULE,
    text_relocations.RULE,
    rpath_empty_element.RULE,
    rpath_foreign.RULE,
    rpath_absolute.RULE,
    unused_needed.RULE,
)

_BY_NAME = {rule.name: rule for rule in RULES}
_USUAL = frozenset(rule.name for rule in RULES if rule.default)
_GROUPS = {"all": frozenset(_BY_NAME), "default": _USUAL}
_MOST_HINTS = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules whose findings are told and counted; the verdict does not hang on it."""

    names: frozenset[str]

    def __contains__(self, rule: str) -> bool:
        return rule in self.names


DEFAULT = Selection(_USUAL)


def choose(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> Selection:
    """The rules that ``--select`` and ``--ignore`` leave.

    Args:
        select: rule names, ``all`` or ``default``; nothing else is told. Empty: ``default``.
        ignore: rule names (or groups) to leave out, whether they were selected or not.

    Raises:
        RequestError: there is no such rule.
    """
    selected = _expand(select) or DEFAULT.names
    return Selection(selected - _expand(ignore))


def rule_named(name: str) -> Rule:
    """One rule.

    Raises:
        RequestError: there is none of that name; the message has those that are spelt alike.
    """
    rule = _BY_NAME.get(name)
    if rule is None:
        raise RequestError(f"{name}: there is no such rule{_hint(name)}")
    return rule


def _expand(names: Iterable[str]) -> frozenset[str]:
    chosen: set[str] = set()
    for name in (names,) if isinstance(names, str) else names:
        chosen |= _GROUPS.get(name) or {rule_named(name).name}
    return frozenset(chosen)


def _hint(name: str) -> str:
    near = get_close_matches(name, _BY_NAME, n=_MOST_HINTS, cutoff=0.5)
    words = {part for part in name.split("-") if len(part) > 3}
    near += [known for known in _BY_NAME if known not in near and words & {*known.split("-")}]
    if not near:
        return "; `elfaudit explain` lists them"
    return f"; did you mean {' or '.join(near[:_MOST_HINTS])}?"
