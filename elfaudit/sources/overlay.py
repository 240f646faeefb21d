"""Several sources as one: a root with wheels, or with files of this machine, laid over it.

A source laid over the root has a mount name of its own, ``torch.whl::``, and its files have paths
below it: ``torch.whl::/torch/lib/libc10.so``. So the directory of such a path is an ordinary
``dirname`` (``$ORIGIN`` works), and ``..`` cannot climb out of the wheel into the machine. Wheels
are installed into one ``site-packages``: what a path does not find in its own wheel may be in
another.

Files of this machine that are named and lie outside the root are below :data:`HOST`, with their
absolute paths: their ``$ORIGIN`` leads where it leads here, everything absolute into the root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..errors import SourceError
from .model import Member, Source
from .other import NoFile, Obstacle
from .wheel import WheelSource

__all__ = ["HOST", "Overlay", "mount_name"]

HOST = "(this machine)::"


def mount_name(source: Source) -> str:
    """The path prefix of everything in a source that is laid over a root."""
    return f"{source.label}::"


class Overlay:
    """A root, which may be missing, and the sources laid over it.

    Args:
        root: what paths without a mount name mean; None: nothing.
        mounts: mount name to source, as :func:`mount_name` gives it.
    """

    def __init__(self, root: Source | None, mounts: Mapping[str, Source]) -> None:
        self.root = root
        self.mounts = dict(mounts)
        self.label = root.label if root else "none"

    @property
    def problems(self) -> tuple[SourceError, ...]:
        """What of the sources laid over the root cannot be used."""
        return tuple(problem for source in self.mounts.values() for problem in source.problems)

    def names(self) -> Iterator[str]:
        """Paths of all files laid over the root, then of the root's own."""
        for prefix, source in self.mounts.items():
            for name in source.names():
                yield prefix + name
        if self.root is not None:
            yield from self.root.names()

    def find(self, path: str) -> Member | None:
        """The regular file at ``path``, or None."""
        found = self.look(path)
        return found if isinstance(found, Member) else None

    def look(self, path: str) -> Member | NoFile:
        """The same, or what is there instead."""
        source, inside = self._below(path)
        found = source.look(inside) if source is not None else NoFile(Obstacle.ABSENT)
        if isinstance(found, NoFile) and found.kind is not Obstacle.DIRECTORY:
            found = next(self._in_other_wheels(source, inside), found)
        if isinstance(found, Member) and found.path != path:
            return replace(found, path=path)
        return found

    def is_link(self, path: str) -> bool:
        """Whether the last part of ``path`` is a symbolic link."""
        source, inside = self._below(path)
        return source is not None and source.is_link(inside)

    def listing(self, path: str) -> list[str]:
        """Names in the directory at ``path``, sorted; in a wheel, once all are installed."""
        source, inside = self._below(path)
        names = source.listing(inside) if source is not None else []
        others = [other.listing(f"/{name}") for other, name in self._others(source, inside)]
        return sorted({*names, *(name for other in others for name in other)}) if others else names

    def _in_other_wheels(self, source: Source | None, path: str) -> Iterator[Member | NoFile]:
        """What ``path`` is once all the wheels are installed side by side."""
        for other, name in self._others(source, path):
            found = other.look(f"/{name}")
            if isinstance(found, Member) or found.kind is Obstacle.DIRECTORY:
                yield found

    def _others(self, wheel: Source | None, path: str) -> Iterator[tuple[WheelSource, str]]:
        """The other wheels, if it is a path of one, and its name in them."""
        name = wheel.normal(path) if isinstance(wheel, WheelSource) else None
        for other in self.mounts.values() if name else ():
            if other is not wheel and isinstance(other, WheelSource) and name:
                yield other, name

    def _below(self, path: str) -> tuple[Source | None, str]:
        """The source that ``path`` is in, and the path in there."""
        if "::" in path:
            for prefix, source in self.mounts.items():
                if path.startswith(prefix):
                    return source, path[len(prefix) :] or "/"
        return self.root, path
