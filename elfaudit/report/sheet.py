"""One file's facts for people, and as a JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from ..elf import Dynamic, ElfObject, Versions
from .facts import elf_facts, machine_names, property_words
from .jsontext import SCHEMA_VERSION, dump
from .style import Style, clean, plural, wrap

__all__ = ["show_document", "show_sheet"]

_LABEL = 18


def show_document(files: Iterable[ElfObject], *, count_symbols: bool = False) -> str:
    """The output of ``show --format json``.

    Raises:
        ElfFormatError: as :func:`~elfaudit.report.facts.elf_facts`.
    """
    rows = [elf_facts(elf, count_symbols=count_symbols) for elf in files]
    return dump({"schema_version": SCHEMA_VERSION, "files": rows}, indent=1) + "\n"


def show_sheet(elf: ElfObject, style: Style, *, count_symbols: bool = False) -> str:
    """The facts of one file, one a line; what it does not have is left out.

    Raises:
        ElfFormatError: its versions, notes or symbol tables are damaged.
    """
    lines = [style.paint(clean(elf.path), "bold")]
    for label, text in _facts(elf, count_symbols=count_symbols):
        head = f"  {label:<{_LABEL}}"
        body = wrap(clean(text), style.columns, indent=" " * len(head))
        lines.append(style.paint(head, "cyan") + body[len(head) :])
    return "\n".join(lines)


def _facts(elf: ElfObject, *, count_symbols: bool) -> Iterator[tuple[str, str]]:
    name, description = machine_names(elf.machine)
    order = "little-endian" if elf.layout.little else "big-endian"
    yield "type", elf.kind.value
    machine = description if name is None else f"{description} ({name})"
    yield "machine", f"{machine}, {elf.layout.bits}-bit, {order}"
    if elf.interp is not None:
        yield "interpreter", elf.interp
    if elf.dynamic is not None:
        yield from _dynamic(elf.dynamic)
    yield "stack", elf.stack.value
    if elf.relro is not None:
        full = elf.dynamic is not None and elf.dynamic.bind_now
        yield "relro", "full" if full else "partial (functions are bound lazily)"
    if elf.tls is not None:
        yield "thread-local", f"{plural(elf.tls.memory_size, 'byte')}, aligned to {elf.tls.align}"
    if elf.build_id is not None:
        yield "build-id", elf.build_id
    yield from _versions(elf.versions)
    for note in elf.dlopen_notes:
        about = ": ".join(text for text in (note.feature, note.description) if text)
        yield "may dlopen", f"{' or '.join(note.sonames)} ({note.priority}) {about}".rstrip()
    for kind, data in elf.properties:
        yield "property", property_words(elf, kind, data)
    if not elf.header.section_count:
        yield "section headers", "none (stripped)"
    if count_symbols:
        table = elf.symbols
        exports, undefined = len(table.export_indices), len(table.undefined_indices)
        yield "symbols", f"{exports:,} exported, {undefined:,} undefined"


def _dynamic(dynamic: Dynamic) -> Iterator[tuple[str, str]]:
    if dynamic.soname is not None:
        yield "soname", dynamic.soname
    for number, name in enumerate(dynamic.needed):
        yield "" if number else "needed", name
    for name in dynamic.filters:
        yield "filter of", name
    for name in dynamic.auxiliaries:
        yield "auxiliary of", name
    if dynamic.rpath is not None:
        unused = " (not used: there is a runpath)" if dynamic.runpath is not None else ""
        yield "rpath", dynamic.rpath + unused
    if dynamic.runpath is not None:
        yield "runpath", dynamic.runpath
    flags = [f.name or "" for f in type(dynamic.flags) if f in dynamic.flags]
    flags_1 = [f.name or "" for f in type(dynamic.flags_1) if f in dynamic.flags_1]
    if flags:
        yield "flags", " ".join(flags)
    if flags_1:
        yield "flags_1", " ".join(flags_1)
    if dynamic.symbolic:
        yield "symbolic", "looks for symbols in itself first"
    if dynamic.text_relocations:
        yield "text relocations", "writes to its code when it is loaded"


def _versions(versions: Versions) -> Iterator[tuple[str, str]]:
    label = "versions needed"
    for library, needs in groupby(versions.needs, key=lambda need: need.library):
        listed = (f"{need.name} (weak)" if need.weak else need.name for need in needs)
        yield label, f"{library}: {', '.join(listed)}"
        label = ""
    defined = [
        f"{each.name} (with {', '.join(each.parents)})" if each.parents else each.name
        for each in versions.definitions
        if not each.base
    ]
    if defined:
        yield "versions defined", ", ".join(defined)
