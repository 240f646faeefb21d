"""Several sources as one: a root with a wheel, or a directory, laid over it.

A source laid over the root has a mount name of its own, ``torch.whl::``, and its files have paths
below it: ``torch.whl::/torch/lib/libc10.so``. So the directory of such a path is an ordinary
``dirname`` (``$ORIGIN`` works), and ``..`` cannot climb out of the wheel into the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
        self.problems = tuple(problem for source in mounts.values() for problem in source.problems)

    def names(self) -> Iterator[str]:
        """Paths of all files laid over the root, then of the root's own."""
        for prefix, source in self.mounts.items():
            for name in source.names():
                yield prefix + name
        if self.root is not None:
            yield from self.root.names()

    def find(self, path: str) -> Member | None:
        """The regular file at ``path``, or None."""
        prefix, separator, inside = path.partition("::")
        if separator and f"{prefix}::" in self.mounts:
            member = self.mounts[f"{prefix}::"].find(inside or "/")
            if member is None:
                return None
            return Member(
                path,
                member.display,
                member.identity,
                member.size,
                member.sequential,
                member.open,
            )
        return self.root.find(path) if self.root is not None else None

    def listing(self, path: str) -> list[str]:
        """Names in the directory at ``path``, sorted."""
        prefix, separator, inside = path.partition("::")
        if separator and f"{prefix}::" in self.mounts:
            return self.mounts[f"{prefix}::"].listing(inside or "/")
        return self.root.listing(path) if self.root is not None else []
