"""What changed of the symbols that others can bind to: the ABI as the loader sees it.

The tables are compared as sets of keys, the name alone or ``name NUL version``; nothing is made for
a symbol that stayed what it was. A symbol counts as lost where a reference that the old file
answered is not answered by the new one.

Source: ``check_match`` and ``do_lookup_x`` (glibc ``elf/dl-lookup.c``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..elf import ElfObject, SymbolBinding, SymbolTable, SymbolType, SymbolVisibility
from ..elf.cxxname import namespace_of
from ..loader.lookup import plain_names
from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, counted, some
from .stems import Role

__all__ = ["changed_exports", "without_moved"]

_BREAKING, _NOTABLE, _HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)
_DATA = frozenset((SymbolType.OBJECT, SymbolType.COMMON))
_SIZED = frozenset((*_DATA, SymbolType.TLS))
_FAMILIES: dict[int, str] = {
    SymbolType.FUNC: "function",
    SymbolType.GNU_IFUNC: "function",
    SymbolType.OBJECT: "variable",
    SymbolType.COMMON: "variable",
    SymbolType.TLS: "thread-local variable",
}
# Those that a linker makes, of which old ones gave every library a set.
_LINKER_MADE = frozenset(
    ("_init", "_fini", "_edata", "_end", "__bss_start", "_etext", "edata", "end", "etext")
)
_STANDARD = frozenset(("std", "__gnu_cxx", "__cxxabiv1"))
_STANDARD_LIBRARIES = ("libstdc++.", "libc++.", "libc++abi.")
# Itanium C++ ABI, 5.1: what is local to a function, and the guard variables of those; placement new
# and delete of the standard headers.
_INLINE = ("_ZZ", "_ZGVZ", "_Znw", "_Zna", "_Zdl", "_Zda")
# Tables and guards of C++ classes (Itanium C++ ABI, 5.1.4), stubs and instances of templates.
_MADE = ("_ZT", "_ZGV", "__device_stub__")
_VAGUE = (SymbolBinding.WEAK, SymbolBinding.GNU_UNIQUE)


@dataclass(frozen=True, slots=True)
class _Exports:
    """One side: the table, and the row of each key.

    Attributes:
        hidden: the keys with a version that is not the default one.
        own_copies: whether what it has of the C++ standard library are copies of templates.
    """

    table: SymbolTable
    rows: Mapping[str, int]
    hidden: frozenset[str]
    own_copies: bool

    def type(self, key: str) -> int:
        return self.table.info[self.rows[key]] & 15

    def binding(self, key: str) -> int:
        return self.table.info[self.rows[key]] >> 4

    def visibility(self, key: str) -> int:
        return self.table.other[self.rows[key]] & 3

    def size(self, key: str) -> int:
        return self.table.sizes[self.rows[key]]

    def is_copy(self, key: str) -> bool:
        """Whether a symbol is a copy of a template of the standard library, or local to a function.

        The compiler puts one into whatever uses it, and which ones depends on what was inlined;
        nobody has to count on another's.
        """
        if "\0" in key or not self.own_copies or self.binding(key) not in _VAGUE:
            return False
        if key.startswith(_INLINE):
            return True
        scopes = namespace_of(key)
        return bool(scopes) and scopes[0] in _STANDARD


def without_moved(lost: BuildChange, elsewhere: Mapping[str, str]) -> Iterator[BuildChange]:
    """A loss of exports, in two: what is gone, and what libraries have that the file lists.

    Args:
        lost: the loss.
        elsewhere: what those libraries export, and which one does. A symbol with a version is asked
            for from the one file (``_dl_check_map_versions``), so it counts as lost.
    """
    moved = [each for each in lost.items if each.version is None and each.name in elsewhere]
    if not moved:
        yield lost
        return
    gone = tuple(each for each in lost.items if each not in moved)
    if gone:
        text = f"no longer exports {counted(len(gone), 'symbol')}"
        yield replace(lost, message=text, items=gone)
    homes = some(list(dict.fromkeys(elsewhere[each.name] for each in moved)))
    text = (
        f"no longer exports {counted(len(moved), 'symbol')} itself, but lists {homes}, which does"
    )
    items = tuple(replace(each, new=elsewhere[each.name]) for each in moved)
    yield BuildChange(Aspect.EXPORTS_MOVED, _NOTABLE, text, items)


def changed_exports(old: ElfObject, new: ElfObject, role: Role) -> Iterator[BuildChange]:
    """The changes of a file's exports.

    Args:
        old: the file as it was.
        new: the file as it is.
        role: who may use it: nobody binds to an extension but the interpreter to its ``PyInit_``.

    Raises:
        ElfFormatError: the symbol or version tables of one are damaged.
    """
    was, now = _exports(old), _exports(new)
    plain = plain_names(now.table)
    gone = [key for key in was.rows if key not in now.rows]
    lost = [key for key in gone if not _answered(key, now, plain)]
    yield from _lost(was, lost, role)
    yield from _versioned_otherwise(was, now, set(gone).difference(lost))
    yield from _hidden(was, now, role)
    yield from _gained(was, now)
    yield from _altered(was, now, role)


def _exports(elf: ElfObject) -> _Exports:
    table = elf.symbols
    names = table.names
    rows: dict[str, int] = {}
    hidden: set[str] = set()
    standard = (elf.soname or "").startswith(_STANDARD_LIBRARIES)
    if table.version_indices is None:
        rows = {names[row]: row for row in table.export_indices}
        return _Exports(table, rows, frozenset(), not standard)
    known: dict[int, tuple[str | None, bool, str | None]] = {}
    for row in table.export_indices:
        index = table.version_indices[row]
        found = known.get(index) or known.setdefault(index, table.version_of(row))
        version, is_hidden, library = found
        name = names[row]
        if library is not None or version == name:
            continue  # copied from another library; or it stands for the version itself
        key = name if version is None else f"{name}\0{version}"
        rows[key] = row
        if is_hidden:
            hidden.add(key)
    return _Exports(table, rows, frozenset(hidden), not standard)


def _lost(was: _Exports, keys: Sequence[str], role: Role) -> Iterator[BuildChange]:
    copies = {key for key in keys if was.is_copy(key)}
    lost = [key for key in keys if key not in copies]
    if lost:
        severities = {key: _severity_of_loss(key, was, role) for key in lost}
        text = f"no longer exports {counted(len(lost), 'symbol')}"
        ordered = sorted(_by_name(lost), key=lambda key: -severities[key])
        items = tuple(ChangedItem(*_split(key)) for key in ordered)
        yield BuildChange(Aspect.EXPORTS_LOST, max(severities.values()), text, items)
    if copies:
        copied = counted(len(copies), "copy", "copies")
        text = f"no longer has {copied} of templates of std, or local to C++ functions"
        severity = _HARMLESS if role in (Role.EXTENSION, Role.PRIVATE) else _NOTABLE
        yield BuildChange(Aspect.COPIES_LOST, severity, text, _items(copies))


def _answered(key: str, now: _Exports, plain: frozenset[str]) -> bool:
    """Whether the new file answers a reference that an export of the old one answered."""
    name, _, version = key.partition("\0")
    return name in now.rows if version else name in plain


def _severity_of_loss(key: str, was: _Exports, role: Role) -> ChangeSeverity:
    name = key.partition("\0")[0]
    if name in _LINKER_MADE:
        return _HARMLESS
    if role is Role.LIBRARY:
        return _BREAKING
    if role is Role.EXTENSION:
        return _BREAKING if name.startswith(("PyInit_", "PyModExport_")) else _NOTABLE
    if role is Role.PROGRAM:  # its variables are mostly those it has copied from a library
        return _NOTABLE if was.type(key) in _DATA else _BREAKING
    return _NOTABLE


def _versioned_otherwise(
    was: _Exports, now: _Exports, answered: Collection[str]
) -> Iterator[BuildChange]:
    """What is there with another version and still answers; and what the default version is."""
    before, after = _defaults(was), _defaults(now)
    items = []
    for key in was.rows:
        if key in answered:
            name, version = _split(key)
            items.append(ChangedItem(name, after.get(name), version, after.get(name)))
    if items and now.table.version_indices is None:
        text = f"exports {counted(len(items), 'symbol')} without the version that it had"
        yield BuildChange(Aspect.EXPORT_VERSION, _NOTABLE, text, tuple(items))
    elif items:
        text = f"exports {counted(len(items), 'symbol')} with another version, which still answers"
        yield BuildChange(Aspect.EXPORT_VERSION, _NOTABLE, text, tuple(items))
    moved = [
        ChangedItem(name, after[name], version, after[name])
        for name, version in before.items()
        if version is not None and after.get(name) not in (None, version)
    ]
    if moved:
        text = f"has another default version of {counted(len(moved), 'symbol')}"
        yield BuildChange(Aspect.DEFAULT_VERSION, _NOTABLE, text, tuple(moved))


def _hidden(was: _Exports, now: _Exports, role: Role) -> Iterator[BuildChange]:
    """What has a version still, but none that who asks for no version gets.

    So ``dlsym`` asks, and the linker (``_dl_lookup_symbol_x`` with ``DL_LOOKUP_RETURN_NEWEST``:
    ``do_lookup_unversioned``, glibc ``elf/dl-lookup.c``, takes nothing hidden).
    """
    before, after = _defaults(was), _defaults(now)
    there = {_split(key)[0] for key in now.hidden}
    items = tuple(
        ChangedItem(name, version, version, None)
        for name, version in before.items()
        if name not in after and name in there
    )
    if items:
        severity = _BREAKING if role in (Role.LIBRARY, Role.PROGRAM) else _NOTABLE
        count = counted(len(items), "symbol")
        text = f"has no default version of {count} any more: none for dlsym and for who links now"
        yield BuildChange(Aspect.DEFAULT_VERSION, severity, text, items)


def _gained(was: _Exports, now: _Exports) -> Iterator[BuildChange]:
    """What is new, be it another version of what was there before."""
    gained = [key for key in now.rows if key not in was.rows]
    if gained:
        text = f"exports {counted(len(gained), 'more symbol')}"
        yield BuildChange(Aspect.EXPORTS_GAINED, _HARMLESS, text, _items(gained))


def _defaults(side: _Exports) -> dict[str, str | None]:
    """The version that who links now gets of each name."""
    if not any("\0" in key for key in side.rows):
        return dict.fromkeys(side.rows)
    return dict(_split(key) for key in side.rows if key not in side.hidden)


def _altered(was: _Exports, now: _Exports, role: Role) -> Iterator[BuildChange]:
    """What stayed, but is not what it was."""
    info, sizes = was.table.info, was.table.sizes
    new_info, new_sizes = now.table.info, now.table.sizes
    others, new_others = was.table.other, now.table.other
    rows = now.rows
    suspects = _by_name(
        key
        for key, row in was.rows.items()
        if (other := rows.get(key)) is not None
        and (
            info[row] != new_info[other]
            or sizes[row] != new_sizes[other]
            or others[row] != new_others[other]
        )
    )
    yield from _types(was, now, suspects, role)
    yield from _sizes(was, now, suspects, role)
    yield from _bindings(was, now, suspects)
    yield from _visibilities(was, now, suspects, role)


def _types(was: _Exports, now: _Exports, keys: Sequence[str], role: Role) -> Iterator[BuildChange]:
    grave: list[ChangedItem] = []
    light: list[ChangedItem] = []
    for key in keys:
        old, new = was.type(key), now.type(key)
        if old == new:
            continue
        family, other = _FAMILIES.get(old), _FAMILIES.get(new)
        told = ChangedItem(*_split(key), _type_name(old), _type_name(new))
        alike = family is None or other is None or family == other
        (light if alike else grave).append(told)
    if grave:
        severity = _BREAKING if role in (Role.LIBRARY, Role.PROGRAM) else _NOTABLE
        text = f"exports {counted(len(grave), 'symbol')} as something else"
        yield BuildChange(Aspect.EXPORT_TYPE, severity, text, tuple(grave))
    if light:
        text = f"exports {counted(len(light), 'symbol')} with another type"
        yield BuildChange(Aspect.EXPORT_TYPE, _HARMLESS, text, tuple(light))


def _type_name(number: int) -> str:
    return SymbolType(number).name if number in set(SymbolType) else str(number)


def _sizes(was: _Exports, now: _Exports, keys: Sequence[str], role: Role) -> Iterator[BuildChange]:
    """Variables of another size: a program that has one copied has room for the old one only."""
    own: list[ChangedItem] = []
    copies: list[ChangedItem] = []
    for key in keys:
        old, new = was.size(key), now.size(key)
        if old == new or was.type(key) not in _SIZED or now.type(key) not in _SIZED:
            continue
        told = ChangedItem(*_split(key), str(old), str(new))
        (copies if was.is_copy(key) or not (old and new) else own).append(told)
    if own:
        severity = _BREAKING if role is Role.LIBRARY else _NOTABLE
        text = f"has {counted(len(own), 'variable')} of another size"
        yield BuildChange(Aspect.OBJECT_SIZE, severity, text, tuple(own))
    if copies:
        text = (
            f"has {counted(len(copies), 'variable')} of another size, which are "
            "copies of C++ templates, or had no size"
        )
        yield BuildChange(Aspect.OBJECT_SIZE, _HARMLESS, text, tuple(copies))


def _bindings(was: _Exports, now: _Exports, keys: Sequence[str]) -> Iterator[BuildChange]:
    """Harmless: unless told to, the loader takes a weak definition as any other."""
    items = tuple(
        ChangedItem(*_split(key), _binding_name(was.binding(key)), _binding_name(now.binding(key)))
        for key in keys
        if was.binding(key) != now.binding(key)
    )
    if items:
        text = f"exports {counted(len(items), 'symbol')} with another binding"
        yield BuildChange(Aspect.BINDING, _HARMLESS, text, items)


def _visibilities(
    was: _Exports, now: _Exports, keys: Sequence[str], role: Role
) -> Iterator[BuildChange]:
    """What is protected now: the library itself uses its own, whatever a program has copied.

    Source: "Symbol Visibility" (gABI); ``_dl_check_protected_symbol`` (glibc
    ``sysdeps/generic/dl-protected.h``) for copies and the addresses of functions.
    """
    variables: list[ChangedItem] = []
    rest: list[ChangedItem] = []
    for key in keys:
        old, new = was.visibility(key), now.visibility(key)
        if old != new:
            told = ChangedItem(*_split(key), _visibility_name(old), _visibility_name(new))
            grave = new == SymbolVisibility.PROTECTED and now.type(key) in _DATA
            (variables if grave else rest).append(told)
    if variables:
        severity = _BREAKING if role is Role.LIBRARY else _NOTABLE
        count = counted(len(variables), "variable")
        text = f"has {count} protected now, of which programs may have copies of their own"
        yield BuildChange(Aspect.VISIBILITY, severity, text, tuple(variables))
    if rest:
        text = f"exports {counted(len(rest), 'symbol')} with another visibility"
        yield BuildChange(Aspect.VISIBILITY, _HARMLESS, text, tuple(rest))


def _visibility_name(number: int) -> str:
    return SymbolVisibility(number).name


def _binding_name(number: int) -> str:
    return SymbolBinding(number).name if number in set(SymbolBinding) else str(number)


def _items(keys: Iterable[str]) -> tuple[ChangedItem, ...]:
    return tuple(ChangedItem(*_split(key)) for key in _by_name(keys))


def _by_name(keys: Iterable[str]) -> list[str]:
    """Names as they are written first, then the mangled ones; what compilers add comes last."""
    return sorted(keys, key=lambda key: (key.startswith("_"), key.startswith(_MADE), key))


def _split(key: str) -> tuple[str, str | None]:
    name, _, version = key.partition("\0")
    return name, version or None
