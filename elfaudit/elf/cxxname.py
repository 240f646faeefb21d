"""C++ symbol names: their readable form, and the namespace they belong to.

Two separate questions, answered by separate means:

* ``demangle`` is for people. It uses the pure-Python PyPI package ``demangle``: measured against
  c++filt it left no name undone, and it bounds depth and output, where LLVM- and libstdc++-based
  ones are brought down by a 450-character name that expands to terabytes.
* ``namespace_of`` and ``in_namespace`` are for decisions. They read the first few characters of
  the mangled name, never the demangled text, in which a return type or a template argument may
  come before, or look like, the scope asked for.

What "in the namespace" means. A symbol is in ``a::b`` when the entity it stands for is declared,
at any depth, inside ``a::b``:

* members of the namespace, of its nested, inline and unnamed namespaces, and of its classes;
* what the compiler makes for such an entity counts with it: vtable, VTT, construction vtable (it
  belongs to the derived class), typeinfo and its name, guard variable, reference temporary,
  thread-local wrapper, thunks;
* static variables, classes and lambdas local to such a function, and theirs in turn;
* the namespace is matched from the global one: ``x::a::b::f`` is not in ``a::b``.

Not in it: entities declared elsewhere that only mention it, in a parameter, a return type or a
template argument (``std::vector<a::b::T>`` is in ``std``), and the typeinfo of a pointer or
function type, because such a type is declared in no namespace.

Namespaces cannot be templates, so reading stops at the first template argument without missing
one. The answer is therefore exact for namespaces; for classes it covers what precedes the first
template argument (a member of ``a::Box<int>`` is known to be in ``a``, not in ``a::Box``).
"""

import re
from collections.abc import Sequence
from itertools import compress, count, repeat
from operator import contains

# Nothing real nests 200 scopes: the longest names in real libraries have 600 characters in all.
_MAX_SCOPES = 200

_ANONYMOUS = "(anonymous namespace)"
_ANONYMOUS_MANGLED = "_GLOBAL__N_1"

# All that may stand before the first component of a scope: section 5.1.4 <special-name>, then Z
# of local names, N of nested names with qualifiers, and an abbreviation of std or in it. What
# comes after the scope (second call offset, base type, parameters) is of no interest.
_OFFSET = r"(?:hn?[0-9]+_|vn?[0-9]+_n?[0-9]+_)"
_HEAD = re.compile(
    r"_Z"
    r"(?:T(?:[VTISCWH]"  # vtable, VTT, typeinfo, its name, construction vtable, TLS wrapper, init
    rf"|{_OFFSET}|c{_OFFSET}{_OFFSET})"  # thunks: non-virtual and virtual, covariant
    r"|G(?:[VRA]|T[tn]))?"  # guard variable, reference temporary, alias, transaction clones
    r"(?P<local>Z*)"
    r"(?P<nested>N[rVK]*[ROH]?)?"  # CV-qualifiers, ref-qualifier, or H: explicit object parameter
    r"(?P<std>S.?)?",
    re.DOTALL,
)
# The length of one <source-name>; L before it marks internal linkage and is not in the name.
# Nine digits are plenty, and keep int() away from hostile input.
_LENGTH = re.compile(r"L?([1-9][0-9]{0,8})")
# What follows a scope inside a nested name and is itself a name, so that the scope is certain:
# operators (lower case), constructors and destructors, unnamed types, data members owning a
# closure, modules, member-like friends.
_NAMES_NEXT = frozenset("abcdefghijklmnopqrstuvwxyzCDUMWF")
# std, and std:: allocator, basic_string (two), basic_istream, basic_ostream, basic_iostream
_IN_STD = frozenset({"St", "Sa", "Sb", "Ss", "Si", "So", "Sd"})


def demangle(name: str) -> str:
    """Give the readable form of a C++ (or Rust) symbol, spelled as GNU c++filt does.

    Rule: Itanium C++ ABI, section 5.1 "External Names (a.k.a. Mangling)"; Rust RFC 2603.

    Args:
        name: a symbol name as the ELF file has it; need not be mangled.

    Returns:
        The demangled text, or the name itself when it is not mangled, is damaged, or would
        expand beyond the demangler's bounds (64 Ki characters, 256 levels).
    """
    # Other languages' schemes are guesses on plain C names (foo__Fi is not always foo(int)).
    if not name.startswith(("_Z", "_R")):
        return name
    return _demangler_text(name)


def _demangler_text(name: str) -> str:
    """Ask the demangling package; imported here as it costs 50 ms and few commands need it."""
    import demangle as package  # noqa: PLC0415 - see above

    text: str = package.demangle(name, language=("itanium", "rust"), style="gnu")
    return text


def namespace_of(name: str) -> tuple[str, ...]:
    """Give the scopes enclosing the entity that a mangled name stands for, outermost first.

    Rule: Itanium C++ ABI, sections 5.1.2 "General Structure", 5.1.4.1 "Virtual Tables and RTTI",
    5.1.4.2 "Virtual Override Thunks", 5.1.4.4 "Guard Variables", 5.1.4.5 "Lifetime-Extended
    Temporaries", 5.1.7 "Scope Encoding" and 5.1.10 "Compression" (the std abbreviations).

    Args:
        name: a symbol name as the ELF file has it; need not be mangled.

    Returns:
        Namespaces, then classes, then the function for a local entity:
        ``_ZN4c10d5Store3getEv`` gives ``("c10d", "Store")``. Only what is certain: reading
        stops at template arguments and at anything not understood. Empty for a name that is
        not mangled or an entity of the global namespace. An unnamed namespace is
        ``"(anonymous namespace)"``; ABI tags are left out.
    """
    if not name.startswith("_Z"):
        return ()
    if name.isascii():
        return _scopes(name)
    # Lengths in a mangled name count bytes, so read one character per byte.
    try:
        octets = name.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:
        return ()
    return tuple(
        part.encode("latin-1").decode("utf-8", "surrogateescape") for part in _scopes(octets)
    )


def in_namespace(name: str, namespace: str) -> bool:
    """Tell whether a symbol belongs to a namespace (or class); the module says what that means.

    Rule: Itanium C++ ABI, sections 5.1.4.1 "Virtual Tables and RTTI" and 5.1.7 "Scope Encoding".

    Args:
        name: a symbol name as the ELF file has it; need not be mangled.
        namespace: qualified from the global namespace, as ``a::b``; a part may be
            ``(anonymous namespace)``. An empty one contains nothing.

    Returns:
        Whether the entity is declared, at any depth, in that namespace.
    """
    return bool(rows_in_namespace([name], namespace))


def rows_in_namespace(names: Sequence[str], namespace: str) -> list[int]:
    """The same of many symbols.

    Args:
        names: symbol names as the ELF file has them.
        namespace: as of :func:`in_namespace`.

    Returns:
        The positions of those that belong to it, in order.
    """
    wanted = tuple(_readable(part) for part in namespace.removeprefix("::").split("::"))
    # All components but these two are spelled out: this spares reading nearly every other name.
    spelled = "" if wanted[-1] in {"std", _ANONYMOUS} else wanted[-1]
    possible = compress(count(), map(contains, names, repeat(spelled)))
    return [row for row in possible if namespace_of(names[row])[: len(wanted)] == wanted]


def _scopes(name: str) -> tuple[str, ...]:
    """Read the scopes from a mangled name of one character per byte."""
    head = _HEAD.match(name)
    if head is None:
        return ()
    local, nested, abbreviation = head.groups()
    parts: list[str] = []
    if abbreviation:
        # No other substitution can come first: there is nothing yet to refer to.
        if abbreviation in _IN_STD:
            parts.append("std")
        # Sa, Sb, Ss, ... are class templates: nothing after them is certain.
        if abbreviation != "St":
            return tuple(parts)
    known = len(parts)
    at = _source_names(name, head.end(), parts, _MAX_SCOPES if nested else known + 1)
    # The last component may be the entity itself. It encloses it if another name follows, or
    # if it is the function (or a scope of the function) that a local entity is in.
    following = name[at : at + 1]
    certain = following != "" if local else nested is not None and following in _NAMES_NEXT
    if len(parts) > known and not certain:
        parts.pop()
    return tuple(parts)


def _source_names(name: str, at: int, parts: list[str], limit: int) -> int:
    """Append consecutive <source-name>s to parts, at most up to limit; give the position after."""
    while len(parts) < limit:
        length = _LENGTH.match(name, at)
        if length is None:
            break
        start = length.end()
        end = start + int(length[1])
        if end > len(name):
            break
        parts.append(_readable(name[start:end]))
        at = _skip_tags(name, end) if name.startswith("B", end) else end
    return at


def _skip_tags(name: str, at: int) -> int:
    """Skip <abi-tags>, which are B <source-name> any number of times."""
    while name.startswith("B", at):
        length = _LENGTH.match(name, at + 1)
        if length is None or length.end() + int(length[1]) > len(name):
            break
        at = length.end() + int(length[1])
    return at


def _readable(part: str) -> str:
    """Name an unnamed namespace as c++filt does (GCC and Clang both write _GLOBAL__N_1)."""
    return _ANONYMOUS if part == _ANONYMOUS_MANGLED else part
