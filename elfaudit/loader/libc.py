"""Which C library, and so which dynamic loader, a file is made for."""

from __future__ import annotations

from collections.abc import Iterator

from ..elf import ElfObject
from ..sources import Source
from .environment import Libc
from .machines import INTERPRETERS

__all__ = ["libc_of", "loaders_in"]

_MUSL_LOADER = "ld-musl-"
_GLIBC_LIBRARIES = ("libc.so.", "ld-linux", "ld64.so.")


def libc_of(elf: ElfObject, program: ElfObject | None = None) -> Libc:
    """Whose loader will load a file.

    A program names its loader (``PT_INTERP``). A library is known by the C library it lists:
    ``libc.so`` is what musl's linker scripts give, ``libc.musl-ARCH.so.1`` the same on Alpine; the
    names of glibc's end in a number. Where a library lists neither, and is neither itself, it is
    made for whatever the program is.

    Args:
        elf: the file.
        program: the program whose process it is loaded into, where there is one.
    """
    if elf.interp is not None:
        return Libc.MUSL if _MUSL_LOADER in elf.interp else Libc.GLIBC
    for name in (*elf.needed, elf.soname or ""):
        if name == "libc.so" or name.startswith(("libc.musl-", _MUSL_LOADER)):
            return Libc.MUSL
        if name.startswith(_GLIBC_LIBRARIES):
            return Libc.GLIBC
    return Libc.GLIBC if program is None else libc_of(program)


def loaders_in(root: Source) -> Iterator[tuple[str, Libc]]:
    """The dynamic loaders of a root, each where programs name it, and whose they are."""
    for path in INTERPRETERS:
        if root.find(path) is not None:
            yield path, Libc.GLIBC
    for name in root.listing("/lib"):
        if name.startswith(_MUSL_LOADER):
            yield f"/lib/{name}", Libc.MUSL
