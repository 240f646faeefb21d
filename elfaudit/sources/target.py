"""What the user writes, to a source: the only place that tells the kinds apart."""

from __future__ import annotations

import os
import zipfile

from ..errors import SourceError
from ..stream import FileStream
from .file import FileSource
from .folder import FolderSource
from .model import Source
from .wheel import WheelSource

__all__ = ["SEPARATOR", "open_source", "split_address"]

SEPARATOR = "::"


def split_address(address: str) -> tuple[str, str | None]:
    """``archive::member`` in its two parts; the second is None without a separator.

    A file whose own name has ``::`` in it is taken as it is if it exists.
    """
    if SEPARATOR not in address or os.path.exists(address):
        return address, None
    container, _, member = address.partition(SEPARATOR)
    return container, member.lstrip("/")


def open_source(path: str) -> Source:
    """The source that ``path`` is: a directory, a wheel or another zip archive, or a plain file.

    Raises:
        SourceError: there is nothing, or it cannot be opened.
        WheelError: it is named ``.whl`` or ``.zip`` but is no sound archive.
    """
    if os.path.isdir(path):
        return FolderSource(path)
    if path.endswith((".whl", ".zip")) or _is_archive(path):
        return WheelSource(path)
    return FileSource(path)


def _is_archive(path: str) -> bool:
    try:
        stream = FileStream(path)  # and not open(): a FIFO would wait for its writer
        magic = stream.read(4)
    except SourceError:
        return False  # FileSource says why
    stream.release()
    return magic == b"PK\x03\x04" and zipfile.is_zipfile(path)
