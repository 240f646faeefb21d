"""Why a symbol is not there: what the libraries of the process have that is nearly it."""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..elf.cxxname import demangle
from ..loader import Binding, LinkMapEntry
from .case import Case

__all__ = ["NearMiss", "called", "function_prefix", "near_misses"]

_MOST_ASKED = 200
_MOST_CANDIDATES = 40  # overloads of one function that are looked at
_MOST_SCOPES = 100
_LONGEST = 4000

_NEW_STRING = re.compile(
    r"std::__cxx11::basic_string<char, ?std::char_traits<char>, ?std::allocator<char> ?>"
)
_OLD_STRING = re.compile(
    r"std::basic_string<char, ?std::char_traits<char>, ?std::allocator<char> ?>"
)
_C10_VIEW = re.compile(r"c10::basic_string_view<char>|c10::string_view")
_STD_VIEW = re.compile(r"std::basic_string_view<char(?:, ?std::char_traits<char> ?)?>")
_OPERATOR = re.compile(
    r"operator(?:\(\)|\[\]|\"\" ?\w+|<=>|<<=?|>>=?|->\*?|\+\+|--|&&|\|\||[-+*/%^&|=!<>]=|"
    r"[-+*/%^&|~!=<>,]|\b[^(<]*)"
)
# One for each class there is: what they have in common says nothing.
_FREE_OPERATOR = re.compile(r"(?:std::)?operator\b")
_TAG = re.compile(r"\[abi:\w+\]")
_UNNAMED = "(anonymous namespace)"
_SPACE = re.compile(r"\s+(?=>)")


@dataclass(frozen=True, slots=True)
class NearMiss:
    """What is nearly the symbol: a sentence that shows it, and what to do."""

    sentence: str
    advice: str


def near_misses(
    case: Case, entry: LinkMapEntry, bindings: Sequence[Binding]
) -> Mapping[str, NearMiss]:
    """Near misses of an object's unresolved symbols, by name; of the first 200 of them.

    Args:
        case: what was resolved: the libraries of its process are asked.
        entry: who refers.
        bindings: its unresolved references.
    """
    asked = bindings[:_MOST_ASKED]
    if not asked:
        return {}
    others = [e for e in _scope(case) if e is not entry and e in case.bindings.indices]
    found = dict(_by_name(case, entry, [binding.name for binding in asked], others))
    found.update(_by_version(case, entry, asked, others))
    return found


def _scope(case: Case) -> Iterable[LinkMapEntry]:
    link_map = case.link_map
    return dict.fromkeys((*link_map.local_scope, *link_map.global_scope))


def _by_version(
    case: Case, entry: LinkMapEntry, bindings: Sequence[Binding], others: Sequence[LinkMapEntry]
) -> Iterator[tuple[str, NearMiss]]:
    """The same name, but with a version that does not answer the reference."""
    wanted = {binding.name for binding in bindings}
    versions: dict[str, list[tuple[str, LinkMapEntry]]] = {}
    for other in others:
        for key in case.bindings.indices[other].exports.exact:
            name, _, version = key.partition("\0")
            if name in wanted:
                versions.setdefault(name, []).append((version, other))
    for binding in bindings:
        found = sorted(versions.get(binding.name, ()), key=lambda each: each[0])
        if not found:
            continue
        has = " and ".join(f"{binding.name}@{version}" for version, _ in found[:3])
        owner = found[0][1]
        whole = binding.name if binding.version is None else f"{binding.name}@{binding.version}"
        what = "it is no default version" if binding.version is None else "another version"
        sentence = f"{owner.soname} has {has}, wanted {whole}: {what}"
        advice = (
            f"link {_base(entry)} against the {owner.soname} that is loaded, or load the release "
            "it was linked with"
        )
        yield binding.name, NearMiss(sentence, advice)


def _by_name(
    case: Case, entry: LinkMapEntry, names: Sequence[str], others: Sequence[LinkMapEntry]
) -> Iterator[tuple[str, NearMiss]]:
    """The same C++ function with other parameters, or the same name in the other language."""
    prefixes = {name: prefix for name in names if (prefix := _prefix(name)) is not None}
    if not prefixes:
        return
    tables = [
        (other, case.catalogue.ordered(other.identity, case.bindings.indices[other].exports.plain))
        for other in others
    ]
    for name, prefix in prefixes.items():
        candidates = [(c, other) for other, table in tables for c in _starting(table, prefix)]
        if name.startswith("_Z"):
            miss = _best(entry, name, candidates) or _in_c(case, entry, name, others)
        else:
            miss = _in_cxx(entry, name, candidates)
        if miss is not None:
            yield name, miss


def _starting(table: Sequence[str], prefix: str) -> Iterator[str]:
    """The names of one function: those with the prefix and nothing else of a name behind it."""
    at = bisect_left(table, prefix)
    nested = prefix.startswith("_ZN")
    for name in table[at : at + _MOST_CANDIDATES]:
        if not name.startswith(prefix):
            return
        if not nested or name[len(prefix) : len(prefix) + 1] in ("E", "B", "I"):
            yield name


def _best(
    entry: LinkMapEntry, name: str, candidates: Sequence[tuple[str, LinkMapEntry]]
) -> NearMiss | None:
    """What explains most: the other string, the other optional, then merely other parameters."""
    if len(name) > _LONGEST:
        return None
    wanted = demangle(name)
    shown = [(demangle(c), c, owner) for c, owner in candidates if len(c) <= _LONGEST and c != name]
    for theirs, mangled, owner in shown:
        if theirs != wanted and _plain_string(theirs) == _plain_string(wanted):
            return _string_abi(entry, owner, (name, wanted), (mangled, theirs))
    for theirs, _, owner in shown:
        if _plain_c10(_plain_string(theirs)) == _plain_c10(_plain_string(wanted)):
            return NearMiss(
                f"{owner.soname} has {theirs}, wanted {wanted}",
                f"rebuild {_base(entry)} against the release of torch that {owner.soname} is of: "
                "c10::optional and c10::string_view have become those of std",
            )
    name = called(wanted)
    others = [(t, owner) for t, _, owner in shown if t != wanted and called(t) == name]
    if not others or _FREE_OPERATOR.match(name):
        return None
    theirs, owner = max(others, key=lambda each: _likeness(each[0], wanted))
    return NearMiss(
        f"{owner.soname} has {_short_strings(theirs)}, wanted {_short_strings(wanted)}",
        f"rebuild {_base(entry)} against the headers of the {owner.soname} that is loaded: "
        "the function has other parameters there",
    )


def _likeness(one: str, other: str) -> tuple[int, int]:
    """How alike two overloads are: what they begin with in common, then their lengths."""
    one, other = _plain_c10(_plain_string(one)), _plain_c10(_plain_string(other))
    return len(posixpath.commonprefix((one, other))), -abs(len(one) - len(other))


def _string_abi(
    entry: LinkMapEntry, owner: LinkMapEntry, ours: tuple[str, str], theirs: tuple[str, str]
) -> NearMiss:
    new = "cxx11" in theirs[0]
    ours_text, theirs_text = _short_strings(ours[1]), _short_strings(theirs[1])
    return NearMiss(
        f"{owner.soname} has {theirs_text}, wanted {ours_text}: the other std::string",
        f"rebuild {_base(entry)} with -D_GLIBCXX_USE_CXX11_ABI={int(new)}, as {owner.soname} was, "
        f"or get a {owner.soname} built with {int(not new)}",
    )


def _prefix(name: str) -> str | None:
    """What a near miss of a symbol begins with."""
    if name.startswith("_Z"):
        return function_prefix(name)
    return f"_Z{len(name)}{name}" if name and not name.startswith("_") else None


def _in_cxx(
    entry: LinkMapEntry, name: str, candidates: Sequence[tuple[str, LinkMapEntry]]
) -> NearMiss | None:
    """A C++ function of the name of a C function."""
    for mangled, owner in candidates:
        return NearMiss(
            f"{owner.soname} has the C++ function {demangle(mangled)}, wanted the C function "
            f"{name}",
            f'declare {name} extern "C" where {owner.soname} defines it, or not so in '
            f"{_base(entry)}, and build that again",
        )
    return None


def _in_c(
    case: Case, entry: LinkMapEntry, name: str, others: Sequence[LinkMapEntry]
) -> NearMiss | None:
    """A C function of the name of a C++ function that stands in no namespace."""
    match = re.match(r"_Z([1-9][0-9]{0,3})", name)
    if match is None:
        return None
    plain = name[match.end() : match.end() + int(match[1])]
    for other in others:
        if plain in case.bindings.indices[other].exports.plain:
            return NearMiss(
                f"{other.soname} has the C function {plain}, wanted the C++ function "
                f"{demangle(name)}",
                f'declare {plain} extern "C" in {_base(entry)} and build it again',
            )
    return None


def function_prefix(name: str) -> str | None:
    """A mangled C++ function name up to the end of its qualified name; None of anything else.

    Neither template arguments, parameters nor ABI tags are in it: ``_ZN3c106detail3foo`` of
    ``_ZN3c106detail3fooB5cxx11EiRKSs``.

    Source: Itanium C++ ABI, section 5.1.2 (``<nested-name>``, ``<source-name>``).
    """
    head = re.match(r"_Z(?P<nested>N[rVK]*[RO]?)?(?:S[tabsiod])?", name)
    if head is None:
        return None
    at, parts = head.end(), 0
    while parts < _MOST_SCOPES:
        match = re.compile(r"L?([1-9][0-9]{0,3})|[CD][0-9]|[a-z]{2}").match(name, at)
        if match is None:
            break
        at = match.end() + (int(match[1]) if match[1] else 0)
        parts += 1
        if head["nested"] is None:
            break
    if not parts or at > len(name):
        return None
    nested = head["nested"] is not None
    return name[:at] if not nested or name[at : at + 1] in ("E", "B", "I") else None


def called(text: str) -> str:
    """The qualified name in a demangled function: ``std::vector<int>::at`` of its ``at(long)``.

    The arguments of the class belong to it, since another class is meant with others; parameters,
    result, ABI tags and the function's own template arguments do not.
    """
    depth, start, at = 0, 0, 0
    while at < len(text):
        operator = _OPERATOR.match(text, at) if not depth else None
        if operator is not None and (at == start or text[at - 1] == ":"):
            return text[start : operator.end()].rstrip()
        character = text[at]
        if character in "<([{":
            if character == "(" and not depth and not text.startswith(_UNNAMED, at):
                break
            depth += 1
        elif character in ">)]}":
            depth -= 1
        elif character == " " and not depth:
            start = at + 1
        at += 1
    return _without_arguments(_TAG.sub("", text[start:at]))


def _without_arguments(name: str) -> str:
    """A name without the template arguments at its end."""
    if not name.endswith(">"):
        return name
    depth = 0
    for at in range(len(name) - 1, -1, -1):
        depth += {">": 1, "<": -1}.get(name[at], 0)
        if not depth:
            return name[:at]
    return name


def _plain_string(text: str) -> str:
    text = _OLD_STRING.sub("std::string", _NEW_STRING.sub("std::string", text))
    return _SPACE.sub("", text.replace("[abi:cxx11]", "").replace("std::__cxx11::", "std::"))


def _plain_c10(text: str) -> str:
    text = _STD_VIEW.sub("std::string_view", _C10_VIEW.sub("std::string_view", text))
    return text.replace("c10::optional<", "std::optional<").replace("c10::nullopt", "std::nullopt")


def _short_strings(text: str) -> str:
    return _OLD_STRING.sub("std::string", _NEW_STRING.sub("std::__cxx11::string", text))


def _base(entry: LinkMapEntry) -> str:
    return posixpath.basename(entry.label)
