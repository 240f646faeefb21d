"""Where bytes come from: one seam (:class:`Source`), one module per kind of source."""

from .file import FileSource
from .folder import FolderSource
from .model import Member, Source
from .other import NoFile, Obstacle
from .overlay import HOST, Overlay, mount_name
from .shelf import Shelf
from .target import SEPARATOR, open_source, split_address
from .tree import TreeSource
from .wheel import WheelSource

__all__ = [
    "HOST",
    "SEPARATOR",
    "FileSource",
    "FolderSource",
    "Member",
    "NoFile",
    "Obstacle",
    "Overlay",
    "Shelf",
    "Source",
    "TreeSource",
    "WheelSource",
    "mount_name",
    "open_source",
    "split_address",
]
