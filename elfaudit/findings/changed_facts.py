"""What changed of the headers and the dynamic section of a file: what it asks of the loader."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from ..elf import ElfObject, Flags, Flags1, Kind, Stack
from ..loader import libc_of
from ..loader.machines import machine_of
from .changes import Aspect, BuildChange, ChangedItem, ChangeSeverity, some
from .stems import Role, library_stem, without_hash

__all__ = ["changed_facts"]

_BREAKING, _NOTABLE, _HARMLESS = (
    ChangeSeverity.BREAKING,
    ChangeSeverity.NOTABLE,
    ChangeSeverity.HARMLESS,
)
# Flags of which something else tells, or that no loader asks.
_TOLD = Flags.TEXTREL | Flags.BIND_NOW | Flags.SYMBOLIC
_TOLD_1 = Flags1.NOW | Flags1.PIE | Flags1.NODUMP
_RELRO = ("none", "partial", "full")
_ISA_LEVELS = ("x86-64-baseline", "x86-64-v2", "x86-64-v3", "x86-64-v4")


def changed_facts(old: ElfObject, new: ElfObject, role: Role, path: str) -> Iterator[BuildChange]:
    """The changes of one file, its symbols and versions aside.

    Args:
        old: the file as it was.
        new: the file as it is.
        role: who may use it.
        path: where it is now.
    """
    yield from _kind(old, new)
    yield from _soname(old, new, role, path)
    yield from _needed(old.needed, new.needed)
    yield from _paths(old, new)
    yield from _hardening(old, new)
    yield from _flags(old, new)
    yield from _needs_of_machine(old, new)


def _kind(old: ElfObject, new: ElfObject) -> Iterator[BuildChange]:
    was, now = _machine(old), _machine(new)
    if was != now:
        yield _from_to(Aspect.MACHINE, _BREAKING, "is built for", was, now)
    if libc_of(old) is not libc_of(new) and _names_libc(old) and _names_libc(new):
        was, now = libc_of(old).value, libc_of(new).value
        yield _from_to(Aspect.LIBC, _BREAKING, "is built for", was, now)
    if old.kind is not new.kind:
        severity = _NOTABLE if old.is_program and new.is_program else _BREAKING
        words = f"is now {_a(new.kind)} (before {_a(old.kind)})"
        yield BuildChange(Aspect.KIND, severity, words, (), old.kind.value, new.kind.value)
    if old.interp != new.interp:
        yield _from_to(Aspect.INTERPRETER, _NOTABLE, "its loader is", old.interp, new.interp)


def _a(kind: Kind) -> str:
    return f"{'an' if kind.value[0] in 'aeiou' else 'a'} {kind.value}"


def _machine(elf: ElfObject) -> str:
    order = "little" if elf.layout.little else "big"
    return f"{machine_of(elf).name} ({elf.layout.bits}-bit, {order}-endian)"


def _names_libc(elf: ElfObject) -> bool:
    """Whether a file says at all whose it is."""
    names = (*elf.needed, elf.soname or "")
    return elf.interp is not None or any(n.startswith(("libc.", "ld-")) for n in names)


def _soname(old: ElfObject, new: ElfObject, role: Role, path: str) -> Iterator[BuildChange]:
    was, now = old.soname, new.soname
    if was == now:
        return
    severity = _BREAKING
    if was is None or (now is None and posixpath.basename(path) == was):
        severity = _NOTABLE  # what was linked with the old one asks for the file by its name
    if role in (Role.EXTENSION, Role.PROGRAM):
        severity = _HARMLESS
    elif role is Role.PRIVATE:
        same = was is not None and now is not None and library_stem(was) == library_stem(now)
        severity = _HARMLESS if same else _NOTABLE
    yield _from_to(Aspect.SONAME, severity, "its SONAME is", was, now)


def _needed(old: Sequence[str], new: Sequence[str]) -> Iterator[BuildChange]:
    """Libraries listed, each once; one that only has another version or hash is replaced."""
    was_listed, now_listed = dict.fromkeys(old), dict.fromkeys(new)
    replaced = _replaced(
        [name for name in was_listed if name not in now_listed],
        [name for name in now_listed if name not in was_listed],
    )
    known = {*replaced.values(), *was_listed}
    gone = [name for name in was_listed if name not in now_listed and name not in replaced]
    come = [name for name in now_listed if name not in known]
    for was, now in replaced.items():
        copied = without_hash(was) == without_hash(now)
        severity = _HARMLESS if copied else _NOTABLE
        text = f"needs {now} in place of {was}"
        yield BuildChange(Aspect.NEEDED_REPLACED, severity, text, old=was, new=now)
    if come:
        yield BuildChange(Aspect.NEEDED_ADDED, _NOTABLE, f"needs {some(come)} now", _items(come))
    if gone:
        text = f"does not list {some(gone)} any more"
        yield BuildChange(Aspect.NEEDED_REMOVED, _NOTABLE, text, _items(gone))
    before = [replaced.get(name, name) for name in was_listed]
    after = [name for name in now_listed if name in known]
    before = [name for name in before if name in now_listed]
    if before != after:
        was, now = " ".join(before), " ".join(after)
        text = f"lists its libraries in another order: {some(after)} (before {some(before)})"
        yield BuildChange(Aspect.NEEDED_ORDER, _NOTABLE, text, _items(after), was, now)


def _replaced(gone: Sequence[str], come: Sequence[str]) -> dict[str, str]:
    """What is in the place of each that has only another version or hash now."""
    was, now = _by_stem(gone), _by_stem(come)
    return {
        names[0]: others[0]
        for stem, names in was.items()
        if len(names) == 1 and len(others := now.get(stem, [])) == 1
    }


def _by_stem(names: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(library_stem(name), []).append(name)
    return found


def _items(names: Sequence[str]) -> tuple[ChangedItem, ...]:
    return tuple(map(ChangedItem, names))


def _paths(old: ElfObject, new: ElfObject) -> Iterator[BuildChange]:
    was, now = old.dynamic, new.dynamic
    if was is None or now is None:
        return
    if was.rpath != now.rpath:
        yield _from_to(Aspect.RPATH, _NOTABLE, "its RPATH is", was.rpath, now.rpath)
    if was.runpath != now.runpath:
        yield _from_to(Aspect.RUNPATH, _NOTABLE, "its RUNPATH is", was.runpath, now.runpath)
    filters = [" ".join((*each.filters, *each.auxiliaries)) or None for each in (was, now)]
    if filters[0] != filters[1]:
        yield _from_to(Aspect.FILTERS, _NOTABLE, "it is a filter of", *filters)


def _hardening(old: ElfObject, new: ElfObject) -> Iterator[BuildChange]:
    if old.stack is not new.stack:
        severity = _HARMLESS if new.stack is Stack.NOT_EXECUTABLE else _NOTABLE
        yield _from_to(
            Aspect.STACK, severity, "the stack it asks for is", old.stack.value, new.stack.value
        )
    was, now = _relro(old), _relro(new)
    if was != now:
        severity = _NOTABLE if now < was else _HARMLESS
        yield _from_to(Aspect.RELRO, severity, "RELRO is", _RELRO[was], _RELRO[now])
    if old.dynamic is None or new.dynamic is None:
        return
    writes = new.dynamic.text_relocations
    if writes is not old.dynamic.text_relocations:
        text = "writes to its code when it is loaded" if writes else "has no text relocations now"
        severity = _NOTABLE if writes else _HARMLESS
        yield BuildChange(Aspect.TEXT_RELOCATIONS, severity, text)


def _relro(elf: ElfObject) -> int:
    if elf.relro is None:
        return 0
    return 2 if elf.dynamic is not None and elf.dynamic.bind_now else 1


def _flags(old: ElfObject, new: ElfObject) -> Iterator[BuildChange]:
    if old.dynamic is None or new.dynamic is None:
        return
    was, now = _flag_names(old), _flag_names(new)
    if was != now:
        told = (" ".join(was) or None, " ".join(now) or None)
        yield _from_to(Aspect.FLAGS, _NOTABLE, "its flags are", *told)


def _flag_names(elf: ElfObject) -> list[str]:
    """Names of the flags that a loader acts upon, whatever tag they stand in."""
    dynamic = elf.dynamic
    if dynamic is None:
        return []
    flags, flags_1 = int(dynamic.flags) & ~int(_TOLD), int(dynamic.flags_1) & ~int(_TOLD_1)
    names = [f"DF_{flag.name}" for flag in Flags if flags & flag]
    names += [f"DF_1_{flag.name}" for flag in Flags1 if flags_1 & flag]
    return [*names, "SYMBOLIC"] if dynamic.symbolic else names


def _needs_of_machine(old: ElfObject, new: ElfObject) -> Iterator[BuildChange]:
    was, now = (each.tls.memory_size if each.tls else 0 for each in (old, new))
    if was != now:
        static = new.dynamic is not None and Flags.STATIC_TLS in new.dynamic.flags
        severity = _NOTABLE if static and now > was else _HARMLESS
        text = f"has {now:,} bytes of thread-local storage (before {was:,})"
        yield BuildChange(Aspect.TLS, severity, text, old=str(was), new=str(now))
    level = old.isa_needed.bit_length(), new.isa_needed.bit_length()
    if level[0] != level[1]:
        told = [_isa(each) for each in level]
        severity = _NOTABLE if level[1] > level[0] else _HARMLESS
        yield _from_to(Aspect.ISA_LEVEL, severity, "needs a machine of level", *told)


def _isa(bits: int) -> str | None:
    if not bits:
        return None
    return _ISA_LEVELS[bits - 1] if bits <= len(_ISA_LEVELS) else f"bit {bits - 1}"


def _from_to(
    aspect: Aspect, severity: ChangeSeverity, what: str, old: str | None, new: str | None
) -> BuildChange:
    """A change of one value: ``its SONAME is libz.so.2 (before libz.so.1)``."""
    words = f"{what} {_shown(new)} (before {_shown(old)})"
    return BuildChange(aspect, severity, words, old=old, new=new)


def _shown(value: str | None) -> str:
    return "none" if value is None else value or "empty"
