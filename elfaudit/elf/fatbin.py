"""Placeholder until the reader of fat binaries lands."""

from __future__ import annotations

from dataclasses import dataclass

from ..stream import ByteStream


@dataclass(frozen=True, slots=True)
class GpuTargets:
    hip: tuple[str, ...]
    cuda: tuple[str, ...]
    unknown: tuple[str, ...]
    bundles: int


def gpu_targets(stream: ByteStream, name: str) -> GpuTargets:
    return GpuTargets((), (), (f"{name}: not read",), 0)
