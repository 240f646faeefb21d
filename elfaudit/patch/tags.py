"""Which entries of a dynamic section are addresses (``d_ptr``), and which are texts.

Source: System V gABI, "Dynamic Array Tags"; glibc ``elf/elf.h``. Three texts have numbers among
those of addresses: ``audit_list_add_dynamic_tag`` (glibc ``elf/rtld.c``) adds the value of DT_AUDIT
to the address of DT_STRTAB.
"""

from __future__ import annotations

__all__ = ["ADDRESSES", "TEXTS"]

_TEXTS_AMONG_ADDRESSES = range(0x6FFFFEFA, 0x6FFFFEFD)  # DT_CONFIG, DT_DEPAUDIT, DT_AUDIT

ADDRESSES = frozenset(
    (
        3, 4, 5, 6, 7, 12, 13, 17, 23, 25, 26, 32, 34, 36,  # DT_PLTGOT to DT_RELR
        *range(0x6FFFFE00, 0x6FFFFF00),  # DT_ADDRRNGLO to DT_ADDRRNGHI: DT_GNU_HASH …
        0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE,  # DT_VERSYM, DT_VERDEF, DT_VERNEED
        0x70000032, 0x70000036,  # DT_MIPS_PLTGOT, DT_MIPS_XHASH
    )
).difference(_TEXTS_AMONG_ADDRESSES)  # fmt: skip

TEXTS = frozenset((1, 14, 15, 29, *_TEXTS_AMONG_ADDRESSES, 0x7FFFFFFD, 0x7FFFFFFF))
"""DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH, … DT_AUXILIARY, DT_FILTER: offsets of strings."""
