"""The memory that musl maps a file to, as far as it can be told without a process.

Source: ``mmap`` of musl (``src/mman/mmap.c``) and of Linux (``do_mmap``, ``get_unmapped_area`` and
``file_mmap_ok`` of ``mm/mmap.c``) for what is refused; what lies behind the end of the file raises
SIGBUS. Addresses are those that the file has for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..elf.pages import page_end

__all__ = ["Image", "RefusedError", "UntoldError"]

_SPACE = 1 << 57  # no machine gives a process more
_ROOM = 1 << 40  # every 64-bit machine has that much free
_MEMORY = 1 << 30  # that much can always be written to
_FILE_END = 1 << 43  # file systems differ in how far behind the end of a file they let map
_READABLE = 4 | 2  # PF_R, PF_W: what can be written can be read
_WRITABLE = 2


class RefusedError(Exception):
    """The loader does not take the file; the text is its word for ``errno``."""


class UntoldError(Exception):
    """What the loader does hangs on what is not in the file, or it crashes; the text says why."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A stretch of memory over whatever was there before; zeros where there is no offset."""

    start: int
    stop: int
    offset: int | None
    flags: int


class Image:
    """The memory of one file.

    Args:
        read: gives so many bytes from an offset of the file on, fewer at its end.
        size: of the file.
        bits: 32 or 64.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int, bits: int) -> None:
        self._read = read
        self._size = size
        self._half = 1 << bits - 1
        self._layers: list[_Layer] = []

    def map(self, start: int, length: int, offset: int | None, flags: int) -> None:
        """Map part of the file, or zeros, which all start on a page.

        Raises:
            RefusedError: ``mmap`` fails.
            UntoldError: whether it does hangs on the machine.
        """
        if length >= self._half - 1:
            raise RefusedError("Out of memory")
        if not length:
            raise RefusedError("Invalid argument")
        if length > _SPACE:
            raise RefusedError("Out of memory")
        if self._half > _SPACE and length > _ROOM:
            raise UntoldError(f"whether {length:#x} bytes of address space are free")
        if offset is not None and offset >= self._half > _SPACE:
            raise RefusedError("Value too large for data type")
        if offset is not None and offset > _FILE_END:
            raise UntoldError(f"whether the file system lets map offset {offset:#x}")
        if flags & _WRITABLE and length > _MEMORY:
            raise UntoldError(f"whether there are {length:#x} bytes of memory")
        self._layers.append(_Layer(start, start + length, offset, flags))

    def clear(self, start: int, length: int) -> None:
        """Write zeros.

        Raises:
            UntoldError: the loader crashes.
        """
        layer = self._layer(start, length, _WRITABLE)
        self._layers.append(_Layer(start, start + length, None, layer.flags))

    def bytes(self, address: int, length: int) -> bytes:
        """What the loader reads at an address.

        Raises:
            UntoldError: it crashes.
        """
        layer = self._layer(address, length, _READABLE)
        if layer.offset is None:
            return bytes(length)
        raw = self._read(layer.offset + address - layer.start, length)
        return raw.ljust(length, b"\0")

    def _layer(self, address: int, length: int, flags: int) -> _Layer:
        """What is mapped at an address; of a stretch across two the caller asks twice."""
        for layer in reversed(self._layers):
            if layer.start <= address < layer.stop:
                if address + length > layer.stop:
                    break
                end = (
                    None if layer.offset is None else layer.offset + address - layer.start + length
                )
                if not layer.flags & flags or (end is not None and end > page_end(self._size)):
                    break
                return layer
        raise UntoldError(f"the loader reads or writes what is not there, at address {address:#x}")
