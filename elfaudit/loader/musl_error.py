"""The first message of musl's loader, word for word.

Source: ``load_direct_deps``, ``do_relocs``, ``reloc_all`` and ``dlopen`` (musl
``ldso/dynlink.c``); the words for ``errno`` are those of ``src/errno/__strerror.h``. A program that
starts is told of everything that is wrong before it ends; this is the first line of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import cast

from ..elf import ElfObject, SymbolBinding
from .linkmap import LinkMap, LinkMapEntry, Opening, Origin, Outcome, SearchStep
from .musl_bindings import MuslBindings

__all__ = ["musl_first_error", "opening_error"]

_NO_FILE = "No such file or directory"
_NO_ERROR = "No error information"  # what musl calls errno 0


def musl_first_error(bindings: MuslBindings) -> str | None:
    """The message that ends the start of the program, or ``dlerror()`` of the subject.

    Args:
        bindings: of the link map in question.

    Returns:
        The message, or None if there is none: all is well, or the start of the process is what
        matters and that went well.

    Raises:
        ElfFormatError: the relocations of an object are damaged.
    """
    openings = bindings.link_map.openings
    for number in dict.fromkeys((0, len(openings) - 1)):
        message = opening_error(bindings, number)
        if message is not None:
            return message
    return None


def opening_error(bindings: MuslBindings, number: int) -> str | None:
    """The first message of one step of a process.

    A ``dlopen`` before the subject's that has one leaves nothing behind: the process is as if it
    had never been called.

    Args:
        bindings: of the link map in question.
        number: which of ``link_map.openings``.

    Raises:
        ElfFormatError: the relocations of an object are damaged.
    """
    link_map = bindings.link_map
    opening = link_map.openings[number]
    root = opening.root
    if opening.refused is not None:
        return f"Error loading shared library {root.label}: {opening.refused}"
    for entry in opening.loaded:
        if entry.origin is Origin.MISSING:
            return _load_error(link_map, entry, is_root=entry is root)
    order = _in_relocation_order(opening, started=number == 0)
    order = [entry for entry in order if entry in bindings.indices]
    for place, entry in enumerate(order):
        if _may_fail(bindings, entry):
            message = next(_row_errors(bindings, entry, order[:place]), None)
            if message is not None:
                return message
    return None


def _load_error(link_map: LinkMap, entry: LinkMapEntry, *, is_root: bool) -> str:
    by = "" if is_root or entry.loader is None else f" (needed by {entry.loader.label})"
    return f"Error loading shared library {entry.name}: {_errno(link_map, entry)}{by}"


def _errno(link_map: LinkMap, entry: LinkMapEntry) -> str:
    """What was wrong with the last path tried; where none was tried, of what failed before."""
    if not entry.name:
        return "Invalid argument"
    before = (e for e in reversed(link_map.entries[: link_map.entries.index(entry)]))
    for other in (entry, *before):
        failed = [step for step in other.steps if step.outcome is not Outcome.FOUND]
        if failed:
            return _words(failed[-1])
    return _NO_ERROR


def _words(step: SearchStep) -> str:
    return step.detail or _NO_FILE


def _in_relocation_order(opening: Opening, *, started: bool) -> list[LinkMapEntry]:
    """The objects of one step as ``reloc_all`` takes them: in load order, the program last."""
    if not started:
        return list(opening.loaded)
    return [*(entry for entry in opening.loaded if entry is not opening.root), opening.root]


def _may_fail(bindings: MuslBindings, entry: LinkMapEntry) -> bool:
    """Whether it is worth looking at every row of an object."""
    references, machine = bindings.references(entry), bindings.machine
    if references.kinds & machine.static_tls and not _is_static(bindings, entry):
        return True
    supported = all(map(machine.supports, references.kinds))
    return not supported or bool(bindings.open_keys(entry))


def _row_errors(
    bindings: MuslBindings, entry: LinkMapEntry, before: list[LinkMapEntry]
) -> Iterator[str]:
    """What is wrong with the relocations of an object, in the loader's order.

    Args:
        bindings: of the process.
        entry: the object.
        before: the objects of the same step that are relocated before it.
    """
    machine = bindings.machine
    said = f"Error relocating {entry.label}: "
    last: str | None = None
    for name, local, weak, kind in _rows(entry):
        last = name if name is not None else last
        if name is not None and not local and bindings.is_open(entry, name, kind):
            if not weak:
                yield f"{said}{name}: symbol not found"
            continue
        if kind in machine.static_tls:
            provider = entry if name is None or local else bindings.address(entry, name)
            if provider is not None and _is_dynamic_tls(bindings, provider):
                yield (
                    f"{said}{_last_name(before) if last is None else last}: initial-exec TLS "
                    f"resolves to dynamic definition in {provider.label}"
                )
        elif not machine.supports(kind):
            yield f"{said}unsupported relocation type {kind}"


def _rows(entry: LinkMapEntry) -> Iterator[tuple[str | None, bool, bool, int]]:
    """(name, is local, may be absent, type) of every relocation: slots first, then the others."""
    elf = cast("ElfObject", entry.elf)  # what is indexed was found
    symbols, relocations = elf.symbols, elf.relocations
    for row, kind in chain(relocations.rows(eager=False), relocations.rows(lazy=False)):
        if not kind:
            continue
        if not row or row >= len(symbols):
            yield None, True, False, kind
            continue
        binding = symbols.info[row] >> 4
        weak = binding == SymbolBinding.WEAK and not symbols.sections[row]
        yield symbols.names[row], binding == SymbolBinding.LOCAL, weak, kind
    elf.release()


def _last_name(before: list[LinkMapEntry]) -> str:
    """What the loader prints as the name of a relocation without a symbol: the last one it had.

    If it never had one, whatever is in that place of its stack; mostly nothing.
    """
    for entry in reversed(before):
        names = [name for name, *_ in _rows(entry) if name is not None]
        if names:
            return names[-1]
    return "(null)"


def _is_static(bindings: MuslBindings, entry: LinkMapEntry) -> bool:
    """Whether an object was there from the start, so that its thread-local storage is static."""
    return entry in bindings.link_map.openings[0].searchlist


def _is_dynamic_tls(bindings: MuslBindings, entry: LinkMapEntry) -> bool:
    tls = entry.elf.tls if entry.elf else None
    return tls is not None and tls.memory_size > 0 and not _is_static(bindings, entry)
