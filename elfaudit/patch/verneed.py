"""The version requirements of a file, with the places where they name libraries.

Source: LSB core, "Symbol Versioning"; ``_dl_check_map_versions`` (glibc ``elf/dl-version.c``): the
loader looks for the library that ``vn_file`` names and aborts where it is not in the process.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..elf.dynamic import DynamicTag
from .image import Image

__all__ = ["Requirement", "requirements"]

_RECORD = "HHIII"
_MOST = 1 << 16


@dataclass(frozen=True, slots=True)
class Requirement:
    """One library that versions are required from.

    Attributes:
        library: its name.
        field: file offset of ``vn_file``.
    """

    library: bytes
    field: int


def requirements(image: Image) -> tuple[Requirement, ...]:
    """What a file requires, library by library.

    Raises:
        ElfFormatError: the records are not in the file, or are none.
    """
    address, count = image.value(DynamicTag.VERNEED), image.value(DynamicTag.VERNEEDNUM)
    if address is None or not count:
        return ()
    position = image.offset_of(address)
    where = image.dynamic.offset
    if position is None:
        raise image.error(where, "DT_VERNEED", f"address {address:#x} lies in no segment")
    if count > _MOST:
        raise image.error(where, "DT_VERNEEDNUM", f"{count} are more than any real file has")
    layout = image.layout.struct(_RECORD)
    found: list[Requirement] = []
    for _ in range(count):
        record = image.reader.read(position, layout.size, "DT_VERNEED")
        version, _, name, _, step = layout.unpack(record)
        if version != 1:
            raise image.error(position, "vn_version", f"is {version}, the only one there is is 1")
        found.append(Requirement(image.string(name), position + 4))
        if not step:
            break
        position += step
    return tuple(found)
