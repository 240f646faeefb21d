"""The containers in which nvcc packs device code for CUDA.

Source: NVIDIA documents none of it. The layout is what decoders have published (magic 0xBA55ED50,
a header of 16 bytes, images with headers of their own), the meaning of the flags what nvcc 13.0
writes for each ``-gencode``: bit 20 for ``sm_90a``, bit 21 for ``sm_100f``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .walk import Asked, Walk

__all__ = ["CONTAINER", "DeviceImages", "cuda_container"]

CONTAINER = struct.pack("<IHH", 0xBA55ED50, 1, 16)  # magic, version, size of the header
_HEADER = 16
_IMAGE = struct.Struct("<HHIQIIHHIIIQ")
_KINDS = {1: "compute", 2: "sm", 8: "lto", 16: "sm"}  # PTX, machine code, NVVM IR, machine code
_SUFFIXES = ((1 << 20, "a"), (1 << 21, "f"))
_MOST_IMAGES = 10_000


@dataclass(frozen=True, slots=True)
class DeviceImages:
    """One bundle or container.

    Attributes:
        start, end: file offsets of its first byte and of the one behind it, as far as known.
        targets: what its images are compiled for, each once.
        doubt: what of it could not be read, a clause; None if all could.
    """

    start: int
    end: int
    targets: tuple[str, ...]
    doubt: str | None = None


def cuda_container(at: int, size: int) -> Walk[DeviceImages]:
    """The targets of one container: ``sm_90a`` machine code, ``compute_90`` PTX, ``lto_90``.

    Args:
        at: where the container begins.
        size: of the file.
    """
    targets: dict[str, None] = {}
    raw = yield Asked(at + 8, 8, 8)
    end = at + _HEADER + int.from_bytes(raw, "little")
    if len(raw) < 8 or end > size:
        return DeviceImages(
            at, at + _HEADER, (), "a container that reaches past the end of the file"
        )
    position, doubt = at + _HEADER, None
    while position + _IMAGE.size <= end and len(targets) < _MOST_IMAGES:
        raw = yield Asked(position, _IMAGE.size, _IMAGE.size)
        if len(raw) < _IMAGE.size:
            doubt = "a container that reaches past the end of the file"
            break
        kind, _, header, length, _, _, _, _, number, _, _, flags = _IMAGE.unpack(raw)
        if header < _IMAGE.size or position + header + length > end:
            doubt = "an image that reaches past its container"
            break
        if kind in _KINDS and number < 10_000:
            suffix = "".join(letter for bit, letter in _SUFFIXES if flags & bit)
            targets[f"{_KINDS[kind]}_{number}{suffix}"] = None
        else:
            doubt = f"an image of kind {kind}, which is not known"
        position += header + length
    return DeviceImages(at, end, tuple(targets), doubt)
