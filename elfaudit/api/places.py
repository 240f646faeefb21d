"""Where a session looks for what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ..findings import Place, library_places
from ..sources import (
    FileSource,
    FolderSource,
    TreeSource,
    WheelSource,
    mount_name,
    open_source,
    split_address,
)
from .paths import Paths
from .subject import Target

__all__ = ["places_of"]


def places_of(
    targets: Iterable[Target], with_: Iterable[str], root: TreeSource | None, paths: Paths
) -> Iterator[Place]:
    """Where to look for providers, the nearest first.

    Args:
        targets: those that are files, archives or directories of this machine; in which order
            they were given makes no difference.
        with_: what was named for it.
        root: what is ``/`` for the process, or None.
        paths: what files are called in there.

    Raises:
        SourceError: something of ``with_`` cannot be opened.
    """
    for target in sorted(targets, key=lambda target: target.given):
        if not isinstance(target.source, FileSource):
            yield Place(target.source, base=target.base, audited=True)
        elif target.path is not None:
            folder = FolderSource(os.path.dirname(target.given) or ".")
            yield Place(folder, ("",), base=os.path.dirname(target.path).rstrip("/"))
    for path in with_:
        source = open_source(split_address(path)[0])
        if isinstance(source, WheelSource):
            yield Place(source, base=mount_name(source))
        elif isinstance(source, FolderSource):
            yield Place(source, base=paths.place_base(source.directory).rstrip("/"))
        else:
            yield Place(source, base=paths.place_base(""))
    if root is not None:
        yield library_places(root)
