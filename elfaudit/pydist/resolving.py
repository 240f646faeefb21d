"""Which module an import names.

Source: ``_resolve_name`` (``Lib/importlib/_bootstrap.py``).
"""

from __future__ import annotations

__all__ = ["absolute"]


def absolute(importer: str, level: int, module: str, *, is_package: bool) -> str | None:
    """The module that an import names, in full; None where the dots lead above the package.

    Args:
        importer: the module that imports.
        level: how many dots there are in front.
        module: what is behind them; may be empty.
        is_package: whether the importer is a package.
    """
    if not level:
        return module
    parts = importer.split(".")
    up = level - is_package
    if up >= len(parts) + is_package or (up and up >= len(parts)):
        return None
    base = parts[: len(parts) - up]
    return ".".join((*base, module)) if module else ".".join(base)
