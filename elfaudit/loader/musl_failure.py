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
from .failed import Cause, Failure
from .linkmap import LinkMap, LinkMapEntry, Opening, Origin, Outcome
from .musl_bindings import MuslBindings

__all__ = ["first_musl_failure", "musl_absence_message"]

_NO_FILE = "No such file or directory"
_INITIAL_EXEC = "initial-exec TLS resolves to dynamic definition in"
_NO_ERROR = "No error information"  # what musl calls errno 0


def first_musl_failure(bindings: MuslBindings) -> Failure | None:
    """What stops a process, or None.

    A ``dlopen`` that fails leaves nothing behind: to go on after it, make the process without it.

    Args:
        bindings: of the whole process.
    """
    for opening in bindings.link_map.openings:
        if opening.root.doubt is not None:
            return None  # what would come first is not known
        failure = _file_failure(bindings.link_map, opening) or next(
            _relocation_failures(bindings, opening), None
        )
        if failure is not None:
            return failure
    return None


def musl_absence_message(link_map: LinkMap, entry: LinkMapEntry) -> str:
    """What the loader says of a file that it does not find, or does not take.

    Args:
        link_map: of the whole process: what failed before matters where no path is left to try.
        entry: one of it that is missing.
    """
    opened = any(entry is opening.root for opening in link_map.openings)
    by = "" if opened or entry.loader is None else f" (needed by {entry.loader.label})"
    return f"Error loading shared library {entry.name}: {_errno(link_map, entry)}{by}"


def _file_failure(link_map: LinkMap, opening: Opening) -> Failure | None:
    """The first file that is not there or not taken."""
    if opening.refused is not None:
        root = opening.root
        message = f"Error loading shared library {root.label}: {opening.refused}"
        return Failure(Cause.FILE, message, root, opening)
    for entry in opening.loaded:
        if entry.origin is Origin.MISSING:
            return Failure(Cause.FILE, musl_absence_message(link_map, entry), entry, opening)
    return None


def _errno(link_map: LinkMap, entry: LinkMapEntry) -> str:
    """What was wrong with the last path tried; where none was tried, of what failed before."""
    if not entry.name:
        return "Invalid argument"
    before = (e for e in reversed(link_map.entries[: link_map.entries.index(entry)]))
    for other in (entry, *before):
        failed = [step for step in other.steps if step.outcome is not Outcome.FOUND]
        if failed:
            return failed[-1].detail or _NO_FILE
    return _NO_ERROR


def _relocation_failures(bindings: MuslBindings, opening: Opening) -> Iterator[Failure]:
    """What goes wrong while the objects of one step are relocated, in the loader's order."""
    order = [entry for entry in _relocated_by(opening) if entry in bindings.indices]
    for place, entry in enumerate(order):
        if _may_fail(bindings, entry):
            yield from _row_failures(bindings, opening, entry, order[:place])


def _relocated_by(opening: Opening) -> list[LinkMapEntry]:
    """The objects of one step as ``reloc_all`` takes them: in load order, the program last."""
    if opening.mode is not None:
        return list(opening.loaded)
    return [*(entry for entry in opening.loaded if entry is not opening.root), opening.root]


def _may_fail(bindings: MuslBindings, entry: LinkMapEntry) -> bool:
    """Whether it is worth looking at every row of an object."""
    references, machine = bindings.references(entry), bindings.machine
    if references.kinds & machine.static_tls and not _is_static(bindings, entry):
        return True
    supported = all(map(machine.supports, references.kinds))
    return not supported or bool(bindings.open_keys(entry))


def _row_failures(
    bindings: MuslBindings, opening: Opening, entry: LinkMapEntry, before: list[LinkMapEntry]
) -> Iterator[Failure]:
    """What is wrong with the relocations of one object; ``before`` are those relocated first."""
    machine = bindings.machine
    said = f"Error relocating {entry.label}: "
    last: str | None = None
    for name, local, weak, kind in _rows(entry):
        last = name if name is not None else last
        if name is not None and not local and bindings.is_open(entry, name, kind):
            if not weak:
                message = f"{said}{name}: symbol not found"
                yield Failure(Cause.SYMBOL, message, entry, opening, name)
        elif kind in machine.static_tls:
            provider = entry if name is None or local else bindings.address(entry, name)
            if provider is not None and _is_dynamic_tls(bindings, provider):
                shown = _last_name(before) if last is None else last
                yield Failure(
                    Cause.STATIC_TLS,
                    f"{said}{shown}: {_INITIAL_EXEC} {provider.label}",
                    entry,
                    opening,
                    name,
                )
        elif not machine.supports(kind):
            message = f"{said}unsupported relocation type {kind}"
            yield Failure(Cause.RELOCATION, message, entry, opening)


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
