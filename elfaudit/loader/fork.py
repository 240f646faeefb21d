"""A second process out of one that has begun: what comes before a subject is loaded once."""

from __future__ import annotations

from copy import copy

from .glibc import GlibcProcess
from .musl import MuslProcess

__all__ = ["fork"]


def fork(process: GlibcProcess | MuslProcess) -> GlibcProcess | MuslProcess:
    """A process that is as another one is now; what either does next is its own.

    The objects and the openings are shared, they do not change; the collections of them are copied.
    """
    child = copy(process)
    for name, value in vars(process).items():
        if isinstance(value, list | dict | set):
            setattr(child, name, value.copy())
    return child
