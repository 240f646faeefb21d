"""Helpers for tests that are judged by the machine's own loader."""

from .loader import Answer, Key, build_host, dlopen, python_dlopen, start, trace
from .workshop import Workshop, require_loader

__all__ = [
    "Answer",
    "Key",
    "Workshop",
    "build_host",
    "dlopen",
    "python_dlopen",
    "require_loader",
    "start",
    "trace",
]
