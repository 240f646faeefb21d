"""One file's facts as plain values: what ``show`` prints as JSON.

Source of the names: pyelftools for machines; the x86-64 and AArch64 psABI for GNU properties.
"""

from __future__ import annotations

from enum import IntFlag

from ..elf import Dynamic, ElfObject, FileType, Flags, Flags1, Versions
from .jsontext import identifier
from .style import plural

__all__ = ["elf_facts", "machine_names", "property_words"]

# As pyelftools has them (a test compares): its tables take 20 ms to import, for one name.
_MACHINES = {
    3: ("EM_386", "Intel 80386"),
    21: ("EM_PPC64", "PowerPC64"),
    22: ("EM_S390", "IBM S/390"),
    40: ("EM_ARM", "ARM"),
    62: ("EM_X86_64", "Advanced Micro Devices X86-64"),
    183: ("EM_AARCH64", "AArch64"),
    243: ("EM_RISCV", "RISC-V"),
}
_STACK_SIZE, _NO_COPY_ON_PROTECTED, _NEEDED = 1, 2, 0xB0008000
_X86 = (3, 62)
_X86_LEVELS = ("x86-64-baseline", "x86-64-v2", "x86-64-v3", "x86-64-v4")
_X86_PROPERTIES: dict[int, tuple[str, tuple[str, ...]]] = {
    0xC0000002: ("x86 feature", ("IBT", "SHSTK", "LAM_U48", "LAM_U57")),
    0xC0008002: ("x86 ISA needed", _X86_LEVELS),
    0xC0010001: (
        "x86 feature used",
        ("x86", "x87", "MMX", "XMM", "YMM", "ZMM", "FXSR", "XSAVE", "XSAVEOPT", "XSAVEC"),
    ),
    0xC0010002: ("x86 ISA used", _X86_LEVELS),
}
_AARCH64 = 183
_AARCH64_PROPERTIES: dict[int, tuple[str, tuple[str, ...]]] = {
    0xC0000000: ("AArch64 feature", ("BTI", "PAC", "GCS"))
}


def elf_facts(elf: ElfObject, *, count_symbols: bool = False) -> dict[str, object]:
    """Everything of a file that a loader acts upon; numbers of symbols only if asked for.

    Raises:
        ElfFormatError: its versions, notes or symbol tables are damaged.
    """
    name, description = machine_names(elf.machine)
    dynamic = elf.dynamic
    return {
        "file": elf.path,
        "kind": identifier(elf.kind),
        "type": _type_name(elf.header.type),
        "bits": elf.layout.bits,
        "byte_order": "little" if elf.layout.little else "big",
        "machine": {"number": elf.machine, "name": name, "description": description},
        "os_abi": elf.header.osabi,
        "interpreter": elf.interp,
        "dynamic": None if dynamic is None else _dynamic(dynamic),
        "stack": identifier(elf.stack),
        "relro": _relro(elf),
        "tls": _tls(elf),
        "build_id": elf.build_id,
        **_versions(elf.versions),
        **_notes(elf),
        "section_headers": elf.header.section_count,
        "symbols": _symbol_counts(elf) if count_symbols else None,
    }


def _notes(elf: ElfObject) -> dict[str, object]:
    return {
        "dlopen": [
            {
                "sonames": list(note.sonames),
                "feature": note.feature,
                "description": note.description,
                "priority": note.priority,
            }
            for note in elf.dlopen_notes
        ],
        "properties": [
            {"type": kind, "data": data.hex(), "words": property_words(elf, kind, data)}
            for kind, data in elf.properties
        ],
    }


def _symbol_counts(elf: ElfObject) -> dict[str, int]:
    table = elf.symbols
    return {
        "all": max(len(table) - 1, 0),
        "exports": len(table.export_indices),
        "undefined": len(table.undefined_indices),
    }


def machine_names(machine: int) -> tuple[str | None, str]:
    """(``EM_*`` name or None, description) of an ``e_machine``, as pyelftools has them."""
    if machine in _MACHINES:
        return _MACHINES[machine]
    from elftools.elf.descriptions import describe_e_machine  # noqa: PLC0415  20 ms
    from elftools.elf.enums import ENUM_E_MACHINE  # noqa: PLC0415

    for name, number in ENUM_E_MACHINE.items():
        if number == machine:
            text = str(describe_e_machine(name))
            return name, name.removeprefix("EM_") if text == "<unknown>" else text
    return None, f"unknown machine {machine}"


def property_words(elf: ElfObject, kind: int, data: bytes) -> str:
    """A GNU property in words; its number and bytes where it is not known."""
    order = "little" if elf.layout.little else "big"
    value = int.from_bytes(data, "little" if elf.layout.little else "big")
    if kind == _STACK_SIZE and len(data) == elf.layout.word_size:
        return f"stack size: {plural(value, 'byte')}"
    if kind == _NO_COPY_ON_PROTECTED and not data:
        return "no copy on protected"
    known = {}
    if elf.machine in _X86:
        known = _X86_PROPERTIES
    elif elf.machine == _AARCH64:
        known = _AARCH64_PROPERTIES
    if kind not in known or len(data) != 4:
        return f"type {kind:#x}: {data.hex() or 'no data'} ({order}-endian)"
    what, names = known[kind]
    found = [names[bit] for bit in range(32) if value >> bit & 1 and bit < len(names)]
    rest = value >> len(names) << len(names)
    return f"{what}: {', '.join([*found, *([hex(rest)] if rest else [])]) or 'none'}"


def _dynamic(dynamic: Dynamic) -> dict[str, object]:
    return {
        "soname": dynamic.soname,
        "needed": list(dynamic.needed),
        "rpath": dynamic.rpath,
        "runpath": dynamic.runpath,
        "flags": _flag_names(Flags, dynamic.flags, "DF_"),
        "flags_1": _flag_names(Flags1, dynamic.flags_1, "DF_1_"),
        "filters": list(dynamic.filters),
        "auxiliaries": list(dynamic.auxiliaries),
        "bind_now": dynamic.bind_now,
        "symbolic": dynamic.symbolic,
        "text_relocations": dynamic.text_relocations,
    }


def _flag_names(kind: type[IntFlag], value: int, prefix: str) -> list[str]:
    """The names of the bits set; what has none in hexadecimal."""
    rest = int(value)  # the complement of an IntFlag would lose the unknown bits
    names = []
    for flag in kind:
        if rest & flag.value:
            names.append(f"{prefix}{flag.name}")
            rest &= ~flag.value
    return [*names, *([f"{rest:#x}"] if rest else [])]


def _type_name(number: int) -> str:
    try:
        return f"ET_{FileType(number).name}"
    except ValueError:
        return f"{number:#x}"


def _relro(elf: ElfObject) -> str:
    if elf.relro is None:
        return "none"
    return "full" if elf.dynamic is not None and elf.dynamic.bind_now else "partial"


def _tls(elf: ElfObject) -> dict[str, int] | None:
    tls = elf.tls
    if tls is None:
        return None
    return {"memory_size": tls.memory_size, "file_size": tls.file_size, "align": tls.align}


def _versions(versions: Versions) -> dict[str, object]:
    return {
        "versions_needed": [
            {"library": need.library, "name": need.name, "weak": need.weak}
            for need in versions.needs
        ],
        "versions_defined": [
            {
                "name": definition.name,
                "parents": list(definition.parents),
                "base": definition.base,
                "weak": definition.weak,
            }
            for definition in versions.definitions
        ],
    }
