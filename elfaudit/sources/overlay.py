"""Several sources as one: a root with a wheel, or a directory, laid over it.

A source laid over the root has a mount name of its own, ``torch.whl::``, and its files have paths
below it: ``torch.whl::/torch/lib/libc10.so``. So the directory of such a path is an ordinary
``dirname`` (``$ORIGIN`` works), and ``..`` cannot climb out of the wheel into the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from .model import Member, Source

__all__ = ["Overlay", "mount_name"]


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
    def problems(self) -> tuple[str, ...]:
        """What of the sources laid over the root cannot be used, one sentence each."""
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
        source, inside = self._below(path)
        member = source.find(inside) if source is not None else None
        return member if member is None else replace(member, path=path)

    def listing(self, path: str) -> list[str]:
        """Names in the directory at ``path``, sorted."""
        source, inside = self._below(path)
        return source.listing(inside) if source is not None else []

    def _below(self, path: str) -> tuple[Source | None, str]:
        """The source that ``path`` is in, and the path in there."""
        if "::" in path:
            for prefix, source in self.mounts.items():
                if path.startswith(prefix):
                    return source, path[len(prefix) :] or "/"
        return self.root, path
