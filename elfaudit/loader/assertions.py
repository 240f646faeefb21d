"""Assertions of the loader that a damaged file makes fail: they end the process, with these words.

Source: ``elf_get_dynamic_info`` (glibc ``elf/get-dynamic-info.h``), ``_dl_setup_hash``
(``elf/dl-setup_hash.c``, before 2.35 in ``elf/dl-lookup.c``), ``elf_machine_rela_relative``
(``sysdeps/x86_64/dl-machine.h``), ``_dl_check_map_versions`` (``elf/dl-version.c``),
``check_match`` (``elf/dl-lookup.c``); ``__assert_fail`` (``elf/dl-minimal.c``) for the words.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..elf import DynamicTag, ElfObject
from .rtld import Version

__all__ = [
    "NOT_RELATIVE",
    "NO_NEEDED",
    "NO_VERSIONS",
    "Assertion",
    "asserted",
    "dynamic_assertion",
    "said_of",
]

_BEGINNING = "Inconsistency detected by ld.so: "
_USUAL = (2, 36)  # of a loader of which nothing is known
_FIRST = (2, 0)
_RELA_ONLY = (62, 183, 22, 21, 243, 258)  # x86-64, AArch64, s390x, POWER, RISC-V, LoongArch
_EITHER = (3, 40, 8)  # i386, ARM, MIPS: Elf_Rel it is, but only rtld.c itself insists on that


@dataclass(frozen=True, slots=True)
class Assertion:
    """One assertion, and the lines it stands in.

    Attributes:
        place: file, line and function, as ``assert`` tells them.
        text: what should have been true.
        lines: the line numbers, by the releases from which on they are right.
    """

    place: str
    text: str
    lines: tuple[tuple[Version, int], ...]


NO_NEEDED = Assertion(
    "dl-version.c: {line}: _dl_check_map_versions",
    "needed != NULL",
    ((_FIRST, 205), ((2, 35), 204)),
)
NO_VERSIONS = Assertion(
    "dl-lookup.c: {line}: check_match",
    "version->filename == NULL || ! _dl_name_match_p (version->filename, map)",
    ((_FIRST, 111), ((2, 32), 105), ((2, 35), 106), ((2, 36), 107), ((2, 39), 106)),
)
NOT_RELATIVE = Assertion(
    "../sysdeps/x86_64/dl-machine.h: {line}: elf_machine_rela_relative",
    "ELFW(R_TYPE) (reloc->r_info) == R_X86_64_RELATIVE",
    (
        (_FIRST, 540), ((2, 28), 544), ((2, 30), 546), ((2, 31), 547), ((2, 33), 548),
        ((2, 34), 544), ((2, 35), 536), ((2, 36), 487), ((2, 38), 490), ((2, 39), 497),
        ((2, 40), 498),
    ),
)  # fmt: skip

_DYNAMIC = "get-dynamic-info.h: {line}: elf_get_dynamic_info"
_PLT_IS_RELA = Assertion(
    _DYNAMIC, "info[DT_PLTREL]->d_un.d_val == DT_RELA",
    ((_FIRST, 124), ((2, 28), 123), ((2, 33), 118), ((2, 34), 102), ((2, 36), 115)),
)  # fmt: skip
_PLT_IS_EITHER = Assertion(
    _DYNAMIC,
    "info[DT_PLTREL]->d_un.d_val == DT_REL || info[DT_PLTREL]->d_un.d_val == DT_RELA",
    ((_FIRST, 126), ((2, 28), 125), ((2, 33), 120), ((2, 34), 104), ((2, 36), 117)),
)
_RELA_SIZE = Assertion(
    _DYNAMIC, "info[DT_RELAENT]->d_un.d_val == sizeof (ElfW(Rela))",
    ((_FIRST, 132), ((2, 28), 131), ((2, 33), 126), ((2, 34), 110), ((2, 36), 123)),
)  # fmt: skip
_REL_SIZE = Assertion(
    _DYNAMIC, "info[DT_RELENT]->d_un.d_val == sizeof (ElfW(Rel))",
    ((_FIRST, 136), ((2, 28), 135), ((2, 33), 130), ((2, 34), 114), ((2, 36), 127)),
)  # fmt: skip
_RELR_SIZE = Assertion(
    _DYNAMIC, "info[DT_RELRENT]->d_un.d_val == sizeof (ElfW(Relr))", (((2, 36), 130),)
)
_BLOOM = "(bitmask_nwords & (bitmask_nwords - 1)) == 0"
_OLD_BLOOM = Assertion(
    "dl-lookup.c: {line}: _dl_setup_hash",
    _BLOOM,
    ((_FIRST, 971), ((2, 27), 951), ((2, 28), 948), ((2, 30), 920), ((2, 31), 972), ((2, 32), 966)),
)
_NEW_BLOOM = Assertion("dl-setup_hash.c: {line}: _dl_setup_hash", _BLOOM, (((2, 35), 36),))


def asserted(assertion: Assertion, version: Version | None) -> str:
    """The words of a failed assertion.

    Args:
        assertion: which one.
        version: the release of glibc; None: a usual one.
    """
    usual = _USUAL if version is None else version
    line = next(line for since, line in reversed(assertion.lines) if usual >= since)
    place = assertion.place.format(line=line)
    return f"{_BEGINNING}{place}: Assertion `{assertion.text}' failed!"


def said_of(label: str, words: str) -> str:
    """A message about an object; a failed assertion does not name it."""
    return words if words.startswith(_BEGINNING) else f"{label}: {words}"


def dynamic_assertion(elf: ElfObject, version: Version | None) -> str | None:
    """The words of the assertion that the dynamic section of a file makes fail; None: none.

    Args:
        elf: an object that the loader maps.
        version: the release of glibc; None: a usual one.

    Raises:
        ElfFormatError: the hash table is not inside the file.
    """
    failed = _failed(elf, _USUAL if version is None else version)
    return asserted(failed, version) if failed is not None else None


def _failed(elf: ElfObject, version: Version) -> Assertion | None:
    dynamic, machine, word = elf.dynamic, elf.machine, elf.layout.word_size
    if dynamic is None:
        return None
    plt = dynamic.value(DynamicTag.PLTREL)
    if machine in _RELA_ONLY and plt not in (None, DynamicTag.RELA):
        return _PLT_IS_RELA
    if machine in _EITHER and plt not in (None, DynamicTag.REL, DynamicTag.RELA):
        return _PLT_IS_EITHER
    known = _RELA_ONLY + _EITHER
    sizes = [
        (machine in known, DynamicTag.RELA, DynamicTag.RELAENT, 3 * word, _RELA_SIZE),
        (machine in _EITHER, DynamicTag.REL, DynamicTag.RELENT, 2 * word, _REL_SIZE),
        (version >= (2, 36), DynamicTag.RELR, DynamicTag.RELRENT, word, _RELR_SIZE),
    ]
    for applies, table, tag, size, assertion in sizes:
        # Without the entry that tells the size there is nothing to look at: it crashes.
        if applies and dynamic.value(table) is not None and dynamic.value(tag) not in (None, size):
            return assertion
    words = elf.bloom_size
    if words & (words - 1):
        return _NEW_BLOOM if version >= (2, 35) else _OLD_BLOOM
    return None
